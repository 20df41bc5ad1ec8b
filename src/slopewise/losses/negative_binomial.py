"""Counts that vary more than a Poisson's, the logarithm of whose mean is linear."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import softplus

from slopewise.errors import OptionError
from slopewise.losses.log_link import AlphaDerivatives, Overdispersed
from slopewise.losses.loss import Reduction, check_shapes, first_offence, mean_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class NegativeBinomial(Overdispersed):
    """value -log(1 - p) / alpha - y log p with p = alpha mu / (1 + alpha mu): NB2, of variance mu + alpha mu².

    Gradient p / alpha - y (1 - p), Hessian (y + 1 / alpha) p (1 - p). What eta does not change is left out.
    estimates: `alpha` where a solver is to find alpha together with the coefficients.

    Raises:
        OptionError: alpha is not positive.
    """

    alpha: float = 1.0
    estimates: str | None = None
    name = "negative_binomial"
    title = "Negative binomial regression"
    formula = "-log of the negative binomial probability, constants aside"
    response = "count"
    distribution = "negative_binomial"
    max_hessian = None
    canonical = False
    dispersion = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise OptionError(f"alpha is {self.alpha:g}, and must be a positive number; without any, choose poisson.")

    def with_alpha(self, alpha: float) -> NegativeBinomial:
        """Return the loss with another alpha."""
        return replace(self, alpha=alpha)

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return -log(1 - p) / alpha - y log p (n,)."""
        check_shapes(eta, y)
        # torch's softplus returns its argument beyond the threshold; at 40 that is exact in float64
        logit = self._logit(eta)
        return softplus(logit, threshold=40) / self.alpha + y * softplus(-logit, threshold=40)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return p / alpha - y (1 - p) = (mu - y) / (1 + alpha mu) (n,)."""
        check_shapes(eta, y)
        logit = self._logit(eta)
        return logit.sigmoid() / self.alpha - y * (-logit).sigmoid()

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return (y + 1 / alpha) p (1 - p) (n,)."""
        check_shapes(eta, y)
        logit = self._logit(eta)
        return (y + 1 / self.alpha) * logit.sigmoid() * (-logit).sigmoid()

    def variance(self, mu: Tensor) -> Tensor:
        """Return mu + alpha mu² (n,)."""
        return mu + self.alpha * mu**2

    def deviance(self, mu: Tensor, y: Tensor) -> Tensor:
        """Return 2 (y log(y / mu) - (y + 1 / alpha) log((1 + alpha y) / (1 + alpha mu))) (n,)."""
        # y times the two logarithms together, as one log1p: apart they cancel the digits of large counts
        logs: Tensor = torch.special.xlog1py(y, (y - mu) / (mu * (1 + self.alpha * y)))
        return 2 * (logs - (self.alpha * (y - mu) / (1 + self.alpha * mu)).log1p() / self.alpha)

    def log_density(self, mu: Tensor, y: Tensor, dispersion: float) -> Tensor:
        """Return log of Gamma(y + 1 / alpha) / (Gamma(1 / alpha) y!) p^y (1 - p)^(1 / alpha) (n,)."""
        size = 1 / self.alpha
        ways = torch.lgamma(y + size) - math.lgamma(size) - torch.lgamma(y + 1)
        return ways + torch.xlogy(y, mu / (size + mu)) - size * (self.alpha * mu).log1p()

    def alpha_derivatives(self, eta: Tensor, y: Tensor) -> AlphaDerivatives:
        """Return the derivatives in log alpha, by way of those in the size a = 1 / alpha."""
        check_shapes(eta, y)
        a, mu = torch.full_like(eta, 1 / self.alpha), eta.exp()
        share = mu / (a + mu)
        first = torch.digamma(y + a) - torch.digamma(a) - (mu / a).log1p() - (y - mu) / (a + mu)
        second = torch.polygamma(1, y + a) - torch.polygamma(1, a) + share / a + (y - mu) / (a + mu) ** 2
        return AlphaDerivatives(
            -self.log_density(mu, y, 1.0), a * first, -(a**2) * second - a * first, a * share * (y - mu) / (a + mu)
        )

    def check_target(self, y: Tensor) -> str | None:
        """Return a sentence if a count is negative."""
        return first_offence(y, y < 0, "zero or positive", self.title)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the value as text."""
        lines = ("softplus, logit = torch.nn.functional.softplus, H + log_alpha",)
        return lines + mean_of("softplus(logit) / alpha + Y * softplus(-logit)", reduction)

    def torch_constants(self) -> dict[str, float]:
        """Return alpha and its logarithm."""
        return {"alpha": self.alpha, "log_alpha": math.log(self.alpha)}

    def _logit(self, eta: Tensor) -> Tensor:
        return eta + math.log(self.alpha)
