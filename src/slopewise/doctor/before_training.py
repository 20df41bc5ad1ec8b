"""Findings about a descent before its first step, from the limits of its data."""

from __future__ import annotations

from slopewise.doctor.finding import Finding, Number
from slopewise.doctor.recommend import TOLERANCE, advice, beyond, count, epochs_at, safe_lr
from slopewise.errors import FitError
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.stability import Limits
from slopewise.results.report.text import figure


def refuse(plan: DescentPlan, limits: Limits, *, allow_divergence: bool = False) -> None:
    """Raise where the learning rate is beyond the limit, so that the descent cannot but diverge.

    A schedule that changes the rate may come back below the limit, and optimizers other than sgd have none.

    Raises:
        FitError: that; the message has the limit. Not with `anyway`.
    """
    if allow_divergence or plan.schedule.name != "constant" or not beyond(plan, limits):
        return
    raise FitError(
        f"lr {plan.lr:g} is beyond {limits.lr:.6g}, from which on this descent diverges; take "
        f"lr={safe_lr(plan, limits):g}, or allow_divergence=True to watch it."
    )


def before(
    plan: DescentPlan,
    limits: Limits,
    *,
    standard: Limits | None = None,
    needed: int | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[Finding, ...]:
    """Return what the limits say about a planned descent by sgd; nothing about other optimizers.

    Args:
        plan: the plan, with its learning rate.
        limits: of its cost, in its units, for its optimizer.
        standard: the same in standard units, for a plan in raw ones.
        needed: epochs to `tolerance`, where they were worked out from the start; bounded by the rate otherwise.
        tolerance: part of the cost's first distance to the lowest one.
    """
    if plan.optimizer != "sgd":
        return ()
    if beyond(plan, limits):
        return (_beyond_limit(plan, limits),)
    epochs = epochs_at(plan, limits, tolerance) if needed is None else float(needed)
    if limits.slowest is None or plan.batch_size is not None or not epochs > plan.epochs:
        return ()
    return (_slow(plan, limits, standard, epochs, tolerance, bound="up to " if needed is None else ""),)


def _beyond_limit(plan: DescentPlan, limits: Limits) -> Finding:
    ratio = plan.lr / limits.lr
    constant = plan.schedule.name == "constant"
    return Finding(
        code="lr-beyond-limit",
        severity="error" if constant else "warning",
        what=f"lr {plan.lr:g} is too large for this data" + ("" if constant else " until the schedule lowers it"),
        number=Number(ratio, f"{figure(ratio, 4)} times the limit, {limits.lr:.6g}"),
        cause=f"{_steepest(limits)} each step lands further from the valley's floor than it started",
        fix=f"lr={safe_lr(plan, limits):g}",
    )


def _steepest(limits: Limits) -> str:
    return "" if limits.fastest is None else f"along its steepest direction, {limits.fastest},"


def _slow(
    plan: DescentPlan, limits: Limits, standard: Limits | None, epochs: float, tolerance: float, bound: str
) -> Finding:
    condition = "" if limits.condition is None else f"; condition number {figure(limits.condition, 4)}"
    return Finding(
        code="slow-direction",
        severity="warning",
        what=f"one direction crawls at lr {plan.lr:g}",
        number=Number(
            epochs,
            f"{bound}{count(epochs)} to close all but {tolerance:g} of the gap to the lowest cost; "
            f"{plan.epochs:,} are planned",
        ),
        cause=f"along {limits.slowest} the valley is nearly flat{condition}",
        fix=advice(plan, limits, standard, epochs, tolerance),
    )
