"""Stage 5, gradient descent: the training loop. The other files of descent/ prepare, monitor and report it.

Row 0 of the history is the start, row k the state after k epochs. With all rows in one batch, the cost and gradient of
row k come at no extra cost from the forward and backward pass of update k; with mini-batches they take a pass of
their own over all rows, in the epochs that the history, a stopping rule or the schedule needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from slopewise.training.descent.checkpoint_state import CheckpointWriter
from slopewise.training.descent.minibatches import Arrays
from slopewise.training.descent.monitor import Monitor
from slopewise.training.descent.objective import Penalty, RowLoss, mean_cost


def descend(
    *,
    first: int,
    epochs: int,
    batches: Callable[[int], Iterable[Arrays]],
    model: nn.Module,
    loss: RowLoss,
    penalty: Penalty | None,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None,
    measure: Callable[[], float],
    monitor: Monitor,
    full_batch: bool,
    writer: CheckpointWriter | None,
) -> None:
    """Train the model in place, epoch by epoch; history, best state and outcome are left in `monitor`.

    Args:
        first: epoch to start with, 0 unless resumed.
        epochs: in all, those before a resume included.
        batches: 1. data: from an epoch to its batches of x, y and w.
        model: 2. model: from x to predictions.
        loss: 3. loss of each row.
        penalty: of the parameters, or None.
        optimizer: 4. optimizer of torch.
        scheduler: of its learning rate, or None.
        measure: the cost of all rows, with its gradient left in the parameters.
        monitor: 5. training: records, compares and checks each epoch; returns True to end the descent.
        full_batch: the batch is all rows, so its cost and gradient are those of the history's row.
        writer: of checkpoints, or None.
    """
    for epoch in range(first, epochs):
        measured = full_batch or monitor.needs_cost(epoch)
        if measured and not full_batch and monitor.on_epoch(epoch, measure()):
            return
        for x, y, w in batches(epoch):  # 1
            prediction = model(x)  # 2
            cost = mean_cost(loss(prediction, y), w)  # 3
            if penalty is not None:
                cost = cost + penalty(model)
            optimizer.zero_grad()  # 4
            cost.backward()  # type: ignore[no-untyped-call]
            if full_batch and monitor.on_epoch(epoch, cost.item()):  # 5
                return
            optimizer.step()
        if not measured and monitor.on_unmeasured(epoch + 1, cost.item()):
            return
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(monitor.cost)
        elif scheduler is not None:
            scheduler.step()
        if writer is not None and writer.wants(epoch + 1):
            writer.save(epoch + 1)
    monitor.on_epoch(epochs, measure(), last=True)
