"""Maximum likelihood by Newton's method in blocked passes over the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.engine.local import one_torch_thread
from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Curvature, Maximum, Status
from slopewise.training.approach import Approached, approach
from slopewise.training.climb import Evaluate, Step, climb
from slopewise.training.columns import check_classes, check_columns, refuse_corners
from slopewise.training.frame import Frame, frame_of
from slopewise.training.held import Held, picked
from slopewise.training.sample import KEPT, FirstRead, first_read
from slopewise.training.score import Derivatives, derivatives, score_sums
from slopewise.training.separation import Watch
from slopewise.training.solver import Climber
from slopewise.types import Batch

SAMPLE_TOLERANCE = 1.0
"""Decrement on the sample after which one more step brings its own optimum far nearer than the table's is."""

SAMPLE_PASSES = 15

STALE = 1e-6
"""Relative error that the standard errors of a table large enough to be sampled may have, for one pass less."""


@dataclass(frozen=True, slots=True)
class Newton(Climber):
    """Σ w loss + penalty by Newton's method, in centred columns of standard deviation 1.

    start: a theta to start from, raw units, or None. levels: names of the classes, for messages. first: what the
    first read told, or None to read it.
    """

    start: Tensor | None = None
    levels: tuple[str, ...] = ()
    first: FirstRead | None = None
    name = "newton"
    needs = ("a linear model", "a loss with curvature", "rows that can be read again")

    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum.

        1. Read moments, class counts and a thin sample of the rows once; from here on a file's rows are in memory, if
        they fit. 2. Refuse columns that cannot be told apart. 3. Start from `start`, or from the intercept alone. 4.
        Where the table is large, climb on the sample first, and from there approach by gradients alone where reading
        costs nothing. 5. Climb on all rows, watching for classes that are separated.

        Raises:
            FitError: dependent columns, separated classes, or no convergence.
        """
        refuse_corners(problem, self.name)
        # Between the passes there is nothing but small matrices, over before a second thread has woken up.
        with one_torch_thread():
            return self._climb(problem, engine)

    def _climb(self, problem: Problem, engine: Engine) -> Maximum:
        first = self.first or first_read(problem, engine, keep=KEPT)
        if first.held is not None:
            problem = replace(problem, source=first.held)
        check_classes(first.rows, self.levels)
        check_columns(problem, first.moments)
        frame = frame_of(problem, first.moments)
        null, null_loss = intercept_only(problem, first)
        near = Approached(null if self.start is None else frame.scaled(self.start), 0, math.inf)
        if self.start is None and first.sample is not None:
            near = from_sample(problem, engine, frame, first, null)
        watch = Watch(problem, engine, frame, self.levels)
        rows = evaluate_rows(problem, engine, frame)
        stale = STALE if first.sample is not None else 0.0
        top = climb(rows, near.c, frame.ridge, stale=stale, bend=near.bend, watch=watch.step, check=watch.margins)
        return maximum(problem, frame, first, top, null_loss, near.passes)


def evaluate_rows(problem: Problem, engine: Engine, frame: Frame, *, curved: bool = True) -> Evaluate:
    """Return the function that reads all rows and returns the derivatives at c."""

    def evaluate(c: Tensor) -> Derivatives:
        look = partial(score_sums, problem=problem, beta=frame.beta(c), mean=frame.units.mean, curved=curved)
        sums = engine.sum(look, problem.source)
        assert sums is not None  # the first read has seen these rows
        return derivatives(sums, frame.outputs, frame.scale)

    return evaluate


def from_sample(problem: Problem, engine: Engine, frame: Frame, first: FirstRead, start: Tensor) -> Approached:
    """Return a place near the optimum that the sample of the rows leads to, `start` (d,) where the sample has none.

    The sample is climbed by the same thought, on every 16th of its own rows first.
    """
    sample, top, share = first.sample, None, 1.0
    assert sample is not None
    for stride in (16, 1):
        (rows,) = picked((sample,), stride)
        evaluate = evaluate_rows(replace(problem, source=Held((rows,))), engine, frame)
        share = (len(rows) if rows.w is None else float(rows.w.sum())) / first.moments.weight
        try:
            top = climb(evaluate, start, frame.ridge * share, tolerance=SAMPLE_TOLERANCE, most=SAMPLE_PASSES)
        except FitError:
            top = None
            continue
        if problem.loss.classes and not top.found.wrong:
            top = None
            continue
        start = top.c + top.step
    if top is None or not problem.source.in_memory:
        return Approached(start, 0, math.inf)
    gradients = evaluate_rows(problem, engine, frame, curved=False)
    return approach(gradients, start, share * torch.cholesky_inverse(top.r, upper=True), frame.ridge, stale=STALE)


def intercept_only(problem: Problem, first: FirstRead) -> tuple[Tensor, float]:
    """Return c (d,) of the model that knows only the classes' shares, and its summed loss; zeros and NaN for numbers.

    It is a table of one row per class, without columns.
    """
    m, p = problem.loss.outputs, len(problem.names)
    c = torch.zeros(m, p, dtype=torch.float64)
    k = problem.loss.classes
    if not k:
        return c.reshape(-1), float("nan")
    table = Batch(torch.empty(k, 0, dtype=torch.float64), torch.arange(k, dtype=torch.float64), first.weight)
    nothing, one = torch.empty(0, dtype=torch.float64), torch.ones(1, dtype=torch.float64)

    def evaluate(shares: Tensor) -> Derivatives:
        return derivatives(score_sums(table, problem=problem, beta=shares[None], mean=nothing), m, one)

    equal = torch.zeros(m, dtype=torch.float64)
    if not problem.intercept:
        return c.reshape(-1), evaluate(equal).value
    top = climb(evaluate, equal, torch.zeros(m, m, dtype=torch.float64))
    c[:, 0] = top.c + top.step
    return c.reshape(-1), top.value


def maximum(problem: Problem, frame: Frame, first: FirstRead, top: Step, null_loss: float, before: int) -> Maximum:
    """Return the optimum one step beyond the last place evaluated, with the curvature found there.

    before: passes that led to where it began.
    """
    c = top.c + top.step
    penalty = float(c @ frame.ridge @ c)
    return Maximum(
        theta=frame.raw(c),
        status=Status.CONVERGED,
        evidence=f"the next step would be {top.next_decrement:.1g} standard errors long",
        advice="",
        loss=top.value - top.decrement**2 / 2 - penalty,
        null_loss=null_loss,
        penalty=penalty,
        counts=tuple(int(count) for count in first.rows),
        decrement=top.next_decrement,
        passes=1 + before + top.passes,
        moments=first.moments,
        curvature=curvature_of(problem, frame, top.r, top.found.hessian),
    )


def curvature_of(problem: Problem, frame: Frame, r: Tensor, hessian: Tensor) -> Curvature:
    """Return the curvature for upper triangular r (d, d) with r'r = hessian + penalty."""
    identity = torch.eye(len(r), dtype=torch.float64)
    r_inverse = torch.linalg.solve_triangular(r, identity, upper=True).contiguous()  # as it will be loaded: bit by bit
    inner = r_inverse.T @ hessian @ r_inverse if problem.penalty.strength else identity
    return Curvature(frame.units.mean, frame.units.scale, r_inverse, inner, problem.intercept, frame.outputs)
