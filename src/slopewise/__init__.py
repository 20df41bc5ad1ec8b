"""Regression by gradient descent, on PyTorch.

>>> import slopewise
>>> fit = slopewise.fit({"hours": [1.0, 2.0, 3.0, 4.0], "points": [2.1, 3.9, 6.2, 7.8]}, target="points")
>>> round(fit.r2, 3)
0.996
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slopewise.api.check import check
    from slopewise.api.fit import fit
    from slopewise.api.load import load
    from slopewise.doctor.gradients.gradients import gradients, partial_derivatives
    from slopewise.errors import (
        ColumnError,
        DataError,
        FitError,
        OptionError,
        SlopewiseError,
        StoreError,
    )
    from slopewise.results.fit import Fit

__version__ = "0.1.0"

__all__ = [
    "ColumnError",
    "DataError",
    "Fit",
    "FitError",
    "OptionError",
    "SlopewiseError",
    "StoreError",
    "check",
    "fit",
    "gradients",
    "load",
    "partial_derivatives",
]

# torch takes about a second to import; `slopewise --help` and tab completion should not wait for it.
_HOME = {
    "check": "slopewise.api.check",
    "fit": "slopewise.api.fit",
    "gradients": "slopewise.doctor.gradients.gradients",
    "partial_derivatives": "slopewise.doctor.gradients.gradients",
    "load": "slopewise.api.load",
    "Fit": "slopewise.results.fit",
} | dict.fromkeys(
    ["ColumnError", "DataError", "FitError", "OptionError", "SlopewiseError", "StoreError"],
    "slopewise.errors",
)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'slopewise' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
