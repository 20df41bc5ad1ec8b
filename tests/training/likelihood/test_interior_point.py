"""Quantile regression against scipy's linear programs and statsmodels' QuantReg, and on hard data."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from problems import problem_of
from scipy.optimize import linprog

from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError, OptionError
from slopewise.losses.absolute import Absolute
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.quantile import Quantile
from slopewise.problem import Problem
from slopewise.solution import Solution
from slopewise.training.likelihood import interior_point
from slopewise.training.likelihood.inference import sampling_basis
from slopewise.training.likelihood.interior_point import InteriorPoint
from slopewise.training.moments.standardize import raw_map
from slopewise.training.registry import select_solver

ENGINE = LocalEngine()


def noisy(seed: int, n: int = 200, q: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A plane with skewed noise that grows along the first column, in columns of uneven units."""
    make = np.random.default_rng(seed)
    u = make.normal(size=(n, q))
    y = u @ make.normal(size=q) + 5 + make.exponential(size=n) * np.exp(0.3 * u[:, 0])
    return u * 10.0 ** make.integers(-3, 7, q) + make.normal(size=q), y


def standard(x: np.ndarray) -> np.ndarray:
    return sm.add_constant((x - x.mean(0)) / x.std(0))


def lowest(x: np.ndarray, y: np.ndarray, tau: float, w: np.ndarray | None = None) -> float:
    """The lowest Σ w (tau r⁺ + (1 - tau) r⁻) that any theta reaches, by HiGHS."""
    n, p = x.shape
    w = np.ones(n) if w is None else w
    cost = np.r_[np.zeros(p), tau * w, (1 - tau) * w]
    bounds = [(None, None)] * p + [(0, None)] * 2 * n
    options = {"dual_feasibility_tolerance": 1e-10, "primal_feasibility_tolerance": 1e-10}
    found = linprog(cost, A_eq=np.c_[x, np.eye(n), -np.eye(n)], b_eq=y, bounds=bounds, method="highs", options=options)
    assert found.status == 0
    return float(found.fun)


def objective(problem: Problem, solution: Solution, x: np.ndarray, y: np.ndarray, w: np.ndarray | None = None) -> float:
    theta = solution.theta.numpy()
    eta = x @ theta[1:] + theta[0] if problem.intercept else x @ theta
    values = problem.loss.value(torch.from_numpy(eta), torch.from_numpy(y)).numpy()
    return float(values.sum() if w is None else w @ values)


