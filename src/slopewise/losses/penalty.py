"""Penalties on the coefficients: L2 (ridge) and elastic net."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class L2:
    """strength · Σ coefficient², added to the *sum* of the row losses; never on the intercept.

    On a linear model with squared loss it is the alpha of ridge regression. Coefficients are those in raw
    units, independent of any scaling inside the solver.
    """

    strength: float = 0.0

    @property
    def l1(self) -> float:
        """Strength of the L1 part: none."""
        return 0.0


@dataclass(frozen=True, slots=True)
class ElasticNet:
    """strength · Σ coefficient² + l1 · Σ |coefficient|, added to the *sum* of the row losses; never on the intercept.

    Coefficients are those in raw units. With squared loss on n rows, scikit-learn's alpha and l1_ratio are
    l1 = 2 n alpha l1_ratio and strength = n alpha (1 - l1_ratio); with logistic loss, its C and l1_ratio
    are l1 = l1_ratio / C and strength = (1 - l1_ratio) / (2 C).
    """

    strength: float = 0.0
    l1: float = 0.0
