"""When a descent ends before its last epoch: by a rule that was asked for, or because it diverges."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import Stopping

RISES = 10
"""Costs in a row, each above the one before, that an exploding descent must show."""

EXPLODED = 1e3
"""Times the start's cost, momentum's own swing aside, beyond which a rising cost is not a transient."""

SETTLED = 1e-10
"""Share of the start's gap to the lowest cost that counts as none: five digits of every well-determined parameter."""


@dataclass(slots=True)
class StoppingRules:
    """The rules of a `Stopping`, told of one epoch after another. The one place that knows what they mean.

    start: gap of row 0. best, since: the lowest watched cost that counted as an improvement, and its epoch.
    """

    stopping: Stopping
    lowest: float | None = None
    start: float = math.nan
    best: float = math.inf
    since: int = 0

    def stops(self, epoch: int, cost: float, norm: float, validation: float | None = None) -> str | None:
        """Return what happened, in words, if the descent is to stop in the state of row `epoch`, else None.

        Args:
            epoch: of the row; the first call tells of the start.
            cost: of that state over the training rows.
            norm: of the gradient there; looked at only if that rule is on.
            validation: cost over the validation rows, if those are watched.
        """
        asked = self.stopping
        if asked.gap_tol is not None and self.lowest is not None:
            gap = cost - self.lowest
            if math.isnan(self.start):
                self.start = gap
            if gap <= asked.gap_tol * self.start:
                return (
                    f"the cost came within {asked.gap_tol:g} of its first distance to the lowest cost at epoch {epoch}"
                )
        if asked.grad_tol is not None and norm <= asked.grad_tol:
            return f"the gradient's norm fell to {norm:.3g} at epoch {epoch}"
        if asked.patience is None:
            return None
        activations_of = validation if asked.monitor == "validation" and validation is not None else cost
        if activations_of < self.best - asked.min_delta:
            self.best, self.since = activations_of, epoch
        if epoch - self.since < asked.patience:
            return None
        rows = "validation" if asked.monitor == "validation" else "training"
        return f"the {rows} cost did not improve on {self.best:.6g} of epoch {self.since} for {asked.patience} epochs"


def check_stopping(stopping: Stopping, *, lowest: object | None, validation: object | None) -> None:
    """Raise OptionError where a rule asks for something that this problem does not have."""
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
    """Return (epoch, what happened) of the first row at which a rule stops the descent, None if none does.

    Args:
        stopping: the rules.
        cost: (t + 1,) of every epoch, row 0 the start.
        gradient_norm: (t + 1,).
        lowest: the lowest possible cost, if it is known.
        validation: (t + 1,), if validation rows are watched.
    """
    if not stopping.is_active:
        return None
    rules = StoppingRules(stopping, lowest)
    costs, norms = cost.tolist(), gradient_norm.tolist()
    activations_of = [None] * len(costs) if validation is None else validation.tolist()
    for epoch, (value, norm, other) in enumerate(zip(costs, norms, activations_of, strict=True)):
        diverges = rules.stops(epoch, value, norm, other)
        if diverges is not None:
            return epoch, diverges
    return None


def first_stop(
    stopping: Stopping, cost: Tensor, gradient_norm: Tensor, lowest: float | None, validation: Tensor | None = None
) -> int | None:
    """Return the first epoch at which a rule stops the descent, None if none does; `find_stop` says which."""
    found = find_stop(stopping, cost, gradient_norm, lowest, validation)
    return None if found is None else found[0]


def swing(momentum: float) -> float:
    """Return how far above its start momentum may lift the cost of a quadratic at a stable learning rate.

    With b = sqrt(momentum), the worst case is the double root -b of the recurrence, where an error starts at 1 and is
    (1 + (1 + b) k) b^k after k epochs: at most 1 + (1 + b) / (e ln(1/b)); the cost is its square. 1 for momentum 0,
    200 for 0.9, 2e4 for 0.99.
    """
    if momentum <= 0:
        return 1.0
    b = math.sqrt(momentum)
    return (1 + (1 + b) / (math.e * -math.log(b))) ** 2


@dataclass(slots=True)
class DivergenceDetector:
    """Notices a cost that is not finite, or that has risen RISES times in a row and beyond `limit`.

    limit: EXPLODED x the swing of momentum x the larger of the start's cost and the cost of predicting nothing (so that
    a descent from an answer already perfect may wander). A stable descent on a quadratic never comes there;
    an unstable one grows by a factor each epoch and comes there soon, or ends in inf, which is noticed at once.
    """

    limit: float
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RISES + 1))

    def diverges(self, cost: float) -> bool:
        """Return whether the descent diverges, given the next cost."""
        self.recent.append(cost)
        if cost <= self.limit and cost < math.inf:
            return False
        if not math.isfinite(cost):
            return True
        rising = all(a < b for a, b in zip(self.recent, list(self.recent)[1:], strict=False))
        return len(self.recent) > RISES and rising


def divergence_limit(*, start: float, nothing: float, options: Mapping[str, object]) -> float:
    """Return the limit of `Explosion` for a descent that starts at cost `start`; `nothing` is the cost of eta = 0."""
    momentum = float(options.get("momentum", 0.0))  # type: ignore[arg-type]
    scale = max(start, nothing)
    return EXPLODED * swing(momentum) * scale if scale > 0 else math.inf


def has_converged(*, start: float, cost: float, lowest: float | None, recent: deque[float], epsilon: float) -> bool:
    """Return whether a further epoch would change nothing that matters.

    Where the lowest cost is known: the gap is SETTLED of the start's, or lost in rounding (epsilon, of the dtype).
    Elsewhere: the cost has moved by no more than rounding for RISES epochs.
    """
    if lowest is not None:
        return cost - lowest <= max(SETTLED * (start - lowest), 8 * epsilon * abs(lowest))
    return len(recent) > RISES and max(recent) - min(recent) <= 8 * epsilon * abs(cost)
