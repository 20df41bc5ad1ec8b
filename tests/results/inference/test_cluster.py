"""Cluster-robust standard errors beside statsmodels'."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm

import slopewise
from slopewise.errors import ColumnError, DataError, FitError, OptionError


def table(seed: int = 0) -> dict[str, np.ndarray]:
    make = np.random.default_rng(seed)
    n = 400
    school = make.integers(0, 23, n)
    a, b = make.normal(size=n) * 30 + 500, make.normal(size=n)
    eta = 0.01 * (a - 500) - 0.4 * b + make.normal(size=23)[school] * 0.5
    return {
        "a": a,
        "b": b,
        "school": school.astype(float),
        "hours": make.uniform(0.5, 2, n),
        "y": eta + make.normal(size=n),
        "passed": (eta + make.logistic(size=n) > 0).astype(float),
        "count": make.poisson(np.exp(eta)).astype(float),
        "excess": make.negative_binomial(2, 1 / (1 + np.exp(eta) / 2)).astype(float),
        "cost": make.gamma(2.0, np.exp(eta) / 2),
    }


def peer(kind: str, rows: dict[str, np.ndarray], correction: bool):
    x = sm.add_constant(np.column_stack([rows["a"], rows["b"]]))
    asked = {
        "cov_type": "cluster",
        "cov_kwds": {"groups": rows["school"].astype(int), "use_correction": correction, "df_correction": True},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "squared":
            return sm.OLS(rows["y"], x).fit(use_t=True, **asked)
        if kind == "logistic":
            return sm.Logit(rows["passed"], x).fit(disp=0, method="newton", tol=1e-14, maxiter=100, **asked)
        if kind == "overdispersion estimated":
            return sm.NegativeBinomial(rows["excess"], x).fit(disp=0, method="newton", tol=1e-14, maxiter=200, **asked)
        if kind in ("gamma", "negative binomial"):
            log = sm.families.links.Log()
            family = sm.families.Gamma(log) if kind == "gamma" else sm.families.NegativeBinomial(log, alpha=0.5)
            model = sm.GLM(rows["cost" if kind == "gamma" else "excess"], x, family=family)
            return model.fit(tol=1e-14, maxiter=100, **asked)
        model = sm.GLM(rows["count"], x, family=sm.families.Poisson(), exposure=rows["hours"])
        return model.fit(tol=1e-14, maxiter=100, **asked)


CASES = {
    "squared": {"target": "y"},
    "logistic": {"target": "passed", "model": "logistic"},
    "poisson": {"target": "count", "loss": "poisson", "exposure": "hours"},
    "gamma": {"target": "cost", "loss": "gamma"},
    "negative binomial": {"target": "excess", "loss": "negative_binomial", "overdispersion": 0.5},
    "overdispersion estimated": {"target": "excess", "loss": "negative_binomial"},
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("correction", [True, False])
@pytest.mark.parametrize("batch_rows", [37, 100_000])
def test_the_errors_are_statsmodels(kind, correction, batch_rows):
    rows = table()
    fit = slopewise.fit(
        rows,
        features=["a", "b"],
        cov_type="cluster" if correction else "cr0",
        cluster="school",
        batch_rows=batch_rows,
        **CASES[kind],
    )
    found = peer(kind, rows, correction)
    np.testing.assert_allclose(fit.inferred.std_error.numpy(), np.asarray(found.bse)[:3], rtol=1e-9)
    assert f"within 23 clusters: {'CR1' if correction else 'CR0'}" in fit.summary()
    if kind == "squared":
        np.testing.assert_allclose(fit.inferred.p.numpy(), found.pvalues, rtol=1e-6)


def test_a_text_column_and_a_frame_give_the_same(tmp_path):
    rows = table()
    named = {**rows, "school": np.array([f"school {int(k)}" for k in rows["school"]])}
    fits = [slopewise.fit(each, target="y", features=["a", "b"], cluster="school") for each in (rows, named)]
    assert fits[0].cov_type == "cluster"
    np.testing.assert_allclose(fits[0].covariance.numpy(), fits[1].covariance.numpy(), rtol=1e-12)
    fits[1].save(tmp_path / "a.safetensors")
    assert slopewise.load(tmp_path / "a.safetensors").summary() == fits[1].summary()


def test_the_cluster_column_is_no_feature():
    assert "school" not in slopewise.fit(table(), target="y", cluster="school").design.x_names


def test_bad_clusters_are_refused():
    rows = table()
    with pytest.raises(ColumnError, match="cluster 'schol' is not a column of .* 'school'"):
        slopewise.fit(rows, target="y", cluster="schol")
    with pytest.raises(FitError, match="the cluster column has one value in all training rows"):
        slopewise.fit({**rows, "school": np.ones(400)}, target="y", cluster="school")
    broken = rows["school"].copy()
    broken[6] = np.nan
    with pytest.raises(DataError, match="cluster column 'school' is missing in row 7"):
        slopewise.fit({**rows, "school": broken}, target="y", cluster="school")
    with pytest.raises(OptionError, match="cluster names the column that cov_type 'cluster' or 'cr0' needs"):
        slopewise.fit(rows, target="y", cov_type="cluster")
    with pytest.raises(OptionError, match="cov_type is 'hc1' and cluster is 'school'"):
        slopewise.fit(rows, target="y", cov_type="hc1", cluster="school")
    with pytest.raises(OptionError, match="a model trained by gradient descent has no standard errors"):
        slopewise.fit(rows, target="y", cluster="school", hidden=(3,), epochs=3)
