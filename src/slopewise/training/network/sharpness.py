"""Sharpness of a network's cost (the largest Hessian eigenvalue) at the start and along the run, and the stable lr.

For a model without hidden layers an upper bound follows from the moments; for any other the sharpness is measured.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.engine.threads import one_torch_thread
from slopewise.errors import OptionError
from slopewise.losses.offset import row_loss
from slopewise.optimizers.sgd_recurrence import SGD
from slopewise.optimizers.sharpness import Cost, Sharpness, sharpness
from slopewise.problem import Problem
from slopewise.solution import History, Moments, SharpnessHistory, Standardization
from slopewise.training.descent.minibatches import Arrays

MOST_ROWS = 4096
"""Most rows on which the sharpness is measured: the cost is a mean, and needs no more."""

FEWEST_ROWS = 256
"""Fewest rows on which it is measured, however large the network."""

MOST_WORK = 2**26
"""Rows times parameters beyond which fewer rows are used: each measurement then takes some seconds."""

EPOCHS = 5
"""Epochs of a run at which the sharpness is measured, the first and the last among them."""

TOLERANCE = 1e-4
"""Relative error of the measured sharpness: a learning rate is not chosen more finely."""


def hessian_bound(problem: Problem, moments: Moments, units: Standardization, ridge: Tensor) -> float | None:
    """Return an upper bound of the Hessian's eigenvalues for a model without hidden layers; None where none exists.

    max_hessian λmax(Σ w u u' / Σ w) + 2 max ridge, u = [1, (x - mean) / scale]: 1/4 λmax for the logistic loss.

    Args:
        problem: whose loss is bounded.
        moments: of the training rows.
        units: of the descent.
        ridge: (p,), ridge · theta² is added to the mean loss.
    """
    loss = problem.loss
    if loss.max_hessian is None:
        return None
    centre = (moments.mean - units.mean) / units.scale
    second = moments.gram / moments.weight / torch.outer(units.scale, units.scale) + torch.outer(centre, centre)
    one = torch.ones(1, 1, dtype=torch.float64)
    whole = torch.cat([torch.cat([one, centre[None]], 1), torch.cat([centre[:, None], second], 1)])
    return loss.max_hessian * float(torch.linalg.eigvalsh(whole)[-1]) + 2 * float(ridge.max())


def measured_rows(p: int) -> int:
    """Return how many rows the sharpness of a network of p parameters is measured on.

    Example:
        >>> measured_rows(33), measured_rows(10_000_000)
        (4096, 256)
    """
    return max(FEWEST_ROWS, min(MOST_ROWS, MOST_WORK // p))


def cost_at(problem: Problem, rows: Arrays, ridge: Tensor) -> Cost:
    """Return the mean cost of the first rows as a function of theta (p,), in the units and the dtype of the rows.

    Args:
        problem: its model and loss.
        rows: x, y, with its offset where there is one, and w or None; the first `measured_rows(p)` of them are used.
        ridge: (p,), ridge · theta² is added.
    """
    most = measured_rows(len(ridge))
    x, y, w = (None if part is None else part[:most] for part in rows)
    assert x is not None and y is not None
    dtype, loss = x.dtype, row_loss(problem.loss, y)

    def cost(theta: Tensor) -> Tensor:
        eta = problem.model.forward(theta.to(dtype), x)
        eta = eta[:, 0] if eta.dim() == 2 and eta.shape[1] == 1 else eta
        losses = loss(eta, y)
        return (losses if w is None else w * losses).mean() + ridge.to(dtype) @ theta.to(dtype) ** 2

    return cost


def sharpness_at(cost: Cost, theta: Tensor, sgd: SGD) -> Sharpness:
    """Return the sharpness of a cost at theta (p,), and the largest stable lr of sgd there.

    One thread: matrix products of a few thousand rows are too small for two.

    Args:
        cost: of some rows, a function of the parameters.
        theta: (p,).
        sgd: momentum, weight decay and the like.

    Raises:
        OptionError: the Hessian is not finite at theta.
    """
    with one_torch_thread():
        return sharpness([cost], theta, sgd=sgd, tolerance=TOLERANCE)


def sharpness_history(cost: Cost, history: History, *, first: Sharpness, sgd: SGD, last: int) -> SharpnessHistory:
    """Return the sharpness at EPOCHS recorded epochs up to `last`, evenly spaced.

    Args:
        cost: see `cost_at`.
        history: with the parameters of every row.
        first: the sharpness of row 0, already known.
        sgd: the planned optimizer.
        last: epoch of the state that was kept; beyond it a diverged run has no finite Hessian.
    """
    rows = int((history.epoch <= last).sum())
    sampled = torch.linspace(0, rows - 1, min(EPOCHS, rows)).round().to(torch.int64)
    measured = [first, *(_or_nan(cost, history.parameters[row], sgd) for row in sampled[1:].tolist())]
    values = torch.tensor([[each.eigenvalue, each.lr] for each in measured], dtype=torch.float64)
    return SharpnessHistory(history.epoch[sampled], values[:, 0], values[:, 1])


def _or_nan(cost: Cost, theta: Tensor, sgd: SGD) -> Sharpness:
    """Return the sharpness, NaN where it is not finite: a run that has ended is not made to fail by its report."""
    try:
        return sharpness_at(cost, theta, sgd)
    except OptionError:
        return Sharpness(float("nan"), float("nan"))
