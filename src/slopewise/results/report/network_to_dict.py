"""A fit of a network as plain values: a dict, one JSON object."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from slopewise.errors import OptionError
from slopewise.results.network_record import described
from slopewise.results.report.to_dict import finite

if TYPE_CHECKING:
    from slopewise.results.metrics.classification import ClassMetrics
    from slopewise.results.metrics.regression import Metrics
    from slopewise.results.network import NetworkFit


def coefficient_columns(fit: NetworkFit) -> dict[str, list[Any]]:
    """Return class (of classes), name and estimate, in raw units, of a model without hidden layers.

    *Descend scaled, read raw*: eta = c_0 + c (x - mean) / scale, so W = c / scale and b = c_0 - W mean.

    Raises:
        OptionError: there are hidden layers.
    """
    q = len(fit.design.x_names)
    if not fit.is_linear:
        raise OptionError(f"a network with hidden layers has no coefficients: {fit.words}; its numbers are in theta.")
    outputs = len(fit.theta) // (q + 1)
    slopes = fit.theta[: outputs * q].reshape(outputs, q) / fit.units.scale
    constants = fit.theta[outputs * q :] - slopes @ fit.units.mean
    rows = torch.cat([constants[:, None], slopes], dim=1) * fit.y_scale
    rows[:, 0] += fit.y_mean
    columns = {"name": list(fit.design.names) * outputs, "estimate": rows.reshape(-1).tolist()}
    return {"class": [name for name in fit.classes[1:] for _ in range(q + 1)], **columns} if fit.classes else columns


def to_dict(fit: NetworkFit) -> dict[str, Any]:
    """Return the fit as plain JSON values, None for what is not a finite number.

    parameters is how many there are. status is the word, status_message the sentence.
    """
    plain: dict[str, Any] = finite(
        {
            "n": fit.n,
            "n_dropped": fit.n_dropped,
            "model": fit.loss if fit.is_linear else "network",
            "network": fit.words,
            "parameters": len(fit.theta),
            "target": fit.design.target,
            "classes": list(fit.classes),
            "counts": list(fit.counts),
            "loss": fit.loss,
            "l2": fit.l2,
            "class_weights": None if fit.class_weights is None else list(fit.class_weights),
            "solver": fit.solver,
            "reason": fit.reason,
            "status": fit.status.name.lower(),
            "status_message": fit.status.value,
            "coefficients": _rows(coefficient_columns(fit)) if fit.is_linear else None,
            "train": measured(fit.train),
            "validation": measured(fit.validation),
            "test": measured(fit.test),
            "descent": described(fit.descent),
            "findings": list(fit.findings),
        }
    )
    return plain


def _rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def measured(metrics: Metrics | ClassMetrics | None) -> dict[str, Any] | None:
    """Return metrics as plain JSON values, None where there are none."""
    if metrics is None:
        return None
    plain: dict[str, Any] = finite(asdict(metrics))
    return plain
