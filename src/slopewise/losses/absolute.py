"""|eta - y|: the loss whose optimum is a median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from slopewise.losses.loss import Loss, check_shapes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Absolute(Loss):
    """value |eta - y|, gradient its sign (0 where eta = y), hessian 0; as torch.nn.L1Loss.

    With a zero hessian Newton's method does not apply; it is fitted by gradient descent.
    """

    name = "absolute"
    title = "Median regression"
    classes = 0

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return |eta - y| (n,)."""
        check_shapes(eta, y)
        return (eta - y).abs()

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return the sign of eta - y (n,)."""
        check_shapes(eta, y)
        return (eta - y).sign()

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return 0 for every row (n,)."""
        check_shapes(eta, y)
        return torch.zeros_like(eta)

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return eta: the link is the identity."""
        return eta
