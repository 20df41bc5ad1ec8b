"""Metrics against their definitions, written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slopewise import api
from slopewise.errors import ColumnError, DataError
from slopewise.results.metrics.regression import MetricSums, merge

ROUNDING = 1e-12
"""Sums of a few hundred terms in another order: 100 units in the last place are 2e-14."""


def by_hand(y: np.ndarray, predicted: np.ndarray, w: np.ndarray) -> tuple[float, float, float]:
    e, mean = y - predicted, np.average(y, weights=w)
    mse = np.average(e**2, weights=w)
    return np.sqrt(mse), np.average(np.abs(e), weights=w), 1 - mse / np.average((y - mean) ** 2, weights=w)


@pytest.mark.parametrize("errors", ["nonrobust", "hc2"])  # robust errors measure in their own pass
@pytest.mark.parametrize("weights", ["w", None])
def test_definitions(random_table: Any, errors: str, weights: str | None) -> None:
    table, other = random_table(seed=3), random_table(seed=4, n=77)
    features = ["x1", "x2", "x3", "x4"]
    fit = api.fit(table, target="y", features=features, weights=weights, cov_type=errors)
    for rows, metrics in ((table, fit.train), (other, fit.evaluate(other))):
        predicted = fit.theta[0].item() + rows[features].to_numpy() @ fit.theta[1:].numpy()
        w = rows["w"].to_numpy() if weights else np.ones(len(rows))
        assert (metrics.rmse, metrics.mae, metrics.r2) == pytest.approx(
            by_hand(rows["y"].to_numpy(), predicted, w), rel=ROUNDING
        )
        assert metrics.n == len(rows)


def test_training_r2_is_that_of_the_statistics(random_table: Any) -> None:
    fit = api.fit(random_table(seed=5), target="y", weights="w")
    assert fit.train.r2 == pytest.approx(fit.stats.r2, rel=ROUNDING)


def test_r2_keeps_its_digits_far_from_zero_and_from_the_training_mean() -> None:
    """y of 1e9 ± 1: Σ y² - n ȳ² would leave no digit."""
    x = np.arange(1000.0)
    noise = np.sin(x)
    fit = api.fit({"x": x, "y": x}, target="y")
    metrics = fit.evaluate({"x": 1e9 + x, "y": 1e9 + x + noise})
    assert metrics.r2 == pytest.approx(1 - (noise**2).sum() / np.var(x + noise) / 1000, rel=1e-9)


def test_merging_does_not_depend_on_the_cut() -> None:
    y = np.random.default_rng(6).normal(size=100) + 1e6
    whole = MetricSums(100, 100.0, 0.0, 0.0, y.mean(), ((y - y.mean()) ** 2).sum())
    parts = [MetricSums(len(p), float(len(p)), 0.0, 0.0, p.mean(), ((p - p.mean()) ** 2).sum()) for p in (y[:3], y[3:])]
    # The mean is 1e6 and known to 1e-10, which yy of about 100 feels as 1e-12 of itself at the most.
    assert merge(*parts) == pytest.approx(whole, rel=1e-11)
    nothing = MetricSums(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert merge(nothing, whole) == whole and merge(whole, nothing) == whole and merge(nothing, nothing) == nothing


def test_held_out_rows_are_measured_apart(mass: Any) -> None:
    assert mass.test.n + mass.train.n + mass.n_dropped <= 344
    assert 60 < mass.test.n < 76  # a fifth of 344, less those dropped
    assert mass.test.rmse != mass.train.rmse


def test_without_a_split_there_is_no_test(penguins: Any) -> None:
    fit = api.fit(penguins, target="body_mass_g", features=["bill_length_mm"], missing="drop")
    assert fit.test is None and fit.to_dict()["test"] is None


def test_rows_that_cannot_be_measured(mass: Any, penguins: Any) -> None:
    with pytest.raises(ColumnError, match="no column 'body_mass_g'"):
        mass.evaluate(penguins.drop(columns="body_mass_g"))
    with pytest.raises(DataError, match="has no rows to evaluate on"):
        mass.evaluate(penguins[penguins["sex"].isna()])


def test_a_missing_value_is_named(random_table: Any) -> None:
    table = random_table(seed=7)
    fit = api.fit(table, target="y")
    table.loc[4, "x2"] = np.nan
    with pytest.raises(DataError, match="column 'x2' holds 1 missing value .*row 5"):
        fit.evaluate(table)
