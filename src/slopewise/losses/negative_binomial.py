"""Counts that vary more than a Poisson's, the logarithm of whose mean is linear."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import softplus

from slopewise.errors import OptionError
from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import Reduction, check_shapes, first_offence

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class NegativeBinomial(LogLink):
    """value (y + 1 / alpha) log(1 + alpha exp(eta)) - y eta: NB2, of variance mu + alpha mu².

    With p = alpha mu / (1 + alpha mu): gradient p / alpha - y (1 - p), Hessian (y + 1 / alpha) p (1 - p). What no
    coefficient changes is left out. estimates: `alpha` where a solver is to find alpha together with the coefficients.

    Raises:
        OptionError: alpha is not positive.
    """

    alpha: float = 1.0
    estimates: str | None = None
    name = "negative_binomial"
    title = "Negative binomial regression"
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
        """Return (y + 1 / alpha) log(1 + alpha exp(eta)) - y eta (n,)."""
        check_shapes(eta, y)
        # torch's softplus returns its argument beyond the threshold; at 40 that is exact in float64
        return (y + 1 / self.alpha) * softplus(self._logit(eta), threshold=40) - y * eta

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
        rest = (y + 1 / self.alpha) * (self.alpha * (y - mu) / (1 + self.alpha * mu)).log1p()
        logs: Tensor = torch.special.xlog1py(y, (y - mu) / mu)
        return 2 * (logs - rest)

    def log_density(self, mu: Tensor, y: Tensor, dispersion: float) -> Tensor:
        """Return log of Gamma(y + 1 / alpha) / (Gamma(1 / alpha) y!) p^y (1 - p)^(1 / alpha) (n,)."""
        size = 1 / self.alpha
        ways = torch.lgamma(y + size) - math.lgamma(size) - torch.lgamma(y + 1)
        return ways + torch.xlogy(y, mu / (size + mu)) - size * (self.alpha * mu).log1p()

    def check_target(self, y: Tensor) -> str | None:
        """Return a sentence if a count is negative."""
        return first_offence(y, y < 0, "zero or positive", self.title)

    def torch_expression(self, reduction: Reduction = "mean") -> str:
        """Return the value as text."""
        logit = f"torch.nn.functional.softplus(H + {math.log(self.alpha)!r})"
        rows = f"((Y + {1 / self.alpha!r}) * {logit} - Y * H)"
        return rows if reduction == "none" else f"{rows}.mean()"

    def _logit(self, eta: Tensor) -> Tensor:
        return eta + math.log(self.alpha)
