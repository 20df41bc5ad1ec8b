"""A fit of a network in plain text, never wider than a terminal of 80 columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from slopewise.results.metrics.classification import ClassMetrics
from slopewise.results.metrics.regression import Metrics
from slopewise.results.report.classification_text import confusion_lines, metric_lines
from slopewise.results.report.network_to_dict import coefficient_columns
from slopewise.results.report.summary import NAME_WIDTH, RULE, WIDTH, labelled, missing_of, references, table
from slopewise.results.report.text import align, figure, pad, shorten, wrap
from slopewise.wording import spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slopewise.results.network import NetworkFit
    from slopewise.results.network_record import NetworkRecord

TITLES = {
    "squared": "Line by gradient descent",
    "logistic": "Logistic regression by gradient descent",
    "softmax": "Softmax regression by gradient descent",
}
MOST_SHOWN = 5
"""Classes whose coefficients fit beside each other."""

SAID = ("lr", "momentum", "weight_decay", "dampening")
"""Arguments of an optimizer that are worth a word where they are not 0."""


def summary(fit: NetworkFit) -> str:
    """Return the fit in plain text: what was fitted, how, how well, and how it ended."""
    parts = [
        *_title(fit),
        *_coefficients(fit),
        RULE,
        *_measures(fit),
        RULE,
        *_confusion(fit),
        *_starts(fit.descent),
        *_notes(fit),
        *_status(fit.descent),
    ]
    return "\n".join(line.rstrip() for line in parts)


def _title(fit: NetworkFit) -> list[str]:
    rows = f"{fit.n:,} used"
    if fit.n_dropped:
        rows += f", {fit.n_dropped:,} dropped"
    weights = f", weights {shorten(fit.design.weights, NAME_WIDTH)}" if fit.design.weights else ""
    counts = zip(fit.classes, fit.counts, strict=False)
    classes = ", ".join(f"{shorten(name, NAME_WIDTH)} {count:,}" for name, count in counts)
    return [
        f"{TITLES[fit.loss] if fit.is_linear else 'Network'} for {shorten(fit.design.target, WIDTH - 45)}",
        *labelled(rows + missing_of(fit.design, fit.missing) + weights, "Rows"),
        *(labelled(classes, "Classes") if classes else []),
        *labelled(fit.words, "Model"),
        *labelled(f"{fit.solver}: {fit.reason}", "Solver"),
        *_plan(fit),
    ]


def _coefficients(fit: NetworkFit) -> list[str]:
    """Return the coefficients in raw units, a column for each class against the first, where there are any."""
    if not fit.is_linear or len(fit.classes) > MOST_SHOWN:
        return []
    p = len(fit.design.names)
    estimates = coefficient_columns(fit)["estimate"]
    heads = [shorten(name, 14) for name in fit.classes[1:]] if len(fit.classes) > 2 else ["estimate"]
    columns = [(head, align(estimates[k * p : (k + 1) * p], 5, 10)) for k, head in enumerate(heads)]
    against = [f"scores against {shorten(fit.classes[0], NAME_WIDTH)}"] if len(fit.classes) > 2 else []
    return [RULE, *against, *table(fit.design.names, columns)]


def _plan(fit: NetworkFit) -> list[str]:
    descent, plan = fit.descent, fit.descent.plan
    numbers = [(word, value) for word, value in plan.options.items() if isinstance(value, float) and word in SAID]
    said = [f"{word} {figure(value)}" for word, value in numbers if value]
    schedule = [f"schedule {plan.schedule.name}"] if plan.schedule.name != "constant" else []
    rows = "all rows at each step" if plan.batch_size is None else f"batches of {plan.batch_size}"
    units = "standardised columns" if plan.standardize else "raw columns"
    place = "" if fit.is_linear else " at the start"
    limit = f"; largest stable lr{place} {figure(descent.largest_lr)}" if math.isfinite(descent.largest_lr) else ""
    if descent.sharpness_history is not None and len(descent.sharpness_history.lr) > 1:
        return labelled(", ".join([plan.optimizer, *said, *schedule, rows, units]), "Descent") + _limits(descent)
    return labelled(", ".join([plan.optimizer, *said, *schedule, rows, units]) + limit, "Descent")


def _limits(descent: NetworkRecord) -> list[str]:
    """Return how the largest stable lr changed along the run."""
    assert descent.sharpness_history is not None
    places = zip(descent.sharpness_history.epoch.tolist(), descent.sharpness_history.lr.tolist(), strict=True)
    first, *rest = [f"{figure(lr, 4)} {'at epoch ' if epoch else 'at the start'}{epoch or ''}" for epoch, lr in places]
    return labelled(f"largest stable lr {', '.join([first, *rest])}", "Limit")


def _measures(fit: NetworkFit) -> list[str]:
    parts = [("train", fit.train), ("validation", fit.validation), ("test", fit.test)]
    known = [(name, found) for name, found in parts if found is not None]
    classes = [(name, found) for name, found in known if isinstance(found, ClassMetrics)]
    if classes:
        return metric_lines(classes)
    return _numbers([(name, found) for name, found in known if isinstance(found, Metrics)])


def _numbers(columns: Sequence[tuple[str, Metrics]]) -> list[str]:
    head = " " * 10 + "".join(name.rjust(14) for name, _ in columns)
    rows = [("rows", [f"{found.n:,}" for _, found in columns])]
    for label, field in (("RMSE", "rmse"), ("MAE", "mae"), ("R²", "r2")):
        rows.append((label, [figure(getattr(found, field)) for _, found in columns]))
    return [head, *(pad(name, 10) + "".join(text.rjust(14) for text in texts) for name, texts in rows)]


def _confusion(fit: NetworkFit) -> list[str]:
    found = fit.test or fit.train
    if not isinstance(found, ClassMetrics):
        return []
    return confusion_lines(fit.classes, found, "test" if fit.test else "training")


def _starts(descent: NetworkRecord) -> list[str]:
    if descent.starts is None:
        return []
    first, *rest = descent.starts.lines()
    return labelled(first, "Starts") + [line for text in rest for line in wrap(text, WIDTH, " " * 8, " " * 8)]


def _notes(fit: NetworkFit) -> list[str]:
    notes = references(fit.design)
    if fit.l2:
        notes.append(f"L2 penalty {fit.l2:g} on the weights, not on the biases; costs include it")
    return [line for note in notes for line in wrap(note, WIDTH, "", "  ")]


def _status(descent: NetworkRecord) -> list[str]:
    descended = descent.descended
    kept = "" if descended.best_epoch == descended.epochs else f"; the state of epoch {descended.best_epoch} is kept"
    advice = f"; {descended.advice}" if descended.advice else ""
    return labelled(spoken(f"{descended.status.value}: {descended.evidence}{kept}{advice}"), "Status")
