"""Huber regression against statsmodels' RLM, with the scale estimated and given, and on hard data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from problems import problem_of
from statsmodels.robust.norms import HuberT

from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError, OptionError
from slopewise.losses.huber import Huber
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.problem import Problem
from slopewise.solution import Solution
from slopewise.training.likelihood.inference import sampling_basis
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.residuals import percentile
from slopewise.training.likelihood.robust import RobustNewton
from slopewise.training.moments.standardize import raw_map
from slopewise.training.registry import select_solver

ENGINE = LocalEngine()
SCALED = Huber(estimates="scale")


def outliers(seed: int, n: int = 300, q: int = 3, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """A plane with heavy-tailed noise and some rows far off, in columns of uneven units."""
    make = np.random.default_rng(seed)
    u = make.normal(size=(n, q))
    y = u @ make.normal(size=q) * 3 + 2 + make.standard_t(3, n)
    y[make.random(n) < share] += 40
    return u * 10.0 ** make.integers(-3, 7, q) + make.normal(size=q), y


def by_statsmodels(x: np.ndarray, y: np.ndarray, *, tuning: float = 1.345, intercept: bool = True, **fit: object):
    mean, scale = (x.mean(0), x.std(0)) if intercept else (np.zeros(x.shape[1]), x.std(0))
    u = (x - mean) / scale
    columns = sm.add_constant(u) if intercept else u
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sm.RLM(y, columns, M=HuberT(tuning)).fit(tol=0.0, maxiter=600, conv="coefs", **fit)
    back = np.diag(np.r_[1.0, 1 / scale] if intercept else 1 / scale)
    if intercept:
        back[0, 1:] = -mean / scale
    return back @ found.params, np.sqrt(np.diag(back @ found.cov_params() @ back.T)), found.scale


def standard_errors(problem: Problem, solution: Solution) -> np.ndarray:
    basis = sampling_basis(problem, solution, ENGINE)
    m = raw_map(basis)
    return (m @ basis.inner @ m.T).diagonal().sqrt().numpy()


def assert_close(ours: torch.Tensor, params: np.ndarray, errors: np.ndarray, near: float = 1e-8) -> None:
    assert (np.abs(ours.numpy() - params) / np.maximum(np.abs(params), errors)).max() <= near


@pytest.mark.parametrize("seed", range(12))
def test_with_the_scale_estimated_it_agrees_with_rlm(seed: int) -> None:
    x, y = outliers(seed, q=1 + seed % 5, n=100 + 37 * seed)
    problem = problem_of(x, y, loss=SCALED)
    solution = RobustNewton().solve(problem, ENGINE)
    params, errors, scale = by_statsmodels(x, y)
    assert_close(solution.theta, params, errors)
    assert solution.nuisance[0].name == "scale"
    assert solution.nuisance[0].value == pytest.approx(scale, rel=1e-9)
    assert solution.fitted_loss == Huber(1.345 * solution.nuisance[0].value, estimates="scale")
    np.testing.assert_allclose(standard_errors(problem, solution), errors, rtol=1e-6)


@pytest.mark.parametrize("delta", [1e-3, 0.5, 3.0, 1e3])
def test_with_delta_given_it_agrees_with_rlm(delta: float) -> None:
    x, y = outliers(20, n=2000)
    problem = problem_of(x, y, loss=Huber(delta))
    solution = RobustNewton().solve(problem, ENGINE)
    params, errors, _ = by_statsmodels(x, y, tuning=delta, start_scale=1.0, update_scale=False)
    # With delta a thousandth of the noise, iterative reweighting has not converged itself; the gradient decides then.
    assert_close(solution.theta, params, errors, 1e-8 if delta >= 0.5 else 1e-2)
    if delta >= 0.5:
        np.testing.assert_allclose(standard_errors(problem, solution), errors, rtol=1e-6)
    assert_stationary(x, y, solution, delta)


def assert_stationary(x: np.ndarray, y: np.ndarray, solution: Solution, delta: float) -> None:
    u = (torch.from_numpy(x) - torch.from_numpy(x).mean(0)) / torch.from_numpy(x).std(0)
    eta = torch.from_numpy(x) @ solution.theta[1:] + solution.theta[0]
    gradient = Huber(delta).gradient(eta, torch.from_numpy(y))
    assert float((torch.column_stack([torch.ones(len(y)), u]).T @ gradient).abs().max()) <= 1e-7 * delta * len(y)


@pytest.mark.parametrize("loss", [SCALED, Huber(1.0)], ids=["scale", "delta"])
def test_weights_are_repeated_rows(loss: Huber) -> None:
    x, y = outliers(21)
    w = np.random.default_rng(0).integers(1, 5, len(y))
    problems = problem_of(x, y, loss=loss, w=w.astype(float)), problem_of(x.repeat(w, 0), y.repeat(w), loss=loss)
    weighted, repeated = (RobustNewton().solve(problem, ENGINE) for problem in problems)
    torch.testing.assert_close(weighted.theta, repeated.theta, rtol=1e-8, atol=0)
    assert weighted.null_loss == pytest.approx(repeated.null_loss, rel=1e-11)
    np.testing.assert_allclose(
        standard_errors(problems[0], weighted), standard_errors(problems[1], repeated), rtol=1e-7
    )


def test_without_an_intercept() -> None:
    x, y = outliers(22)
    problem = problem_of(x, y, loss=SCALED, intercept=False)
    params, errors, _ = by_statsmodels(x, y, intercept=False)
    solution = RobustNewton().solve(problem, ENGINE)
    assert_close(solution.theta, params, errors)
    np.testing.assert_allclose(standard_errors(problem, solution), errors, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_the_units_of_the_target_change_nothing(size: float) -> None:
    x, y = outliers(23)
    one = RobustNewton().solve(problem_of(x, y, loss=SCALED), ENGINE)
    other = RobustNewton().solve(problem_of(x, size * y, loss=SCALED), ENGINE)
    torch.testing.assert_close(other.theta / size, one.theta, rtol=1e-9, atol=0)


def test_targets_far_from_zero() -> None:
    x, y = outliers(24)
    one = RobustNewton().solve(problem_of(x, y, loss=SCALED), ENGINE)
    far = RobustNewton().solve(problem_of(x, y + 1e8, loss=SCALED), ENGINE)
    torch.testing.assert_close(far.theta[1:], one.theta[1:], rtol=1e-6, atol=0)


def test_gross_outliers_have_bounded_influence() -> None:
    x, y = outliers(25, share=0.0)
    clean = RobustNewton().solve(problem_of(x, y, loss=SCALED), ENGINE)
    y[:10] = 1e12
    dirty = RobustNewton().solve(problem_of(x, y, loss=SCALED), ENGINE)
    errors = by_statsmodels(x, y)[1]
    assert bool(((dirty.theta - clean.theta).abs().numpy() < 3 * errors).all())


def test_the_batch_size_changes_nothing() -> None:
    problem = problem_of(*outliers(26), loss=SCALED)
    whole, parts = RobustNewton().solve(problem, ENGINE), RobustNewton().solve(problem, LocalEngine(7))
    torch.testing.assert_close(parts.theta, whole.theta, rtol=1e-9, atol=0)


def test_a_huge_delta_is_least_squares() -> None:
    x, y = outliers(27)
    solution = RobustNewton().solve(problem_of(x, y, loss=Huber(1e9)), ENGINE)
    u = (x - x.mean(0)) / x.std(0)
    found = np.linalg.lstsq(sm.add_constant(u), y, rcond=None)[0]
    np.testing.assert_allclose(solution.theta[1:].numpy() * x.std(0), found[1:], rtol=1e-9)
    assert solution.passes <= 4


@pytest.mark.parametrize("delta", [0.5, 20.0])
def test_lbfgs_ends_where_newton_does(delta: float) -> None:
    problem = problem_of(*outliers(28), loss=Huber(delta))
    a, b = RobustNewton().solve(problem, ENGINE), Lbfgs().solve(problem, ENGINE)
    torch.testing.assert_close(b.theta, a.theta, rtol=1e-7, atol=0)


def test_the_penalty_shrinks_to_a_stationary_point() -> None:
    x, y = outliers(29)
    x = x / x.std(0)
    theta = RobustNewton().solve(problem_of(x, y, loss=Huber(1.0), penalty=L2(5.0)), ENGINE).theta
    eta = torch.from_numpy(x) @ theta[1:] + theta[0]
    gradient = torch.from_numpy(x).T @ Huber(1.0).gradient(eta, torch.from_numpy(y)) + 10 * theta[1:]
    assert float(gradient.abs().max()) <= 1e-8 * len(y)


def test_what_has_no_answer_is_refused() -> None:
    x, y = outliers(30, q=2)
    with pytest.raises(FitError, match="more than half of the rows are fitted exactly"):
        RobustNewton().solve(problem_of(x, x[:, 0] + np.where(np.arange(len(y)) < 9, 5.0, 0), loss=SCALED), ENGINE)
    with pytest.raises(FitError, match="'x1', 'x3' are perfectly collinear"):
        RobustNewton().solve(problem_of(np.column_stack([x, 2 * x[:, 0] + 3]), y, loss=SCALED), ENGINE)
    with pytest.raises(OptionError, match="solver 'newton' cannot be used here: it cannot take l1 3"):
        select_solver(problem_of(x, y, loss=SCALED, penalty=ElasticNet(0.0, 3.0)), wanted="newton")


@pytest.mark.parametrize("n", [1, 2, 9, 10])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_percentiles_are_numpys_and_weights_repeat_rows(n: int, share: float) -> None:
    make = np.random.default_rng(n)
    values, w = make.normal(size=n), make.integers(1, 4, n)
    assert percentile(torch.from_numpy(values), None, share) == pytest.approx(np.quantile(values, share), rel=1e-14)
    ours = percentile(torch.from_numpy(values), torch.from_numpy(w.astype(float)), share)
    assert ours == pytest.approx(np.quantile(values.repeat(w), share), rel=1e-14)
