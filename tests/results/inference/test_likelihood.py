"""Inference of logistic and softmax fits against statsmodels."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from problems import fit_of, problem_of, random_classes
from scipy import stats

from slopewise.engine.local import LocalEngine
from slopewise.errors import OptionError
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.results.inference.statistics import likelihood_statistics
from slopewise.training.likelihood.newton import Newton
from slopewise.training.likelihood.proximal_newton import CoordinateDescent

ENGINE = LocalEngine()


def fitted(classes: int, kind: str) -> tuple[object, object, object, np.ndarray]:
    x, y = random_classes(20, n=400, q=3, k=classes)
    x = (x - x.mean(0)) / x.std(0) + 2
    problem = problem_of(x, y)
    columns = sm.add_constant(x)
    model = sm.Logit(y, columns) if classes == 2 else sm.MNLogit(y, columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {} if kind == "nonrobust" else {"cov_type": "HC0"}
        peer = model.fit(method="newton", maxiter=100, tol=1e-14, disp=0, **options)
    return problem, Newton().solve(problem, ENGINE), peer, x


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["nonrobust", "hc0", "hc1"])
def test_the_coefficient_table(classes: int, kind: str) -> None:
    problem, solution, peer, _ = fitted(classes, kind)
    fit = fit_of(problem, solution, cov_type=kind, confidence_level=0.9)
    table, covariance = fit.inferred, fit.covariance
    d = len(table.estimate)
    # statsmodels gives Logit's HC1 without its n / (n - d).
    inflated = np.sqrt(400 / (400 - d)) if kind == "hc1" else 1.0
    errors = np.asarray(peer.bse).T.ravel() * inflated
    np.testing.assert_allclose(table.std_error.numpy(), errors, rtol=1e-6)
    if kind != "hc1":
        np.testing.assert_allclose(table.p.numpy(), np.asarray(peer.pvalues).T.ravel(), rtol=1e-5, atol=1e-12)
        ends = np.asarray(peer.conf_int(alpha=0.1)).reshape(d, 2)
        np.testing.assert_allclose(table.ci_low.numpy(), ends[:, 0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.asarray(fit.coefficient_columns()["odds_high"]), np.exp(ends[:, 1]), rtol=1e-6)
    np.testing.assert_allclose(covariance.numpy(), covariance.numpy().T, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_whole_fit(classes: int) -> None:
    _, solution, peer, _ = fitted(classes, "nonrobust")
    found = likelihood_statistics(solution)
    assert found.loglik == pytest.approx(peer.llf, rel=1e-11)
    assert found.null_loglik == pytest.approx(peer.llnull, rel=1e-8)  # statsmodels searches for it
    assert found.mcfadden == pytest.approx(peer.prsquared, rel=1e-7)
    assert found.lr == pytest.approx(peer.llr, rel=1e-7)
    assert found.lr_p == pytest.approx(peer.llr_pvalue, rel=1e-5)
    assert found.aic == pytest.approx(peer.aic, rel=1e-11)
    assert found.bic == pytest.approx(peer.bic, rel=1e-11)
    assert found.deviance == -2 * found.loglik
    assert found.df == peer.df_model


def test_intervals_of_probabilities_of_two_classes() -> None:
    problem, solution, peer, x = fitted(2, "nonrobust")
    found = fit_of(problem, solution).predict({f"x{j + 1}": x[:, j] for j in range(3)}, interval=0.95)
    columns = sm.add_constant(x)
    eta = columns @ peer.params
    half = stats.norm.ppf(0.975) * np.sqrt(((columns @ peer.cov_params()) * columns).sum(1))
    np.testing.assert_allclose(found["low(1)"], 1 / (1 + np.exp(half - eta)), rtol=1e-6)
    np.testing.assert_allclose(found["high(0)"], 1 - found["low(1)"], rtol=1e-9)
    np.testing.assert_allclose(found["p(1)"], peer.predict(), rtol=1e-9)


def test_intervals_of_probabilities_of_three_classes() -> None:
    problem, solution, _, x = fitted(3, "nonrobust")
    fit, rows = fit_of(problem, solution), torch.from_numpy(x[:5])
    level = 2 * stats.norm.cdf(1) - 1
    found = fit.predict({f"x{j + 1}": x[:5, j] for j in range(3)}, interval=level)

    def logits(theta: torch.Tensor) -> torch.Tensor:
        eta = torch.cat([torch.zeros(5, 1, dtype=torch.float64), rows @ theta[1:] + theta[0]], dim=1)
        return eta.softmax(1).logit()

    # The delta method with autograd's derivatives in raw units.
    slopes = torch.autograd.functional.jacobian(logits, solution.theta).transpose(2, 3).flatten(2)
    se = ((slopes @ fit.covariance) * slopes).sum(-1).sqrt()
    high, low = (torch.sigmoid(logits(solution.theta) + sign * se) for sign in (1, -1))
    for k in range(3):
        np.testing.assert_allclose(found[f"high({k})"], high[:, k].numpy(), rtol=1e-9)
        np.testing.assert_allclose(found[f"low({k})"], low[:, k].numpy(), rtol=1e-9)


def test_a_penalised_fit_has_no_likelihood_ratio() -> None:
    x, y = random_classes(21, n=100, q=2, k=2)
    found = likelihood_statistics(Newton().solve(problem_of(x, y, penalty=L2(1.0)), ENGINE))
    assert np.isnan(found.lr) and np.isnan(found.lr_p)
    assert found.parameters < 3


def test_an_l1_penalty_leaves_no_covariance() -> None:
    problem = problem_of(*random_classes(21, n=100, q=2, k=2), penalty=ElasticNet(0.0, 1.0))
    solution = CoordinateDescent().solve(problem, ENGINE)
    assert fit_of(problem, solution).covariance is None
    with pytest.raises(OptionError, match="hc1"):
        fit_of(problem, solution, cov_type="hc1")
    with pytest.raises(OptionError, match="cov_type 'hc3' is not known"):
        fit_of(problem, Newton().solve(problem_of(*random_classes(21, n=100, q=2, k=2)), ENGINE), cov_type="hc3")
