"""Inference of least squares against statsmodels.

RELATIVE is the agreement promised. Both sides compute in float64 from one table; statsmodels goes through a
pseudo-inverse and keeps about 11 digits on these tables, so 1e-9 leaves room for its rounding and for no other
definition of anything.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from slopewise import api
from slopewise.errors import FitError, OptionError
from slopewise.results.fit import Fit
from slopewise.results.inference.statistics import residual_sum

RELATIVE = 1e-9
COV_TYPES = ("nonrobust", "hc0", "hc1", "hc2", "hc3")


def peer(x: np.ndarray, y: np.ndarray, w: np.ndarray | None, intercept: bool, cov_type: str) -> Any:
    design = sm.add_constant(x) if intercept else x
    model = sm.OLS(y, design) if w is None else sm.WLS(y, design, weights=w)
    found = model.fit()
    return found if cov_type == "nonrobust" else found.get_robustcov_results(cov_type.upper())


def assert_same(fit: Fit, other: Any, confidence_level: float = 0.95) -> None:
    table = fit.inferred
    low, high = np.asarray(other.conf_int(1 - confidence_level)).T
    pairs = {
        "estimate": (table.estimate, other.params),
        "std_error": (table.std_error, other.bse),
        "t": (table.statistic, other.tvalues),
        "p": (table.p, other.pvalues),
        "covariance": (fit.covariance, other.cov_params()),
        "r2": (fit.stats.r2, other.rsquared),
        "adj_r2": (fit.stats.adj_r2, other.rsquared_adj),
        "f": (fit.stats.f, other.fvalue),
        "f_p": (fit.stats.f_p, other.f_pvalue),
        "dof": (fit.stats.dof, other.df_resid),
        "df": (fit.stats.df, other.df_model),
        "sigma": (fit.stats.sigma, math.sqrt(other.mse_resid)),
        "loglik": (fit.stats.loglik, other.llf),
        "aic": (fit.stats.aic, other.aic),
        "bic": (fit.stats.bic, other.bic),
    }
    for name, (ours, theirs) in pairs.items():
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=RELATIVE, atol=0, err_msg=name)
    # An end of an interval may lie at zero by cancellation: measured against the interval's own length.
    np.testing.assert_array_less(np.abs(table.ci_low.numpy() - low), RELATIVE * (high - low))
    np.testing.assert_array_less(np.abs(table.ci_high.numpy() - high), RELATIVE * (high - low))


@pytest.mark.parametrize("cov_type", COV_TYPES)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_statsmodels_agrees(random_table: Any, cov_type: str, intercept: bool, weighted: bool) -> None:
    table = random_table(seed=1)
    x, y, w = table[["x1", "x2", "x3", "x4"]].to_numpy(), table["y"].to_numpy(), table["w"].to_numpy()
    fit = api.fit(
        table if weighted else table.drop(columns="w"),
        target="y",
        weights="w" if weighted else None,
        intercept=intercept,
        cov_type=cov_type,
        confidence_level=0.9,
    )
    assert_same(fit, peer(x, y, w if weighted else None, intercept, cov_type), confidence_level=0.9)


@pytest.mark.parametrize("cov_type", COV_TYPES)
def test_penguins_agree(penguins: pd.DataFrame, cov_type: str) -> None:
    names = ["flipper_length_mm", "species", "sex"]
    fit = api.fit(penguins, target="body_mass_g", features=names, missing="drop", cov_type=cov_type)
    whole = penguins.dropna(subset=[*names, "body_mass_g"])
    x = pd.get_dummies(whole[names], drop_first=True, dtype=float)
    assert list(fit.design.x_names) == ["flipper_length_mm", "species[Chinstrap]", "species[Gentoo]", "sex[male]"]
    assert_same(fit, peer(x.to_numpy(), whole["body_mass_g"].to_numpy(float), None, True, cov_type))


def test_ridge_by_hand(random_table: Any) -> None:
    """Textbook formulas: hat matrix H = X (X'X + D)⁻¹ X', dof = n - tr H, cov = sigma² (X'X + D)⁻¹ X'X (X'X + D)⁻¹."""
    table = random_table(seed=2, q=2).drop(columns="w")
    fit = api.fit(table, target="y", l2=30.0)
    x, y = sm.add_constant(table[["x1", "x2"]].to_numpy()), table["y"].to_numpy()
    inverse = np.linalg.inv(x.T @ x + np.diag([0, 30.0, 30.0]))
    theta = inverse @ x.T @ y
    dof = len(y) - np.trace(x @ inverse @ x.T)
    variance = ((y - x @ theta) ** 2).sum() / dof
    np.testing.assert_allclose(fit.theta.numpy(), theta, rtol=RELATIVE)
    np.testing.assert_allclose(fit.covariance.numpy(), variance * inverse @ x.T @ x @ inverse, rtol=RELATIVE)
    assert fit.stats.dof == pytest.approx(dof, rel=RELATIVE)
    assert fit.stats.aic == pytest.approx(-2 * fit.stats.loglik + 2 * (len(y) - dof), rel=RELATIVE)
    assert math.isnan(fit.stats.f)  # a shrunken estimate's F has no F distribution


@pytest.mark.parametrize("cov_type", ["nonrobust", "hc3"])
def test_a_perfect_fit_has_no_residual_variance(cov_type: str) -> None:
    x = np.arange(10.0)
    fit = api.fit({"x": x, "y": 3 * x + 1}, target="y", cov_type=cov_type)
    assert residual_sum(fit.solution) == 0
    assert fit.inferred.std_error.tolist() == [0, 0]
    assert fit.inferred.statistic.tolist() == [math.inf, math.inf]
    assert fit.inferred.p.tolist() == [0, 0]
    assert fit.stats.f == math.inf and fit.stats.f_p == 0 and fit.stats.sigma == 0 and fit.stats.r2 == 1
    low, high = fit.predict({"x": [20.0]}, interval=0.95)["low"], fit.predict({"x": [20.0]}, interval=0.95)["high"]
    assert low[0] == high[0] == pytest.approx(61, rel=1e-14)


def test_a_small_residual_is_not_taken_for_none() -> None:
    """Scatter of 1e-9 of the values is real: float64 resolves 1e-16."""
    rng = np.random.default_rng(0)
    x = np.arange(100.0)
    fit = api.fit({"x": x, "y": 3 * x + 1 + 1e-9 * rng.normal(size=100)}, target="y")
    assert fit.stats.sigma == pytest.approx(1e-9, rel=0.3)


def test_as_many_rows_as_coefficients_leave_no_residual_variance_to_estimate() -> None:
    fit = api.fit({"x": [1.0, 2.0], "y": [1.0, 5.0]}, target="y")
    assert fit.inferred.std_error.isnan().all() and math.isnan(fit.stats.adj_r2) and math.isnan(fit.stats.f)
    assert '"sigma": null' in fit.to_json()
    with pytest.raises(FitError, match="no interval can be given: 2 rows for 2 coefficients"):
        fit.predict({"x": [1.0]}, interval=0.9)


def test_hc3_names_the_row_that_determines_itself() -> None:
    """The only row of level b has leverage 1: statsmodels would divide by zero."""
    table = {"g": ["a"] * 9 + ["b"], "x": np.arange(10.0) ** 2, "y": np.sin(np.arange(10.0))}
    with pytest.raises(FitError, match=r"cov_type='hc3' divides by 1 - leverage, and 1 row has leverage 1.*'hc1'"):
        api.fit(table, target="y", cov_type="hc3")
    assert api.fit(table, target="y", cov_type="hc1").cov_type == "hc1"


def test_invalid_options_are_refused() -> None:
    table = {"x": [1.0, 2.0, 4.0], "y": [1.0, 5.0, 4.0]}
    with pytest.raises(OptionError, match=r"level is 95.*such as 0\.95"):
        api.fit(table, target="y", confidence_level=95)
    with pytest.raises(OptionError, match=r"cov_type 'hc4' is not known\. Did you mean 'hc"):
        api.fit(table, target="y", cov_type="hc4")


@pytest.mark.parametrize(
    ("target", "options"), [("y", {"l1": 25.0}), ("count", {"loss": "poisson", "l1": 25.0}), ("two", {"l1": 8.0})]
)
def test_an_l1_penalty_leaves_as_many_parameters_as_are_not_zero(target, options):
    make = np.random.default_rng(0)
    x = make.normal(size=(200, 6))
    eta = 0.8 * x[:, 0]
    targets = {
        "y": eta + make.normal(size=200),
        "count": make.poisson(np.exp(eta)).astype(float),
        "two": (eta + make.logistic(size=200) > 0).astype(float),
    }
    fit = api.fit((x, targets[target]), **options)
    k, n = int((fit.theta != 0).sum()), 200
    assert 1 < k < 7
    assert fit.stats.aic == pytest.approx(-2 * fit.stats.loglik + 2 * k)
    assert fit.stats.bic == pytest.approx(-2 * fit.stats.loglik + k * np.log(n))
    if target == "y":
        assert fit.stats.dof == n - k and fit.stats.sigma == pytest.approx(np.sqrt(fit.solution.loss / (n - k)))
        assert fit.stats.adj_r2 == pytest.approx(1 - (n - 1) / (n - k) * (1 - fit.stats.r2))
        assert np.isnan(fit.stats.f)
