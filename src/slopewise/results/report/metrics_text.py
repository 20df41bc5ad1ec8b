"""Metrics on any rows, as JSON and as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from slopewise.results.metrics.classification import ClassMetrics
from slopewise.results.metrics.regression import Metrics
from slopewise.results.report.classification_text import confusion_lines
from slopewise.results.report.to_dict import finite


def measured_json(metrics: Metrics | ClassMetrics) -> str:
    """Return one JSON object, null for what is not a finite number: JSON knows no NaN."""
    return json.dumps(finite(asdict(metrics)), allow_nan=False)


def measured_text(metrics: Metrics | ClassMetrics, classes: Sequence[str] = ()) -> str:
    """Return one line per figure, its name and its value to six digits, and the confusion of the classes."""
    numbers = {name: value for name, value in asdict(metrics).items() if isinstance(value, int | float)}
    wide = max(map(len, numbers))
    lines = [f"{name:<{wide}}{value:>14.6g}" for name, value in numbers.items()]
    if isinstance(metrics, ClassMetrics):
        lines += ["", *(line.rstrip() for line in confusion_lines(classes, metrics, "evaluated")[:-1])]
    return "\n".join(lines)
