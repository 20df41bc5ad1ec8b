"""Stage 3, the contract of a loss: a function of one row's prediction and target.

Value, gradient and hessian are given per row and never as a mean: the mean of batch means is the loss of
another problem. The link that turns eta into a prediction belongs to the loss.

A classification loss of k classes takes the class numbers 0 … k - 1 as y, and scores in reference coding: the
first class's score is 0 and eta holds the others'. With two classes, and with numbers as target, eta is (n,);
with more it is (n, m), m = k - 1 = `outputs`, its gradient (n, m) and its hessian (n, m, m).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

from slopewise.errors import DataError


class Loss(ABC):
    """A function of eta (n,) or (n, m) and y (n,), differentiable in eta.

    `classes` is the number of classes k, 0 where the target is a number.
    """

    name: str
    title: str
    classes: int

    @property
    def outputs(self) -> int:
        """Columns m of eta."""
        return max(self.classes - 1, 1)

    @abstractmethod
    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each row (n,)."""

    @abstractmethod
    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return d value / d eta, the shape of eta."""

    @abstractmethod
    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return d² value / d eta² (n,), or (n, m, m) for eta (n, m)."""

    @abstractmethod
    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return the prediction of the linear predictor eta: a number (n,), or the k classes' probabilities (n, k)."""


def check_shapes(eta: Tensor, y: Tensor) -> None:
    """Raise DataError unless eta and y have one shape: (n, 1) against (n,) would broadcast to (n, n)."""
    if eta.shape != y.shape:
        raise DataError(
            f"predictions of shape {tuple(eta.shape)} do not fit targets of shape {tuple(y.shape)}; "
            f"reshape one of them: broadcasting would compare every row with every other."
        )
