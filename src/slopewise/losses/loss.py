"""Stage 3, the contract of a loss: a function of one row's prediction and target.

Value, gradient and Hessian are given per row and never as a mean: the mean of batch means is the loss of
another problem. What belongs to a loss is read from it: its link, its null model, the bound of its Hessian, the
targets it takes, its distribution, and its text in plain PyTorch.

A classification loss of k classes takes the class numbers 0 … k - 1 as y, and scores in reference coding: the
first class's score is 0 and eta holds the others'. With two classes, and with numbers as target, eta is (n,);
with more it is (n, m), m = k - 1 = `outputs`, its gradient (n, m) and its Hessian (n, m, m).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

from slopewise.errors import DataError

Response = Literal["number", "count", "positive", "class"]
Reduction = Literal["mean", "none"]

EACH_ROW = {"mean": "", "none": ', reduction="none"'}
"""What torch's own losses are given for each reduction."""


class Loss(ABC):
    """A convex function of eta (n,) or (n, m), given y (n,).

    name: as in the registry. title: of a fit with it. formula: the loss of one row, in words. response: the targets it
    takes. n_classes: that it tells apart, 0 where the target is a number. distribution: whose -log likelihood it is, or
    None. estimates: its own parameter that is estimated together with the coefficients, None where
    all are given.
    """

    name: str
    title: str
    formula: str
    response: Response
    distribution: str | None
    n_classes: int = 0
    estimates: str | None = None

    @property
    def outputs(self) -> int:
        """Columns m of eta."""
        return max(self.n_classes - 1, 1)

    @property
    @abstractmethod
    def max_hessian(self) -> float | None:
        """Largest eigenvalue of the Hessian in eta, whatever eta and y; None where there is no bound."""

    @abstractmethod
    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each row (n,)."""

    @abstractmethod
    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return d value / d eta, the shape of eta."""

    @abstractmethod
    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return d² value / d eta² (n,), or (n, m, m) for eta (n, m)."""

    @abstractmethod
    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return the prediction of the linear predictor eta: a number (n,), or the k classes' probabilities (n, k)."""

    @abstractmethod
    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return the one eta, () or (m,), of lowest summed loss over all rows.

        Args:
            y: (n,), n ≥ 1.
            w: (n,), or None for equal weights.
        """

    @abstractmethod
    def check_target(self, y: Tensor) -> str | None:
        """Return what is wrong with the first target that this loss cannot take, None where all can be; NaN can be."""

    @abstractmethod
    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the mean loss as plain PyTorch text of H (n, m) = eta and Y (n, 1), or with `none` that of each row.

        The last line is the expression, of shape () or (n, 1), class weights aside; those before it assign. The names
        they use are torch, H, Y and those of `torch_constants`.
        """

    def torch_constants(self) -> dict[str, float]:
        """Return the numbers that `torch_lines` names."""
        return {}

    @abstractmethod
    def torch_prediction(self) -> str:
        """Return the inverse link of H (n, m) as plain PyTorch text: numbers (n, 1), or probabilities (n, k)."""


class IdentityLink(Loss):
    """A loss whose eta is the predicted number itself, of any target."""

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return eta."""
        return eta

    def check_target(self, y: Tensor) -> str | None:
        """Return None: any number will do."""
        return None

    def torch_prediction(self) -> str:
        """Return H."""
        return "H"


class Robust(IdentityLink):
    """A loss of the residual e = eta - y that is ½ e² up to |e| = delta and grows no faster than |e| beyond.

    delta is in the units of the target; where `estimates` is `scale`, it is tuning · scale of the residuals.
    """

    delta: float
    tuning: float

    @abstractmethod
    def with_delta(self, delta: float) -> Robust:
        """Return the same loss with another delta."""

    @abstractmethod
    def irls_weight(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return gradient / e (n,), 1 at e = 0: no quadratic through a row's value and gradient needs more."""

    @abstractmethod
    def torch_irls_weight(self) -> str:
        """Return the weights as plain PyTorch text of H and Y (n, 1)."""


class PiecewiseLinear(IdentityLink):
    """A loss over · (y - eta) where y > eta, else under · (eta - y).

    Its optimum is the over / (over + under) quantile.
    """

    @property
    @abstractmethod
    def prices(self) -> tuple[float, float]:
        """(over, under), both positive."""


def check_shapes(eta: Tensor, y: Tensor) -> None:
    """Raise DataError unless eta and y have one shape: (n, 1) against (n,) would broadcast to (n, n)."""
    if eta.shape != y.shape:
        raise DataError(
            f"predictions of shape {tuple(eta.shape)} do not fit targets of shape {tuple(y.shape)}; "
            f"reshape one of them: broadcasting would compare every row with every other."
        )


def weighted_mean(y: Tensor, w: Tensor | None) -> Tensor:
    """Return Σ w y / Σ w ()."""
    return y.mean() if w is None else (w * y).sum() / w.sum()


def weighted_quantile(y: Tensor, w: Tensor | None, tau: float) -> Tensor:
    """Return the smallest y () up to which at least tau of the weight lies: it minimises Σ w of the quantile loss.

    Args:
        y: (n,), n ≥ 1.
        w: (n,), or None for equal weights.
        tau: between 0 and 1.
    """
    order = y.argsort()
    below = (y.new_ones(len(y)) if w is None else w[order]).cumsum(0)
    at = int((below < tau * below[-1] * (1 - 1e-15)).sum())
    return y[order[min(at, len(y) - 1)]]


def mean_of(rows: str, reduction: Reduction) -> tuple[str]:
    """Return the expression of each row's loss, or of their mean.

    >>> mean_of("Y - H", "mean")
    ('(Y - H).mean()',)
    """
    if reduction == "none":
        return (rows,)
    return (f"{rows}.mean()" if rows.startswith("torch.") else f"({rows}).mean()",)


def first_offence(y: Tensor, bad: Tensor, wanted: str, title: str) -> str | None:
    """Return the sentence that names the first target marked as bad, None where none is.

    Args:
        y: (n,).
        bad: (n,) bool.
        wanted: what the targets must be, such as `zero or positive`.
        title: of the loss.
    """
    if not bool(bad.any()):
        return None
    first = float(y[int(bad.to(y.dtype).argmax())])
    return f"the target holds {first:g}, and {title} needs targets that are {wanted}; correct or leave out such rows."
