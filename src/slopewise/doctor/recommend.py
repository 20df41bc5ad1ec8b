"""Changes of a plan that lower the epochs to convergence, with the number predicted for each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import SGD, sgd_of
from slopewise.optimizers.stability import HessianSpectrum, Limits, rate_of

TOLERANCE = 1e-6
"""Share of the distance between the first and the lowest cost at which a descent has converged."""
MORE_EPOCHS = 3
"""Multiple of the planned epochs up to which more epochs are recommended before other changes."""
SAFE = 0.9
"""Fraction of the limit that is recommended where the best learning rate is not known."""
AT_MOST = 0.98
"""Largest recommended fraction of the limit: for a large condition number the best rate is the limit itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a plan: the option, its meaning, and the epochs that the descent then needs."""

    option: str
    meaning: str
    epochs: float


def beyond(plan: DescentPlan, limits: Limits) -> bool:
    """Return whether the learning rate is at least the largest stable one."""
    return plan.optimizer == "sgd" and plan.lr >= limits.lr


def safe_lr(plan: DescentPlan, limits: Limits) -> float:
    """Return a learning rate that converges: the best one without momentum if it is known, else 0.9 of the limit."""
    plain = not plan.options.get("momentum")
    if plain and limits.best is not None:
        return below(min(limits.best.lr, AT_MOST * limits.lr))
    return below(SAFE * limits.lr)


def epochs_at(plan: DescentPlan, limits: Limits, tolerance: float) -> float:
    """Return the epochs until the cost along the slowest direction is `tolerance` of its first value; inf if never.

    An upper bound for the whole cost. nan where the smallest eigenvalue is not known.

    Args:
        plan: of the descent, its lr set.
        limits: in the plan's units.
        tolerance: share of the cost's initial distance to the lowest one that may be left.
    """
    if limits.smallest is None:
        return math.nan
    return epochs_for(_rate(limits, plan.lr, sgd_of(plan.options)), tolerance)


def epochs_for(rate: float, tolerance: float) -> float:
    """Return log(tolerance) / (2 log rate): the cost is the square of an error that shrinks by `rate` each epoch.

    >>> epochs_for(0.5, 1e-6)
    10
    """
    if rate >= 1:
        return math.inf
    return max(1.0, math.ceil(math.log(tolerance) / (2 * math.log(rate)))) if rate > 0 else 1.0


def changes(plan: DescentPlan, limits: Limits, standard: Limits | None, tolerance: float) -> list[Change]:
    """Return the possible changes, the simplest first: learning rate, standardisation, momentum.

    Args:
        plan: the plan.
        limits: in the plan's units.
        standard: for standardised columns, where the plan has raw ones.
        tolerance: share of the cost's initial distance to the lowest one that may be left at the end.
    """
    candidates, planned = [], sgd_of(plan.options)
    if limits.best is not None and not planned.momentum:
        lr = safe_lr(plan, limits)
        meaning = "the best learning rate without momentum"
        candidates.append(Change(f"lr={lr:g}", meaning, epochs_for(_rate(limits, lr, planned), tolerance)))
    if not plan.standardize and standard is not None and standard.best is not None:
        lr = below(min(standard.best.lr, AT_MOST * standard.plain))
        meaning = "standardised columns, with the result in the units of the table"
        option = f"leave out standardize=False, with lr={lr:g}"
        candidates.append(Change(option, meaning, epochs_for(_rate(standard, lr, planned), tolerance)))
    if limits.best_momentum is not None and limits.best_momentum.momentum > 0:
        sgd = SGD(above(limits.best_momentum.momentum), weight_decay=planned.weight_decay)
        lr = below(limits.best_momentum.lr)
        option = f"momentum={sgd.momentum:.10g}, lr={lr:g}" + ", without nesterov=True" * planned.nesterov
        candidates.append(Change(option, "the best pair for this data", epochs_for(_rate(limits, lr, sgd), tolerance)))
    return candidates


def quickest(candidates: list[Change], within: int) -> Change | None:
    """Return the first change that needs no more than `within` epochs, else the one that needs fewest."""
    enough = [change for change in candidates if change.epochs <= within]
    return enough[0] if enough else min(candidates, key=lambda change: change.epochs, default=None)


def below(value: float) -> float:
    """Return the value cut to three digits: a learning rate is never rounded up across its limit."""
    if not 0 < value < math.inf:
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.floor(value / unit * (1 + 1e-12)) * unit:.3g}")


def above(momentum: float) -> float:
    """Return a momentum with 1 - momentum cut to two digits, so that 0.9968 does not become 1."""
    left = 1 - momentum
    unit = 10.0 ** (math.floor(math.log10(left)) - 1)
    return round(1 - math.floor(left / unit) * unit, 15)


def _rate(limits: Limits, lr: float, sgd: SGD) -> float:
    """Return the slowest rate, which is that of the smallest or of the largest eigenvalue."""
    ends = torch.tensor([limits.smallest, limits.largest], dtype=torch.float64)
    return rate_of(HessianSpectrum(ends, exact=True), lr=lr, sgd=sgd)


def advice(plan: DescentPlan, limits: Limits, standard: Limits | None, epochs: float, tolerance: float) -> str:
    """Return more epochs where that is reasonable or nothing else helps, else the change with the fewest epochs.

    Args:
        plan: of the descent, its lr set.
        limits: in the plan's units.
        standard: for standardised columns, where the plan has raw ones; else None.
        epochs: that the plan needs; inf where it never converges.
        tolerance: share of the cost's initial distance to the lowest one that may be left.
    """
    change = quickest(changes(plan, limits, standard, tolerance), plan.epochs)
    if epochs <= MORE_EPOCHS * plan.epochs or change is None or change.epochs >= epochs:
        return f"epochs={_round_up(epochs)}" if math.isfinite(epochs) else f"lr={safe_lr(plan, limits):g}"
    return f"{change.option}: {change.meaning}, about {count(change.epochs)}"


def count(epochs: float) -> str:
    """Return a number of epochs as text."""
    if not math.isfinite(epochs):
        return "infinitely many epochs"
    number = f"{epochs:,.0f}" if epochs < 1e12 else f"{epochs:.1e}"
    return f"{number} epoch{'s' * (epochs != 1)}"


def _round_up(epochs: float) -> int:
    unit = 10 ** max(math.floor(math.log10(max(epochs, 1))) - 1, 0)
    return int(math.ceil(epochs / unit) * unit)
