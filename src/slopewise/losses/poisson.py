"""Poisson loss: the negative log-likelihood of counts with a log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slopewise.losses.loss import Loss, check_shapes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Poisson(Loss):
    """value exp(eta) - y eta, gradient exp(eta) - y, hessian exp(eta); as torch's PoissonNLLLoss on logs.

    The term log y!, which does not depend on the parameters, is left out.

    >>> import torch
    >>> Poisson().inverse_link(torch.tensor([0.0]))
    tensor([1.])
    """

    name = "poisson"
    title = "Poisson regression"
    classes = 0

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return exp(eta) - y eta (n,)."""
        check_shapes(eta, y)
        return eta.exp() - y * eta

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return exp(eta) - y (n,)."""
        check_shapes(eta, y)
        return eta.exp() - y

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return exp(eta) (n,)."""
        check_shapes(eta, y)
        return eta.exp()

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return the mean exp(eta) (n,)."""
        return eta.exp()
