"""Softmax loss: the negative log-likelihood of k classes, from logits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from slopewise.errors import DataError
from slopewise.losses.loss import EACH_ROW, Loss, Reduction, first_offence
from slopewise.losses.null_model import log_shares

if TYPE_CHECKING:
    from torch import Tensor

SCORES = "torch.cat([torch.zeros_like(H[:, :1]), H], dim=1)"


@dataclass(frozen=True, slots=True)
class Softmax(Loss):
    """value c_y (log Σ_j exp(s_j) - s_y) with scores s = (0, eta), as torch's CrossEntropyLoss on them.

    y holds class numbers 0 … k - 1, eta (n, k - 1) the scores against the first class, as statsmodels'
    MNLogit. With p the probabilities of the classes after the first and e_y the indicator of y among them:
    gradient c_y (p - e_y), Hessian c_y (diag(p) - p p'). class_weights (k,) weigh the rows of each class.
    """

    n_classes: int = field(metadata={"stored_as": "classes"})
    class_weights: tuple[float, ...] | None = None
    name = "softmax"
    title = "Softmax regression"
    formula = "-log of the probability of the right class, the first class's score being 0"
    response = "class"
    distribution = "categorical"

    @property
    def max_hessian(self) -> float:
        """½ of the largest class weight. Böhning, Ann. Inst. Statist. Math. 44 (1992)."""
        return max(self.class_weights or (1.0,)) / 2

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (log Σ_j exp(s_j) - s_y) (n,)."""
        self._check(eta, y)
        top, _, total = exponentials(eta)
        own = (eta * self._is_class(y)).sum(1)
        return self._weighted(top - own + total.log(), y)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (p - e_y) (n, k - 1)."""
        self._check(eta, y)
        return self._weighted(_later(eta) - self._is_class(y), y)

    def hessian(self, eta: Tensor, y: Tensor) -> Tensor:
        """Return c_y (diag(p) - p p') (n, k - 1, k - 1)."""
        self._check(eta, y)
        p = _later(eta)
        hessian = -p[:, :, None] * p[:, None, :]
        hessian.diagonal(dim1=1, dim2=2).add_(p)
        return self._weighted(hessian, y)

    def inverse_link(self, eta: Tensor) -> Tensor:
        """Return the probabilities (n, k)."""
        top, later, total = exponentials(eta)
        return torch.cat([(-top).exp()[:, None], later], dim=1) / total[:, None]

    def null_eta(self, y: Tensor, w: Tensor | None = None) -> Tensor:
        """Return log(share_j / share_0) (k - 1,), class weights counted in."""
        weight = self._weighted(torch.ones_like(y), y)
        return log_shares(y, weight if w is None else w * weight, self.n_classes)

    def check_target(self, y: Tensor) -> str | None:
        """Return a sentence if a target is no class number."""
        known = (y >= 0) & (y < self.n_classes) & (y == y.floor()) | y.isnan()
        return first_offence(y, ~known, f"class numbers from 0 to {self.n_classes - 1}", self.title)

    def torch_lines(self, reduction: Reduction = "mean") -> tuple[str, ...]:
        """Return the text of torch's own function on scores with the first class's 0."""
        row = "[:, None]" if reduction == "none" else ""
        return (
            f"scores, k = {SCORES}, Y[:, 0].long()",
            f"torch.nn.functional.cross_entropy(scores, k{EACH_ROW[reduction]}){row}",
        )

    def torch_prediction(self) -> str:
        """Return the probabilities of all classes."""
        return f"{SCORES}.softmax(1)"

    def _is_class(self, y: Tensor) -> Tensor:
        """Return e_y (n, k - 1); class 0 has no column, so its rows are zero. Column-major."""
        return torch.stack([y == k for k in range(1, self.n_classes)]).to(y.dtype).T

    def _weighted(self, values: Tensor, y: Tensor) -> Tensor:
        if self.class_weights is None:
            return values
        weights = torch.tensor(self.class_weights, dtype=values.dtype, device=y.device)[y.to(torch.int64)]
        return values * weights.reshape(-1, *(1,) * (values.ndim - 1))

    def _check(self, eta: Tensor, y: Tensor) -> None:
        if eta.shape != (*y.shape, self.n_classes - 1) or y.ndim != 1:
            raise DataError(
                f"scores of shape {tuple(eta.shape)} do not fit targets of shape {tuple(y.shape)}: {self.n_classes} "
                f"classes need scores (n, {self.n_classes - 1}) and class numbers (n,); reshape them."
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
