"""Classes that a plane separates, and zeros among counts that one tells apart: no finite maximum exists, and why.

Complete: some parameters score every row's own class highest. Doubling them makes every row more probable, without
end. Quasi-complete: there is a direction along which no row's own class loses score and some rows' gains. Then the
likelihood rises along it for ever too. Albert and Anderson (1984), On the existence of maximum likelihood
estimates in logistic regression models.

Newton's method shows both. At complete separation it soon scores every row right, which is the proof. At
quasi-complete separation each step adds about 1 to the scores of the separated rows while their weights, and with
them the squared decrement, fall by e each time; the way of the last steps is the direction, and one
read of the rows tells whether any row loses by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

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
"""Passes before a crawl is suspected: e^-16 of a row's weight is left then, and no table needs so many."""

CRAWL = (0.5, 0.75)
"""Ratio of two decrements, about e^-½, that a separated table shows."""

BACK = 4
"""Steps that make up the direction; older ones still move the rows that are not separated."""

LOSES = 1e-4
"""Score that a row may lose along the direction, of about BACK gained by the separated ones."""

OFTEN = 8
"""Passes between two looks for a direction."""

HOPELESS = 32
"""Passes after which a crawl without a proof is given up: fitted probabilities are within e^-32 of 0 and 1."""

MOVES = 1e-3
"""Newton step, in columns of standard deviation 1, that no true optimum has left."""

INVOLVED = 0.02
"""Share of the direction's largest entry, in columns of standard deviation 1, above which a column is part of it."""


@dataclass(frozen=True, slots=True)
class DirectionCheck:
    """What the rows do along a direction.

    A row gains if its own class's score grows against some other's, and loses if it falls. nearest holds for each
    class the number, from 1, of the row that gains least (0 if none gains); low and high (k, q) each class's range
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
    """Detects separation during the iterations, and raises FitError."""

    problem: Problem
    engine: Engine
    columns: StandardizedColumns
    levels: tuple[str, ...] = ()

    def margins(self, c: Tensor, found: Derivatives) -> None:
        """Raise FitError if every row's own class scores highest at c."""
        if self.problem.loss.classes and not self.problem.penalty.strength and not found.wrong:
            self._raise(c, complete=True)

    def step(self, state: NewtonState) -> None:
        """Raise FitError if the last steps crawl along a direction in which no row loses."""
        if not self._can_happen() or state.passes < PATIENCE:
            return
        late = state.decrements[-BACK - 1 :]
        ratios = [b / a for a, b in zip(late, late[1:], strict=False)]
        if state.passes % OFTEN or not all(CRAWL[0] < ratio < CRAWL[1] for ratio in ratios):
            return
        self._raise(state.c - state.places[-1 - BACK], complete=False)
        if state.passes >= HOPELESS:
            raise FitError(
                f"coefficients still grow by the same amount after {state.passes} passes: the classes are separated "
                "but for a vanishing part, so no usable answer exists; set l2 above zero."
            )

    def last(self, step: Tensor) -> None:
        """Raise FitError if the Newton step from a supposed optimum still moves separated rows, and none loses."""
        if self._can_happen() and float(step.abs().max()) > MOVES:
            self._raise(step, complete=False)

    def _can_happen(self) -> bool:
        return self.problem.loss.response in ("class", "count") and not self.problem.penalty.strength

    def _raise(self, direction: Tensor, *, complete: bool) -> None:
        beta = self.columns.beta(direction)
        if not self.problem.loss.classes:
            apart = [self.problem.names[int(self.problem.intercept) :][j] for j in self._involved(direction)]
            refuse_zeros_apart(self.problem, self.engine, beta=beta[:, 0], mean=self.columns.units.mean, names=apart)
            return
        found = check_direction(self.problem, self.engine, beta=beta, mean=self.columns.units.mean)
        if not found.gains or (found.loses and not complete):
            return
        involved = self._involved(direction)
        levels = self.levels or tuple(str(k) for k in range(self.problem.loss.classes))
        names = self.problem.names[int(self.problem.intercept) :]
        raise FitError(sentence(found, involved, names, levels, complete=complete))

    def _involved(self, direction: Tensor) -> list[int]:
        """Return the columns that are part of a direction (d,), the largest entry first."""
        size = direction.reshape(self.columns.outputs, -1)[:, int(self.problem.intercept) :].abs().amax(0)
        return [j for j in size.argsort(descending=True).tolist() if size[j] > INVOLVED * size.max()]


def refuse_zeros_apart(problem: Problem, engine: Engine, *, beta: Tensor, mean: Tensor, names: list[str]) -> None:
    """Raise FitError if along beta (p,) the means of some rows, all with target 0, fall, and those of no others change.

    Their likelihood grows for ever as their means go to 0. Santos Silva and Tenreyro (2010), On the existence of the
    maximum likelihood estimates in Poisson regression.
    """
    sums = engine.sum(partial(zeros_apart, beta=beta, mean=mean), problem.source)
    assert sums is not None  # the first pass has seen these rows
    falls, others = map(int, sums)
    if falls and not others:
        raise FitError(
            f"{falls} rows, all with target 0, are told apart by {quoted(names)}: the smaller their mean, the better "
            "the fit, and no finite answer exists; leave out those rows or columns, or set l2 above zero."
        )


