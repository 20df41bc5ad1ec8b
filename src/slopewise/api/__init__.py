"""What a program calls: fit(), check() and load(). These rooms wire the stages and compute nothing."""

from slopewise.api.check import check
from slopewise.api.fit import fit
from slopewise.api.load import load
from slopewise.api.options import CheckOptions, DescentOptions, FitOptions
from slopewise.results.fitted import Fitted
from slopewise.results.report.metrics_text import measured_json as metrics_json
from slopewise.results.report.metrics_text import measured_text as metrics_text

__all__ = [
    "CheckOptions",
    "DescentOptions",
    "FitOptions",
    "Fitted",
    "check",
    "fit",
    "load",
    "metrics_json",
    "metrics_text",
]
