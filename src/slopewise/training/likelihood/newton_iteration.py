"""Newton's method on a summed convex loss, wherever its rows are.

1. Evaluate loss, score g and Hessian H at the start.
2. Step d = -H⁻¹ g; the decrement λ = √(g' H⁻¹ g) is the distance still to go, in standard errors.
3. Stop if λ is within the tolerance, or if asked to look ahead and the next one will be; the last step is taken
without another read.
4. Move by d; halve the step while the loss has not fallen.
5. Repeat from 2.

Near the optimum λ falls quadratically, next = bend · λ² with a bend that two decrements tell; the Hessian before
the last step gives standard errors to a relative bend · λ. Boyd and Vandenberghe (2004), section 9.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.errors import FitError
from slopewise.training.likelihood.score import Derivatives

TOLERANCE = 1e-8
"""Decrement at which a coefficient stands still to eight digits of its standard error."""

ENOUGH_FALL = 1e-4
"""Share of the fall promised by the slope that a step must reach (Armijo, 1966)."""

ROUNDING = 1e-15
"""No decrement is known better than this."""

HALVINGS = 40
MOST_PASSES = 100

Evaluate = Callable[[Tensor], Derivatives]


@dataclass(frozen=True, slots=True)
class NewtonState:
    """Where a climb stands: c (d,), the derivatives there, and the step (d,) from there.

    value includes the penalty. r (d, d) is upper triangular with r'r = H. passes counts evaluations. decrements
    holds all λ so far and places all c, this one last.
    """

    c: Tensor
    found: Derivatives
    value: float
    r: Tensor
    step: Tensor
    decrements: tuple[float, ...]
    places: tuple[Tensor, ...]
    passes: int
    next_decrement: float

    @property
    def decrement(self) -> float:
        """λ at c."""
        return self.decrements[-1]


def newton_iteration(
    evaluate: Evaluate,
    start: Tensor,
    ridge: Tensor,
    *,
    tolerance: float = TOLERANCE,
    stale: float = 0.0,
    quadratic_rate: float = math.inf,
    most: int = MOST_PASSES,
    monitor: Callable[[NewtonState], None] | None = None,
    check: Callable[[Tensor, Derivatives], None] | None = None,
) -> NewtonState:
    """Return the last place evaluated and the last step from there, which is still to be added.

    Args:
        evaluate: the derivatives of the summed loss at c (d,).
        start: c (d,).
        ridge: P (d, d) of the penalty c' P c.
        tolerance: on the decrement.
        stale: relative error of the standard errors at which the last step is taken unread; 0 to never look ahead.
        quadratic_rate: next decrement over the square of this one, as far as it is known beforehand.
        most: evaluations.
        monitor: called at every iterate before the next step; may raise.
        check: called after every evaluation, before anything is made of it; may raise.

    Raises:
        FitError: no curvature is left, no step lowers the loss, or `most` evaluations were not enough.
    """
    c, found = start, evaluate(start)
    decrements: list[float] = []
    places: list[Tensor] = []
    passes, whole = 1, False
    while True:
        if check is not None:
            check(c, found)
        value = found.value + float(c @ ridge @ c)
        score = found.score + 2 * ridge @ c
        r, singular = torch.linalg.cholesky_ex(found.hessian + 2 * ridge, upper=True)
        if int(singular) or not bool(r.isfinite().all()):
            raise FitError(
                f"the loss has no curvature left in some direction after {passes} passes, so that its optimum is not "
                "determined; drop a column that repeats others, or set l2 above zero."
            )
        step = -torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
        decrement = math.sqrt(max(-float(score @ step), 0.0))
        if decrements:
            quadratic_rate = decrement / decrements[-1] ** 2 if whole and decrements[-1] else math.inf
        decrements.append(decrement)
        places.append(c)
        coming = quadratic_rate * decrement**2 if decrement else 0.0
        ahead = max(min(coming, decrement), ROUNDING)
        state = NewtonState(c, found, value, r, step, tuple(decrements), tuple(places), passes, ahead)
        if decrement <= tolerance or (coming <= tolerance / 10 and quadratic_rate * decrement <= stale):
            return state
        if monitor is not None:
            monitor(state)
        if passes >= most:
            raise FitError(
                f"no optimum after {passes} passes: the next step would still be {decrement:.1g} standard errors; "
                "set l2 above zero, or look at the columns with the largest coefficients."
            )
        c, found, passes, whole = _move(evaluate, state, ridge)


def _move(evaluate: Evaluate, state: NewtonState, ridge: Tensor) -> tuple[Tensor, Derivatives, int, bool]:
    """Return the next place, its derivatives, the passes so far, and whether the step was taken whole."""
    share = 1.0
    # Once the promised fall is below the rounding of the sum, a rise of that size says nothing.
    slack = 1e-13 * abs(state.value)
    for tried in range(1, HALVINGS):
        c = state.c + share * state.step
        found = evaluate(c)
        value = found.value + float(c @ ridge @ c)
        if value <= state.value - ENOUGH_FALL * share * state.decrement**2 + slack:
            return c, found, state.passes + tried, share == 1.0
        share /= 2
    raise FitError(
        f"no step lowers the loss after {state.passes + HALVINGS} passes, the decrement being {state.decrement:.1g}; "
        "rescale columns of very unequal size, or set l2 above zero."
    )
