"""Squared loss (eta - y)², whose optimum has a closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from slopewise.losses.loss import Loss, check_shapes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Squared(Loss):
    """value (eta - y)², gradient 2 (eta - y), hessian 2. No factor one half, as torch.nn.MSELoss."""

    name = "squared"
    title = "Linear regression"
    classes = 0

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return (eta - y)² (n,)."""
        check_shapes(eta, y)
        return functional.mse_loss(eta, y, reduction="none")

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return 2 (eta - y) (n,)."""
        check_shapes(eta, y)
        return 2 * (eta - y)

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return 2 for every row (n,)."""
        check_shapes(eta, y)
        return torch.full_like(eta, 2)

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return eta: the link is the identity."""
        return eta
