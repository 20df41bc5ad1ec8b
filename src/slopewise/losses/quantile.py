"""Over- and underestimates at unequal prices: the loss whose optimum is a quantile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from slopewise.errors import OptionError
from slopewise.losses.loss import PiecewiseLinear, Reduction, check_shapes, mean_of, weighted_quantile

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Quantile(PiecewiseLinear):
    """value tau (y - eta) where y > eta, else (1 - tau) (eta - y); Hessian 0.

    Koenker and Bassett (1978), Regression quantiles.

    Raises:
        OptionError: tau is not between 0 and 1.
    """

    tau: float = 0.5
    name = "quantile"
    title = "Quantile regression"
    formula = "tau times the error where H is too low, 1 - tau times where it is too high"
    response = "number"
    distribution = None
    max_hessian = None

    def __post_init__(self) -> None:
        if not 0 < self.tau < 1:
            raise OptionError(f"tau is {self.tau:g}, and a quantile lies between 0 and 1, such as 0.5 for the median.")

    @property
    def prices(self) -> tuple[float, float]:
        """(tau, 1 - tau)."""
        return self.tau, 1 - self.tau

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return max(tau (y - eta), (tau - 1) (y - eta)) (n,)."""
        check_shapes(eta, y)
        return torch.maximum(self.tau * (y - eta), (self.tau - 1) * (y - eta))

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return -tau where y > eta, 1 - tau where y < eta, and their mean ½ - tau where both are equal (n,)."""
        check_shapes(eta, y)
        return 0.5 - self.tau + (eta - y).sign() / 2

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return 0 for every row (n,)."""
        check_shapes(eta, y)
        return torch.zeros_like(eta)

    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return the lower tau-quantile ()."""
        return weighted_quantile(y, w, self.tau)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the larger of the two lines."""
        return mean_of("torch.maximum(tau * (Y - H), (tau - 1) * (Y - H))", reduction)

    def torch_constants(self) -> dict[str, float]:
        """Return tau."""
        return {"tau": self.tau}
