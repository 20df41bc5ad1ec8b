"""Stage 5, gradient descent: the plain loop. Everything else in this room prepares it, watches it or concludes.

Row 0 of the history is the start, row k the state after k epochs. With all rows in one batch, the cost and gradient of
row k come for free from the forward and backward pass that precedes update k; with smaller batches they take a pass of
their own, over all rows, in the epochs that are kept or looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from slopewise.training.batches import Rows
from slopewise.training.measure import Penalty, RowLoss, mean_cost
from slopewise.training.resume import Saver
from slopewise.training.watch import Watch


def descend(
    *,
    first: int,
    epochs: int,
    batches: Callable[[int], Iterable[Rows]],
    model: nn.Module,
    loss: RowLoss,
    penalty: Penalty | None,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None,
    measure: Callable[[], float],
    watch: Watch,
    free: bool,
    saver: Saver | None,
) -> None:
    """Go down, epoch by epoch. The answer is in `watch`.

    Args:
        first: epoch to start with, 0 unless resumed.
        epochs: to be made in all.
        batches: 1. data: from an epoch to its batches of x, y and w.
        model: 2. model: from x to predictions.
        loss: 3. loss of each row.
        penalty: of the parameters, or None.
        optimizer: 4. optimizer of torch.
        scheduler: of its learning rate, or None.
        measure: the cost of all rows, with its gradient left in the parameters.
        watch: 5. training: what is noticed on the way; True from it ends the descent.
        free: the batch is all rows, so its cost and gradient are those of the row.
        saver: of checkpoints, or None.
    """
    for epoch in range(first, epochs):
        looked = free or watch.wants(epoch)
        if looked and not free and watch.sees(epoch, measure()):
            return
        for x, y, w in batches(epoch):  # 1
            prediction = model(x)  # 2
            cost = mean_cost(loss(prediction, y), w)  # 3
            if penalty is not None:
                cost = cost + penalty(model)
            optimizer.zero_grad()  # 4
            cost.backward()  # type: ignore[no-untyped-call]
            if free and watch.sees(epoch, cost.item()):  # 5
                return
            optimizer.step()
        if not looked and watch.glances(epoch + 1, cost.item()):
            return
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(watch.cost)
        elif scheduler is not None:
            scheduler.step()
        if saver is not None and saver.wants(epoch + 1):
            saver.save(epoch + 1)
    watch.sees(epochs, measure(), last=True)
