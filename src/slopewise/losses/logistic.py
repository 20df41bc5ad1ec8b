"""Logistic loss: the negative log-likelihood of two classes, from logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import softplus

from slopewise.losses.loss import Loss, check_shapes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Logistic(Loss):
    """value c_y (log(1 + exp(eta)) - y eta), as torch's BCEWithLogitsLoss; y is 0 or 1.

    With p = 1 / (1 + exp(-eta)): gradient c_y (p - y), hessian c_y p (1 - p). The probability is never rounded
    before its logarithm is taken. class_weights (c_0, c_1) weight the rows of each class, None for 1.

    >>> Logistic().gradient(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 1.0]))
    tensor([ 0.5000, -0.5000])
    """

    class_weights: tuple[float, float] | None = None
    name = "logistic"
    title = "Logistic regression"
    classes = 2

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (log(1 + exp(eta)) - y eta) (n,)."""
        check_shapes(eta, y)
        # For y of 0 or 1 it is log(1 + exp(-eta)) or the same at -eta, without cancellation. Torch's softplus
        # returns its argument beyond the threshold; at 40 that is exact in float64.
        return self._weighted(softplus((1 - 2 * y) * eta, threshold=40), y)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (p - y) (n,)."""
        check_shapes(eta, y)
        return self._weighted(torch.sigmoid(eta) - y, y)

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y p (1 - p) (n,)."""
        check_shapes(eta, y)
        p = torch.sigmoid(eta)
        return self._weighted(p * (1 - p), y)

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return the probabilities (n, 2) of the two classes."""
        return torch.stack([torch.sigmoid(-eta), torch.sigmoid(eta)], dim=-1)

    def _weighted(self, values: Tensor, y: Tensor) -> Tensor:
        if self.class_weights is None:
            return values
        zero, one = self.class_weights
        return values * (zero + (one - zero) * y)
