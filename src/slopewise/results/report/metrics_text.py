"""Metrics on any rows, as JSON and as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from slopewise.results.record import Metrics
from slopewise.results.report.sections import confusion_lines
from slopewise.results.report.to_dict import finite


def metrics_json(metrics: Metrics) -> str:
    """Return one JSON object, null for what is not a finite number: JSON knows no NaN."""
    return json.dumps(finite(asdict(metrics)), allow_nan=False)


def metrics_text(metrics: Metrics, class_names: Sequence[str] = ()) -> str:
    """Return one line per figure, its name and its value to six digits, and the confusion matrix of the classes."""
    values = asdict(metrics)
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    wide = max(map(len, numbers))
    lines = [f"{name:<{wide}}{value:>14.6g}" for name, value in numbers.items()]
    if class_names:
        lines += ["", *(line.rstrip() for line in confusion_lines(class_names, values, "evaluated")[:-1])]
    return "\n".join(lines)
