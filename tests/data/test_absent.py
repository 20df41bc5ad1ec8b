"""Rows of weight zero, and levels and classes that only rows without a say have: they are as if they were not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import slopewise
from slopewise.errors import DataError


@pytest.fixture
def rng() -> np.random.RandomState:
    return np.random.RandomState(11)


def codes(fit: Any) -> list[str]:
    return [finding["code"] for finding in fit.findings]


def test_rows_of_weight_zero_are_left_out_as_by_lm_of_r(rng: np.random.RandomState) -> None:
    """Case N17; R 4.4: summary(lm(y ~ x, weights = w)), AIC."""
    x = rng.normal(size=30)
    y = 1 + 2 * x + rng.normal(size=30)
    y[20:] *= 1000
    fit = slopewise.fit({"x": x, "y": y, "w": np.r_[np.ones(20), np.zeros(10)]}, target="y", weights="w")
    assert (fit.n, fit.stats.dof) == (20, 18)
    assert fit.coefficients["std_error"].to_pylist() == pytest.approx(
        [0.2013719297197048, 0.1990452606181678], rel=1e-12
    )
    assert fit.stats.aic == pytest.approx(53.7399171063237, rel=1e-12)
    assert "20 used, 10 of weight 0 left out" in fit.summary()


def test_a_class_without_weight_is_no_class(rng: np.random.RandomState) -> None:
    """Cases L11z and R70."""
    x = rng.normal(size=60)
    three = np.array(["a", "b", "c"])[rng.randint(0, 3, 60)]
    fit = slopewise.fit({"x": x, "y": three, "w": np.where(three == "c", 0.0, 1.0)}, target="y", weights="w")
    left = three != "c"
    plain = slopewise.fit({"x": x[left], "y": three[left]}, target="y")
    assert fit.class_names == ("a", "b") and codes(fit) == ["absent-class"]
    assert fit.theta.tolist() == pytest.approx(plain.theta.tolist(), rel=1e-12)
    two = (rng.rand(60) < 0.5).astype(int)
    with pytest.raises(DataError, match="target 'y' holds only the class '0' in the training rows"):
        slopewise.fit({"x": x, "y": two, "w": np.where(two == 1, 0.0, 1.0)}, target="y", weights="w")
    with pytest.raises(DataError, match="no training row counts: each has weight 0 in 'w'"):
        slopewise.fit({"x": x, "y": two, "w": np.zeros(60)}, target="y", weights="w")


def test_a_level_of_dropped_rows_only_is_left_out_and_said(rng: np.random.RandomState) -> None:
    """Cases N24 and N24b: another column's gap, and a missing target."""
    g = np.array(["a", "b"])[rng.randint(0, 2, 40)]
    g[:4] = "c"
    x, y = rng.normal(size=40), rng.normal(size=40)
    plain = slopewise.fit({"x": x[4:], "g": g[4:], "y": y[4:]}, target="y")
    for gaps in ("x", "y"):
        columns: dict[str, Any] = {"x": x.copy(), "g": g.tolist(), "y": y.copy()}
        columns[gaps][:4] = np.nan
        fit = slopewise.fit(columns, target="y", missing="drop")
        assert fit.theta.tolist() == pytest.approx(plain.theta.tolist(), rel=1e-12)
        assert (fit.n, fit.n_dropped, codes(fit)) == (36, 4, ["absent-level"])
        with pytest.raises(DataError, match="column 'g' is 'c' in row 1, a level never seen in training"):
            fit.predict({"x": [1.0], "g": ["c"]})
    holes = np.where(g == "a", x, np.nan)
    with pytest.raises(DataError, match="column 'g' holds only the level 'a' in the training rows"):
        slopewise.fit({"x": holes, "g": g, "y": y}, target="y", missing="drop")


@pytest.mark.parametrize("seed", range(6))
def test_a_level_of_held_out_rows_only_is_not_measured_on(rng: np.random.RandomState, seed: int) -> None:
    """Case N25."""
    g = np.array(["a", "b"])[rng.randint(0, 2, 60)]
    g[7] = "r"
    fit = slopewise.fit(
        {"x": rng.normal(size=60), "g": g, "y": rng.normal(size=60)}, target="y", test_size=0.3, seed=seed
    )
    lost = codes(fit) == ["absent-level"]
    assert fit.test.n == 18 - lost
    assert ("'r' of column 'g'" in str(fit.findings)) == lost
    fit.summary()


def test_a_class_of_one_row_is_fitted_as_by_glm(rng: np.random.RandomState) -> None:
    """Case L07; statsmodels GLM, Binomial."""
    x = rng.normal(size=200)
    y = np.zeros(200, int)
    y[np.argsort(x)[150]] = 1
    fit = slopewise.fit({"x": x, "y": y}, target="y")
    assert fit.theta.tolist() == pytest.approx([-5.57197736, 0.79620421], abs=1e-8)
    assert fit.coefficients["std_error"].to_pylist() == pytest.approx([1.26443168, 1.13381709], abs=1e-7)


def test_without_intercept_every_level_has_a_coefficient(rng: np.random.RandomState) -> None:
    """Case R88; R: lm(y ~ 0 + g), lm(y ~ 0 + g + h): the first category is coded in full, others against a level."""
    g = ["a", "b", "c"] * 20
    h = ["u", "v"] * 30
    y = np.array([10.0, 20, 30] * 20) + rng.normal(size=60)
    fit = slopewise.fit({"g": g, "y": y}, target="y", intercept=False)
    assert fit.coefficients["name"].to_pylist() == ["g[a]", "g[b]", "g[c]"]
    assert fit.theta.tolist() == pytest.approx([y[i::3].mean() for i in range(3)], rel=1e-12)
    assert fit.predict({"g": ["a"]})["prediction"][0] == pytest.approx(y[::3].mean())
    assert "reference" not in fit.summary()
    both = slopewise.fit({"g": g, "h": h, "y": y}, target="y", intercept=False)
    assert both.coefficients["name"].to_pylist() == ["g[a]", "g[b]", "g[c]", "h[v]"]
