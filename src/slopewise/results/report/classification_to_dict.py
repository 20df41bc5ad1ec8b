"""A fit of classes as plain values: columns of lists, a dict, one JSON object."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from slopewise.results.report.to_dict import finite

if TYPE_CHECKING:
    from slopewise.results.classifier import Classifier
    from slopewise.results.metrics.classification import ClassMetrics


def coefficient_columns(fit: Classifier) -> dict[str, list[Any]]:
    """Return the coefficient table column by column: class, name, estimate, std_error, z, p, intervals, odds ratios."""
    names = list(fit.design.names)
    later = fit.classes[1:]
    values = {field.name: getattr(fit.inferred, field.name).tolist() for field in fields(fit.inferred)}
    return {"class": [name for name in later for _ in names], "name": names * len(later), **values}


def to_dict(fit: Classifier) -> dict[str, Any]:
    """Return the fit as plain JSON values, None for what is not a finite number.

    classes are in order, the first the one that odds are against. status is the word, status_message the sentence.
    """
    stats, found = fit.stats, fit.maximum
    columns = coefficient_columns(fit)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    plain: dict[str, Any] = finite(
        {
            "n": fit.n,
            "n_dropped": fit.n_dropped,
            "model": fit.model,
            "target": fit.design.target,
            "classes": list(fit.classes),
            "counts": list(found.counts),
            "solver": fit.solver,
            "reason": fit.reason,
            "status": fit.status.name.lower(),
            "status_message": fit.status.value,
            "evidence": found.evidence,
            "passes": found.passes,
            "coefficients": rows,
            **{field.name: getattr(stats, field.name) for field in fields(stats)},
            "cov_type": fit.cov_type,
            "confidence_level": fit.confidence_level,
            "l2": fit.l2,
            "l1": fit.l1,
            "class_weights": None if fit.class_weights is None else list(fit.class_weights),
            "train": measured(fit.train),
            "test": measured(fit.test) if fit.test else None,
            "findings": list(fit.findings),
        }
    )
    return plain


def measured(metrics: ClassMetrics) -> dict[str, Any]:
    """Return metrics as plain JSON values; confusion is a list of rows, one per true class."""
    plain: dict[str, Any] = finite(asdict(metrics))
    return plain
