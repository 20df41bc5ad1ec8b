"""Stopping rules of gradient descent: gap to the lowest cost, gradient norm, patience, and divergence."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import Stopping

MIN_INCREASES = 10
"""Consecutive increases of the cost that a diverging descent must show."""

DIVERGENCE_FACTOR = 1e3
"""Multiple of the initial cost, beyond the transient of momentum, above which a rising cost is divergence."""

CONVERGED_GAP = 1e-10
"""Part of the initial gap to the lowest cost that counts as converged: five digits of well-determined parameters."""


@dataclass(slots=True)
class StoppingRules:
    """Applies the rules of a `Stopping` to one epoch after another.

    lowest: the lowest possible cost, None where unknown. start: gap of row 0. best, since: the lowest monitored cost
    that counted as an improvement, and its epoch.
    """

    stopping: Stopping
    lowest: float | None = None
    start: float = math.nan
    best: float = math.inf
    since: int = 0

    def stops(self, epoch: int, cost: float, norm: float, validation: float | None = None) -> str | None:
        """Return why the descent stops in the state of row `epoch`, as one phrase, or None if it goes on.

        Args:
            epoch: of the row; the first call is for the start.
            cost: of that state over the training rows.
            norm: of the gradient there; used only with grad_tol.
            validation: cost over the validation rows, if those are monitored.
        """
        given = self.stopping
        if given.gap_tol is not None and self.lowest is not None:
            gap = cost - self.lowest
            if math.isnan(self.start):
                self.start = gap
            if gap <= given.gap_tol * self.start:
                return f"the gap to the lowest cost fell to {given.gap_tol:g} of its initial value at epoch {epoch}"
        if given.grad_tol is not None and norm <= given.grad_tol:
            return f"the gradient's norm fell to {norm:.3g} at epoch {epoch}"
        if given.patience is None:
            return None
        monitored = validation if given.monitor == "validation" and validation is not None else cost
        if monitored < self.best - given.min_delta:
            self.best, self.since = monitored, epoch
        if epoch - self.since < given.patience:
            return None
        rows = "validation" if given.monitor == "validation" else "training"
        return f"the {rows} cost did not improve on {self.best:.6g} of epoch {self.since} for {given.patience} epochs"


def check_stopping(stopping: Stopping, *, lowest: object | None, validation: object | None) -> None:
    """Raise OptionError where a rule asks for something that this problem does not have.

    Args:
        stopping: the rules.
        lowest: the lowest possible cost, None where it is not known.
        validation: the validation rows, None where there are none.
    """
    if stopping.gap_tol is not None and lowest is None:
        raise OptionError(
            "gap_tol needs the lowest cost, which is known only for a linear model with squared loss; "
            "use patience or grad_tol instead."
        )
    if stopping.monitor == "validation" and validation is None:
        raise OptionError("monitor='validation' needs validation rows; hold some out, or monitor 'train'.")


def find_stop(
    stopping: Stopping, cost: Tensor, gradient_norm: Tensor, lowest: float | None, validation: Tensor | None = None
) -> tuple[int, str] | None:
    """Return (epoch, reason) of the first row at which a rule stops the descent, None if none does.

    Args:
        stopping: the rules.
        cost: (t + 1,) of every epoch, row 0 the start.
        gradient_norm: (t + 1,).
        lowest: the lowest possible cost, if it is known.
        validation: (t + 1,), if validation rows are monitored.
    """
    if not stopping.is_active:
        return None
    rules = StoppingRules(stopping, lowest)
    costs, norms = cost.tolist(), gradient_norm.tolist()
    monitored = [None] * len(costs) if validation is None else validation.tolist()
    for epoch, (value, norm, other) in enumerate(zip(costs, norms, monitored, strict=True)):
        reason = rules.stops(epoch, value, norm, other)
        if reason is not None:
            return epoch, reason
    return None


def first_stop(
    stopping: Stopping, cost: Tensor, gradient_norm: Tensor, lowest: float | None, validation: Tensor | None = None
) -> int | None:
    """Return the first epoch at which a rule stops the descent, None if none does.

    Arguments are those of `find_stop`, which also returns the reason.

    Example:
        >>> import torch
        >>> cost = torch.tensor([3.0, 2.0, 1.9, 1.9, 1.9])
        >>> first_stop(Stopping(patience=2), cost, torch.ones(5), lowest=None)
        4
    """
    stop = find_stop(stopping, cost, gradient_norm, lowest, validation)
    return None if stop is None else stop[0]


def swing(momentum: float) -> float:
    """Return the largest transient growth factor of a quadratic cost under momentum at a stable learning rate.

    With b = sqrt(momentum), the worst case is the double root -b of the recurrence, where an error starts at 1 and is
    (1 + (1 + b) k) b^k after k epochs: at most 1 + (1 + b) / (e ln(1/b)); the cost is its square. 1 for momentum 0,
    200 for 0.9, 2e4 for 0.99.

    Example:
        >>> swing(0.0), round(swing(0.9))
        (1.0, 213)
    """
    if momentum <= 0:
        return 1.0
    b = math.sqrt(momentum)
    return (1 + (1 + b) / (math.e * -math.log(b))) ** 2


@dataclass(slots=True)
class DivergenceDetector:
    """Detects a cost that is not finite, or that has risen MIN_INCREASES times in a row and beyond `limit`.

    limit: see `divergence_limit`. A stable descent on a quadratic never reaches it; an unstable one grows by a
    factor each epoch and reaches it soon, or becomes inf, which is detected at once. recent:
    the last MIN_INCREASES + 1 costs.
    """

    limit: float
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=MIN_INCREASES + 1))

    def diverges(self, cost: float) -> bool:
        """Return whether the descent diverges, given the cost of the next epoch."""
        self.recent.append(cost)
        if cost <= self.limit and cost < math.inf:
            return False
        if not math.isfinite(cost):
            return True
        rising = all(a < b for a, b in zip(self.recent, list(self.recent)[1:], strict=False))
        return len(self.recent) > MIN_INCREASES and rising


def divergence_limit(*, start: float, nothing: float, options: Mapping[str, object]) -> float:
    """Return the cost above which a rising cost counts as divergence.

    DIVERGENCE_FACTOR · swing(momentum) · max(start, nothing); the maximum lets a descent that starts at the optimum
    fluctuate.

    Args:
        start: cost of row 0.
        nothing: cost of predicting eta = 0 everywhere.
        options: of the optimizer; momentum is used.
    """
    momentum = float(options.get("momentum", 0.0))  # type: ignore[arg-type]
    scale = max(start, nothing)
    return DIVERGENCE_FACTOR * swing(momentum) * scale if scale > 0 else math.inf


def has_converged(*, start: float, cost: float, lowest: float | None, recent: deque[float], epsilon: float) -> bool:
    """Return whether the descent has converged.

    Where the lowest cost is known: the gap is at most CONVERGED_GAP of the initial one, or lost in rounding (epsilon,
    of the dtype). Elsewhere: the cost has changed by no more than rounding for MIN_INCREASES epochs.

    Args:
        start: cost of row 0.
        cost: of the last row.
        lowest: the lowest possible cost, None where it is not known.
        recent: costs of the last MIN_INCREASES + 1 rows.
        epsilon: of the dtype that the descent computes in.
    """
    if lowest is not None:
        return cost - lowest <= max(CONVERGED_GAP * (start - lowest), 8 * epsilon * abs(lowest))
    return len(recent) > MIN_INCREASES and max(recent) - min(recent) <= 8 * epsilon * abs(cost)
