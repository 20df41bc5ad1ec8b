"""Stage 3, the contract: how wrong one row is.

Value, slope and curvature are given per row and never as a mean: the mean of batch means is the loss of
another problem. The link that turns eta into a prediction belongs to the loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

from slopewise.errors import DataError


class Loss(ABC):
    """A function of eta (n,) and y (n,), differentiable in eta."""

    name: str

    @abstractmethod
    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each row (n,)."""

    @abstractmethod
    def slope(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return d value / d eta (n,)."""

    @abstractmethod
    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return d² value / d eta² (n,)."""

    @abstractmethod
    def predict(self, eta: Tensor) -> Tensor:
        """Return the prediction that eta stands for."""


def check_shapes(eta: Tensor, y: Tensor) -> None:
    """Raise DataError unless eta and y have one shape: (n, 1) against (n,) would broadcast to (n, n)."""
    if eta.shape != y.shape:
        raise DataError(
            f"predictions of shape {tuple(eta.shape)} do not fit targets of shape {tuple(y.shape)}; "
            f"reshape one of them: broadcasting would compare every row with every other."
        )
