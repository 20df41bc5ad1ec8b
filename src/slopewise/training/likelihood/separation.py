"""Classes that a plane separates, and zeros among counts that one tells apart: no finite maximum exists, and why.

Complete separation: some parameters score every row's own class highest; scaling them up raises every row's likelihood
without bound. Quasi-complete: along some direction no row's own class loses score and some rows' gains, so that
the likelihood increases along it for ever too. Albert and Anderson (1984), On the existence of maximum likelihood
estimates in logistic regression models.

Newton's method reveals both. With complete separation it soon classifies every row correctly, which is the proof. With
quasi-complete separation each step adds about 1 to the scores of the separated rows while their weights, and with
them the squared decrement, are divided by e each time; the sum of the last steps is the direction, and one
pass over the rows tells whether any row loses score along it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError, quoted
from slopewise.problem import Problem
from slopewise.training.likelihood.newton_iteration import NewtonState
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.types import Batch

PATIENCE = 16
"""Passes before separation is suspected: e^-16 of a row's weight is left then; other tables need fewer."""

SLOW_RATIOS = (0.5, 0.75)
"""Range of the ratio of two decrements, about e^-½, that separated classes show."""

LAST_STEPS = 4
"""Steps whose sum is the direction; older ones still moved the rows that are not separated."""

LOSS_TOLERANCE = 1e-4
"""Score that a row may lose along the direction, of about LAST_STEPS gained by the separated ones."""

TEST_EVERY = 8
"""Passes between two tests of the direction."""

MOST_PASSES = 32
"""Passes after which slow convergence is an error even without proof of separation: fitted probabilities
are within e^-32 of 0 and 1."""

LARGE_STEP = 1e-3
"""Newton step, in columns of standard deviation 1, larger than any at a true optimum."""

INVOLVED = 0.02
"""Share of the direction's largest entry, in columns of standard deviation 1, above which a column is part of it."""


class DirectionOperands(NamedTuple):
    """beta (p, m): a direction in the columns [1, x - mean]; mean (q,)."""

    beta: Tensor
    mean: Tensor


class DirectionSums(NamedTuple):
    """rows, and how many of them gain and lose; low and high (k, q) of each class in each column.

    least (k,): the least that a row of each class gains, inf if none does, and nearest (k,) int64, its number from 1,
    0 if none does.
    """

    rows: int
    gains: int
    loses: int
    least: Tensor
    nearest: Tensor
    low: Tensor
    high: Tensor


@dataclass(frozen=True, slots=True)
class DirectionCheck:
    """How the rows' scores change along a direction: number of rows, of gains and of losses.

    A row gains if its own class's score increases against some other's, and loses if it decreases. nearest: for each
    class the number, from 1, of the row that gains least (0 if none gains). low and high (k, q): each class's range
    in each column.
    """

    rows: int
    gains: int
    loses: int
    nearest: tuple[int, ...]
    low: Tensor
    high: Tensor


@dataclass(frozen=True, slots=True)
class SeparationMonitor:
    """Detects separation during the iterations of a likelihood solver, and raises FitError."""

    problem: Problem
    engine: Engine
    columns: StandardizedColumns

    def margins(self, c: Tensor, state: Derivatives) -> None:
        """Raise FitError if every row's own class scores highest at c."""
        if self.problem.loss.n_classes and not self.problem.penalty.strength and not state.wrong:
            self._raise(c, complete=True)

    def step(self, state: NewtonState) -> None:
        """Raise FitError if the decrement decreases slowly along a direction in which no row loses score."""
        if not self._can_happen() or state.passes < PATIENCE:
            return
        recent = state.decrements[-LAST_STEPS - 1 :]
        ratios = [b / a for a, b in zip(recent, recent[1:], strict=False)]
        if state.passes % TEST_EVERY or not all(SLOW_RATIOS[0] < ratio < SLOW_RATIOS[1] for ratio in ratios):
            return
        self._raise(state.c - state.places[-1 - LAST_STEPS], complete=False)
        if state.passes >= MOST_PASSES:
            raise FitError(
                f"coefficients still grow by the same amount after {state.passes} passes: the classes are almost "
                "separated, so no usable estimate exists; set l2 above zero."
            )

    def last(self, step: Tensor) -> None:
        """Raise FitError if the Newton step from a supposed optimum is large and no row loses score along it."""
        if self._can_happen() and float(step.abs().max()) > LARGE_STEP:
            self._raise(step, complete=False)

    def _can_happen(self) -> bool:
        return self.problem.loss.response in ("class", "count") and not self.problem.penalty.strength

    def _raise(self, direction: Tensor, *, complete: bool) -> None:
        beta = self.columns.beta(direction)
        if not self.problem.loss.n_classes:
            apart = [self.problem.names[int(self.problem.intercept) :][j] for j in self._involved(direction)]
            refuse_zeros_apart(self.problem, self.engine, beta=beta[:, 0], mean=self.columns.units.mean, names=apart)
            return
        check = check_direction(self.problem, self.engine, beta=beta, mean=self.columns.units.mean)
        if not check.gains or (check.loses and not complete):
            return
        involved = self._involved(direction)
        levels = self.problem.class_names or tuple(str(k) for k in range(self.problem.loss.n_classes))
        names = self.problem.names[int(self.problem.intercept) :]
        raise FitError(sentence(check, involved, names, levels, complete=complete))

    def _involved(self, direction: Tensor) -> list[int]:
        """Return the columns that are part of a direction (d,), the largest entry first."""
        size = direction.reshape(self.columns.outputs, -1)[:, int(self.problem.intercept) :].abs().amax(0)
        return [j for j in size.argsort(descending=True).tolist() if size[j] > INVOLVED * size.max()]