@pytest.mark.parametrize("tau", [0.01, 0.1, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("seed", range(6))
def test_no_linear_program_ends_lower(seed: int, tau: float) -> None:
    x, y = noisy(seed, n=60 + 50 * seed, q=1 + seed % 5)
    problem = problem_of(x, y, loss=Quantile(tau))
    solution = InteriorPoint().solve(problem, ENGINE)
    best = lowest(standard(x), y, tau)
    assert solution.loss == pytest.approx(best, rel=1e-9)
    assert objective(problem, solution, x, y) == pytest.approx(best, rel=1e-9)
    assert solution.decrement <= 1e-9
    p = x.shape[1] + 1
    residual = np.abs(y - x @ solution.theta[1:].numpy() - float(solution.theta[0]))
    assert (residual < 1e-8).sum() >= p  # an optimum fits p rows exactly


def test_absolute_is_twice_the_median() -> None:
    x, y = noisy(10)
    a = InteriorPoint().solve(problem_of(x, y, loss=Absolute()), ENGINE)
    b = InteriorPoint().solve(problem_of(x, y, loss=Quantile(0.5)), ENGINE)
    torch.testing.assert_close(a.theta, b.theta, rtol=1e-12, atol=0)
    assert a.loss == pytest.approx(2 * b.loss, rel=1e-12)
    assert a.null_loss == pytest.approx(np.abs(y - np.median(y)).sum(), rel=1e-12)


@pytest.mark.parametrize("tau", [0.25, 0.5, 0.9])
def test_it_agrees_with_quantreg(tau: float) -> None:
    x, y = noisy(11, n=1000)
    problem = problem_of(x, y, loss=Quantile(tau))
    solution = InteriorPoint().solve(problem, ENGINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = sm.QuantReg(y, standard(x)).fit(q=tau, p_tol=1e-10, max_iter=5000)
    residual = y - standard(x) @ peer.params
    theirs = float(np.maximum(tau * residual, (tau - 1) * residual).sum())
    assert solution.loss <= theirs * (1 + 1e-12)  # reweighting ends near the optimum, never below it
    assert solution.loss == pytest.approx(theirs, rel=1e-6)
    # At its own parameters, for the rows near 0 decide on the sandwich.
    back = np.diag(np.r_[1.0, 1 / x.std(0)])
    back[0, 1:] = -x.mean(0) / x.std(0)
    at_theirs = replace(solution, theta=torch.from_numpy(back @ peer.params))
    errors = np.sqrt(np.diag(back @ peer.cov_params() @ back.T))
    np.testing.assert_allclose(standard_errors(problem, at_theirs), errors, rtol=1e-6)
    np.testing.assert_allclose(standard_errors(problem, solution), errors, rtol=5e-2)


def standard_errors(problem: Problem, solution: Solution) -> np.ndarray:
    basis = sampling_basis(problem, solution, ENGINE)
    m = raw_map(basis)
    return (m @ basis.inner @ m.T).diagonal().sqrt().numpy()


@pytest.mark.parametrize("tau", [0.2, 0.5])
def test_weights_are_repeated_rows(tau: float) -> None:
    x, y = noisy(12)
    w = np.random.default_rng(0).integers(1, 5, len(y))
    problems = (
        problem_of(x, y, loss=Quantile(tau), w=w.astype(float)),
        problem_of(x.repeat(w, 0), y.repeat(w), loss=Quantile(tau)),
    )
    weighted, repeated = (InteriorPoint().solve(problem, ENGINE) for problem in problems)
    assert weighted.loss == pytest.approx(lowest(standard(x), y, tau, w.astype(float)), rel=1e-9)
    torch.testing.assert_close(weighted.theta, repeated.theta, rtol=1e-8, atol=0)
    assert weighted.null_loss == pytest.approx(repeated.null_loss, rel=1e-11)
    ours = standard_errors(problems[0], weighted), standard_errors(problems[1], repeated)
    np.testing.assert_allclose(*ours, rtol=1e-7)


def test_rows_of_no_weight_change_nothing() -> None:
    x, y = noisy(13)
    w = np.ones(len(y))
    w[::7] = 0
    some = InteriorPoint().solve(problem_of(x, y, loss=Quantile(0.3), w=w), ENGINE)
    fewer = InteriorPoint().solve(problem_of(x[w > 0], y[w > 0], loss=Quantile(0.3)), ENGINE)
    torch.testing.assert_close(some.theta, fewer.theta, rtol=1e-9, atol=0)


def test_without_an_intercept() -> None:
    x, y = noisy(14)
    x = x / x.std(0)
    problem = problem_of(x, y, loss=Quantile(0.4), intercept=False)
    assert InteriorPoint().solve(problem, ENGINE).loss == pytest.approx(lowest(x, y, 0.4), rel=1e-9)


@pytest.mark.parametrize("make", ["ties", "counts", "two values", "exact", "even"])
def test_degenerate_programs(make: str) -> None:
    x, y = noisy(15, n=100)
    x = x / x.std(0)
    if make == "ties":
        x, y = x.repeat(3, 0), y.repeat(3)
    elif make == "counts":
        y = np.floor(y)
    elif make == "two values":
        x, y = (x > np.median(x, 0)).astype(float), np.floor(y)
    elif make == "exact":
        y = x @ np.ones(3) + 2 + 5 * (np.arange(100) < 3)
    else:
        x = np.repeat([0.0, 1.0], 50)[:, None]  # two medians with an interval of solutions each
    problem = problem_of(x, y, loss=Quantile(0.5))
    solution = InteriorPoint().solve(problem, ENGINE)
    assert solution.loss == pytest.approx(lowest(sm.add_constant(x), y, 0.5), rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 1e8])
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_the_units_of_the_target_change_nothing(size: float, shift: float) -> None:
    x, y = noisy(16)
    one = InteriorPoint().solve(problem_of(x, y, loss=Quantile(0.3)), ENGINE)
    other = InteriorPoint().solve(problem_of(x, size * (y + shift), loss=Quantile(0.3)), ENGINE)
    torch.testing.assert_close(other.theta[1:] / size, one.theta[1:], rtol=1e-9 if not shift else 1e-6, atol=0)


def test_a_perfect_fit_has_a_loss_of_zero() -> None:
    x, _ = noisy(17)
    x = x / x.std(0)
    solution = InteriorPoint().solve(problem_of(x, x @ np.ones(3) + 1, loss=Quantile(0.3)), ENGINE)
    torch.testing.assert_close(solution.theta, torch.ones(4, dtype=torch.float64), rtol=1e-9, atol=0)
    assert solution.loss <= 1e-9


def test_what_has_no_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = noisy(18, q=2)
    loss = Quantile(0.5)
    with pytest.raises(FitError, match="'x1', 'x3' are perfectly collinear"):
        InteriorPoint().solve(problem_of(np.column_stack([x, 2 * x[:, 0] + 3]), y, loss=loss), ENGINE)
    with pytest.raises(OptionError, match="it is for no other penalty, and l2 is 2"):
        select_solver(problem_of(x, y, loss=loss, penalty=L2(2.0)))
    with pytest.raises(OptionError, match="cannot take l1 2"):
        select_solver(problem_of(x, y, loss=loss, penalty=ElasticNet(0.0, 2.0)))
    problem = problem_of(x[:10], y[:10], loss=Quantile(0.02))
    basis = sampling_basis(problem, InteriorPoint().solve(problem, ENGINE), ENGINE)
    assert basis is not None and bool(basis.inner.isnan().all())
    monkeypatch.setattr(interior_point, "MOST_BYTES", 1000.0)
    with pytest.raises(FitError, match="loss 'quantile' needs all rows in memory, and 200 rows x 3 columns are"):
        InteriorPoint().solve(problem_of(x, y, loss=loss), ENGINE)
