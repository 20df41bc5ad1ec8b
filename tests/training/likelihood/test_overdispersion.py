"""Negative binomial regression with alpha estimated, against statsmodels' NegativeBinomial."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from problems import problem_of

from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError, OptionError
from slopewise.losses.negative_binomial import NegativeBinomial
from slopewise.losses.penalty import L2
from slopewise.solution import Solution
from slopewise.training.likelihood.inference import sampling_basis
from slopewise.training.likelihood.information import glm_statistics
from slopewise.training.likelihood.overdispersion import OverdispersedNewton
from slopewise.training.moments.standardize import raw_map

ENGINE = LocalEngine()
LOSS = NegativeBinomial(estimates="alpha")


def counts(seed: int, n: int = 500, q: int = 3, alpha: float = 0.7, mean: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    make = np.random.default_rng(seed)
    u = make.normal(size=(n, q))
    mu = mean * np.exp(u @ make.normal(size=q) * 0.4)
    y = make.poisson(mu * make.gamma(1 / alpha, alpha, n)).astype(float)
    return u * 10.0 ** make.integers(-3, 7, q) + make.normal(size=q), y


def agree(x: np.ndarray, y: np.ndarray, *, intercept: bool = True, **options: object) -> Solution:
    problem = problem_of(x, y, loss=LOSS, intercept=intercept, **options)
    solution = OverdispersedNewton().solve(problem, ENGINE)
    mean, scale = (x.mean(0), x.std(0)) if intercept else (np.zeros(x.shape[1]), x.std(0))
    u = (x - mean) / scale
    columns = sm.add_constant(u) if intercept else u
    back = np.diag(np.r_[1.0, 1 / scale] if intercept else 1 / scale)
    if intercept:
        back[0, 1:] = -mean / scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = sm.NegativeBinomial(y, columns, loglike_method="nb2", **options)
        # From its own start statsmodels' Newton method may diverge; from near the optimum it tells where that is.
        near = np.r_[np.linalg.solve(back, solution.theta.numpy()), solution.nuisance[0].value] * 1.01
        peer = model.fit(method="newton", maxiter=200, tol=1e-14, disp=0, start_params=near)
    params, p = back @ peer.params[:-1], len(back)
    errors = np.sqrt(np.diag(back @ peer.cov_params()[:p, :p] @ back.T))
    assert (np.abs(solution.theta.numpy() - params) / np.maximum(np.abs(params), errors)).max() <= 1e-8
    (alpha,) = solution.nuisance
    assert alpha.name == "alpha"
    assert alpha.value == pytest.approx(peer.params[-1], rel=1e-8)
    assert alpha.std_error == pytest.approx(peer.bse[-1], rel=1e-6)
    basis = sampling_basis(problem, solution, ENGINE)
    m = raw_map(basis)
    np.testing.assert_allclose((m @ basis.inner @ m.T).diagonal().sqrt().numpy(), errors, rtol=1e-6)
    assert solution.fitted_loss == NegativeBinomial(alpha.value, "alpha")
    assert glm_statistics(problem, solution, ENGINE).loglik == pytest.approx(peer.llf, rel=1e-11)
    return solution


@pytest.mark.parametrize("seed", range(8))
def test_it_agrees_with_statsmodels(seed: int) -> None:
    agree(*counts(seed, q=1 + seed % 4, alpha=[0.2, 0.7, 1.5, 4.0][seed % 4]))


@pytest.mark.parametrize("mean", [0.2, 50.0, 1e4])
def test_means_of_any_size(mean: float) -> None:
    agree(*counts(20, n=2000, mean=mean))


def test_with_offset_and_exposure() -> None:
    x, y = counts(21)
    make = np.random.default_rng(0)
    agree(x, y, offset=make.normal(size=len(y)))
    agree(x, y, exposure=make.uniform(0.2, 20, len(y)))


def test_without_an_intercept() -> None:
    x, y = counts(22)
    agree(x / x.std(0), y, intercept=False)


def test_weights_are_repeated_rows() -> None:
    x, y = counts(23)
    w = np.random.default_rng(1).integers(1, 4, len(y))
    a = OverdispersedNewton().solve(problem_of(x, y, loss=LOSS, w=w.astype(float)), ENGINE)
    b = OverdispersedNewton().solve(problem_of(x.repeat(w, 0), y.repeat(w), loss=LOSS), ENGINE)
    torch.testing.assert_close(a.theta, b.theta, rtol=1e-8, atol=0)
    assert a.nuisance[0].value == pytest.approx(b.nuisance[0].value, rel=1e-9)
    assert a.nuisance[0].std_error == pytest.approx(b.nuisance[0].std_error, rel=1e-7)
    assert a.null_loss == pytest.approx(b.null_loss, rel=1e-11)


def test_the_derivatives_are_those_of_the_log_density() -> None:
    eta, y = torch.linspace(-3, 3, 7, dtype=torch.float64), torch.tensor([0.0, 0, 1, 3, 2, 9, 40], dtype=torch.float64)
    loss, h = NegativeBinomial(0.8), 1e-5

    def at(t: float, e: torch.Tensor = eta):
        return loss.with_alpha(0.8 * float(np.exp(t))).alpha_derivatives(e, y)

    derivatives = loss.alpha_derivatives(eta, y)
    torch.testing.assert_close(derivatives.value, -loss.log_density(eta.exp(), y, 1.0))
    torch.testing.assert_close(derivatives.first, (at(h).value - at(-h).value) / (2 * h), rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(derivatives.second, (at(h).first - at(-h).first) / (2 * h), rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(
        derivatives.cross, (at(0, eta + h).first - at(0, eta - h).first) / (2 * h), rtol=1e-7, atol=1e-8
    )


def test_what_has_no_answer_is_refused() -> None:
    x, _ = counts(24)
    even = np.random.default_rng(2).binomial(10, 0.3, len(x)).astype(float)
    with pytest.raises(
        FitError, match="vary no more than a Poisson's about their means, so alpha goes to 0; choose lo"
    ):
        OverdispersedNewton().solve(problem_of(x, even, loss=LOSS), ENGINE)
    with pytest.raises(OptionError, match="alpha is not estimated under a penalty, and l2 is 1; give overdispersion"):
        OverdispersedNewton().solve(problem_of(x, even, loss=LOSS, penalty=L2(1.0)), ENGINE)