def refuse_zeros_apart(problem: Problem, engine: Engine, *, beta: Tensor, mean: Tensor, names: list[str]) -> None:
    """Raise FitError if along beta (p,) the means of some rows, all with target 0, fall, and those of no others change.

    Their likelihood grows for ever as their means go to 0. Santos Silva and Tenreyro (2010), On the existence of the
    maximum likelihood estimates in Poisson regression.

    Args:
        problem: a loss of counts.
        engine: sums over the rows.
        beta: (p,), a direction in the columns [1, x - mean].
        mean: (q,), of the columns.
        names: of the columns that are part of it.
    """
    sums = engine.reduce(zeros_apart, problem.source, DirectionOperands(beta, mean))
    assert sums is not None  # the first pass has seen these rows
    falls, others = map(int, sums)
    if falls and not others:
        raise FitError(
            f"{falls} rows, all with target 0, are told apart by {quoted(names)}: the smaller their mean, the better "
            "the fit, and no finite answer exists; leave out those rows or columns, or set l2 above zero."
        )


def zeros_apart(batch: Batch, operands: DirectionOperands) -> tuple[Tensor, Tensor]:
    """Return how many rows of target 0 fall along beta (p,) of [1, x - mean], and how many others move or rise."""
    assert batch.y is not None
    beta, mean = operands
    p, q = len(beta), len(mean)
    moves = (batch.x - mean) @ beta[p - q :] + beta[: p - q].sum()
    zero = batch.y == 0
    falls = (zero & (moves < -LOSS_TOLERANCE)).sum()
    return falls, torch.where(zero, moves > LOSS_TOLERANCE, moves.abs() > LOSS_TOLERANCE).sum()


def check_direction(problem: Problem, engine: Engine, *, beta: Tensor, mean: Tensor) -> DirectionCheck:
    """Return what the rows do along the direction beta (p, m) of the columns [1, x - mean]; one read, in order.

    Args:
        problem: a loss of classes.
        engine: reads the rows.
        beta: (p, m), the direction.
        mean: (q,), of the columns.
    """
    kernel = partial(direction_sums, n_classes=problem.loss.n_classes)
    sums = engine.reduce(kernel, problem.source, DirectionOperands(beta, mean), add_directions)
    assert sums is not None  # the first read has seen these rows
    return DirectionCheck(sums.rows, sums.gains, sums.loses, tuple(sums.nearest.tolist()), sums.low, sums.high)


