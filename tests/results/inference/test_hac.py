"""Newey-West standard errors beside statsmodels' and beside the definition."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch

import slopewise
from slopewise.errors import OptionError
from slopewise.results.inference.newey_west import join_lags, lag_sums

N = 400


def autocorrelated(noise: np.ndarray, rho: float) -> np.ndarray:
    out, last = np.empty(len(noise)), 0.0
    for t, each in enumerate(noise):
        out[t] = last = rho * last + each
    return out


def table(seed: int = 0) -> dict[str, np.ndarray]:
    make = np.random.default_rng(seed)
    a, b = autocorrelated(make.normal(size=N), 0.8) * 30 + 500, make.normal(size=N)
    error = autocorrelated(make.normal(size=N), 0.7)
    eta = 0.01 * (a - 500) - 0.4 * b
    return {
        "a": a,
        "b": b,
        "w": make.uniform(0.5, 2, N),
        "y": eta + error,
        "passed": (eta + error > 0).astype(float),
        "three": (eta + error).round().clip(-1, 1),
        "count": make.poisson(np.exp(eta + 0.3 * error)).astype(float),
    }


def peer(kind: str, rows: dict[str, np.ndarray], lags: int):
    x = sm.add_constant(np.column_stack([rows["a"], rows["b"]]))
    asked = {"cov_type": "HAC", "cov_kwds": {"maxlags": lags}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "squared":
            return sm.OLS(rows["y"], x).fit(use_t=True, **asked)
        if kind == "weighted":
            return sm.WLS(rows["y"], x, weights=rows["w"]).fit(use_t=True, **asked)
        if kind == "logistic":
            return sm.Logit(rows["passed"], x).fit(disp=0, method="newton", tol=1e-14, maxiter=100, **asked)
        if kind == "softmax":
            return sm.MNLogit(rows["three"], x).fit(disp=0, method="newton", tol=1e-14, maxiter=100, **asked)
        return sm.Poisson(rows["count"], x).fit(disp=0, method="newton", tol=1e-14, maxiter=100, **asked)


CASES = {
    "squared": {"target": "y"},
    "weighted": {"target": "y", "weights": "w"},
    "logistic": {"target": "passed", "model": "logistic"},
    "softmax": {"target": "three", "model": "softmax"},
    "poisson": {"target": "count", "loss": "poisson"},
}


def fit(rows, **options):
    return slopewise.fit(rows, **{"features": ["a", "b"], "cov_type": "hac"} | options)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("lags", [0, 1, 4, 60])
def test_the_errors_are_statsmodels(kind, lags):
    rows = table()
    found, expected = fit(rows, lags=lags, **CASES[kind]), peer(kind, rows, lags)
    errors = np.asarray(expected.bse).T.ravel()
    np.testing.assert_allclose(found.inferred.std_error.numpy(), errors, rtol=1e-9)
    if kind == "squared":
        np.testing.assert_allclose(found.inferred.p.numpy(), expected.pvalues, rtol=1e-6)
        assert found.stats.f == pytest.approx(float(expected.fvalue), rel=1e-9)


@pytest.mark.parametrize(
    "case",
    [
        *CASES.values(),
        {"target": "y", "loss": "huber"},
        {"target": "count", "loss": "negative_binomial", "overdispersion": 1.0},
        {"target": "count", "loss": "poisson", "l2": 2.0},
    ],
)
def test_no_lags_are_hc0(case):
    found, expected = fit(table(), lags=0, **case), fit(table(), **case | {"cov_type": "hc0"})
    np.testing.assert_allclose(found.covariance.numpy(), expected.covariance.numpy(), rtol=1e-11)


@pytest.mark.parametrize("batch_rows", [1, 3, 37])
def test_batches_and_files_change_nothing(tmp_path, batch_rows):
    rows = table()
    expected = fit(rows, target="y", lags=9).covariance.numpy()
    path = tmp_path / "rows.parquet"
    pd.DataFrame(rows).to_parquet(path)
    for source in (rows, path):
        found = fit(source, target="y", lags=9, batch_rows=batch_rows)
        np.testing.assert_allclose(found.covariance.numpy(), expected, rtol=1e-11)


@pytest.mark.parametrize("lags", [0, 1, 3, 12])
@pytest.mark.parametrize("sizes", [(1,) * 13, (13,), (0, 5, 1, 7, 0), (2, 11)])
def test_the_sums_are_the_definition_in_pieces_of_any_size(sizes, lags):
    scores = torch.from_numpy(np.random.default_rng(1).normal(size=(13, 2)))
    expected = scores.T @ scores
    for lag in range(1, lags + 1):
        gamma = scores[lag:].T @ scores[:-lag]
        expected = expected + (1 - lag / (lags + 1)) * (gamma + gamma.T)
    pieces = [lag_sums(piece, piece.abs().sum(), lags) for piece in scores.split(sizes)]
    left, right = pieces[0], pieces[-1]
    for piece in pieces[1:]:
        left = join_lags(left, piece, lags=lags)
    for piece in reversed(pieces[:-1]):
        right = join_lags(piece, right, lags=lags)
    for found in (left, right):
        torch.testing.assert_close(found.meat, expected, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(found.first, scores[:lags])
        torch.testing.assert_close(found.last, scores[13 - lags :])


def test_rows_left_out_leave_no_gap():
    rows = table()
    kept = np.arange(N) % 7 != 3
    holes = {**rows, "a": np.where(kept, rows["a"], np.nan)}
    found = fit(holes, target="y", lags=4, missing="drop")
    expected = fit({name: values[kept] for name, values in rows.items()}, target="y", lags=4)
    np.testing.assert_allclose(found.covariance.numpy(), expected.covariance.numpy(), rtol=1e-11)


def test_lags_are_chosen_by_the_rows_and_said(tmp_path):
    found = fit(table(), target="y")
    # floor(4 · 4^(2/9)) = floor(5.44)
    assert found.to_dict()["lags"] == 5
    assert "robust to heteroscedasticity and autocorrelation: HAC, 5 lags" in found.summary()
    np.testing.assert_array_equal(found.covariance.numpy(), fit(table(), target="y", lags=5).covariance.numpy())
    found.save(tmp_path / "a.safetensors")
    loaded = slopewise.load(tmp_path / "a.safetensors")
    assert loaded.summary() == found.summary() and loaded.to_dict() == found.to_dict()
    assert fit(table(), target="y", cov_type="hc0").to_dict()["lags"] is None


def test_a_descent_has_the_errors_of_the_optimum_it_reached():
    done = fit(table(), target="y", lags=4, solver="gd", epochs=4000)
    np.testing.assert_allclose(done.covariance.numpy(), fit(table(), target="y", lags=4).covariance.numpy(), rtol=1e-9)


def test_exact_fits_keep_their_lags():
    rows = table()
    found = fit({**rows, "y": 2 * rows["a"]}, target="y", lags=3)
    assert found.to_dict()["lags"] == 3 and float(found.covariance.abs().max()) == 0


def test_bad_lags_are_refused():
    rows = table()
    for lags in (-1, 2.5, True, "4"):
        with pytest.raises(OptionError, match=r"^lags is .*; give a whole number of at least 0\.$"):
            fit(rows, target="y", lags=lags)
    with pytest.raises(OptionError, match=r"^lags is 400, and there are 400 training rows; give fewer lags than rows"):
        fit(rows, target="y", lags=400)
    with pytest.raises(OptionError, match="lags is 4, and only cov_type='hac' has lags"):
        fit(rows, target="y", lags=4, cov_type="hc0")
    with pytest.raises(OptionError, match="lags is 4, and only cov_type='hac' has lags"):
        slopewise.fit(rows, target="y", lags=4, cluster="three")
    with pytest.raises(OptionError, match="cov_type is 'hac' and cluster is 'three'"):
        fit(rows, target="y", cluster="three")
    with pytest.raises(OptionError, match="a model trained by gradient descent has no standard errors"):
        fit(rows, target="passed", model="logistic", solver="gd", epochs=3)
    with pytest.raises(OptionError, match="cov_type='hac' needs the Hessian at the optimum"):
        fit(rows, target="y", l1=1.0)


def test_a_descent_that_has_not_arrived_says_its_lags_too():
    done = fit(table(), target="y", lags=4, solver="gd", epochs=2)
    assert done.covariance is None and "HAC, 4 lags" in done.summary() and done.to_dict()["lags"] == 4
