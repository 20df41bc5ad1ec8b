"""What large coefficients cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class L2:
    """strength · Σ coefficient², added to the *sum* of the row losses; never on the intercept.

    On a linear model with squared loss it is the alpha of ridge regression. Coefficients are those in raw
    units, whatever scaling the solver works in.
    """

    strength: float = 0.0
