"""Findings about the learning rate of a network, or of classes by gradient descent, relative to its stability limit."""

from __future__ import annotations

import math

from slopewise.doctor.finding import Finding, Number
from slopewise.results.report.text import figure
from slopewise.solution import DescentRecord

SAFE = 0.5
"""Fraction of the limit that is recommended: a nonlinear model's limit changes during training."""

EDGE = 0.95
"""Fraction of the limit from which a learning rate counts as at it: the sharpness is that of a sample of the rows."""


def step_finding(descent: DescentRecord, *, is_linear: bool) -> Finding | None:
    """Return the finding on a full-batch descent by sgd at a constant learning rate, if there is one.

    Above the limit a linear model with squared loss is sure to diverge; classes and networks are not, because their
    Hessian changes during training. So the measured limit is reported, and no error is raised.

    Args:
        descent: the record of the descent.
        is_linear: no hidden layer, so that the limit holds for all parameters.
    """
    plan = descent.plan
    if plan.optimizer != "sgd" or plan.schedule.name != "constant" or not math.isfinite(descent.largest_lr):
        return None
    if plan.lr > descent.largest_lr:
        return beyond_limit(plan.lr, descent.largest_lr, is_linear=is_linear)
    history = descent.sharpness
    if plan.batch_size is not None or history is None or len(history.lr) < 2:
        return None
    last = float(history.lr[-1])
    if not (math.isfinite(last) and plan.lr >= EDGE * last):
        return None
    return Finding(
        code="edge-of-stability",
        severity="note",
        what=f"the descent runs at the edge of stability by epoch {int(history.epoch[-1])}",
        number=Number(
            plan.lr / last,
            f"the largest stable lr was {figure(descent.largest_lr)} at the start and is {figure(last)} now, lr is "
            f"{plan.lr:g}",
        ),
        cause="the curvature along one direction has grown until each step oscillates around the minimum",
        fix=f"lr={SAFE * last:.2g} for a monotone decrease; no change, if the cost still falls",
    )


def beyond_limit(lr: float, limit: float, *, is_linear: bool) -> Finding:
    """Return the finding that a learning rate is above the limit, which holds for all parameters or at the start.

    Args:
        lr: the learning rate.
        limit: the largest stable one.
        is_linear: no hidden layer, so that the limit holds for all parameters.
    """
    holds = "for all parameters" if is_linear else "at the start"
    return Finding(
        code="lr-beyond-limit",
        severity="warning",
        what=f"lr {lr:g} is larger than the learning rates that are sure to lower the cost",
        number=Number(lr / limit, f"{figure(lr / limit, 4)} times the largest stable lr, {figure(limit)}"),
        cause=f"the largest curvature of the cost may be too high for it, {holds}",
        fix=f"lr={SAFE * limit:.2g}",
    )
