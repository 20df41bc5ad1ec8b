"""Train N networks as one batch: gradient descent on a parameter matrix (N, p), one network a row.

1. The forward pass computes eta (N, n, k) for all networks. 2. Row i of the gradient of the *sum* of their mean losses
is the gradient of network i alone. 3. The optimizers are elementwise, so one of them over the matrix takes N
independent steps. (One that mixes parameters, such as L-BFGS, could not be used.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from slopewise.engine.threads import cores
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.schedules import build_scheduler
from slopewise.optimizers.torch_optimizers import build_optimizer
from slopewise.training.descent.minibatches import Arrays, batches_of
from slopewise.training.descent.objective import RowLoss

Forward = Callable[[Tensor, Tensor], Tensor]
"""From parameters (N, p) and x (n, q) to eta (N, n, k)."""

MEMORY = 512e6
"""Bytes that the activations of all networks may take; more networks than fit are trained in groups."""

SHARED = 300_000
"""Activations of a step from which several cores are used; with fewer, Python's overhead is most of the time."""

RECORDS = 100
"""Epochs whose costs are recorded, besides the start."""


@dataclass(frozen=True, slots=True)
class BatchedResult:
    """Final parameters (N, p) and cost (N,) after `epochs` epochs; history: epoch (r,) and costs (r, N)."""

    parameters: Tensor
    cost: Tensor
    epoch: Tensor
    costs: Tensor
    epochs: int


def descend_batched(
    forward: Forward,
    loss: RowLoss,
    rows: Arrays,
    plan: DescentPlan,
    first: Tensor,
    *,
    ridge: Tensor | None = None,
    goes_on: Callable[[int, Tensor], bool] = lambda epoch, cost: True,
) -> BatchedResult:
    """Return N networks trained by gradient descent; one that diverges becomes NaN and does not affect the others.

    Args:
        forward: the model, for many networks at once.
        loss: of each row, see `losses.offset.row_loss`.
        rows: x, y, and w of mean 1 or None.
        plan: optimizer, schedule (no plateau), epochs, batch size, and the seed of the rows' order.
        first: initial parameters (N, p).
        ridge: (p,), ridge · theta² is added to the mean loss; None for none.
        goes_on: called after each epoch with its number and the costs (N,) last measured; False ends the training.
    """
    theta = torch.nn.Parameter(first.clone())
    optimizer = build_optimizer([theta], plan)
    scheduler = build_scheduler(optimizer, plan.schedule, plan.epochs)
    batches = batches_of(rows, plan.batch_size, plan.seed)
    every, block = max(plan.epochs // RECORDS, 1), plan.batch_size or len(rows[1])
    made, recorded = 0, [0]
    costs = [_costs(forward, loss, rows, theta.detach(), ridge, block)]
    while made < plan.epochs and goes_on(made, costs[-1]):
        for batch in batches(made):
            optimizer.zero_grad()
            # 1.
            cost = _mean_losses(forward, loss, batch, theta)
            if ridge is not None:
                cost = cost + theta**2 @ ridge
            # 2.
            cost.sum().backward()  # type: ignore[no-untyped-call]
            # 3.
            optimizer.step()
        if scheduler is not None and not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()
        made += 1
        if made % every == 0:
            recorded.append(made)
            costs.append(_costs(forward, loss, rows, theta.detach(), ridge, block))
    if recorded[-1] != made:
        recorded.append(made)
        costs.append(_costs(forward, loss, rows, theta.detach(), ridge, block))
    return BatchedResult(theta.detach(), costs[-1], torch.tensor(recorded), torch.stack(costs), made)


def groups_of(first: Tensor, values: int, memory: float = MEMORY) -> tuple[tuple[Tensor, ...], int]:
    """Return the initial parameters (N, p) split into groups that fit the memory, and how many cores to use.

    Each core trains groups of its own with one torch thread: several threads wait for each other, and where another
    program had one of two cores, 16 networks of 64-64 took ten times as long with them (measured).

    Args:
        first: initial parameters (N, p).
        values: activations of one network in one batch.
        memory: bytes for all networks that train at the same time.

    Example:
        >>> groups, workers = groups_of(torch.zeros(8, 3), values=1000, memory=24_000)
        >>> [len(group) for group in groups], workers
        ([2, 2, 2, 2], 1)
    """
    starts = len(first)
    workers = min(cores(), starts) if starts * values >= SHARED else 1
    # three times the values: forward, kept for backward, and backward's own
    fitting = int(memory / (workers * 3 * values * first.element_size()))
    return torch.split(first, max(min(-(-starts // workers), fitting), 1)), workers


def _mean_losses(forward: Forward, loss: RowLoss, rows: Arrays, theta: Tensor) -> Tensor:
    """Return each network's mean loss over these rows (N,)."""
    x, y, w = rows
    eta = forward(theta, x)
    flat = eta.reshape(-1) if eta.shape[-1] == 1 else eta.reshape(-1, eta.shape[-1])
    losses = loss(flat, y.expand(len(theta), *y.shape).flatten(0, 1)).view(len(theta), len(y))
    return losses.mean(1) if w is None else (w * losses).mean(1)


def _costs(forward: Forward, loss: RowLoss, rows: Arrays, theta: Tensor, ridge: Tensor | None, block: int) -> Tensor:
    """Return each network's cost over all rows (N,), float64, `block` rows at a time."""
    n = len(rows[1])
    total = torch.zeros(len(theta), dtype=torch.float64)
    with torch.no_grad():
        for start in range(0, n, block):
            x, y, w = (None if part is None else part[start : start + block] for part in rows)
            assert x is not None and y is not None
            total += _mean_losses(forward, loss, (x, y, w), theta) * (len(y) / n)
    return total if ridge is None else total + theta.to(torch.float64) ** 2 @ ridge.to(torch.float64)
