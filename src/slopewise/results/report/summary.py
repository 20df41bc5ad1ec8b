"""A fit in plain text, never wider than a terminal of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from slopewise.results.report.text import align, figure, pad, shorten, tail, width, wrap
from slopewise.wording import spoken

if TYPE_CHECKING:
    from slopewise.data.design import Design
    from slopewise.results.descent_record import DescentRecord
    from slopewise.results.fit import Fit
    from slopewise.solution import Solution

WIDTH = 80
RULE = "-" * WIDTH
NAME_WIDTH = 32
LEFT = 40
NOISE = 4e-16
"""Share of its natural size below which a coefficient is the rounding of a zero."""
SPARE_GOES_TO = (0, 1, 2, 4, 3, 6, 5)
"""Which of the seven columns of the coefficient table gets a second space before it first, where there is room."""


def summary(fit: Fit) -> str:
    """Return the fit in plain text: what was fitted, how, the coefficients, how well, and how exactly."""
    parts = [
        *_title(fit),
        RULE,
        *(_coefficients(fit) if fit.descent is None or _arrived(fit) else _on_the_way(fit)),
        *_notes(fit),
        RULE,
        *side_by_side(_statistics(fit), _metrics(fit)),
        RULE,
        *_status(fit),
    ]
    return "\n".join(line.rstrip() for line in parts)


def _title(fit: Fit) -> list[str]:
    rows = f"{fit.n:,} used"
    if fit.n_dropped:
        rows += f", {fit.n_dropped:,} dropped"
    rows += missing_of(fit.design, fit.solution.moments.missing)
    weights = f", weights {shorten(fit.design.weights, NAME_WIDTH)}" if fit.design.weights else ""
    return [
        f"Linear fit of {shorten(fit.design.target, WIDTH - 14)}",
        *labelled(rows + weights, "Rows"),
        *labelled(f"{fit.solver}: {fit.reason}", "Solver"),
        *(_plan(fit.descent) if fit.descent else []),
    ]


def _plan(descent: DescentRecord) -> list[str]:
    """Return what was descended with, and the limit that was known beforehand."""
    plan = descent.plan
    numbers = {word: value for word, value in plan.options.items() if isinstance(value, float)}
    said = ", ".join(f"{word} {figure(value)}" for word, value in numbers.items() if _worth_saying(word, value))
    rows = "all rows at each step" if plan.batch_size is None else f"batches of {plan.batch_size}"
    units = "standardised columns" if plan.standardize else "raw columns"
    limit = "" if math.isnan(descent.largest_lr) else f"; largest stable lr {figure(descent.largest_lr)}"
    return labelled(f"{plan.optimizer}, {said}, {rows}, {units}{limit}", "Descent")


def _worth_saying(word: str, value: float) -> bool:
    """Return whether an optimizer's argument is one that the user, or the data, chose."""
    return word == "lr" or (word in ("momentum", "weight_decay", "dampening") and value > 0)


def _arrived(fit: Fit) -> bool:
    return bool(fit.uncertainty.raw.isfinite().all())


def _on_the_way(fit: Fit) -> list[str]:
    """Return the coefficients of a descent that has not arrived, beside the exact ones."""
    descent = fit.descent
    assert descent is not None
    estimate = fit.theta.tolist()
    columns = [("estimate", align(estimate, 8, 16))]
    if descent.exact is not None:
        exact = _without_noise(descent.exact.theta, fit.solution)
        columns += [
            ("exact", align(exact, 8, 16)),
            ("still to go", align([b - a for a, b in zip(estimate, exact, strict=True)], 3, 12)),
            ("digits", [_whole(value) for value in fit.solution.digits.tolist()]),
        ]
    return table(fit.design.names, columns)


def _without_noise(theta: Tensor, solution: Solution) -> list[float]:
    """Return the parameters with 0 for what is nothing beside the sizes of y and x: R1's intercept of 1e-31."""
    moments = solution.moments
    size = (moments.yy / moments.weight + moments.y_mean**2).sqrt()
    spread = (moments.gram.diagonal() / moments.weight).sqrt() + moments.mean.abs()
    natural = torch.cat([size.expand(len(theta) - len(spread)), size / spread])
    return torch.where(theta.abs() < NOISE * natural, 0.0, theta).tolist()


def _status(fit: Fit) -> list[str]:
    if fit.descent is None:
        digits = "" if math.isnan(fit.digits) else f"; {_digits(fit.digits)} in every coefficient"
        return labelled(fit.status.value + digits, "Status")
    descended = fit.descent.descended
    kept = "" if descended.best_epoch == descended.epochs else f"; the state of epoch {descended.best_epoch} is kept"
    advice = f"; {descended.advice}" if descended.advice else ""
    return labelled(spoken(f"{fit.status.value}: {descended.evidence}{kept}{advice}"), "Status")


