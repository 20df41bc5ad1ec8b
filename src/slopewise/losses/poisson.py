"""Poisson loss: the negative log-likelihood of counts with a log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import EACH_ROW, Reduction, check_shapes, first_offence

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Poisson(LogLink):
    """value exp(eta) - y eta, gradient exp(eta) - y, Hessian exp(eta); as torch's PoissonNLLLoss on logs.

    The term log y!, which does not depend on the parameters, is left out.

    >>> import torch
    >>> Poisson().inverse_link(torch.tensor([0.0]))
    tensor([1.])
    """

    name = "poisson"
    title = "Poisson regression"
    formula = "-log of the Poisson probability, constants aside"
    response = "count"
    distribution = "poisson"
    max_hessian = None
    canonical = True
    dispersion = 1.0

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

    def variance(self, mu: Tensor) -> Tensor:
        """Return mu (n,)."""
        return mu

    def deviance(self, mu: Tensor, y: Tensor) -> Tensor:
        """Return 2 (y log(y / mu) - y + mu) (n,)."""
        # log1p keeps the digits of large counts, which y log(y / mu) and y - mu would cancel
        logs: Tensor = torch.special.xlog1py(y, (y - mu) / mu)
        return 2 * (logs - (y - mu))

    def log_density(self, mu: Tensor, y: Tensor, dispersion: float) -> Tensor:
        """Return y log mu - mu - log y! (n,)."""
        return torch.xlogy(y, mu) - mu - torch.lgamma(y + 1)

    def check_target(self, y: Tensor) -> str | None:
        """Return a sentence if a count is negative."""
        return first_offence(y, y < 0, "zero or positive", self.title)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the text of torch's own function."""
        return (f"torch.nn.functional.poisson_nll_loss(H, Y{EACH_ROW[reduction]})",)
