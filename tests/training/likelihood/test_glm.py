"""Counts and positive numbers with a log link: Newton's method against statsmodels' GLM, and on hard data."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from problems import problem_of

from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError, FitError, OptionError
from slopewise.losses.gamma import Gamma
from slopewise.losses.logistic import Logistic
from slopewise.losses.loss import Loss
from slopewise.losses.negative_binomial import NegativeBinomial
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.poisson import Poisson
from slopewise.losses.squared import Squared
from slopewise.problem import Problem
from slopewise.solution import Solution
from slopewise.training.likelihood.information import expected_basis, glm_statistics
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.newton import Newton
from slopewise.training.likelihood.proximal_newton import CoordinateDescent
from slopewise.training.moments.moments import read_moments
from slopewise.training.moments.standardize import raw_map

ENGINE = LocalEngine()


@dataclass(frozen=True)
class Family:
    """A loss, statsmodels' family of it, and targets drawn from it given their means."""

    loss: Loss
    peer: Callable[[], object]
    draw: Callable[[np.random.Generator, np.ndarray], np.ndarray]

    def __str__(self) -> str:
        return self.loss.name


FAMILIES = [
    Family(Poisson(), lambda: sm.families.Poisson(), lambda make, mu: make.poisson(mu)),
    Family(Gamma(), lambda: sm.families.Gamma(sm.families.links.Log()), lambda make, mu: make.gamma(2.0, mu / 2)),
    Family(
        NegativeBinomial(0.6),
        lambda: sm.families.NegativeBinomial(alpha=0.6),
        lambda make, mu: make.poisson(mu * make.gamma(1 / 0.6, 0.6, len(mu))),
    ),
]

families = pytest.mark.parametrize("family", FAMILIES, ids=str)


