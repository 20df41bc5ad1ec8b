"""A fit of a network as a JSON header and named tensors, and back. The code of a user's own module stays outside."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import torch
from torch import Tensor, nn

from slopewise.data.design import Design
from slopewise.errors import DataError, StoreError
from slopewise.models.mlp import MLP
from slopewise.models.model import Model
from slopewise.models.torch_module import Module, as_model, check_module, describe, restore
from slopewise.results.metrics.classification import ClassMetrics
from slopewise.results.metrics.regression import Metrics
from slopewise.results.network import NetworkFit
from slopewise.results.report.network_to_dict import measured, to_dict
from slopewise.results.storage.classification import metrics_from
from slopewise.results.storage.descent import plan_from
from slopewise.results.storage.network_descent import (
    network_descent_tensors,
    pack_network_descent,
    unpack_network_descent,
)
from slopewise.training.moments.standardize import Standardization

STATE = "module."


def pack_network(fit: NetworkFit) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the header, plain JSON values, and the tensors of a fit of a network.

    Of more than 100 parameters only the state kept is packed, not those of the epochs before it.
    """
    header = {
        "kind": "network",
        "design": fit.design.to_dict(),
        "network": _described(fit.model),
        "loss": fit.loss,
        "solver": fit.solver,
        "reason": fit.reason,
        "n": fit.n,
        "dropped": fit.n_dropped,
        "missing": list(fit.missing),
        "counts": list(fit.counts),
        "library": fit.library,
        **pack_network_descent(fit.descent),
        "train": measured(fit.train),
        "validation": measured(fit.validation),
        "test": measured(fit.test),
        "findings": list(fit.findings),
        "result": to_dict(fit),
    }
    return header, _tensors(fit)


def unpack_network(header: dict[str, Any], tensors: dict[str, Tensor], module: nn.Module | None = None) -> NetworkFit:
    """Return the fit that `pack_network` took apart.

    Args:
        header: its plain values.
        tensors: its numbers.
        module: the user's own, where the fit is of one; it is copied, and the copy gets the saved numbers.

    Raises:
        KeyError, TypeError, ValueError: something is missing or does not fit the rest.
        StoreError: the fit is of the user's own module, and none, or another one, is given.
    """
    design, plan = Design.from_dict(header["design"]), plan_from(header["plan"])
    dtype = torch.float32 if plan.dtype == "float32" else torch.float64
    model = _model(header["network"], len(design.x_names), tensors, module, dtype)
    numbers = dict(zip(_numbers(), tensors["numbers"].tolist(), strict=True))
    weights = tensors["class_weights"].tolist() if "class_weights" in tensors else None
    descent = unpack_network_descent(header, tensors, plan, numbers)
    found = NetworkFit(
        design=design,
        model=model,
        theta=tensors["theta"],
        units=Standardization(tensors["mean"], tensors["scale"], True),
        y_mean=numbers["y_mean"],
        y_scale=numbers["y_scale"],
        loss=str(header["loss"]),
        descent=descent,
        solver=str(header["solver"]),
        reason=str(header["reason"]),
        n=int(header["n"]),
        n_dropped=int(header["dropped"]),
        missing=tuple(int(count) for count in header["missing"]),
        counts=tuple(int(count) for count in header["counts"]),
        l2=numbers["l2"],
        class_weights=None if weights is None else tuple(weights),
        library=str(header["library"]),
        known_train=_metrics(header["train"]),
        known_validation=_metrics(header["validation"]),
        known_test=_metrics(header["test"]),
        findings=tuple(header["findings"]),
    )
    if len(found.theta) != len(found.names):
        raise ValueError(f"tensor theta holds {len(found.theta)} numbers and the network takes {len(found.names)}")
    return found


def _tensors(fit: NetworkFit) -> dict[str, Tensor]:
    tensors = {
        "theta": fit.theta,
        "mean": fit.units.mean,
        "scale": fit.units.scale,
        "numbers": torch.tensor(list(_numbers(fit).values()), dtype=torch.float64),
        **network_descent_tensors(fit.descent),
    }
    if fit.class_weights is not None:
        tensors["class_weights"] = torch.tensor(fit.class_weights, dtype=torch.float64)
    if isinstance(fit.model, Module):
        tensors |= {STATE + name: value for name, value in fit.model.inner.state_dict().items()}
    return tensors


def _numbers(fit: NetworkFit | None = None) -> dict[str, float]:
    """Return the single numbers that must come back bit by bit; their names alone without a fit."""
    names = ("y_mean", "y_scale", "l2", "largest_lr", "null_cost", "seconds")
    if fit is None:
        return dict.fromkeys(names, math.nan)
    descent = fit.descent
    values = (
        fit.y_mean,
        fit.y_scale,
        fit.l2,
        descent.largest_lr,
        descent.null_cost,
        descent.descended.seconds,
    )
    return dict(zip(names, values, strict=True))


def _described(model: Model) -> dict[str, Any]:
    if isinstance(model, MLP):
        return {"mlp": dataclasses.asdict(model)}
    assert isinstance(model, Module)
    return {"module": describe(model.inner), "outputs": model.outputs}


def _model(
    stored: dict[str, Any], q: int, tensors: dict[str, Tensor], module: nn.Module | None, dtype: torch.dtype
) -> Model:
    if "mlp" in stored:
        return MLP(**{**stored["mlp"], "hidden": tuple(stored["mlp"]["hidden"])})
    name = stored["module"]["class"]
    if module is None:
        raise StoreError(
            f"the fit is of a module of your own, {name}, whose code is not in the file; give it again: "
            "load(path, module=…)."
        )
    outputs = int(stored["outputs"])
    state = {key.removeprefix(STATE): value for key, value in tensors.items() if key.startswith(STATE)}
    try:
        inner = check_module(copy.deepcopy(module).to(dtype), q, outputs)
        restore(inner, state)
    except DataError as error:
        raise StoreError(str(error)) from error
    return as_model(inner, outputs)


def _metrics(stored: dict[str, Any] | None) -> Metrics | ClassMetrics | None:
    if stored is None:
        return None
    if "accuracy" in stored:
        return metrics_from(stored)
    values = {name: math.nan if stored[name] is None else float(stored[name]) for name in ("rmse", "mae", "r2")}
    return Metrics(int(stored["n"]), **values)
