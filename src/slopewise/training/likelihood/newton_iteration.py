"""Newton's method on a summed convex loss, given a function that evaluates it.

1. Evaluate loss, score g and Hessian H at the start.
2. Step d = -H⁻¹ g; the decrement λ = √(g' H⁻¹ g) is the distance to the optimum, in standard errors.
3. Stop if λ is within the tolerance, or, with `stale`, if the next one is predicted to be; the last step is taken
without another pass.
4. Move by d; halve the step while the loss does not decrease.
5. Repeat from 2.

Near the optimum λ converges quadratically, next = rate · λ² with a rate estimated from two decrements; the Hessian
before the last step gives standard errors to a relative rate · λ. Boyd and Vandenberghe (2004), section 9.5.
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
"""Decrement at which every coefficient has converged to 1e-8 of its standard error."""

ARMIJO = 1e-4
"""Part of the decrease predicted by the gradient that a step must reach (Armijo, 1966)."""

ROUNDING = 1e-15
"""Smallest decrement that float64 resolves."""

HALVINGS = 40
MOST_PASSES = 100

Evaluate = Callable[[Tensor], Derivatives]


@dataclass(frozen=True, slots=True)
class NewtonState:
    """The state of an iteration: c (d,), the derivatives `found` there, and the Newton step (d,) from there.

    value: loss with penalty. r (d, d): upper triangular with r'r = H. passes: evaluations so far. decrements and
    places: λ and c of all iterates, this one last. next_decrement: predicted λ after the step.
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
        """The Newton decrement λ at c."""
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
    """Return the last iterate evaluated; its step is computed and not yet taken.

    Args:
        evaluate: value, score and Hessian of the summed loss at c (d,).
        start: initial c (d,).
        ridge: P (d, d) of the penalty c' P c.
        tolerance: on the decrement.
        stale: relative error of the standard errors at which the last step is taken without another evaluation; 0 to
            evaluate until the tolerance is met.
        quadratic_rate: next decrement over the square of this one, where it is known beforehand.
        most: evaluations.
        monitor: called at every iterate before the next step; may raise.
        check: called after every evaluation, before the Hessian is factored; may raise.

    Raises:
        FitError: the Hessian is singular, no step lowers the loss, or `most` evaluations were not enough.
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
                f"the Hessian is singular after {passes} passes, so that the optimum is not "
                "determined; drop a column that repeats others, or set l2 above zero."
            )
        step = -torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
        decrement = math.sqrt(max(-float(score @ step), 0.0))
        if decrements:
            quadratic_rate = decrement / decrements[-1] ** 2 if whole and decrements[-1] else math.inf
        decrements.append(decrement)
        places.append(c)
        predicted = quadratic_rate * decrement**2 if decrement else 0.0
        next_decrement = max(min(predicted, decrement), ROUNDING)
        state = NewtonState(c, found, value, r, step, tuple(decrements), tuple(places), passes, next_decrement)
        if decrement <= tolerance or (predicted <= tolerance / 10 and quadratic_rate * decrement <= stale):
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
    """Return the next iterate, its derivatives, the passes so far, and whether the full step was taken."""
    share = 1.0
    # Once the predicted decrease is below the rounding of the sum, an increase of that size is no evidence.
    slack = 1e-13 * abs(state.value)
    for tried in range(1, HALVINGS):
        c = state.c + share * state.step
        found = evaluate(c)
        value = found.value + float(c @ ridge @ c)
        if value <= state.value - ARMIJO * share * state.decrement**2 + slack:
            return c, found, state.passes + tried, share == 1.0
        share /= 2
    raise FitError(
        f"no step lowers the loss after {state.passes + HALVINGS} passes, the decrement being {state.decrement:.1g}; "
        "rescale columns of very unequal size, or set l2 above zero."
    )
