"""Predictions: their intervals against statsmodels, their shapes against what came in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import statsmodels.api as sm
import torch

from slopewise import api
from slopewise.errors import ColumnError, DataError, OptionError
from slopewise.results.fit import Fit

RELATIVE = 1e-9  # as in inference/test_least_squares.py


@pytest.mark.parametrize("errors", ["nonrobust", "hc3"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_intervals_agree_with_statsmodels(random_table: Any, errors: str, intercept: bool, weighted: bool) -> None:
    table, new = random_table(seed=1), random_table(seed=2, n=9)
    names = ["x1", "x2", "x3", "x4"]
    weights = "w" if weighted else None
    fit = api.fit(table, target="y", features=names, weights=weights, intercept=intercept, cov_type=errors)

    def columns(rows: pd.DataFrame) -> np.ndarray:
        return sm.add_constant(rows[names].to_numpy()) if intercept else rows[names].to_numpy()

    model = sm.WLS(table["y"].to_numpy(), columns(table), weights=table["w"].to_numpy() if weighted else 1.0)
    other = model.fit() if errors == "nonrobust" else model.fit().get_robustcov_results("HC3")
    wanted = other.get_prediction(columns(new)).summary_frame(alpha=0.1)
    for mean, name in ((True, "mean_ci"), (False, "obs_ci")):
        ours = fit.predict(new, interval=0.9, of="mean" if mean else "observation")
        np.testing.assert_allclose(ours["prediction"], wanted["mean"], rtol=RELATIVE)
        np.testing.assert_allclose(ours["low"], wanted[f"{name}_lower"], rtol=RELATIVE)
        np.testing.assert_allclose(ours["high"], wanted[f"{name}_upper"], rtol=RELATIVE)


def test_a_frame_comes_back_in_its_library(mass: Fit, penguins: pd.DataFrame, tmp_path: Path) -> None:
    rows = penguins.dropna().iloc[[7, 3, 5]]
    wanted = mass.predict(rows, interval=0.8)
    assert isinstance(wanted, pd.DataFrame)
    assert list(wanted.columns) == ["prediction", "low", "high"] and list(wanted.index) == list(rows.index)
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False)
    frame = pl.DataFrame(rows.to_dict("list"))
    for data, kind in ((frame, pl.DataFrame), (frame.lazy(), pl.DataFrame), (frame.to_arrow(), pa.Table)):
        found = mass.predict(data, interval=0.8)
        assert isinstance(found, kind)
        np.testing.assert_array_equal(np.asarray(found["high"]), wanted["high"].to_numpy())
    for data in (path, str(path)):
        found = mass.predict(data, interval=0.8)
        assert isinstance(found, pa.Table) and found.column_names == ["prediction", "low", "high"]
        np.testing.assert_array_equal(found["low"].to_numpy(), wanted["low"].to_numpy())
    columns = mass.predict(rows.to_dict("list"))
    assert list(columns) == ["prediction"] and isinstance(columns["prediction"], np.ndarray)
    np.testing.assert_array_equal(columns["prediction"], wanted["prediction"].to_numpy())


def test_a_matrix_comes_back_as_one() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    fit = api.fit((x, y), target="y")
    assert isinstance(fit.coefficients, pa.Table)
    plain = fit.predict(x)
    assert isinstance(plain, np.ndarray) and plain.shape == (20,)
    np.testing.assert_allclose(plain, fit.theta[0].item() + x @ fit.theta[1:].numpy(), rtol=1e-13)
    tensor = fit.predict(torch.from_numpy(x), interval=0.95)
    assert isinstance(tensor, torch.Tensor) and tensor.shape == (20, 3)
    np.testing.assert_array_equal(tensor[:, 0].numpy(), plain)
    assert bool((tensor[:, 1] < tensor[:, 0]).all() and (tensor[:, 0] < tensor[:, 2]).all())
    assert fit.predict(x[:0]).shape == (0,)


@pytest.mark.parametrize(("kind", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.table)])
def test_coefficients_come_in_the_library_fitted(random_table: Any, kind: str, frame: Any) -> None:
    fit = api.fit(frame(random_table(seed=1).to_dict("list")), target="y")
    assert type(fit.coefficients).__module__.split(".")[0] == ("pyarrow" if kind == "pyarrow" else kind)
    names = ["name", "estimate", "std_error", "t", "p", "ci_low", "ci_high", "digits"]
    assert list(getattr(fit.coefficients, "column_names", None) or fit.coefficients.columns) == names
    np.testing.assert_array_equal(np.asarray(fit.coefficients["estimate"]), fit.theta.numpy())


def test_a_missing_feature_follows_the_policy() -> None:
    rng = np.random.default_rng(0)
    table = {"a": rng.normal(size=30), "g": ["u", "v", "w"] * 10, "y": rng.normal(size=30)}
    rows = {"a": [1.0, None, 1.0], "g": ["u", "v", None]}
    with pytest.raises(DataError, match="column 'a' holds 1 missing value .*row 2"):
        api.fit(table, target="y").predict(rows)
    dropped = api.fit(table, target="y", missing="drop").predict(rows, interval=0.9)
    assert np.isnan(dropped["prediction"]).tolist() == [False, True, True]
    assert np.isnan(dropped["low"]).tolist() == [False, True, True]
    filled = api.fit(table, target="y", missing="mean")
    same = {"a": [1.0, float(np.mean(table["a"])), 1.0], "g": ["u", "v", "u"]}
    np.testing.assert_array_equal(filled.predict(rows)["prediction"], filled.predict(same)["prediction"])


@pytest.mark.parametrize("missing", ["error", "drop", "mean"])
def test_an_infinite_feature_is_refused_by_name(missing: str) -> None:
    fit = api.fit({"a": [1.0, 2.0, 4.0], "y": [1.0, 2.0, 3.0]}, target="y", missing=missing)
    with pytest.raises(DataError, match="column 'a' holds 1 infinite value, the first in row 2"):
        fit.predict({"a": [1.0, np.inf]})


def test_rows_that_do_not_fit(mass: Fit, penguins: pd.DataFrame) -> None:
    rows = penguins.dropna().head(3)
    with pytest.raises(ColumnError, match="no column 'sex', which this fit was trained with"):
        mass.predict(rows.drop(columns="sex"))
    with pytest.raises(DataError, match="'Emperor' in row 2, a level never seen in training"):
        mass.predict(rows.assign(species=["Adelie", "Emperor", "Adelie"]))
    with pytest.raises(DataError, match="column 'sex' .*trained with text"):
        mass.predict(rows.assign(sex=[1.0, 2.0, 3.0]))
    with pytest.raises(OptionError, match=r"interval is 95.*such as 0\.95"):
        mass.predict(rows, interval=95)
    with pytest.raises(OptionError, match="give interval=0.95 too"):
        mass.predict(rows, of="mean")


def test_tables_of_features_and_predictions() -> None:
    rng = np.random.default_rng(0)
    n = 40_000
    table = pa.table(
        {
            "low": rng.normal(size=n),
            "flag": rng.integers(0, 2, size=n).astype(bool),
            "unused": np.zeros(n),
            "g": rng.choice(["u", "v"], size=n),
            "y": rng.normal(size=n),
        }
    )
    fit = api.fit(table, target="y", features=["low", "flag", "g"], missing="drop")
    gaps = table.set_column(1, "flag", pa.array([None, *table["flag"].to_pylist()[1:]], pa.bool_()))
    parts = list(fit.predict_table(gaps, interval=0.95))
    assert len(parts) > 1 and max(part.num_rows for part in parts) <= 16384
    found = pa.concat_tables(parts)  # refuses unless all schemas are the same
    assert found.column_names == ["low", "flag", "g", "prediction", "low_", "high"]
    assert found.select(["low", "flag", "g"]).equals(gaps.select(["low", "flag", "g"]))
    assert found["prediction"].null_count == 1 and found["prediction"][0].as_py() is None
    np.testing.assert_array_equal(found["prediction"][1:].to_numpy(), fit.predict(gaps)["prediction"][1:].to_numpy())
    nothing = list(fit.predict_table(table.slice(0, 0)))
    assert len(nothing) == 1 and nothing[0].num_rows == 0 and nothing[0].column_names[-1] == "prediction"
