"""Positive numbers whose spread is in proportion to their mean, and whose logarithm of the mean is linear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import Reduction, check_shapes, first_offence, mean_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Gamma(LogLink):
    """value y exp(-eta) + eta, gradient 1 - y exp(-eta), Hessian y exp(-eta).

    It is half the deviance but for 1 + log y, which no parameter changes. The dispersion is 1 / shape.
    """

    name = "gamma"
    title = "Gamma regression"
    formula = "-log of the gamma density, constants aside"
    response = "positive"
    distribution = "gamma"
    max_hessian = None
    canonical = False
    dispersion = None

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return y exp(-eta) + eta (n,)."""
        check_shapes(eta, y)
        return y * (-eta).exp() + eta

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return 1 - y exp(-eta) (n,)."""
        check_shapes(eta, y)
        return 1 - y * (-eta).exp()

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return y exp(-eta) (n,)."""
        check_shapes(eta, y)
        return y * (-eta).exp()

    def variance(self, mu: Tensor) -> Tensor:
        """Return mu² (n,)."""
        return mu**2

    def deviance(self, mu: Tensor, y: Tensor) -> Tensor:
        """Return 2 ((y - mu) / mu - log(y / mu)) (n,)."""
        apart = (y - mu) / mu
        return 2 * (apart - apart.log1p())

    def log_density(self, mu: Tensor, y: Tensor, dispersion: float) -> Tensor:
        """Return that of the gamma distribution of shape 1 / dispersion and mean mu (n,)."""
        shape = 1 / dispersion
        return shape * (shape * y / mu).log() - shape * y / mu - y.log() - math.lgamma(shape)

    def check_target(self, y: Tensor) -> str | None:
        """Return a sentence if a number is zero or negative."""
        return first_offence(y, y <= 0, "positive", self.title)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the value as text."""
        return mean_of("Y * (-H).exp() + H", reduction)
