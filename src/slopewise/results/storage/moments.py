"""The moments of the training rows as named tensors, and back; their counts are in the header."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from slopewise.solution import Moments

NAMES = ("mean", "y_mean", "gram", "xy", "yy")


def moment_tensors(moments: Moments) -> dict[str, Tensor]:
    """Return the tensors of the moments, by name."""
    return {f"moments.{name}": getattr(moments, name) for name in NAMES}


def moments_from(
    header: dict[str, Any], tensors: dict[str, Tensor], *, weight: float, lost: float, log_weight: float
) -> Moments:
    """Return the moments that were taken apart; KeyError, TypeError or ValueError where something does not fit."""
    return Moments(
        **{name: tensors[f"moments.{name}"] for name in NAMES},
        n=int(header["n"]),
        weight=weight,
        lost=lost,
        dropped=int(header["dropped"]),
        missing=tuple(int(count) for count in header["missing"]),
        log_weight=log_weight,
    )
