"""Squared near zero, linear further out: no residual has more influence than delta."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from slopewise.errors import OptionError
from slopewise.losses.loss import EACH_ROW, Reduction, Robust, check_shapes
from slopewise.losses.null_model import search

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Huber(Robust):
    """value ½ e² where |e| ≤ delta, else delta (|e| - ½ delta), with e = eta - y; as torch.nn.HuberLoss.

    Gradient e clamped to ±delta; Hessian 1 inside and 0 outside. Huber (1964), Robust estimation of a location
    parameter. delta is in the units of the target. estimates: `scale` if delta is to follow the residuals' scale,
    delta = tuning · MAD, which a solver finds together with the coefficients.

    Raises:
        OptionError: delta is not positive.
    """

    delta: float = 1.0
    estimates: str | None = None
    tuning: float = 1.345
    """Its efficiency at a normal distribution is 95% of that of least squares (Holland and Welsch, 1977)."""
    name = "huber"
    title = "Huber regression"
    formula = "half the squared error up to delta, linear beyond"
    response = "number"
    distribution = None
    max_hessian = 1.0

    def __post_init__(self) -> None:
        for name, value in (("delta", self.delta), ("tuning", self.tuning)):
            if not 0 < value < float("inf"):
                raise OptionError(f"{name} is {value:g}, and must be a positive number.")

    def with_delta(self, delta: float) -> Huber:
        """Return the loss with another delta."""
        return replace(self, delta=delta)

    def irls_weight(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return 1 where |e| ≤ delta, else delta / |e| (n,)."""
        check_shapes(eta, y)
        return self.delta / (eta - y).abs().clamp(min=self.delta)

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

    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return Huber's estimate of location ()."""
        return search(self, y, w)

    def torch_irls_weight(self) -> str:
        """Return min(1, delta / |e|), 1 where e is 0."""
        return "(delta / (H - Y).abs()).clamp(max=1)"

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the text of torch's own function."""
        return (f"torch.nn.functional.huber_loss(H, Y, delta=delta{EACH_ROW[reduction]})",)

    def torch_constants(self) -> dict[str, float]:
        """Return delta."""
        return {"delta": self.delta}
