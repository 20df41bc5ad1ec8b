"""The summary of a fit: sections, each of which has lines to say or none, never wider than a terminal of 80 columns.

A section reads the plain values of to_dict.py alone, so that a saved fit is shown as it was fitted, from its header.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slopewise.results.report.coefficients import coefficients
from slopewise.results.report.layout import NAME_WIDTH, RULE, WIDTH, labelled, side_by_side
from slopewise.results.report.text import figure, pad, shorten, tail, wrap
from slopewise.wording import spoken

Report = Mapping[str, Any]
Section = Callable[[Report], list[str]]

MOST_CONFUSED = 6
"""Classes whose confusion is shown as a matrix."""
ALWAYS, WHERE_SET = ("lr",), ("momentum", "weight_decay", "dampening")
"""Arguments of an optimizer that are shown, and those that are where they are not 0."""


def summary(report: Report) -> str:
    """Return the fit in plain text: what was fitted, how, the coefficients, how well, and how it ended."""
    lines = [line for section in SECTIONS for line in section(report)]
    return "\n".join(line.rstrip() for line in lines)


def title(report: Report) -> list[str]:
    """Return what was fitted."""
    shown = report["display"]
    if report["coefficients"] is None:
        return [f"Network for {shorten(report['target'], WIDTH - 45)}"]
    descended = "" if shown["is_solved"] else " by gradient descent"
    return [f"{shown['title']}{descended} of {shorten(report['target'], WIDTH - 45)}"]


def rows(report: Report) -> list[str]:
    """Return how many rows were used, dropped and filled."""
    shown = report["display"]
    text = f"{report['n']:,} used"
    if report["n_dropped"]:
        text += f", {report['n_dropped']:,} dropped"
    if report.get("n_weightless"):
        text += f", {report['n_weightless']:,} of weight 0 left out"
    missing = [f"{shorten(name, NAME_WIDTH)} {count:,}" for name, count in shown["missing"].items()]
    if missing:
        text += f" (missing{', filled with means' if shown['filled'] else ''}: {', '.join(missing)})"
    if shown["weights"]:
        text += f", weights {shorten(shown['weights'], NAME_WIDTH)}"
    return labelled(text, "Rows")


def classes(report: Report) -> list[str]:
    """Return the rows of each class."""
    if not report["classes"]:
        return []
    counts = zip(report["classes"], report["counts"], strict=False)
    text = ", ".join(f"{shorten(name, NAME_WIDTH)} {count:,}" for name, count in counts)
    if report["display"]["is_solved"]:
        text += f"; odds are against {shorten(report['classes'][0], NAME_WIDTH)}"
    return labelled(text, "Classes")


def model(report: Report) -> list[str]:
    """Return the layers of a network."""
    return labelled(report["network"], "Model") if report["network"] else []


def solver(report: Report) -> list[str]:
    """Return which solver, and why."""
    return labelled(spoken(f"{report['solver']}: {report['reason']}"), "Solver")


def plan(report: Report) -> list[str]:
    """Return how the descent went down, and the limit of its step."""
    descent = report["descent"]
    if descent is None:
        return []
    numbers = [(name, value) for name, value in descent["options"].items() if isinstance(value, float)]
    given = [f"{name} {figure(value)}" for name, value in numbers if name in ALWAYS or (name in WHERE_SET and value)]
    schedule = [f"schedule {descent['schedule']}"] if descent["schedule"] != "constant" else []
    size = "all rows at each step" if descent["batch_size"] is None else f"batches of {descent['batch_size']}"
    units = "standardised columns" if descent["standardize"] else "raw columns"
    text = ", ".join([descent["optimizer"], *given, *schedule, size, units])
    along = descent["sharpness"] or []
    if len(along) > 1:
        return labelled(text, "Descent") + _limits(along)
    limit = descent["largest_stable_lr"]
    place = "" if report["coefficients"] is not None else " at the start"
    known = math.isfinite(limit) or (report["display"]["is_solved"] and not math.isnan(limit))
    return labelled(text + (f"; largest stable lr{place} {figure(limit)}" if known else ""), "Descent")


def _limits(along: Sequence[Mapping[str, float]]) -> list[str]:
    """Return how the largest stable lr changed along the run."""
    places = [(int(each["epoch"]), each["largest_stable_lr"]) for each in along]
    text = [f"{figure(lr, 4)} {'at epoch ' if epoch else 'at the start'}{epoch or ''}" for epoch, lr in places]
    return labelled(f"largest stable lr {', '.join(text)}", "Limit")


def notes(report: Report) -> list[str]:
    """Return what the table has to be read with: reference levels, kind of errors, penalties."""
    shown, l2, l1 = report["display"], report["l2"], report["l1"]
    references = [
        f"{shorten(name, NAME_WIDTH)}: reference {shorten(level, NAME_WIDTH)}"
        for name, level in shown["references"].items()
    ]
    found = ["; ".join(references)] if references else []
    found += _of_loss(report)
    if report["clusters"]:
        kind = "CR0" if report["cov_type"] == "cr0" else "CR1"
        found.append(f"standard errors robust to correlation within {report['clusters']:,} clusters: {kind}")
    elif report["cov_type"] == "hac":
        lags = f"{report['lags']:,} lag{'s' * (report['lags'] != 1)}"
        found.append(f"standard errors robust to heteroscedasticity and autocorrelation: HAC, {lags}")
    elif report["cov_type"] != "nonrobust":
        against = "a wrong likelihood" if report["classes"] else "heteroscedasticity"
        found.append(f"standard errors robust to {against}: {report['cov_type'].upper()}")
    if l2 and not shown["is_solved"]:
        found.append(f"L2 penalty {l2:g} on the weights, not on the biases; costs include it")
    elif l2:
        undefined = ", F is not defined" if report["loss"] == "squared" else ""
        found.append(f"L2 penalty {l2:g}: errors and intervals describe the shrunken estimates{undefined}")
    if l1:
        found.append(f"L1 penalty {l1:g}: there are no standard errors of estimates that may be exactly zero")
    if not shown["intercept"] and report["loss"] == "squared":
        found.append("no intercept: R² is about zero, in the metrics about the mean")
    return [line for note in found for line in wrap(note, WIDTH, "", "  ")]


def _of_loss(report: Report) -> list[str]:
    """Return the numbers of the loss, and what is added to the linear predictor."""
    estimated = {each["name"]: each for each in report["estimated"]}
    given = [f"{name} {figure(value)}" for name, value in report["loss_parameters"].items() if name not in estimated]
    for name, each in estimated.items():
        error = each["std_error"]
        known = f", std error {figure(error, 4)}" if error == error else ""
        given.append(f"{name} {figure(each['value'])}, estimated{known}")
    added = [f"offset {shorten(report['offset'], NAME_WIDTH)}"] if report["offset"] else []
    added += [f"log exposure {shorten(report['exposure'], NAME_WIDTH)}"] if report["exposure"] else []
    found = ["; ".join(given)] if given else []
    if "dispersion" in report and report["dispersion"] != 1:
        found.append(f"dispersion {figure(report['dispersion'])}")
    return found + ([f"{' + '.join(added)} is added to the linear predictor"] if added else [])


def figures(report: Report) -> list[str]:
    """Return the statistics of the whole fit beside the metrics of its rows."""
    left, right = _statistics(report), _metrics(report)
    return [RULE, *(side_by_side(left, right) if left else right), RULE]


def _statistics(report: Report) -> list[str]:
    if "adj_r2" in report:
        f = [
            (f"F on {report['df']} and {report['dof']:.6g} dof", figure(report["f"])),
            ("p of F", tail(report["f_p"])),
        ]
        found = [
            ("R²", figure(report["r2"])),
            ("adjusted R²", figure(report["adj_r2"])),
            *([] if math.isnan(report["f"]) else f),
            ("residual std error", figure(report["sigma"])),
            ("log-likelihood", figure(report["loglik"], 6)),
        ]
        wide = 24, 11
    elif "mcfadden" in report:
        ratio = [
            (f"likelihood ratio on {report['df']} df", figure(report["lr"])),
            ("p of it", tail(report["lr_p"])),
        ]
        found = [
            ("log-likelihood", figure(report["loglik"], 6)),
            ("null model", figure(report["null_loglik"], 6)),
            ("McFadden R²", figure(report["mcfadden"])),
            *([] if math.isnan(report["lr"]) else ratio),
        ]
        wide = 26, 10
    else:
        return []
    found += [("AIC", figure(report["aic"], 6)), ("BIC", figure(report["bic"], 6))]
    return [pad(name, wide[0]) + text.rjust(wide[1]) for name, text in found]


MEASURES = {
    "rmse": (("RMSE", "rmse"), ("MAE", "mae"), ("R²", "r2")),
    "accuracy": (("accuracy", "accuracy"), ("log loss", "log_loss"), ("Brier", "brier"), ("ROC AUC", "auc")),
}


def _metrics(report: Report) -> list[str]:
    parts = [(part, report[part]) for part in ("train", "validation", "test") if report[part] is not None]
    measured = "accuracy" if report["classes"] else "rmse"
    name, value = (6, 15) if "adj_r2" in report else (10, 14)
    lines = [" " * name + "".join(part.rjust(value) for part, _ in parts)]
    rows = [("rows", [f"{metrics['n']:,}" for _, metrics in parts])]
    rows += [(label, [figure(metrics[key]) for _, metrics in parts]) for label, key in MEASURES[measured]]
    return [*lines, *(pad(label, name) + "".join(text.rjust(value) for text in texts) for label, texts in rows)]


def confusion(report: Report) -> list[str]:
    """Return which classes were taken for which, in the test rows where there are some."""
    if not report["classes"]:
        return []
    part = "training" if report["test"] is None else "test"
    return confusion_lines(report["classes"], report["test"] or report["train"], part)


def confusion_lines(class_names: Sequence[str], metrics: Mapping[str, Any], part: str) -> list[str]:
    """Return the confusion matrix with precision, recall and F1 of each class, and a rule below.

    Args:
        class_names: the k classes; with more than MOST_CONFUSED there are no lines.
        metrics: confusion (k, k), and precision, recall and f1 of each class.
        part: training or test, for the heading.
    """
    if len(class_names) > MOST_CONFUSED:
        return []
    names = [shorten(name, 14) for name in class_names]
    wide = max(8, *(len(name) + 2 for name in names)) if len(names) <= 3 else 10
    names = [shorten(name, wide - 2) for name in class_names]
    head = pad("true \\ predicted", 18) + "".join(name.rjust(wide) for name in names)
    lines = [f"{head}   precision recall    F1" if len(head) <= 53 else head]
    for j, name in enumerate(names):
        row = pad(name, 18) + "".join(f"{count:,.6g}".rjust(wide) for count in metrics["confusion"][j])
        shares = [metrics[key][j] for key in ("precision", "recall", "f1")]
        cells = "".join(_share(value).rjust(w) for value, w in zip(shares, (12, 7, 6), strict=True))
        lines.append(row + cells if len(head) <= 53 else row)
    return [f"Confusion of the {part} rows", *lines, RULE]


def starts(report: Report) -> list[str]:
    """Return how each of many starts ended."""
    descent = report["descent"]
    if descent is None or descent["starts"] is None:
        return []
    first, *rest = descent["starts"]["lines"]
    return labelled(first, "Starts") + [line for text in rest for line in wrap(text, WIDTH, " " * 8, " " * 8)]


def status(report: Report) -> list[str]:
    """Return how it ended, the number that proves it, and the one thing to change."""
    descent, text = report["descent"], report["status_message"]
    if report["evidence"]:
        text += f": {report['evidence']}"
    elif report["digits"] is not None and not math.isnan(report["digits"]):
        digits = math.floor(report["digits"])
        text += f"; at least {digits} digit{'s' * (digits != 1)} in every coefficient"
    if descent is not None and descent["kept_epoch"] != descent["epochs"]:
        text += f"; the state of epoch {descent['kept_epoch']} is kept"
    if report["display"]["advice"]:
        text += f"; {report['display']['advice']}"
    return labelled(spoken(text), "Status")


SECTIONS: tuple[Section, ...] = (
    title,
    rows,
    classes,
    model,
    solver,
    plan,
    coefficients,
    notes,
    figures,
    confusion,
    starts,
    status,
)


def _share(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"
