"""|eta - y|: the loss whose optimum is a median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from slopewise.losses.loss import EACH_ROW, PiecewiseLinear, Reduction, check_shapes, weighted_quantile

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Absolute(PiecewiseLinear):
    """value |eta - y|, gradient its sign (0 at the kink), Hessian 0; as torch.nn.L1Loss. Twice Quantile(0.5)."""

    name = "absolute"
    title = "Median regression"
    formula = "the absolute error"
    response = "number"
    distribution = None
    max_hessian = None
    prices = (1.0, 1.0)

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

    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return the lower median ()."""
        return weighted_quantile(y, w, 0.5)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the text of torch's own function."""
        return (f"torch.nn.functional.l1_loss(H, Y{EACH_ROW[reduction]})",)
