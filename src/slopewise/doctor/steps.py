"""Findings about the size of the steps of a network, or of classes by descent, against the limit on its way."""

from __future__ import annotations

import math

from slopewise.doctor.finding import Finding, Number
from slopewise.results.network_record import NetworkRecord
from slopewise.results.report.text import figure

SAFE = 0.5
"""Part of the limit that is recommended: a curve's limit changes on the way."""

EDGE = 0.95
"""Part of the limit from which a step counts as being at it: the sharpness is known on a part of the rows."""


def step_finding(descent: NetworkRecord, *, is_linear: bool) -> Finding | None:
    """Return what there is to say about a descent by sgd at a constant learning rate, on all rows at each step.

    Beyond the limit a line is sure to diverge; classes and networks are not, for the curvature changes on the way.
    So nothing is refused here, and what was measured is told.

    Args:
        descent: the road behind the fit.
        is_linear: no hidden layer, so that the limit holds at every place.
    """
    plan = descent.plan
    if plan.optimizer != "sgd" or plan.schedule.name != "constant" or not math.isfinite(descent.largest_lr):
        return None
    if plan.lr > descent.largest_lr:
        return beyond_limit(plan.lr, descent.largest_lr, is_linear=is_linear)
    found = descent.sharpness_history
    if plan.batch_size is not None or found is None or len(found.lr) < 2:
        return None
    last = float(found.lr[-1])
    if not (math.isfinite(last) and plan.lr >= EDGE * last):
        return None
    return Finding(
        code="edge-of-stability",
        severity="note",
        what=f"the descent runs at the edge of stability by epoch {int(found.epoch[-1])}",
        number=Number(
            plan.lr / last,
            f"the largest stable lr was {figure(descent.largest_lr)} at the start and is {figure(last)} now, lr is "
            f"{plan.lr:g}",
        ),
        cause="the valley has become so sharp along one direction that each step lands on its other side",
        fix=f"lr={SAFE * last:.2g} for a smoother way down; none, if the cost still falls",
    )


def beyond_limit(lr: float, limit: float, *, is_linear: bool) -> Finding:
    """Return the finding that a learning rate is larger than the limit, which holds everywhere or at the start."""
    holds = "wherever the descent goes" if is_linear else "at the start"
    return Finding(
        code="lr-beyond-limit",
        severity="warning",
        what=f"lr {lr:g} is larger than the steps that are sure to lead downhill",
        number=Number(lr / limit, f"{figure(lr / limit, 4)} times the largest stable lr, {figure(limit)}"),
        cause=f"along its steepest direction the cost may be curved too sharply for it {holds}",
        fix=f"lr={SAFE * limit:.2g}",
    )