def table(family: Family, seed: int, n: int = 400, q: int = 3, mean: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Columns of uneven units, and targets whose log mean is linear in them."""
    make = np.random.default_rng(seed)
    u = make.normal(size=(n, q))
    y = family.draw(make, mean * np.exp(u @ make.normal(size=q) * 0.5))
    return u * 10.0 ** make.integers(-3, 7, q) + make.normal(size=q), y.astype(float)


def by_statsmodels(
    family: Family, x: np.ndarray, y: np.ndarray, *, intercept: bool = True, **options: object
) -> tuple[np.ndarray, np.ndarray, object]:
    """Parameters and standard errors, fitted in standard columns: raw ones cost statsmodels its digits."""
    mean, scale = (x.mean(0), x.std(0)) if intercept else (np.zeros(x.shape[1]), x.std(0))
    u = (x - mean) / scale
    columns = sm.add_constant(u) if intercept else u
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sm.GLM(y, columns, family=family.peer(), **options).fit(tol=1e-15, tol_criterion="params", maxiter=300)
    back = np.diag(np.r_[1.0, 1 / scale] if intercept else 1 / scale)
    if intercept:
        back[0, 1:] = -mean / scale
    return back @ found.params, np.sqrt(np.diag(back @ found.cov_params() @ back.T)), found


def standard_errors(problem: Problem, maximum: Solution) -> np.ndarray:
    statistics = glm_statistics(problem, maximum, ENGINE)
    basis = expected_basis(problem, maximum, ENGINE, dispersion=statistics.dispersion)
    m = raw_map(basis)
    return (m @ basis.inner @ m.T).diagonal().sqrt().numpy()


def agree(family: Family, x: np.ndarray, y: np.ndarray, *, intercept: bool = True, **options: object) -> Solution:
    """Assert that parameters, errors and statistics are statsmodels'."""
    w, offset, exposure = (options.get(name) for name in ("freq_weights", "offset", "exposure"))
    problem = problem_of(x, y, loss=family.loss, w=w, intercept=intercept, offset=offset, exposure=exposure)
    maximum = Newton().solve(problem, ENGINE)
    params, errors, peer = by_statsmodels(family, x, y, intercept=intercept, **options)
    # Relative to the coefficient, or to its standard error where chance brings it close to zero.
    apart = np.abs(maximum.theta.numpy() - params) / np.maximum(np.abs(params), errors)
    assert apart.max() <= 1e-8
    np.testing.assert_allclose(standard_errors(problem, maximum), errors, rtol=1e-6)
    ours = glm_statistics(problem, maximum, ENGINE)
    # counts of 1e9 cancel digits of their deviance in statsmodels, and of log y! in both
    assert ours.deviance == pytest.approx(peer.deviance, rel=1e-8, abs=1e-15 * float(y.sum()))
    assert ours.pearson == pytest.approx(peer.pearson_chi2, rel=1e-7)
    assert ours.dispersion == pytest.approx(peer.scale, rel=1e-7)
    assert ours.df_resid == peer.df_resid
    assert ours.loglik == pytest.approx(peer.llf, rel=1e-9, abs=1e-14 * float(y.sum()))
    if intercept:
        assert ours.null_deviance == pytest.approx(peer.null_deviance, rel=1e-8, abs=1e-15 * float(y.sum()))
    return maximum


@families
@pytest.mark.parametrize("seed", range(10))
def test_it_agrees_with_statsmodels(family: Family, seed: int) -> None:
    agree(family, *table(family, seed, q=1 + seed % 5))


@families
def test_weights_are_repeated_rows(family: Family) -> None:
    x, y = table(family, 20)
    w = np.random.default_rng(0).integers(1, 5, len(y)).astype(float)
    weighted = agree(family, x, y, freq_weights=w)
    repeated = Newton().solve(problem_of(x.repeat(w.astype(int), 0), y.repeat(w.astype(int)), loss=family.loss), ENGINE)
    torch.testing.assert_close(weighted.theta, repeated.theta, rtol=1e-9, atol=0)
    assert weighted.null_loss == pytest.approx(repeated.null_loss, rel=1e-12)


@families
def test_offset_and_exposure_are_added_without_a_coefficient(family: Family) -> None:
    x, y = table(family, 21)
    make = np.random.default_rng(1)
    offset, exposure = make.normal(size=len(y)), make.uniform(0.1, 50, len(y))
    agree(family, x, y, offset=offset)
    agree(family, x, y, exposure=exposure)
    agree(family, x, y, exposure=exposure, freq_weights=make.integers(1, 4, len(y)).astype(float))
    agree(family, x, y, intercept=False, offset=offset)
    # an offset of one number for all rows moves the intercept by it, and nothing else
    plain, moved = (
        Newton().solve(problem_of(x, y, loss=family.loss, offset=np.full(len(y), shift)), ENGINE).theta
        for shift in (0.0, 3.0)
    )
    torch.testing.assert_close(moved[1:], plain[1:], rtol=1e-9, atol=0)
    assert float(plain[0] - moved[0]) == pytest.approx(3.0, rel=1e-9)


@families
@pytest.mark.parametrize("mean", [1e-2, 1e2, 1e6, 1e9])
def test_means_of_any_size(family: Family, mean: float) -> None:
    x, y = table(family, 22, n=3000 if mean < 1 else 400, mean=mean)
    agree(family, x, y)


@families
def test_without_an_intercept(family: Family) -> None:
    x, y = table(family, 23, mean=20.0)
    agree(family, x / x.std(0), y, intercept=False)


@families
def test_means_that_differ_by_orders_of_magnitude(family: Family) -> None:
    make = np.random.default_rng(24)
    x = make.normal(size=(2000, 2))
    y = family.draw(make, np.exp(3.0 * x[:, 0] + 2.0 * x[:, 1])).astype(float)
    assert agree(family, x, y).passes <= 20


@families
@pytest.mark.parametrize("batch_rows", [1, 7])
def test_the_batch_size_changes_nothing(family: Family, batch_rows: int) -> None:
    x, y = table(family, 25, n=200)
    problem = problem_of(x, y, loss=family.loss, offset=np.linspace(-1, 1, 200))
    whole, parts = Newton().solve(problem, ENGINE), Newton().solve(problem, LocalEngine(batch_rows))
    torch.testing.assert_close(parts.theta, whole.theta, rtol=1e-10, atol=0)
    assert parts.null_loss == pytest.approx(whole.null_loss, rel=1e-12)


@families
@pytest.mark.parametrize("offset", [False, True])
def test_a_sampled_table_ends_where_a_whole_one_does(family: Family, offset: bool) -> None:
    x, y = table(family, 26, n=300_000, q=2)
    added = np.random.default_rng(2).normal(size=len(y)) if offset else None
    problem = problem_of(x, y, loss=family.loss, offset=added)
    sampled = Newton().solve(problem, ENGINE)
    known = Newton().solve(problem, ENGINE, warm=sampled.theta)
    torch.testing.assert_close(sampled.theta, known.theta, rtol=1e-9, atol=1e-12)
    assert sampled.passes <= 8 + 6 * offset


@families
@pytest.mark.parametrize("mean", [1e-2, 1.0, 1e4])
def test_lbfgs_ends_where_newton_does(family: Family, mean: float) -> None:
    x, y = table(family, 27, n=2000, q=4, mean=mean)
    problem = problem_of(x, y, loss=family.loss)
    a, b = Newton().solve(problem, ENGINE), Lbfgs().solve(problem, ENGINE)
    torch.testing.assert_close(b.theta, a.theta, rtol=1e-7, atol=0)


@families
def test_an_elastic_net_has_no_downhill_direction_left(family: Family) -> None:
    x, y = table(family, 28, q=4)
    x = x / x.std(0)
    problem = problem_of(x, y, loss=family.loss, penalty=ElasticNet(2.0, 8.0))
    maximum = CoordinateDescent().solve(problem, ENGINE)
    eta = torch.from_numpy(x) @ maximum.theta[1:] + maximum.theta[0]
    slope = torch.from_numpy(x).T @ family.loss.gradient(eta, torch.from_numpy(y)) + 4.0 * maximum.theta[1:]
    w = maximum.theta[1:]
    assert bool((w != 0).any())
    assert bool(torch.where(w == 0, slope.abs() <= 8.0 + 1e-6, (slope + 8.0 * w.sign()).abs() <= 1e-5).all())


@families
def test_the_ridge_is_glums(family: Family) -> None:
    from glum import GeneralizedLinearRegressor

    x, y = table(family, 29)
    x = x / x.std(0)
    maximum = Newton().solve(problem_of(x, y, loss=family.loss, penalty=L2(3.0)), ENGINE)
    name = {"negative_binomial": f"negative.binomial ({getattr(family.loss, 'alpha', 0)})"}
    peer = GeneralizedLinearRegressor(
        family=name.get(family.loss.name, family.loss.name),
        link="log",
        alpha=2 * 3.0 / len(y),
        l1_ratio=0,
        gradient_tol=1e-12,
        max_iter=1000,
    ).fit(x, y)
    np.testing.assert_allclose(maximum.theta[1:].numpy(), peer.coef_, rtol=1e-6)


@families
def test_dependent_columns_are_named(family: Family) -> None:
    x, y = table(family, 30, q=2)
    with pytest.raises(FitError, match="'x1', 'x3' are perfectly collinear"):
        Newton().solve(problem_of(np.column_stack([x, 2 * x[:, 0] + 3]), y, loss=family.loss), ENGINE)


@families
def test_negative_targets_are_refused(family: Family) -> None:
    x, y = table(family, 31)
    y[[5, 7]] = -4, -1
    with pytest.raises(DataError, match="the target holds -4, and .* regression needs targets that are"):
        Newton().solve(problem_of(x, y, loss=family.loss), ENGINE)


def counts() -> tuple[np.ndarray, np.ndarray]:
    return table(FAMILIES[0], 40, n=300, q=2)


def test_zeros_alone_have_no_finite_logarithm() -> None:
    x, y = counts()
    with pytest.raises(FitError, match="every target is 0, and Poisson regression models the logarithm of their mean"):
        Newton().solve(problem_of(x, 0 * y, loss=Poisson()), ENGINE)


def test_many_zeros() -> None:
    make = np.random.default_rng(41)
    x = make.normal(size=(5000, 2))
    y = make.poisson(np.exp(-5 + x[:, 0])).astype(float)
    assert (y == 0).mean() > 0.98
    agree(FAMILIES[0], x, y)


def test_an_offset_is_refused_where_it_has_no_place() -> None:
    x, y = counts()
    two = (y > 0).astype(float)
    with pytest.raises(OptionError, match="offset and exposure are for counts and positive targets, and loss 'log"):
        Newton().solve(problem_of(x, two, loss=Logistic(), offset=y), ENGINE)
    with pytest.raises(OptionError, match="loss 'squared' is for numbers; leave them out"):
        read_moments(problem_of(x, y, loss=Squared(), offset=y), ENGINE)


def test_offsets_that_cannot_be_are_refused() -> None:
    x, y = counts()
    exposure = np.ones(len(y))
    exposure[9] = 0
    with pytest.raises(DataError, match="exposure column 'exposure' is 0 in row 10; exposures must be positive"):
        Newton().solve(problem_of(x, y, loss=Poisson(), exposure=exposure), ENGINE)
    exposure[9] = np.nan
    with pytest.raises(DataError, match="column 'exposure' holds 1 missing value .*the first in row 10"):
        Newton().solve(problem_of(x, y, loss=Poisson(), exposure=exposure), ENGINE)


@pytest.mark.parametrize("loss", [Poisson(), NegativeBinomial(0.5)], ids=str)
@pytest.mark.parametrize("solver", [Newton(), Lbfgs()], ids=lambda solver: solver.name)
def test_zeros_that_a_column_tells_apart_have_no_finite_answer(loss: Loss, solver: Newton | Lbfgs) -> None:
    make = np.random.default_rng(50)
    x = make.normal(size=(500, 2))
    y = make.poisson(np.exp(0.5 * x[:, 0])).astype(float)
    apart = (make.random(500) < 0.1) & (y == 0)
    problem = problem_of(np.column_stack([x, apart]), y, loss=loss)
    with pytest.raises(FitError, match=rf"{apart.sum()} rows, all with target 0, are told apart by 'x3': the smaller"):
        solver.solve(problem, ENGINE)
    shrunken = problem_of(np.column_stack([x, apart]), y, loss=loss, penalty=L2(0.1))
    assert float(Newton().solve(shrunken, ENGINE).theta[3]) < -1