def missing_of(design: Design, missing: Sequence[int]) -> str:
    """Return in brackets how many values are missing in each column, nothing where none is."""
    columns = [feature.name for feature in design.features] + [design.target]
    columns += [design.weights] if design.weights else []
    counts = zip(columns, missing, strict=False)
    found = [f"{shorten(name, NAME_WIDTH)} {count:,}" for name, count in counts if count]
    filled = ", filled with means" if design.missing == "mean" else ""
    return f" (missing{filled}: {', '.join(found)})" if found else ""


def references(design: Design) -> list[str]:
    """Return the reference level of each category, in a line, none where there is no category."""
    found = [
        f"{shorten(f.name, NAME_WIDTH)}: reference {shorten(f.levels[0], NAME_WIDTH)}"
        for f in design.features
        if f.kind == "category"
    ]
    return ["; ".join(found)] if found else []


def _coefficients(fit: Fit) -> list[str]:
    found = fit.inferred
    columns = [
        ("estimate", align(_without_noise(found.estimate, fit.solution), 5, 11)),
        ("std error", align(found.std_error.tolist(), 4, 9)),
        ("t", _t(found.t.tolist())),
        ("p", [tail(value) for value in found.p.tolist()]),
        (f"{100 * fit.confidence_level:.4g}% from", align(_without_noise(found.ci_low, fit.solution), 4, 10)),
        ("to", align(_without_noise(found.ci_high, fit.solution), 4, 10)),
        ("digits", [_whole(value) for value in found.digits.tolist()]),
    ]
    return table(fit.design.names, columns)


def table(parameters: Sequence[str], columns: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Return a table with a row per parameter, spread over the width where there is room."""
    widths = [max(len(head), *map(len, texts)) for head, texts in columns]
    names = [shorten(name, min(NAME_WIDTH, WIDTH - sum(widths) - len(widths))) for name in parameters]
    first = max(map(width, names))
    spare = WIDTH - first - sum(widths) - len(widths)
    gaps = [1 + (rank < spare) for rank in SPARE_GOES_TO[: len(columns)]]
    rows = zip(*([head, *texts] for head, texts in columns), strict=True)
    return [
        pad(name, first) + "".join(" " * gap + cell.rjust(w) for gap, cell, w in zip(gaps, row, widths, strict=True))
        for name, row in zip(["", *names], rows, strict=True)
    ]


def _t(values: Sequence[float]) -> list[str]:
    if any(1e5 <= abs(value) < math.inf for value in values):
        return align(values, 3, 0)
    return [f"{value:.2f}" if math.isfinite(value) else figure(value) for value in values]


def _notes(fit: Fit) -> list[str]:
    notes = references(fit.design)
    if fit.cov_type != "nonrobust":
        notes.append(f"standard errors robust to unequal scatter: {fit.cov_type.upper()}")
    if fit.l2:
        notes.append(f"L2 penalty {fit.l2:g}: errors and intervals describe the shrunken estimates, F is not defined")
    if fit.l1:
        notes.append(f"L1 penalty {fit.l1:g}: estimates with corners have no standard errors")
    if not fit.design.intercept:
        notes.append("no intercept: R² is about zero, in the metrics about the mean")
    return [line for note in notes for line in wrap(note, WIDTH, "", "  ")]


def _statistics(fit: Fit) -> list[str]:
    stats = fit.stats
    f = [(f"F on {stats.df} and {stats.dof:.6g} dof", figure(stats.f)), ("p of F", tail(stats.f_p))]
    rows = [
        ("R²", figure(stats.r2)),
        ("adjusted R²", figure(stats.adj_r2)),
        *([] if math.isnan(stats.f) else f),
        ("residual std error", figure(stats.sigma)),
        ("log-likelihood", figure(stats.loglik, 6)),
        ("AIC", figure(stats.aic, 6)),
        ("BIC", figure(stats.bic, 6)),
    ]
    return [pad(name, 24) + text.rjust(11) for name, text in rows]


def _metrics(fit: Fit) -> list[str]:
    columns = [("train", fit.train)] + ([("test", fit.test)] if fit.test else [])
    head = " " * 6 + "".join(name.rjust(15) for name, _ in columns)
    rows = [("rows", [f"{metrics.n:,}" for _, metrics in columns])]
    for name in ("rmse", "mae", "r2"):
        label = "R²" if name == "r2" else name.upper()
        rows.append((label, [figure(getattr(metrics, name)) for _, metrics in columns]))
    return [head, *(pad(name, 6) + "".join(text.rjust(15) for text in texts) for name, texts in rows)]


def side_by_side(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Return two blocks of lines next to each other."""
    length = max(len(left), len(right))
    left = [*left, *[""] * (length - len(left))]
    right = [*right, *[""] * (len(left) - len(right))]
    return [pad(one, LEFT) + other for one, other in zip(left, right, strict=True)]


def _whole(digits: float) -> str:
    return str(math.floor(digits)) if math.isfinite(digits) else "-"


def _digits(digits: float) -> str:
    return f"at least {math.floor(digits)} digit{'s' * (math.floor(digits) != 1)}"


def labelled(text: str, label: str) -> list[str]:
    """Return a text in lines, its label before the first."""
    return wrap(text, WIDTH, label.ljust(8), " " * 8)
