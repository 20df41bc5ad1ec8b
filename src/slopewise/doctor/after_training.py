"""Findings about a gradient descent after its last step, from its history."""

from __future__ import annotations

import math

from slopewise.doctor.finding import Finding, Number
from slopewise.doctor.recommend import TOLERANCE, advice, below, beyond, count, epochs_at, safe_lr
from slopewise.optimizers.stability import Limits
from slopewise.results.report.text import figure
from slopewise.solution import DescentRecord, Solution, Status

HARDLY = 0.5
"""Share of the initial distance to the lowest cost above which a descent has hardly moved …"""
TINY = 0.01
"""… because of its learning rate, where that is below this fraction of the largest stable one."""


def after(
    solution: Solution,
    limits: Limits | None = None,
    *,
    standard: Limits | None = None,
    needed: int | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[Finding, ...]:
    """Return the finding on a finished descent: diverged, hardly moved or not converged; none where it converged.

    Args:
        solution: of a descent.
        limits: None for optimizers other than sgd, or where none are known.
        standard: as in `before`.
        needed: as in `before`.
        tolerance: as in `before`.
    """
    descent = _descent(solution)
    plan = descent.plan
    limits = limits if plan.optimizer == "sgd" else None
    if solution.status is Status.DIVERGED:
        return (_diverged(solution, limits),)
    left = gap_left(solution)
    if solution.status is Status.CONVERGED or left is None or left <= tolerance:
        return ()
    if limits is not None and left > HARDLY and plan.lr < TINY * limits.lr:
        return (_hardly(descent, limits, left),)
    epochs = math.nan if needed is None else float(needed)
    if needed is None and limits is not None and plan.batch_size is None:
        # the remaining distance is along the slowest direction
        epochs = descent.epochs + epochs_at(plan, limits, tolerance / left)
    return (_unfinished(descent, limits, standard, left, epochs, tolerance),)


def _descent(solution: Solution) -> DescentRecord:
    assert solution.descent is not None
    return solution.descent


def gap_left(solution: Solution) -> float | None:
    """Return (cost - lowest) / (first cost - lowest) of the best state; None where the lowest cost is not known."""
    descent = _descent(solution)
    history = descent.history
    if history.lowest is None:
        return None
    kept = (history.epoch == descent.best_epoch).nonzero()[:, 0].tolist()
    cost, first = float(history.cost[kept[0] if kept else -1]), float(history.cost[0])
    lowest = float(history.lowest)
    return max(cost - lowest, 0.0) / (first - lowest) if first > lowest else 0.0


def _diverged(solution: Solution, limits: Limits | None) -> Finding:
    descent = _descent(solution)
    plan = descent.plan
    first = float(descent.history.cost[0])
    cause, lr = "the steps grew instead of shrinking, as with too large a learning rate", below(plan.lr / 10)
    if limits is not None and beyond(plan, limits):
        ratio = figure(plan.lr / limits.lr, 4)
        cause, lr = f"lr {plan.lr:g} is {ratio} times the limit, {limits.lr:.6g}", safe_lr(plan, limits)
    return Finding(
        code="diverged",
        severity="error",
        what=f"the descent diverged by epoch {descent.epochs:,}; epoch {descent.best_epoch:,} was kept",
        number=Number(float(descent.epochs), solution.evidence or f"the cost grew from {figure(first)} without bound"),
        cause=cause,
        fix=f"lr={lr:g}",
    )


def _hardly(descent: DescentRecord, limits: Limits, left: float) -> Finding:
    plan = descent.plan
    share = plan.lr / limits.lr
    return Finding(
        code="hardly-moved",
        severity="warning",
        what=f"the descent hardly moved: {figure(100 * left, 3)}% of the gap is left after {descent.epochs:,} epochs",
        number=Number(share, f"lr {plan.lr:g} is {figure(share, 3)} of the limit, {limits.lr:.6g}"),
        cause="the learning rate is far too small: every step is a small fraction of the stable one",
        fix=f"lr={safe_lr(plan, limits):g}",
    )


def _unfinished(
    descent: DescentRecord,
    limits: Limits | None,
    standard: Limits | None,
    left: float,
    epochs: float,
    tolerance: float,
) -> Finding:
    known = math.isfinite(epochs) and epochs > descent.epochs
    slow = f"convergence is slow along {limits.slowest}" if limits is not None and limits.slowest is not None else ""
    fix = f"epochs={10 * descent.epochs}"
    if limits is not None and known:
        fix = advice(descent.plan, limits, standard, epochs, tolerance)
    return Finding(
        code="not-converged",
        severity="warning",
        what=f"stopped before it converged, after {descent.epochs:,} epochs",
        number=Number(
            left,
            f"{figure(left, 3)} of the distance to the lowest cost is left"
            + (f"; {count(epochs)} would leave {tolerance:g}" if known else ""),
        ),
        cause=slow or "the epochs ended before the cost had converged",
        fix=fix,
    )
