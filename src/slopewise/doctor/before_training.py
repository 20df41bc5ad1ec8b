"""Findings about a gradient descent before its first step, from the stability limits of its data."""

from __future__ import annotations

from slopewise.doctor.finding import Finding, Number
from slopewise.doctor.recommend import TOLERANCE, advice, beyond, count, epochs_at, safe_lr
from slopewise.errors import FitError
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.stability import Limits
from slopewise.results.report.text import figure


def refuse(plan: DescentPlan, limits: Limits, *, allow_divergence: bool = False) -> None:
    """Raise where the learning rate is above the largest stable one, so that gradient descent is sure to diverge.

    Not raised where a schedule changes the rate, which may return below the limit, nor for optimizers other than sgd,
    which have no such limit.

    Args:
        plan: the plan, with its learning rate.
        limits: of its cost, in its units, for its optimizer.
        allow_divergence: never raise.

    Raises:
        FitError: the learning rate is above the limit, which the message states.
    """
    if allow_divergence or plan.schedule.name != "constant" or not beyond(plan, limits):
        return
    raise FitError(
        f"lr {plan.lr:g} is beyond {limits.lr:.6g}, from which on gradient descent diverges; take "
        f"lr={safe_lr(plan, limits):g}, or allow_divergence=True to run it nevertheless."
    )


def before(
    plan: DescentPlan,
    limits: Limits,
    *,
    standard: Limits | None = None,
    needed: int | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[Finding, ...]:
    """Return the findings on a planned descent by sgd; none for other optimizers.

    Args:
        plan: the plan, with its learning rate.
        limits: of its cost, in its units, for its optimizer.
        standard: the same for standardised columns, where the plan has raw ones.
        needed: epochs to `tolerance`, where computed from the start; bounded by the convergence rate otherwise.
        tolerance: share of the cost's initial distance to the lowest one.
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
        cause=f"{_steepest(limits)} each step increases the distance to the optimum",
        fix=f"lr={safe_lr(plan, limits):g}",
    )


def _steepest(limits: Limits) -> str:
    return "" if limits.fastest is None else f"along the direction of largest curvature, {limits.fastest},"


def _slow(
    plan: DescentPlan, limits: Limits, standard: Limits | None, epochs: float, tolerance: float, bound: str
) -> Finding:
    condition = "" if limits.condition is None else f"; condition number {figure(limits.condition, 4)}"
    return Finding(
        code="slow-direction",
        severity="warning",
        what=f"convergence is slow along one direction at lr {plan.lr:g}",
        number=Number(
            epochs,
            f"{bound}{count(epochs)} until {tolerance:g} of the distance to the lowest cost is left; "
            f"{plan.epochs:,} are planned",
        ),
        cause=f"the curvature along {limits.slowest} is small{condition}",
        fix=advice(plan, limits, standard, epochs, tolerance),
    )
