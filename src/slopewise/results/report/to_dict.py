"""A fit as plain values: one dict, which is what JSON, the summary and a saved file show of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from slopewise.results.inference.coefficients import coefficient_columns, tenths
from slopewise.solution import DescentRecord

if TYPE_CHECKING:
    from slopewise.results.fitted import Fitted
    from slopewise.results.record import FitRecord

KINDS = {"squared": "linear"}
"""What a model without hidden layers is called, by its loss; others are called as their loss."""


def to_dict(fit: Fitted[Any]) -> dict[str, Any]:
    """Return the fit as plain JSON values, None for what is not a finite number or does not apply.

    status is the word, status_message the sentence; coefficients a list of rows, None for networks with hidden layers.
    The statistics of the whole fit stand beside them: r2, f, sigma … of least squares, deviance, mcfadden … of a
    likelihood.
    """
    plain: dict[str, Any] = finite(described(fit))
    del plain["display"]
    return plain


def described(fit: Fitted[Any]) -> dict[str, Any]:
    """Return everything that is shown of a fit, its numbers as they are."""
    record, solution = fit.record, fit.record.solution
    statistics, covariance = fit.stats, record.covariance or record.exact_covariance
    values: dict[str, Any] = {
        "n": fit.n,
        "n_dropped": fit.n_dropped,
        "n_weightless": fit.n_weightless,
        "model": KINDS.get(record.loss.name, record.loss.name) if record.has_coefficients else "network",
        "network": None if record.is_solved else record.model.describe(),
        "loss": record.loss.name,
        "loss_parameters": loss_parameters(record),
        "estimated": [
            {"name": each.name, "value": each.value, "std_error": each.std_error} for each in solution.nuisance
        ],
        "target": record.design.target,
        "offset": record.design.offset,
        "exposure": record.design.exposure,
        "classes": list(record.class_names),
        "counts": list(solution.counts),
        "parameters": int(solution.theta.numel()),
        "solver": record.solver,
        "reason": record.reason,
        "status": solution.status.name.lower(),
        "status_message": solution.status.value,
        "evidence": solution.evidence,
        "passes": solution.passes,
        "coefficients": _rows(coefficient_columns(record, lambda: fit.inferred)) if record.has_coefficients else None,
        **({} if statistics is None else asdict(statistics)),
        "digits": None if solution.digits is None else tenths(fit.digits),
        "cov_type": record.cov_type,
        "cluster": record.design.cluster,
        "clusters": 0 if covariance is None else covariance.clusters,
        "lags": None if covariance is None else covariance.lags,
        "confidence_level": record.confidence_level,
        "l2": record.l2,
        "l1": record.l1,
        "class_weights": None if record.class_weights is None else list(record.class_weights),
        "train": asdict(fit.train),
        "validation": None if fit.validation is None else asdict(fit.validation),
        "test": None if fit.test is None else asdict(fit.test),
        "descent": None if record.descent is None else _descent(record.descent, fit),
        "findings": [dict(finding) for finding in record.findings],
        "display": _display(fit),
    }
    return values


def _display(fit: Fitted[Any]) -> dict[str, Any]:
    """Return what only the summary needs beside the values."""
    record, design = fit.record, fit.record.design
    columns = [feature.name for feature in design.features] + [design.target]
    columns += [design.weights] if design.weights else []
    missing = {name: count for name, count in zip(columns, fit.missing, strict=False) if count}
    references = {
        feature.name: feature.levels[0]
        for feature in design.features
        if feature.kind == "category" and not feature.full
    }
    return {
        "weights": design.weights,
        "intercept": design.intercept,
        "filled": design.missing == "mean",
        "missing": missing,
        "references": references,
        "names": list(design.names),
        "has_intervals": record.covariance is not None,
        "is_solved": record.is_solved,
        "title": record.loss.title,
        "advice": record.solution.advice,
        "natural_size": fit.natural_size,
    }


def loss_parameters(record: FitRecord) -> dict[str, float]:
    """Return the numbers that the loss was given or that were estimated for it, by name."""
    values = {name: getattr(record.loss, name, None) for name in ("tau", "delta", "alpha")}
    return {name: float(value) for name, value in values.items() if value is not None}


def _descent(descent: DescentRecord, fit: Fitted[Any]) -> dict[str, Any]:
    plan, history, solution = descent.plan, descent.history, fit.record.solution
    cost = descent.cost
    lowest = None if history.lowest is None else float(history.lowest)
    sharpness = None
    if descent.sharpness is not None:
        parts = (descent.sharpness.epoch, descent.sharpness.eigenvalue, descent.sharpness.lr)
        sharpness = [
            {"epoch": epoch, "sharpness": eigenvalue, "largest_stable_lr": lr}
            for epoch, eigenvalue, lr in zip(*(part.tolist() for part in parts), strict=True)
        ]
    return {
        "solver": fit.record.solver,
        "optimizer": plan.optimizer,
        "options": {name: list(value) if isinstance(value, tuple) else value for name, value in plan.options.items()},
        "schedule": plan.schedule.name,
        "batch_size": plan.batch_size,
        "init": plan.init if isinstance(plan.init, str) else list(plan.init),
        "standardize": plan.standardize,
        "dtype": plan.dtype,
        "seed": plan.seed,
        "epochs": descent.epochs,
        "kept_epoch": descent.best_epoch,
        "largest_stable_lr": descent.largest_lr,
        "sharpness": sharpness,
        "cost_at_start": float(history.cost[0]),
        "cost": cost,
        "lowest": lowest,
        "gap": None if lowest is None else max(cost - lowest, 0.0),
        "null_cost": descent.null_cost,
        "evidence": solution.evidence,
        "advice": solution.advice,
        "starts": None if descent.starts is None else _starts(descent),
    }


def _starts(descent: DescentRecord) -> dict[str, Any]:
    starts = descent.starts
    assert starts is not None
    return {
        "count": starts.count,
        "solved": starts.solved,
        "rule": starts.rule,
        "plateaus": [asdict(plateau) for plateau in starts.plateaus],
        "best": starts.best,
        "seed": starts.seeds[starts.best],
        "lines": starts.lines(),
    }


def _rows(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def finite(value: Any) -> Any:
    """Return a copy of nested plain values with None for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
