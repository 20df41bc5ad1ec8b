"""Squared loss (eta - y)², whose optimum has a closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from slopewise.losses.loss import EACH_ROW, IdentityLink, Reduction, check_shapes, weighted_mean

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Squared(IdentityLink):
    """value (eta - y)², gradient 2 (eta - y), Hessian 2. No factor one half, as torch.nn.MSELoss."""

    name = "squared"
    title = "Linear regression"
    formula = "the squared error"
    response = "number"
    distribution = "gaussian"
    max_hessian = 2.0

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

    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return the mean ()."""
        return weighted_mean(y, w)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the text of torch's own function."""
        return (f"torch.nn.functional.mse_loss(H, Y{EACH_ROW[reduction]})",)
