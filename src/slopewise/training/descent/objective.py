"""The objective of gradient descent: cost = Σ w · loss / Σ w + penalty."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from slopewise.training.descent.minibatches import Arrays

RowLoss = Callable[[Tensor, Tensor], Tensor]
"""From predictions and targets to the loss of each row (n,): `Loss.value`, or with an offset what `losses/offset.py`
makes of it."""

Penalty = Callable[[nn.Module], Tensor]
"""From a module to the penalty () on its parameters, already divided by the total weight."""

BATCH_ROWS = 8192
"""Rows of one forward pass where the cost of all rows is computed: the activations then stay in the cache.

For a network 64-64, 100k rows take 15 ms so and 27 ms in blocks of 65536; for a linear model 2.3 and 2.0 ms."""


def mean_cost(losses: Tensor, w: Tensor | None) -> Tensor:
    """Return Σ w · loss / Σ w () for losses (n,) and weights w (n,) of mean 1.

    Example:
        >>> mean_cost(torch.tensor([1.0, 3.0]), torch.tensor([0.5, 1.5]))
        tensor(2.5000)
    """
    return losses.mean() if w is None else (w * losses).mean()


def ridge(strength: float, scale: Tensor, total_weight: float) -> Penalty | None:
    """Return the L2 penalty of a linear module whose columns were divided by `scale` (q,); None if it is zero.

    l2 Σ W_j² / Σ w, where W_j = weight_j / scale_j is the coefficient in raw units.

    Args:
        strength: l2.
        scale: (q,), of the columns.
        total_weight: Σ w over the training rows.
    """
    if not strength:
        return None

    def cost(module: nn.Module) -> Tensor:
        weight: Tensor = module.weight  # type: ignore[assignment]
        return factor.to(weight.dtype) @ weight**2

    factor = strength / total_weight / scale**2
    return cost


def whole_cost(
    module: nn.Module, rows: Arrays, loss: RowLoss, penalty: Penalty | None, *, with_gradient: bool
) -> float:
    """Return the cost of all rows, block by block, with the module in evaluation mode.

    Args:
        module: from x to what the loss takes; its training mode is restored afterwards.
        rows: x, y and w of mean 1 or None.
        loss: from predictions and y to the loss of each row (n,).
        penalty: of the module, or None.
        with_gradient: leave the gradient of the cost in the parameters' grad.
    """
    was_training = module.training
    module.eval()
    if with_gradient:
        module.zero_grad(set_to_none=False)  # in place: they may be views of one gradient
    total, n = 0.0, len(rows[1])
    with torch.set_grad_enabled(with_gradient):
        for start in range(0, n, BATCH_ROWS):
            x, y, w = (None if part is None else part[start : start + BATCH_ROWS] for part in rows)
            assert x is not None and y is not None
            cost = mean_cost(loss(module(x), y), w) * (len(y) / n)
            if penalty is not None and start == 0:
                cost = cost + penalty(module)
            if with_gradient:
                cost.backward()  # type: ignore[no-untyped-call]
            total += cost.item()
    module.train(was_training)
    return total


def idle_cost(module: nn.Module, rows: Arrays, loss: RowLoss) -> float:
    """Return the cost of the output 0 for every row: a scale for costs that does not depend on the start.

    Args:
        module: tells the shape of eta, and is left unchanged.
        rows: x (n, q), y (n,) and w (n,) of mean 1 or None.
        loss: from predictions and y to the loss of each row (n,).
    """
    x, y, w = rows
    was_training = module.training
    module.eval()
    with torch.no_grad():
        shape = module(x[:1]).shape[1:]
        cost = mean_cost(loss(torch.zeros((), dtype=x.dtype).expand(len(y), *shape), y), w)
    module.train(was_training)
    return cost.item()


def behaves_otherwise_in_training(module: nn.Module) -> bool:
    """Return whether the module computes something else in training mode, as with dropout or batch norm.

    Example:
        >>> behaves_otherwise_in_training(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)))
        True
    """
    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    return any(isinstance(part, kinds) for part in module.modules())