def zeros_apart(batch: Batch, *, beta: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many rows of target 0 fall along beta (p,) of [1, x - mean], and how many others move or rise."""
    assert batch.y is not None
    p, q = len(beta), len(mean)
    moves = (batch.x - mean) @ beta[p - q :] + beta[: p - q].sum()
    zero = batch.y == 0
    return (zero & (moves < -LOSES)).sum(), torch.where(zero, moves > LOSES, moves.abs() > LOSES).sum()


def check_direction(problem: Problem, engine: Engine, *, beta: Tensor, mean: Tensor) -> DirectionCheck:
    """Return what the rows do along the direction beta (p, m) of the columns [1, x - mean]; one read, in order."""
    k, p = problem.loss.classes, len(beta)
    low = torch.full((k, len(mean)), torch.inf, dtype=torch.float64)
    high, least, nearest = -low, [torch.inf] * k, [0] * k
    rows = gains = loses = 0
    for batch in problem.source.batches(engine.batch_rows):
        if batch.y is None or not len(batch):
            continue
        gain, loss = _margins((batch.x - mean) @ beta[p - len(mean) :] + beta[: p - len(mean)].sum(0), batch.y, k)
        gaining = gain > LOSES
        gains += int(gaining.sum())
        loses += int((loss < -LOSES).sum())
        for level in range(k):
            own = batch.y == level
            if not bool(own.any()):
                continue
            low[level] = torch.minimum(low[level], batch.x[own].amin(0))
            high[level] = torch.maximum(high[level], batch.x[own].amax(0))
            by = torch.where(own & gaining, loss.clamp(min=0) + gain, torch.inf)
            if float(by.min()) < least[level]:
                least[level], nearest[level] = float(by.min()), rows + int(by.argmin()) + 1
        rows += len(batch)
    return DirectionCheck(rows, gains, loses, tuple(nearest), low, high)


def _margins(eta: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the largest and the least (n,) of the own class's score less another's, for scores eta (n, k - 1)."""
    scores = torch.cat([eta.new_zeros(len(eta), 1), eta], dim=1)
    own = y.to(torch.int64)[:, None]
    apart = scores.gather(1, own) - scores
    others = torch.arange(k)[None] != own
    most = torch.where(others, apart, -torch.inf).amax(1)
    least = torch.where(others, apart, torch.inf).amin(1)
    return most, least


def sentence(
    found: DirectionCheck, involved: list[int], names: tuple[str, ...], levels: tuple[str, ...], *, complete: bool
) -> str:
    """Return what separates the classes, why no answer exists, and what to do."""
    rule = column_alone if complete else column_touching
    why = next((text for j in involved if (text := rule(found, j, names[j], levels))), None)
    if why is None:
        near = [f"{row} ({levels[k]!r})" for k, row in enumerate(found.nearest) if row]
        together = quoted(names[j] for j in involved)
        why = f"{together} do it together, rows {' and '.join(near)} lying nearest to the other side"
    kind = "perfectly separated" if complete else f"separated in part ({found.gains} of {found.rows} rows)"
    do = "set l2 above zero" + (", or choose firth" if len(levels) == 2 else "")
    return f"the classes are {kind}: {why}; larger coefficients fit ever better and no finite answer exists: {do}."


def column_alone(found: DirectionCheck, j: int, name: str, levels: tuple[str, ...]) -> str | None:
    """Return how one column alone tells all classes apart, None where two classes meet in it."""
    low, high = found.low[:, j].tolist(), found.high[:, j].tolist()
    order = sorted(range(len(levels)), key=lambda k: low[k])
    if any(high[a] >= low[b] for a, b in zip(order, order[1:], strict=False)):
        return None
    parts = [f"{levels[k]!r} from {low[k]:.6g} to {high[k]:.6g}" for k in order[1:-1]]
    first, last = order[0], order[-1]
    parts = [f"{levels[first]!r} up to {high[first]:.6g}", *parts, f"{levels[last]!r} from {low[last]:.6g}"]
    return f"{name!r} alone does it, {', '.join(parts)}"


def column_touching(found: DirectionCheck, j: int, name: str, levels: tuple[str, ...]) -> str | None:
    """Return where in one column a class ends and another begins, None where all overlap."""
    low, high = found.low[:, j].tolist(), found.high[:, j].tolist()
    for k, level in enumerate(levels):
        below = [a for a in range(len(levels)) if a != k and high[a] <= low[k]]
        if not below:
            continue
        top = max(high[a] for a in below)
        parts = [f"no row of {quoted(levels[a] for a in below)} has {name!r} above {top:.6g}"] * (top < max(high))
        parts += [f"no row of {level!r} has {name!r} below {low[k]:.6g}"] * (low[k] > min(low))
        if parts:
            return " and ".join(parts)
    return None
