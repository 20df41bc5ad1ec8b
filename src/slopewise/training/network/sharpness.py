"""How sharply the cost of a network is curved at its start and along its run, and the steps that allows.

Of a model without hidden layers the sharpest it can be anywhere is known from the moments; of any other it is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.engine.local import one_torch_thread
from slopewise.errors import OptionError
from slopewise.optimizers.sgd_recurrence import SGD
from slopewise.optimizers.sharpness import Cost, Sharpness, sharpness
from slopewise.problem import Problem
from slopewise.solution import History, Moments
from slopewise.training.descent.minibatches import Arrays
from slopewise.training.moments.standardize import Standardization

LOOKED_AT = 4096
"""Rows on which the sharpness is measured, at most: it is a mean, and needs no more."""

FEWEST = 256
"""And at least, however large the network."""

WORK = 2**26
"""Rows times parameters beyond which fewer rows are looked at: each measurement then takes some seconds."""

PLACES = 5
"""Epochs of a run at which it is measured, the first and the last among them."""

TOLERANCE = 1e-4
"""Relative error of the sharpness of a network: a learning rate is not chosen more finely."""

MAX_HESSIAN = {"squared": 2.0, "logistic": 0.25, "softmax": 0.5}
"""Of `Loss.max_hessian`, for results/export, which knows a loss by its name only."""


@dataclass(frozen=True, slots=True)
class SharpnessHistory:
    """The sharpness along a run.

    epoch (s,) int64; eigenvalue (s,), the Hessian's largest, and lr (s,), the largest stable one, float64: NaN where
    the Hessian was not finite, inf where the cost was flat.
    """

    epoch: Tensor
    eigenvalue: Tensor
    lr: Tensor


def hessian_bound(problem: Problem, moments: Moments, units: Standardization, ridge: Tensor) -> float | None:
    """Return the largest Hessian eigenvalue of a model without hidden layers anywhere; None where no bound exists.

    max_hessian λmax(Σ w u u' / Σ w) + 2 max ridge, u = [1, (x - mean) / scale]: 1/4 λmax for the logistic loss.

    Args:
        problem: whose loss it is.
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
    """Return how many rows the sharpness of a network of p parameters is measured on."""
    return max(FEWEST, min(LOOKED_AT, WORK // p))


def cost_at(problem: Problem, rows: Arrays, ridge: Tensor) -> Cost:
    """Return the mean cost of the first rows as a function of theta (p,), in the units and the dtype of the rows.

    Args:
        problem: whose model and loss it is.
        rows: x (n, q), y (n,) and w (n,) or None; the first `looked_at` of them are used.
        ridge: (p,), ridge · theta² is added.
    """
    most = measured_rows(len(ridge))
    x, y, w = (None if part is None else part[:most] for part in rows)
    assert x is not None and y is not None
    dtype = x.dtype

    def cost(theta: Tensor) -> Tensor:
        eta = problem.model.forward(theta.to(dtype), x)
        eta = eta[:, 0] if eta.dim() == 2 and eta.shape[1] == 1 else eta
        losses = problem.loss.value(eta, y)
        return (losses if w is None else w * losses).mean() + ridge.to(dtype) @ theta.to(dtype) ** 2

    return cost


def sharpness_at(cost: Cost, theta: Tensor, sgd: SGD) -> Sharpness:
    """Return how sharply a cost is curved at theta (p,); OptionError where that is not finite.

    Its products are of a few thousand rows: two threads would wait for each other longer than they work.
    """
    with one_torch_thread():
        return sharpness([cost], theta, sgd=sgd, tolerance=TOLERANCE)


def sharpness_history(cost: Cost, history: History, *, first: Sharpness, sgd: SGD, last: int) -> SharpnessHistory:
    """Return the sharpness at PLACES recorded epochs up to `last`, evenly spaced.

    Args:
        cost: as `cost_at` makes it.
        history: whose parameters are known in every row.
        first: the sharpness of row 0, which is known.
        sgd: the planned optimizer.
        last: epoch of the state that was kept; beyond it a run that exploded has nothing to measure.
    """
    rows = int((history.epoch <= last).sum())
    places = torch.linspace(0, rows - 1, min(PLACES, rows)).round().to(torch.int64)
    found = [first, *(_or_nan(cost, history.parameters[row], sgd) for row in places[1:].tolist())]
    values = torch.tensor([[each.eigenvalue, each.lr] for each in found], dtype=torch.float64)
    return SharpnessHistory(history.epoch[places], values[:, 0], values[:, 1])


def _or_nan(cost: Cost, theta: Tensor, sgd: SGD) -> Sharpness:
    """Return the sharpness, NaN where it is not finite: the run is over, a place without a number spoils nothing."""
    try:
        return sharpness_at(cost, theta, sgd)
    except OptionError:
        return Sharpness(float("nan"), float("nan"))
