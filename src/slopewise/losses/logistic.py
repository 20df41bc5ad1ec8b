"""Logistic loss: the negative log-likelihood of two classes, from logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import softplus

from slopewise.losses.loss import EACH_ROW, Loss, Reduction, check_shapes, first_offence
from slopewise.losses.null_model import log_shares

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Logistic(Loss):
    """value c_y (log(1 + exp(eta)) - y eta), as torch's BCEWithLogitsLoss; y is 0 or 1.

    With p = 1 / (1 + exp(-eta)): gradient c_y (p - y), Hessian c_y p (1 - p). The probability is never rounded
    before its logarithm is taken. class_weights (c_0, c_1) weigh the rows of each class, None for 1.
    """

    class_weights: tuple[float, float] | None = None
    name = "logistic"
    title = "Logistic regression"
    formula = "-log of the probability of the right class"
    response = "class"
    distribution = "bernoulli"
    n_classes = 2

    @property
    def max_hessian(self) -> float:
        """¼ of the larger class weight, at p = ½."""
        return max(self.class_weights or (1.0,)) / 4

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

    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return the log odds () of the second class's share, class weights counted in."""
        weight = self._weighted(torch.ones_like(y), y)
        return log_shares(y, weight if w is None else w * weight, 2)[0]

    def check_target(self, y: Tensor) -> str | None:
        """Return a sentence if a target is neither 0 nor 1."""
        return first_offence(y, (y != 0) & (y != 1) & ~y.isnan(), "0 or 1", self.title)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the text of torch's own function."""
        return (f"torch.nn.functional.binary_cross_entropy_with_logits(H, Y{EACH_ROW[reduction]})",)

    def torch_prediction(self) -> str:
        """Return the probabilities of both classes."""
        return "torch.cat([torch.sigmoid(-H), torch.sigmoid(H)], dim=1)"

    def _weighted(self, values: Tensor, y: Tensor) -> Tensor:
        if self.class_weights is None:
            return values
        zero, one = self.class_weights
        return values * (zero + (one - zero) * y)
