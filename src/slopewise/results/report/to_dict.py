"""A fit as plain values: columns of lists, a dict, one JSON object."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slopewise.results.fit import Fit
    from slopewise.results.metrics.regression import Metrics


def coefficient_columns(fit: Fit) -> dict[str, list[Any]]:
    """Return the coefficient table column by column.

    name, estimate, std_error, t, p, ci_low, ci_high, digits; of a descent also exact, the answer it goes towards.
    """
    values = {field.name: getattr(fit.inferred, field.name).tolist() for field in fields(fit.inferred)}
    columns = {"name": list(fit.design.names), **values, "digits": [_tenths(d) for d in values["digits"]]}
    if fit.descent is not None and fit.descent.exact is not None:
        columns["exact"] = fit.descent.exact.theta.tolist()
    return columns


def to_dict(fit: Fit) -> dict[str, Any]:
    """Return the fit as plain JSON values, None for what is not a finite number.

    status is the word, status_message the sentence. f has df and dof degrees of freedom.
    """
    stats = fit.stats
    columns = coefficient_columns(fit)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    plain: dict[str, Any] = finite(
        {
            "n": fit.n,
            "n_dropped": fit.n_dropped,
            "solver": fit.solver,
            "reason": fit.reason,
            "status": fit.status.name.lower(),
            "digits": _tenths(fit.digits),
            "coefficients": rows,
            "r2": stats.r2,
            "adj_r2": stats.adj_r2,
            "f": stats.f,
            "aic": stats.aic,
            "bic": stats.bic,
            "sigma": stats.sigma,
            "train": measured(fit.train),
            "test": measured(fit.test) if fit.test else None,
            "target": fit.design.target,
            "status_message": fit.status.value,
            "cov_type": fit.cov_type,
            "confidence_level": fit.confidence_level,
            "l2": fit.l2,
            "l1": fit.l1,
            "f_p": stats.f_p,
            "df": stats.df,
            "dof": stats.dof,
            "loglik": stats.loglik,
            "descent": _descent(fit),
            "findings": list(fit.findings),
        }
    )
    return plain


def _descent(fit: Fit) -> dict[str, Any] | None:
    if fit.descent is None:
        return None
    from slopewise.results.descent_record import described

    return described(fit.descent)


def measured(metrics: Metrics) -> dict[str, Any]:
    """Return metrics as plain JSON values."""
    plain: dict[str, Any] = finite(asdict(metrics))
    return plain


def finite(value: Any) -> Any:
    """Return a copy of nested plain values with None for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tenths(digits: float) -> float:
    """Return an estimate of digits without decimals it cannot have, and never rounded up."""
    return math.floor(10 * digits) / 10 if math.isfinite(digits) else math.nan
