"""What would bring a crawling descent home sooner: the candidates, and the epochs each would take in the long run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import SGD, sgd_of
from slopewise.optimizers.stability import HessianSpectrum, Limits, rate_of

TOLERANCE = 1e-6
"""Part of the gap between the first and the lowest cost that counts as none."""
PATIENT = 3
"""How many times the planned epochs are advised before anything else is."""
SAFE = 0.9
"""Part of the limit that is recommended where the best learning rate is not known."""
AT_MOST = 0.98
"""Part of the limit that is recommended at most: the best rate of a large condition number is the limit itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a plan: what to type, what it means, and the epochs it would then take."""

    option: str
    meaning: str
    epochs: float


def beyond(plan: DescentPlan, limits: Limits) -> bool:
    """Return whether the first step is larger than the limits allow."""
    return plan.optimizer == "sgd" and plan.lr >= limits.lr


def safe_lr(plan: DescentPlan, limits: Limits) -> float:
    """Return a learning rate that converges: the best one for plain descent if it is known, else 0.9 of the limit."""
    plain = not plan.options.get("momentum")
    if plain and limits.best is not None:
        return below(min(limits.best.lr, AT_MOST * limits.lr))
    return below(SAFE * limits.lr)


def epochs_at(plan: DescentPlan, limits: Limits, tolerance: float) -> float:
    """Return the epochs in which the slowest direction's part of the cost falls to `tolerance`; inf if never.

    The whole cost takes no longer, and less where little of it lies along that direction. nan where nothing is known.
    """
    if limits.smallest is None:
        return math.nan
    return epochs_for(_rate(limits, plan.lr, sgd_of(plan.options)), tolerance)


def epochs_for(rate: float, tolerance: float) -> float:
    """Return log(tolerance) / (2 log rate): the cost is the square of an error that shrinks by `rate` each epoch."""
    if rate >= 1:
        return math.inf
    return max(1.0, math.ceil(math.log(tolerance) / (2 * math.log(rate)))) if rate > 0 else 1.0


def changes(plan: DescentPlan, limits: Limits, standard: Limits | None, tolerance: float) -> list[Change]:
    """Return what can be changed, the simplest first: the learning rate, the units, the momentum.

    Args:
        plan: the plan.
        limits: in its units.
        standard: in standard units, for a plan in raw ones.
        tolerance: part of the cost's first distance to the lowest one that may be left at the end.
    """
    found, planned = [], sgd_of(plan.options)
    if limits.best is not None and not planned.momentum:
        lr = safe_lr(plan, limits)
        meaning = "the best learning rate without momentum"
        found.append(Change(f"lr={lr:g}", meaning, epochs_for(_rate(limits, lr, planned), tolerance)))
    if not plan.standardize and standard is not None and standard.best is not None:
        lr = below(min(standard.best.lr, AT_MOST * standard.plain))
        meaning = "descend in standard units and read the answer in raw ones"
        option = f"leave out standardize=False, with lr={lr:g}"
        found.append(Change(option, meaning, epochs_for(_rate(standard, lr, planned), tolerance)))
    if limits.best_momentum is not None and limits.best_momentum.momentum > 0:
        sgd = SGD(above(limits.best_momentum.momentum), weight_decay=planned.weight_decay)
        lr = below(limits.best_momentum.lr)
        option = f"momentum={sgd.momentum:.10g}, lr={lr:g}" + ", without nesterov=True" * planned.nesterov
        found.append(Change(option, "the best pair for this data", epochs_for(_rate(limits, lr, sgd), tolerance)))
    return found


def quickest(found: list[Change], within: int) -> Change | None:
    """Return the first change that needs no more than `within` epochs, else the one that needs fewest."""
    enough = [change for change in found if change.epochs <= within]
    return enough[0] if enough else min(found, key=lambda change: change.epochs, default=None)


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
    """Return the worst rate, which is that of one of the two ends: between them it is no larger."""
    ends = torch.tensor([limits.smallest, limits.largest], dtype=torch.float64)
    return rate_of(HessianSpectrum(ends, exact=True), lr=lr, sgd=sgd)


def advice(plan: DescentPlan, limits: Limits, standard: Limits | None, epochs: float, tolerance: float) -> str:
    """Return more epochs where that is reasonable or nothing else helps, else the change that does."""
    change = quickest(changes(plan, limits, standard, tolerance), plan.epochs)
    if epochs <= PATIENT * plan.epochs or change is None or change.epochs >= epochs:
        return f"epochs={_round_up(epochs)}" if math.isfinite(epochs) else f"lr={safe_lr(plan, limits):g}"
    return f"{change.option}: {change.meaning}, about {count(change.epochs)}"


def count(epochs: float) -> str:
    """Return a number of epochs in words."""
    if not math.isfinite(epochs):
        return "infinitely many epochs"
    number = f"{epochs:,.0f}" if epochs < 1e12 else f"{epochs:.1e}"
    return f"{number} epoch{'s' * (epochs != 1)}"


def _round_up(epochs: float) -> int:
    unit = 10 ** max(math.floor(math.log10(max(epochs, 1))) - 1, 0)
    return int(math.ceil(epochs / unit) * unit)
