"""Quantile regression as a linear program, by an interior-point method on all rows in memory.

Minimise Σ tau u + (1 - tau) v over theta and u, v ≥ 0 with X theta + u - v = y; its dual is to maximise y'd over d in
[tau - 1, tau] with X'd = 0. Rows are multiplied by their weights beforehand. With a = d + 1 - tau and s = 1 - a:

1. Start from least squares, its residuals split into u and v, and a = 1 - tau, which is feasible.
2. Solve the linearised conditions a v = mu, s u = mu for mu = 0 (predictor), see how far that leads, choose mu by it,
and solve again with the products of the first steps added (corrector).
3. Go 99.95% of the way to the nearest bound.
4. Stop when the duality gap is within its tolerance of the loss. The gap bounds how far the optimum can be.
5. A linear program has an optimum that fits p rows exactly: solve for the p independent rows of smallest residuals, and
take that solution if its loss is no higher.

Portnoy and Koenker (1997), The Gaussian hare and the Laplacian tortoise; Mehrotra (1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError, OptionError
from slopewise.losses.loss import PiecewiseLinear
from slopewise.problem import Problem
from slopewise.solution import Moments, Solution, Status
from slopewise.training.likelihood.checks import check_columns
from slopewise.training.likelihood.score import BLOCK
from slopewise.training.likelihood.setup import LikelihoodSetup, likelihood_setup
from slopewise.training.moments.quadratic import quadratic_of
from slopewise.training.moments.standardize import StandardizedRows
from slopewise.training.requirements import linear_model, no_l1, no_penalty, piecewise_linear_loss
from slopewise.training.solver import Solver
from slopewise.types import Callback

MOST_BYTES = 4e9
"""Bytes of all rows beyond which they are refused; the iterations take about half as much again."""

GAP = 1e-12
"""Duality gap, as a share of the loss, that ends the iterations."""

ENOUGH = 1e-9
"""And the largest at which an answer is given."""

MOST_STEPS = 100
SHORT = 0.9995
"""Share of the way to the nearest bound."""

NO_GAIN = 8
"""Steps without a smaller gap after which rounding is taken to be all that is left."""

INDEPENDENT = 1e-8
"""Share of a row outside those already chosen that makes it independent of them."""


class Program(NamedTuple):
    """x (n, p) and y (n,), each row times its weight, and tau."""

    x: Tensor
    y: Tensor
    tau: float

    def loss(self, residual: Tensor) -> Tensor:
        """Return tau r where r > 0, else (tau - 1) r (n,)."""
        return torch.maximum(self.tau * residual, (self.tau - 1) * residual)


@dataclass(frozen=True, slots=True)
class LinearOptimum:
    """theta (p,); its loss; gap: how much lower another theta's could be; steps; exact: whether p rows are fitted."""

    theta: Tensor
    loss: float
    gap: float
    steps: int
    exact: bool


