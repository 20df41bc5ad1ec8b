"""Huber loss: quadratic near zero, linear further out, so that an outlier's gradient is at most delta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slopewise.losses.loss import Loss, check_shapes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Huber(Loss):
    """value ½ e² where |e| ≤ delta, else delta (|e| - ½ delta), with e = eta - y; as torch.nn.HuberLoss.

    gradient e clamped to ±delta; hessian 1 inside and 0 outside. Huber (1964), Robust estimation of a location
    parameter.

    >>> import torch
    >>> Huber(delta=1.0).value(torch.tensor([0.5, 3.0]), torch.zeros(2))
    tensor([0.1250, 2.5000])
    """

    delta: float = 1.0
    name = "huber"
    title = "Huber regression"
    classes = 0

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return ½ e² or delta (|e| - ½ delta) (n,)."""
        check_shapes(eta, y)
        inside = (eta - y).abs().clamp(max=self.delta)
        return inside * ((eta - y).abs() - inside / 2)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return e clamped to ±delta (n,)."""
        check_shapes(eta, y)
        return (eta - y).clamp(-self.delta, self.delta)

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return 1 where |e| ≤ delta, else 0 (n,)."""
        check_shapes(eta, y)
        return ((eta - y).abs() <= self.delta).to(eta.dtype)

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return eta: the link is the identity."""
        return eta