def direction_sums(batch: Batch, operands: DirectionOperands, *, n_classes: int) -> DirectionSums:
    """Return what the rows of one batch do."""
    assert batch.y is not None
    (beta, mean), k = operands, n_classes
    p, q = len(beta), len(mean)
    low = batch.x.new_full((k, q), torch.inf)
    high, least, nearest = -low, batch.x.new_full((k,), torch.inf), batch.x.new_zeros(k, dtype=torch.int64)
    if not len(batch):
        return DirectionSums(0, 0, 0, least, nearest, low, high)
    gain, loss = _margins((batch.x - mean) @ beta[p - q :] + beta[: p - q].sum(0), batch.y, k)
    gaining = gain > LOSS_TOLERANCE
    for level in range(k):
        own = batch.y == level
        if not bool(own.any()):
            continue
        low[level], high[level] = batch.x[own].amin(0), batch.x[own].amax(0)
        by = torch.where(own & gaining, loss.clamp(min=0) + gain, torch.inf)
        row = by.argmin()
        least[level] = by[row]
        nearest[level] = torch.where(by[row].isfinite(), row + 1, 0)
    return DirectionSums(len(batch), int(gaining.sum()), int((loss < -LOSS_TOLERANCE).sum()), least, nearest, low, high)


def add_directions(a: DirectionSums, b: DirectionSums) -> DirectionSums:
    """Return what the rows of both do, those of b following those of a."""
    return DirectionSums(
        rows=a.rows + b.rows,
        gains=a.gains + b.gains,
        loses=a.loses + b.loses,
        least=torch.minimum(a.least, b.least),
        nearest=torch.where(b.least < a.least, b.nearest + a.rows, a.nearest),
        low=torch.minimum(a.low, b.low),
        high=torch.maximum(a.high, b.high),
    )


def _margins(eta: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the largest and the smallest (n,) of the own class's score less another's, for scores eta (n, k - 1)."""
    scores = torch.cat([eta.new_zeros(len(eta), 1), eta], dim=1)
    own = y.to(torch.int64)[:, None]
    apart = scores.gather(1, own) - scores
    others = torch.arange(k, device=y.device)[None] != own
    most = torch.where(others, apart, -torch.inf).amax(1)
    least = torch.where(others, apart, torch.inf).amin(1)
    return most, least


def sentence(
    found: DirectionCheck, involved: list[int], names: tuple[str, ...], levels: tuple[str, ...], *, complete: bool
) -> str:
    """Return the error message: what separates the classes, why no finite estimate exists, and what to do.

    Args:
        found: what the rows do along the direction.
        involved: numbers of the columns that are part of it, the largest entry first.
        names: of all columns (q,).
        levels: of the classes (k,).
        complete: every row's own class scores highest.
    """
    rule = _column_alone if complete else _column_touching
    why = next((text for j in involved if (text := rule(found, j, names[j], levels))), None)
    if why is None:
        near = [f"{row} ({levels[k]!r})" for k, row in enumerate(found.nearest) if row]
        together = quoted(names[j] for j in involved)
        why = f"{together} do it together, rows {' and '.join(near)} lying nearest to the other side"
    kind = "perfectly separated" if complete else f"separated in part ({found.gains} of {found.rows} rows)"
    do = "set l2 above zero" + (", or choose firth" if len(levels) == 2 else "")
    return f"the classes are {kind}: {why}; larger coefficients fit ever better and no finite estimate exists: {do}."


def _column_alone(found: DirectionCheck, j: int, name: str, levels: tuple[str, ...]) -> str | None:
    """Return how one column alone separates all classes, None where two classes overlap in it."""
    low, high = found.low[:, j].tolist(), found.high[:, j].tolist()
    order = sorted(range(len(levels)), key=lambda k: low[k])
    if any(high[a] >= low[b] for a, b in zip(order, order[1:], strict=False)):
        return None
    parts = [f"{levels[k]!r} from {low[k]:.6g} to {high[k]:.6g}" for k in order[1:-1]]
    first, last = order[0], order[-1]
    parts = [f"{levels[first]!r} up to {high[first]:.6g}", *parts, f"{levels[last]!r} from {low[last]:.6g}"]
    return f"{name!r} alone does it, {', '.join(parts)}"


def _column_touching(found: DirectionCheck, j: int, name: str, levels: tuple[str, ...]) -> str | None:
    """Return the value of one column at which a class ends and another begins, None where all overlap."""
    low, high = found.low[:, j].tolist(), found.high[:, j].tolist()
    for k, level in enumerate(levels):
        below = [a for a in range(len(levels)) if a != k and high[a] <= low[k]]
        if not below:
            continue
        limit = max(high[a] for a in below)
        parts = [f"no row of {quoted(levels[a] for a in below)} has {name!r} above {limit:.6g}"] * (limit < max(high))
        parts += [f"no row of {level!r} has {name!r} below {low[k]:.6g}"] * (low[k] > min(low))
        if parts:
            return " and ".join(parts)
    return None
