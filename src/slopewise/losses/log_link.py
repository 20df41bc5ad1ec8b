"""Losses that are the -log likelihood of a distribution of numbers ≥ 0 whose log mean is linear.

With mu = exp(eta) every one is d(mu, y) / 2 + a part without eta, where d is its unit deviance, and is affine in y; its
expected Hessian in eta is mu² / V(mu), V the variance function. McCullagh and Nelder (1989), Generalized linear models.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from slopewise.losses.loss import Loss, weighted_mean

if TYPE_CHECKING:
    from torch import Tensor


class LogLink(Loss):
    """A loss of eta = log mu.

    canonical: whether Hessian and expected Hessian are the same. dispersion: phi in Var y = phi V(mu), None where it
    is estimated from the rows by Pearson's χ² / (weight - p).
    """

    canonical: bool
    dispersion: float | None

    @abstractmethod
    def variance(self, mu: Tensor) -> Tensor:
        """Return V(mu) (n,)."""

    @abstractmethod
    def deviance(self, mu: Tensor, y: Tensor) -> Tensor:
        """Return the unit deviance (n,): twice the log likelihood's distance to that of mu = y, at phi = 1."""

    @abstractmethod
    def log_density(self, mu: Tensor, y: Tensor, dispersion: float) -> Tensor:
        """Return the log density or log probability (n,) of y, its constants included.

        Args:
            mu: means (n,).
            y: targets (n,).
            dispersion: phi.
        """

    def expected_hessian(self, eta: Tensor) -> Tensor:
        """Return mu² / V(mu) (n,), the Hessian's mean over y."""
        mu = eta.exp()
        return mu / (self.variance(mu) / mu)

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return the mean exp(eta) (n,)."""
        return eta.exp()

    def torch_prediction(self) -> str:
        """Return exp(H)."""
        return "H.exp()"

    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return the logarithm of the mean ()."""
        return weighted_mean(y, w).log()


class AlphaDerivatives(NamedTuple):
    """Of -log probability of each row (n,): value, first and second derivative in log alpha, and that in eta too."""

    value: Tensor
    first: Tensor
    second: Tensor
    cross: Tensor


class Overdispersed(LogLink):
    """A loss with a parameter alpha that raises the variance; it may be estimated, and `estimates` is `alpha` then."""

    alpha: float

    @abstractmethod
    def with_alpha(self, alpha: float) -> Overdispersed:
        """Return the same loss with another alpha."""

    @abstractmethod
    def alpha_derivatives(self, eta: Tensor, y: Tensor) -> AlphaDerivatives:
        """Return the derivatives in log alpha, constants that depend on alpha included."""
