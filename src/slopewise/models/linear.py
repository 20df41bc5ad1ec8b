"""H(X) = X W + b."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slopewise.models.model import Model

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Linear(Model):
    """eta = x @ theta[1:] + theta[0] with an intercept, eta = x @ theta without.

    theta (p, k), p = q + 1 with an intercept and q without.
    """

    intercept: bool = True
    is_linear = True

    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (n, k) for theta (p, k) and x (n, q)."""
        if self.intercept:
            return x @ parameters[1:] + parameters[0]
        return x @ parameters