@dataclass(frozen=True, slots=True)
class InteriorPoint(Solver):
    """Σ w loss of a piecewise linear loss, to the last digits. All rows are taken into memory."""

    name = "interior_point"
    requires = (linear_model, piecewise_linear_loss, no_penalty, no_l1)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the optimum; there is no Hessian in it, because the loss has none.

        Raises:
            OptionError: a start was given.
            FitError: dependent columns; rows beyond MOST_BYTES; no convergence.
        """
        if warm is not None:
            raise OptionError("solver 'interior_point' always starts from least squares; leave warm_start out.")
        with likelihood_setup(problem, engine) as setup:
            check_columns(setup.problem, setup.first.moments)
            return self._solve(setup, engine)

    def _solve(self, setup: LikelihoodSetup, engine: Engine) -> Solution:
        problem, columns, moments = setup.problem, setup.columns, setup.first.moments
        loss = problem.loss
        assert isinstance(loss, PiecewiseLinear)
        over, under = loss.prices
        size = 8.0 * moments.n * (len(problem.names) + 2)
        if size > MOST_BYTES:
            raise FitError(
                f"loss {loss.name!r} needs all rows in memory, and {moments.n:,} rows x {len(problem.names)} columns "
                f"are {size / 1e9:.1f} GB, beyond {MOST_BYTES / 1e9:.0f} GB; fit a sample, or choose solver 'gd'."
            )
        rows = engine.gather(StandardizedRows(problem.source, columns.units.mean, columns.units.scale, torch.float64))
        least = quadratic_of(moments, columns.units).optimum
        shift = least[0] if problem.intercept else least.new_zeros(())
        unit = math.sqrt(float(moments.yy) / moments.weight) or 1.0
        w = rows.w
        y = (rows.y - shift) / unit
        x = torch.cat([rows.x.new_ones(len(y), 1), rows.x], dim=1) if problem.intercept else rows.x
        start = torch.cat([least.new_zeros(1), least[1:] / unit]) if problem.intercept else least / unit
        program = Program(x, y, over / (over + under))
        if w is not None:
            program = Program(x * w[:, None], y * w, program.tau)
        found = solve_program(program, start)
        if found.gap > ENOUGH * found.loss + 1e-14 * float(program.y.abs().sum()):
            raise FitError(
                f"the interior-point method ended with a duality gap of {found.gap / found.loss:.1g} of the loss after "
                f"{found.steps} steps; rescale columns of very unequal size, or choose loss 'huber'."
            )
        c = found.theta * unit
        if problem.intercept:
            c[0] += shift
        null = loss.null_eta(rows.y, w) if problem.intercept else rows.y.new_zeros(())
        values = loss.value(null.expand(len(y)), rows.y)
        gap = found.gap / found.loss if found.loss else 0.0
        return Solution(
            theta=columns.raw(c),
            status=Status.CONVERGED,
            evidence=f"the optimum is lower by {max(gap, 1e-16):.1g} of the loss at most, by its dual",
            advice="",
            loss=found.loss * unit * (over + under),
            null_loss=float(values.sum() if w is None else w @ values),
            penalty=0.0,
            counts=(),
            decrement=gap,
            passes=2,
            moments=moments,
            basis=None,
        )


def solve_program(program: Program, start: Tensor) -> LinearOptimum:
    """Return the optimum of a quantile regression. Steps 1 to 5 of the file.

    Args:
        program: n ≥ p rows, the columns independent.
        start: theta (p,), such as that of least squares.
    """
    x, y, tau = program
    theta, total = start, (1 - tau) * x.sum(0)
    residual = y - x @ theta
    least = float(residual.abs().mean()) / 10 + 1e-12 * float(y.abs().mean()) + 1e-300
    u, v = residual.clamp(min=0) + least, (-residual).clamp(min=0) + least
    a = torch.full_like(y, 1 - tau)
    s = 1 - a
    best = LinearOptimum(theta, math.inf, math.inf, 0, False)
    dual, since = a, 0
    for step in range(MOST_STEPS):
        residual = y - x @ theta
        off = total - x.T @ a
        gap = float((program.loss(residual) - (a - 1 + tau) * residual).sum() + (off @ theta).abs())
        since += 1
        if gap < best.gap:
            best, dual, since = LinearOptimum(theta, float(program.loss(residual).sum()), gap, step, False), a, 0
        if best.gap <= GAP * best.loss or since > NO_GAIN:
            break
        # 2 predictor: mu = 0
        weight = 1 / (u / s + v / a)
        r = _factor(x, weight)
        if r is None:
            break
        apart = residual - u + v
        d_theta, da, du, dv = _direction(x, r, weight, off, apart, a, s, u, v, -a * v, -s * u)
        primal, other = min(_room(u, du), _room(v, dv)), min(_room(a, da), _room(s, -da))
        mu = float(a @ v + s @ u)
        ahead = float((a + other * da) @ (v + primal * dv) + (s - other * da) @ (u + primal * du))
        centre = mu * (ahead / mu) ** 3 / (2 * len(y))
        # corrector
        d_theta, da, du, dv = _direction(
            x, r, weight, off, apart, a, s, u, v, centre - a * v - da * dv, centre - s * u + da * du
        )
        # 3
        primal, other = min(_room(u, du), _room(v, dv)), min(_room(a, da), _room(s, -da))
        theta, u, v = theta + primal * d_theta, u + primal * du, v + primal * dv
        a, s = a + other * da, s - other * da
    return _polished(program, best, dual)


def _direction(
    x: Tensor,
    r: Tensor,
    weight: Tensor,
    off: Tensor,
    apart: Tensor,
    a: Tensor,
    s: Tensor,
    u: Tensor,
    v: Tensor,
    below: Tensor,
    above: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the steps of theta, a, u and v for a v + (a dv + v da) = a v + below, s u + (s du - u da) = s u + above.

    x'da = off and x dtheta + du - dv = apart are kept; r'r = x' diag(weight) x, 1 / weight = u / s + v / a.
    """
    rest = apart - above / s + below / a
    right = x.T @ (weight * rest) - off
    d_theta = torch.cholesky_solve(right[:, None], r, upper=True)[:, 0]
    da = weight * (rest - x @ d_theta)
    return d_theta, da, (above + u * da) / s, (below - v * da) / a


def _room(values: Tensor, step: Tensor) -> float:
    """Return the share of a step that keeps positive values positive, at most 1."""
    fastest = float((-step / values).max())
    return 1.0 if fastest <= SHORT else SHORT / fastest


def _factor(x: Tensor, weight: Tensor) -> Tensor | None:
    """Return upper triangular r (p, p) with r'r = x' diag(weight) x, None where it is singular."""
    p = x.shape[1]
    gram, size = x.new_zeros(p, p), max(1024, BLOCK // p)
    for start in range(0, len(x), size):
        part = x[start : start + size]
        gram.addmm_(part.T, part * weight[start : start + size, None])
    r: Tensor
    r, failed = torch.linalg.cholesky_ex(gram, upper=True)
    return None if int(failed) or not bool(r.isfinite().all()) else r


def _polished(program: Program, best: LinearOptimum, dual: Tensor) -> LinearOptimum:
    """Return the solution that fits the p rows nearest to `best` exactly, if its loss is no higher. Step 5."""
    x, y, tau = program
    chosen = independent_rows(x, (y - x @ best.theta).abs().argsort())
    if chosen is None:
        return best
    theta = torch.linalg.solve(x[chosen], y[chosen])
    residual = y - x @ theta
    residual[chosen] = 0
    loss = float(program.loss(residual).sum())
    if not loss <= best.loss * (1 + 1e-13):
        return best
    off = x.T @ (dual - 1 + tau)
    gap = float((program.loss(residual) - (dual - 1 + tau) * residual).sum() + (off @ theta).abs())
    return LinearOptimum(theta, loss, max(gap, 0.0), best.steps, True)


def independent_rows(x: Tensor, order: Tensor) -> Tensor | None:
    """Return the first p independent rows (p,) of x in an order, None where there are none among the first many."""
    p = x.shape[1]
    basis = x.new_zeros(0, p)
    chosen: list[int] = []
    for row in order[: 50 * p + 50].tolist():
        size = float(x[row].norm())
        rest = x[row] - basis.T @ (basis @ x[row])
        rest = rest - basis.T @ (basis @ rest)
        if float(rest.norm()) > INDEPENDENT * size:
            basis = torch.cat([basis, (rest / rest.norm())[None]])
            chosen.append(row)
        if len(chosen) == p:
            return torch.tensor(chosen)
    return None
