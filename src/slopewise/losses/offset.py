"""The offset of a row: a number that is added to eta before the loss is taken.

The target of such rows is (n, 2), y in column 0 and the offset in column 1, so that both stay together wherever rows
are shuffled, copied, streamed, weighed or hashed, and a training loop needs to know of y alone. Only the function of
`row_loss` takes such a target: a loss itself refuses it by its shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.losses.loss import Loss


def target_of(y: Tensor, offset: Tensor | None) -> Tensor:
    """Return the target of rows with y (n,): y itself, or (n, 2) with the offset (n,) beside it.

    >>> target_of(torch.tensor([3.0, 4.0]), torch.tensor([0.5, 0.0])).tolist()
    [[3.0, 0.5], [4.0, 0.0]]
    """
    return y if offset is None else torch.stack([y, offset], dim=1)


def y_of(target: Tensor) -> Tensor:
    """Return y (n,) of a target, without the offset that may stand beside it."""
    return target if target.dim() == 1 else target[:, 0]


def row_loss(loss: Loss, target: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function from eta and a target of this kind to the loss of each row (n,).

    Args:
        loss: of the rows.
        target: of any rows of the problem: (n,), or (n, 2) where they have an offset.
    """
    return loss.value if target.dim() == 1 else partial(value_with_offset, loss)


def value_with_offset(loss: Loss, eta: Tensor, target: Tensor) -> Tensor:
    """Return loss(eta + offset, y) (n,).

    Args:
        loss: of the rows.
        eta: (n,).
        target: (n, 2), y and offset.
    """
    y, offset = target.unbind(1)
    return loss.value(eta + offset, y)
