"""Predicted classes are of the target's own type, so that they can be compared with it; -0.0 is the class 0."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import slopewise

RNG = np.random.default_rng(5)
N = 60
X = RNG.normal(size=(N, 2))
TRUTH = (RNG.random(N) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)

TARGETS = {
    "int": TRUTH,
    "float": TRUTH.astype(float),
    "bool": TRUTH.astype(bool),
    "int8": TRUTH.astype(np.int8),
    "text": np.array(["no", "yes"])[TRUTH],
    "text of numbers": np.array(["no 0", "no 1"])[TRUTH],
    "tens": np.array([10, 20, 30])[TRUTH + (X[:, 1] > 0.5)],
    "halves": np.array([0.5, 1.5])[TRUTH],
    "negative": np.array([-1, 1])[TRUTH],
    "False and True as text": np.array(["False!", "True!"])[TRUTH],
}


def accuracy(fit, table):
    return pytest.approx(fit.evaluate(table).accuracy)


@pytest.mark.parametrize("kind", TARGETS)
def test_predictions_equal_the_target_where_they_are_right(kind, tmp_path):
    y = TARGETS[kind]
    frame = pd.DataFrame({"x": X[:, 0], "z": X[:, 1], "y": y})
    fit = slopewise.fit(frame, target="y", task="classification")
    fit.save(tmp_path / "f.safetensors")
    for model in (fit, slopewise.load(tmp_path / "f.safetensors")):
        found = model.predict(frame)["prediction"]
        assert (found == frame.y).mean() == accuracy(fit, frame) and (found == frame.y).mean() > 0.5
        assert found.dtype.kind == {"f": "i" if kind == "float" else "f"}.get(y.dtype.kind, found.dtype.kind)
    polars = pl.from_pandas(frame)
    assert (fit.predict(polars)["prediction"] == polars["y"]).mean() == accuracy(fit, frame)
    arrow = fit.predict(pa.Table.from_pandas(frame))["prediction"]
    assert np.mean(np.array(arrow.to_pylist()) == y) == accuracy(fit, frame)
    columns = fit.predict({"x": X[:, 0], "z": X[:, 1]})["prediction"]
    assert isinstance(columns, np.ndarray) and np.mean(columns == y) == accuracy(fit, frame)
    assert fit.predict(frame, interval=0.9)["prediction"].equals(fit.predict(frame)["prediction"])
    table = pa.concat_tables(fit.predict_table(frame))
    assert table["prediction"].type == arrow.type
    assert fit.predict(frame.iloc[:0])["prediction"].tolist() == []


@pytest.mark.parametrize("kind", [kind for kind in TARGETS if TARGETS[kind].dtype.kind != "U"])
def test_predictions_for_matrices_equal_the_target_where_they_are_right(kind):
    y = TARGETS[kind]
    fit = slopewise.fit((X, y), task="classification")
    found = fit.predict(X)
    assert np.mean(found == y) == accuracy(fit, (X, y)) and np.mean(found == y) > 0.5
    assert y.dtype.kind != "i" or found.dtype == np.int64
    tensor = fit.predict(torch.from_numpy(X))
    assert isinstance(tensor, torch.Tensor) and torch.equal(tensor, torch.from_numpy(found))


def test_rows_without_a_prediction():
    for y in (TRUTH, TRUTH.astype(bool), np.array(["no", "yes"])[TRUTH]):
        frame = pd.DataFrame({"x": X[:, 0], "y": y})
        fit = slopewise.fit(frame, target="y", missing="drop")
        gap = frame.assign(x=frame.x.where(frame.index != 3))
        found = fit.predict(gap)["prediction"]
        assert found.isna().tolist() == [row == 3 for row in range(N)]
        assert (found.drop(3) == frame.y.drop(3)).mean() > 0.5
        polars = fit.predict(pl.from_pandas(gap))["prediction"]
        assert polars.null_count() == 1 and (polars == pl.Series(y)).mean() > 0.5


def test_minus_zero_is_the_class_zero(tmp_path):
    y = TRUTH.astype(float)
    first = np.where(np.arange(N) == np.argmin(y), -0.0, y)
    every = np.where(y == 0, -0.0, y)
    plain = slopewise.fit({"x": X[:, 0], "y": y}, target="y")
    for zeros in (first, every):
        for table in ({"x": X[:, 0], "y": zeros}, pl.DataFrame({"x": X[:, 0], "y": zeros}), (X[:, :1], zeros)):
            fit = slopewise.fit(table, target="y")
            assert fit.class_names == ("0", "1")
            assert fit.theta.tolist() == pytest.approx(plain.theta.tolist(), rel=1e-9)
        assert plain.evaluate({"x": X[:, 0], "y": zeros}) == plain.evaluate({"x": X[:, 0], "y": y})
        assert slopewise.fit({"x": X[:, 0], "y": zeros}, target="y").evaluate({"x": X[:, 0], "y": y}).n == N
    pd.DataFrame({"x": X[:, 0], "y": every}).to_csv(tmp_path / "t.csv", index=False)
    assert "-0.0" in (tmp_path / "t.csv").read_text()
    fit = slopewise.fit(tmp_path / "t.csv", target="y")
    assert fit.class_names == ("0", "1")
    assert '+ 0.0, ".17g")' in fit.code()


def test_clusters_of_minus_zero_and_zero_are_one():
    groups = np.arange(N) % 6 / 1.0
    minus = np.where((groups == 0) & (np.arange(N) > 20), -0.0, groups)
    one, other = (
        slopewise.fit({"x": X[:, 0], "g": g, "y": X[:, 1]}, target="y", features=["x"], cluster="g")
        for g in (groups, minus)
    )
    assert torch.equal(one.covariance, other.covariance)
