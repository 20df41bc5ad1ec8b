"""L2 penalty of a network: Σ ridge · weight² over all weight matrices; biases are not penalised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slopewise.training.descent.objective import Penalty


def ridge_of(module: nn.Module, strength: float, scale: Tensor | None) -> Tensor:
    """Return the penalty factor of each parameter (p,): zero for biases.

    Args:
        module: the network.
        strength: l2 / Σ w.
        scale: (q,), to penalise the coefficients in raw units, of a model without hidden layers; None otherwise.

    Example:
        >>> ridge_of(nn.Linear(2, 1), 0.5, None)
        tensor([0.5000, 0.5000, 0.0000], dtype=torch.float64)
    """
    parts: list[Tensor] = []
    for part in module.parameters():
        if part.requires_grad:
            size = strength if part.dim() > 1 else 0.0
            factor = torch.full(part.shape, size, dtype=torch.float64)
            parts.append((factor / scale**2 if scale is not None and part.dim() > 1 else factor).reshape(-1))
    return torch.cat(parts)


def penalty_of(module: nn.Module, ridge: Tensor, shared_by: int = 0) -> Penalty | None:
    """Return the penalty ridge · theta² as a function of the module, for the loop; None if it is zero.

    For a model without hidden layers and k ≥ 3 classes, the coefficients of all k are shrunk towards their mean, the
    first class's being 0: Σ_j W_j² - (Σ_j W_j)² / k, the same penalty as in Newton's method.

    Args:
        module: with p trainable numbers in all.
        ridge: (p,), see `ridge_of`.
        shared_by: k of such a model, 0 for any other.
    """
    if not bool(ridge.any()):
        return None
    parameters = [part for part in module.parameters() if part.requires_grad]
    pieces = torch.split_with_sizes(ridge.to(parameters[0].dtype), [part.numel() for part in parameters])
    factors = [piece.view(part.shape) for piece, part in zip(pieces, parameters, strict=True)]
    dtype, k = parameters[0].dtype, shared_by

    def cost(module: nn.Module) -> Tensor:
        total = torch.zeros((), dtype=dtype)
        trained = (part for part in module.parameters() if part.requires_grad)
        for part, factor in zip(trained, factors, strict=True):
            if part.dim() > 1:
                total = total + (factor * part**2).sum()
                if k:
                    total = total - (factor[0] * part.sum(0) ** 2).sum() / k
        return total

    return cost
