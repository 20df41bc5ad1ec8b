"""A fit of classes in plain text, never wider than a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slopewise.results.report.summary import NAME_WIDTH, RULE, WIDTH, labelled, missing_of, references, side_by_side
from slopewise.results.report.summary import table as lined_up
from slopewise.results.report.text import align, figure, pad, shorten, tail, wrap
from slopewise.wording import spoken

if TYPE_CHECKING:
    from slopewise.results.classifier import Classifier
    from slopewise.results.metrics.classification import ClassMetrics

TITLES = {"logistic": "Logistic regression", "softmax": "Softmax regression"}
MOST_SHOWN = 6
"""Classes whose confusion is shown as a matrix."""


def summary(fit: Classifier) -> str:
    """Return the fit in plain text: what was fitted, how, the odds, how well, and how it ended."""
    parts = [
        *_title(fit),
        *(line for k, name in enumerate(fit.classes[1:]) for line in _odds(fit, k, name)),
        *_notes(fit),
        RULE,
        *side_by_side(_statistics(fit), _metrics(fit)),
        RULE,
        *confusion_lines(fit.classes, fit.test or fit.train, "test" if fit.test else "training"),
        *labelled(spoken(f"{fit.status.value}: {fit.maximum.evidence}{_and(fit.maximum.advice)}"), "Status"),
    ]
    return "\n".join(line.rstrip() for line in parts)


def confusion_lines(classes: Sequence[str], metrics: ClassMetrics, part: str) -> list[str]:
    """Return the confusion matrix with precision, recall and F1 of each class, and a rule below."""
    if len(classes) > MOST_SHOWN:
        return []
    names = [shorten(name, 14) for name in classes]
    wide = max(8, *(len(name) + 2 for name in names)) if len(classes) <= 3 else 10
    names = [shorten(name, wide - 2) for name in classes]
    head = pad("true \\ predicted", 18) + "".join(name.rjust(wide) for name in names)
    lines = [f"{head}   precision recall    F1" if len(head) <= 53 else head]
    for j, name in enumerate(names):
        row = pad(name, 18) + "".join(f"{count:,.6g}".rjust(wide) for count in metrics.confusion[j])
        scores = f"{_share(metrics.precision[j]):>12}{_share(metrics.recall[j]):>7}{_share(metrics.f1[j]):>6}"
        lines.append(row + scores if len(head) <= 53 else row)
    return [f"Confusion of the {part} rows", *lines, RULE]


def _title(fit: Classifier) -> list[str]:
    rows = f"{fit.n:,} used"
    if fit.n_dropped:
        rows += f", {fit.n_dropped:,} dropped"
    weights = f", weights {shorten(fit.design.weights, NAME_WIDTH)}" if fit.design.weights else ""
    counts = zip(fit.classes, fit.maximum.counts, strict=False)
    classes = ", ".join(f"{shorten(name, NAME_WIDTH)} {count:,}" for name, count in counts)
    return [
        f"{TITLES[fit.model]} of {shorten(fit.design.target, WIDTH - 24)}",
        *labelled(rows + missing_of(fit.design, fit.maximum.moments.missing) + weights, "Rows"),
        *labelled(f"{classes}; odds are against {shorten(fit.classes[0], NAME_WIDTH)}", "Classes"),
        *labelled(f"{fit.solver}: {fit.reason}", "Solver"),
    ]


def _odds(fit: Classifier, k: int, name: str) -> list[str]:
    p = len(fit.design.names)
    found, rows = fit.inferred, slice(k * p, (k + 1) * p)
    columns = [
        ("estimate", align(found.estimate[rows].tolist(), 5, 11)),
        ("std error", align(found.std_error[rows].tolist(), 4, 9)),
        ("z", [f"{value:.2f}" if value == value else "-" for value in found.z[rows].tolist()]),
        ("p", [tail(value) for value in found.p[rows].tolist()]),
        ("odds ratio", align(found.odds_ratio[rows].tolist(), 4, 10)),
        (f"{100 * fit.confidence_level:.4g}% from", align(found.odds_low[rows].tolist(), 4, 10)),
        ("to", align(found.odds_high[rows].tolist(), 4, 10)),
    ]
    against = f"{shorten(name, NAME_WIDTH)} against {shorten(fit.classes[0], NAME_WIDTH)}"
    return [RULE, against, *lined_up(fit.design.names, columns)]


def _notes(fit: Classifier) -> list[str]:
    notes = references(fit.design)
    if fit.cov_type != "nonrobust":
        notes.append(f"standard errors robust to a wrong likelihood: {fit.cov_type.upper()}")
    if fit.l2:
        notes.append(f"L2 penalty {fit.l2:g}: errors and intervals describe the shrunken estimates")
    if fit.l1:
        notes.append(f"L1 penalty {fit.l1:g}: estimates with corners have no standard errors")
    return [line for note in notes for line in wrap(note, WIDTH, "", "  ")]


def _statistics(fit: Classifier) -> list[str]:
    stats = fit.stats
    ratio = [(f"likelihood ratio on {stats.df} df", figure(stats.lr)), ("p of it", tail(stats.lr_p))]
    rows = [
        ("log-likelihood", figure(stats.loglik, 6)),
        ("without the columns", figure(stats.null_loglik, 6)),
        ("McFadden R²", figure(stats.mcfadden)),
        *([] if stats.lr != stats.lr else ratio),
        ("AIC", figure(stats.aic, 6)),
        ("BIC", figure(stats.bic, 6)),
    ]
    return [pad(name, 26) + text.rjust(10) for name, text in rows]


def _metrics(fit: Classifier) -> list[str]:
    columns = [("train", fit.train)] + ([("test", fit.test)] if fit.test else [])
    return metric_lines(columns)


def metric_lines(columns: Sequence[tuple[str, ClassMetrics]]) -> list[str]:
    """Return accuracy, log loss, Brier score and AUC of each part of the rows, side by side."""
    head = " " * 10 + "".join(name.rjust(14) for name, _ in columns)
    rows = [("rows", [f"{metrics.n:,}" for _, metrics in columns])]
    for label, field in (("accuracy", "accuracy"), ("log loss", "log_loss"), ("Brier", "brier"), ("ROC AUC", "auc")):
        rows.append((label, [figure(getattr(metrics, field)) for _, metrics in columns]))
    return [head, *(pad(name, 10) + "".join(text.rjust(14) for text in texts) for name, texts in rows)]


def _share(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _and(advice: str) -> str:
    return f"; {advice}" if advice else ""
