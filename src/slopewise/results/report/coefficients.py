"""The coefficient table of a summary: with tests and intervals, beside the exact answer, or of several classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from slopewise.results.report.layout import NAME_WIDTH, RULE, table
from slopewise.results.report.text import align, figure, shorten, tail

Report = Mapping[str, Any]

NOISE = 4e-16
"""Share of its natural size below which a coefficient is the rounding of a zero."""
MOST_BESIDE = 5
"""Classes whose coefficients fit beside each other."""


def coefficients(report: Report) -> list[str]:
    """Return the coefficient table: with tests and intervals, beside the exact answer, or of several classes."""
    if report["coefficients"] is None:
        return []
    if not report["display"]["is_solved"]:
        return _estimates(report)
    if report["classes"]:
        return [line for k in range(1, len(report["classes"])) for line in _class_table(report, k)]
    unfinished = report["descent"] is not None and not report["display"]["has_intervals"]
    return [RULE, *(_unfinished(report) if unfinished else _linear_table(report))]


def _column(report: Report, name: str) -> list[float]:
    return [row[name] for row in report["coefficients"]]


def _without_noise(report: Report, values: Sequence[float]) -> list[float]:
    """Return values with 0 for what is nothing beside the sizes of y and x: R1's intercept of 1e-31."""
    natural = report["display"]["natural_size"] or [0.0] * len(values)
    return [0.0 if abs(value) < NOISE * size else value for value, size in zip(values, natural, strict=True)]


def _linear_table(report: Report) -> list[str]:
    level = f"{100 * report['confidence_level']:.4g}% from"
    letter = "t" if "t" in report["coefficients"][0] else "z"
    columns = [
        ("estimate", align(_without_noise(report, _column(report, "estimate")), 5, 11)),
        ("std error", align(_column(report, "std_error"), 4, 9)),
        (letter, _statistic(_column(report, letter))),
        ("p", [tail(value) for value in _column(report, "p")]),
        (level, align(_without_noise(report, _column(report, "ci_low")), 4, 10)),
        ("to", align(_without_noise(report, _column(report, "ci_high")), 4, 10)),
    ]
    if "digits" in report["coefficients"][0]:
        columns.append(("digits", [_whole(value) for value in _column(report, "digits")]))
    return table(report["display"]["names"], columns)


def _unfinished(report: Report) -> list[str]:
    """Return the coefficients of a descent that has not arrived, beside the exact ones."""
    estimate = _column(report, "estimate")
    columns = [("estimate", align(estimate, 8, 16))]
    if "exact" in report["coefficients"][0]:
        exact = _without_noise(report, _column(report, "exact"))
        columns += [
            ("exact", align(exact, 8, 16)),
            ("distance", align([b - a for a, b in zip(estimate, exact, strict=True)], 3, 12)),
            ("digits", [_whole(value) for value in _column(report, "digits")]),
        ]
    return table(report["display"]["names"], columns)


def _class_table(report: Report, k: int) -> list[str]:
    names, given = report["classes"], report["coefficients"]
    p = len(report["display"]["names"])
    part = {**report, "coefficients": given[(k - 1) * p : k * p]}
    columns = [
        ("estimate", align(_column(part, "estimate"), 5, 11)),
        ("std error", align(_column(part, "std_error"), 4, 9)),
        ("z", [f"{value:.2f}" if value == value else "-" for value in _column(part, "z")]),
        ("p", [tail(value) for value in _column(part, "p")]),
        ("odds ratio", align(_column(part, "odds_ratio"), 4, 10)),
        (f"{100 * report['confidence_level']:.4g}% from", align(_column(part, "odds_low"), 4, 10)),
        ("to", align(_column(part, "odds_high"), 4, 10)),
    ]
    against = f"{shorten(names[k], NAME_WIDTH)} against {shorten(names[0], NAME_WIDTH)}"
    return [RULE, against, *table(report["display"]["names"], columns)]


def _estimates(report: Report) -> list[str]:
    """Return the estimates in raw units, a column for each class against the first."""
    names, p = report["classes"], len(report["display"]["names"])
    if len(names) > MOST_BESIDE:
        return []
    values = _column(report, "estimate")
    heads = [shorten(name, 14) for name in names[1:]] if len(names) > 2 else ["estimate"]
    columns = [(head, align(values[k * p : (k + 1) * p], 5, 10)) for k, head in enumerate(heads)]
    against = [f"scores against {shorten(names[0], NAME_WIDTH)}"] if len(names) > 2 else []
    return [RULE, *against, *table(report["display"]["names"], columns)]


def _statistic(values: Sequence[float]) -> list[str]:
    if any(1e5 <= abs(value) < math.inf for value in values):
        return align(values, 3, 0)
    return [f"{value:.2f}" if math.isfinite(value) else figure(value) for value in values]


def _whole(digits: float) -> str:
    return str(math.floor(digits)) if math.isfinite(digits) else "-"
