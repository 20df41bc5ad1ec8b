"""A fit as a JSON header and named tensors, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from slopewise.data.design import Design
from slopewise.results.inference.covariance import COV_TYPES, Covariance
from slopewise.results.metrics.regression import Metrics
from slopewise.results.report.to_dict import measured, to_dict
from slopewise.results.storage.descent import descent_tensors, pack_descent, unpack_descent
from slopewise.results.storage.moments import moment_tensors, moments_from
from slopewise.solution import Factor, Solution, Status

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.results.fit import Fit

FORMAT = 1
"""Raised whenever a file could no longer be read by the slopewise before."""


def pack(fit: Fit) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the header, plain JSON values, and the tensors of a fit."""
    return _header(fit), _tensors(fit)


def unpack(header: dict[str, Any], tensors: dict[str, Tensor]) -> Fit:
    """Return the fit that `pack` took apart.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: something is missing or does not fit the rest.
    """
    from slopewise.results.fit import Fit

    design = Design.from_dict(header["design"])
    _check(tensors, p=len(design.names), q=len(design.x_names))
    if header["cov_type"] not in COV_TYPES:
        raise ValueError(f"cov_type is {header['cov_type']!r}")
    condition, confidence_level, l2, weight, lost, log_weight = tensors["settings"].tolist()
    moments = moments_from(header, tensors, weight=weight, lost=lost, log_weight=log_weight)
    solution = Solution(
        theta=tensors["theta"],
        status=Status[header["status"]],
        digits=tensors["digits"],
        rss=tensors["rss"],
        passes=int(header["passes"]),
        condition=condition,
        moments=moments,
        factor=Factor(**_part(tensors, "factor."), intercept=design.intercept),
    )
    return Fit(
        design=design,
        solution=solution,
        uncertainty=Covariance(header["cov_type"], tensors["covariance"], tensors["covariance.inner"]),
        solver=str(header["solver"]),
        reason=str(header["reason"]),
        confidence_level=confidence_level,
        l2=l2,
        library=str(header["library"]),
        known_train=_metrics(header["train"]),
        known_test=_metrics(header["test"]) if header["test"] is not None else None,
        descent=unpack_descent(header["trail"], tensors, solution) if header.get("trail") else None,
        findings=tuple(header.get("findings", ())),
        l1=float(header.get("l1", 0.0)),
    )


def _header(fit: Fit) -> dict[str, Any]:
    moments = fit.solution.moments
    return {
        "kind": "linear",
        "design": fit.design.to_dict(),
        "solver": fit.solver,
        "reason": fit.reason,
        "status": fit.status.name,
        "passes": fit.solution.passes,
        "cov_type": fit.cov_type,
        "library": fit.library,
        "l1": fit.l1,
        "n": moments.n,
        "dropped": moments.dropped,
        "missing": moments.missing,
        "train": measured(fit.train),
        "test": measured(fit.test) if fit.test else None,
        "result": to_dict(fit),
        "trail": pack_descent(fit.descent) if fit.descent else None,
        "findings": list(fit.findings),
    }


def _tensors(fit: Fit) -> dict[str, Tensor]:
    """Return every number that must come back bit by bit."""
    solution, moments, factor = fit.solution, fit.solution.moments, fit.solution.factor
    settings = [solution.condition, fit.confidence_level, fit.l2, moments.weight, moments.lost, moments.log_weight]
    return {
        "theta": solution.theta,
        "digits": solution.digits,
        "rss": solution.rss,
        "covariance": fit.uncertainty.raw,
        "covariance.inner": fit.uncertainty.inner,
        "factor.mean": factor.mean,
        "factor.scale": factor.scale,
        "factor.r_inverse": factor.r_inverse,
        "factor.ridge": factor.ridge,
        **moment_tensors(moments),
        "settings": torch.tensor(settings, dtype=torch.float64),
        **(descent_tensors(fit.descent) if fit.descent else {}),
    }


def _shapes(p: int, q: int) -> dict[str, tuple[int, ...]]:
    vector, square = (p,), (p, p)
    return {
        "theta": vector,
        "digits": vector,
        "rss": (),
        "covariance": square,
        "covariance.inner": square,
        "factor.mean": (q,),
        "factor.scale": (q,),
        "factor.r_inverse": square,
        "factor.ridge": vector,
        "moments.mean": (q,),
        "moments.y_mean": (),
        "moments.gram": (q, q),
        "moments.xy": (q,),
        "moments.yy": (),
        "settings": (6,),
    }


def _check(tensors: dict[str, Tensor], *, p: int, q: int) -> None:
    for name, shape in _shapes(p, q).items():
        if name not in tensors:
            raise KeyError(f"tensor {name}")
        if tuple(tensors[name].shape) != shape or tensors[name].dtype != torch.float64:
            found = f"{tuple(tensors[name].shape)} {tensors[name].dtype}"
            raise ValueError(f"tensor {name} is {found}, not {shape} torch.float64")


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _metrics(stored: dict[str, Any]) -> Metrics:
    values = {name: float("nan") if stored[name] is None else float(stored[name]) for name in ("rmse", "mae", "r2")}
    return Metrics(int(stored["n"]), **values)
