"""What a program calls: fit(), check() and load(). These rooms wire the stages and compute nothing."""

from slopewise.api.check import check
from slopewise.api.fit import fit
from slopewise.api.load import load
from slopewise.api.option_types import CheckOptions, DescentOptions, FitOptions
from slopewise.results.fit import Fit
from slopewise.results.report.metrics_text import metrics_json, metrics_text

__all__ = [
    "CheckOptions",
    "DescentOptions",
    "Fit",
    "FitOptions",
    "check",
    "fit",
    "load",
    "metrics_json",
    "metrics_text",
]
