"""Softmax loss: the negative log-likelihood of k classes, from logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from slopewise.errors import DataError
from slopewise.losses.loss import Loss

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Softmax(Loss):
    """value c_y (log Σ_j exp(s_j) - s_y) with scores s = (0, eta), as torch's CrossEntropyLoss on them.

    y holds class numbers 0 … classes - 1, eta (n, classes - 1) the scores against the first class, as statsmodels'
    MNLogit. With p the probabilities of the classes after the first and e_y the indicator of y among them:
    gradient c_y (p - e_y), hessian c_y (diag(p) - p p'). class_weights (k,) weight the rows of each class.
    """

    classes: int
    class_weights: tuple[float, ...] | None = None
    name = "softmax"
    title = "Softmax regression"

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (log Σ_j exp(s_j) - s_y) (n,)."""
        self._check(eta, y)
        top, _, total = exponentials(eta)
        own = (eta * self._is_class(y)).sum(1)
        return self._weighted(top - own + total.log(), y)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (p - e_y) (n, classes - 1)."""
        self._check(eta, y)
        return self._weighted(_later(eta) - self._is_class(y), y)

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (diag(p) - p p') (n, classes - 1, classes - 1)."""
        self._check(eta, y)
        p = _later(eta)
        hessian = -p[:, :, None] * p[:, None, :]
        hessian.diagonal(dim1=1, dim2=2).add_(p)
        return self._weighted(hessian, y)

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return the probabilities (n, classes)."""
        top, later, total = exponentials(eta)
        return torch.cat([(-top).exp()[:, None], later], dim=1) / total[:, None]

    def _is_class(self, y: Tensor) -> Tensor:
        """Return e_y (n, classes - 1); class 0 has no column, so its rows are zero. Column-major."""
        return torch.stack([y == k for k in range(1, self.classes)]).to(y.dtype).T

    def _weighted(self, values: Tensor, y: Tensor) -> Tensor:
        if self.class_weights is None:
            return values
        weights = torch.tensor(self.class_weights, dtype=values.dtype, device=y.device)[y.to(torch.int64)]
        return values * weights.reshape(-1, *(1,) * (values.ndim - 1))

    def _check(self, eta: Tensor, y: Tensor) -> None:
        if eta.shape != (*y.shape, self.classes - 1) or y.ndim != 1:
            raise DataError(
                f"scores of shape {tuple(eta.shape)} do not fit targets of shape {tuple(y.shape)}: {self.classes} "
                f"classes need scores (n, {self.classes - 1}) and class numbers (n,); reshape them."
            )


def exponentials(eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return top (n,) = the largest score, exp(eta - top) (n, k - 1), and Σ_j exp(s_j - top) (n,), none overflowing.

    Written out because torch's own softmax over a few columns takes eight times as long, and so that eta
    may be column-major.
    """
    top = eta.amax(1).clamp(min=0)
    later = (eta - top[:, None]).exp()
    return top, later, later.sum(1) + (-top).exp()


def _later(eta: Tensor) -> Tensor:
    """Return the probabilities (n, k - 1) of the classes after the first."""
    _, later, total = exponentials(eta)
    return later / total[:, None]
