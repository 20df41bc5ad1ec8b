"""Every kind of table in memory gives the same fit, and bad shapes get a sentence."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import slopewise
from slopewise.data.open import as_table
from slopewise.errors import ColumnError, DataError, OptionError

X = np.random.default_rng(1).standard_normal((50, 2))
Y = X @ [2.0, -1.0] + 0.5 + np.random.default_rng(2).standard_normal(50) * 0.1
COLUMNS = {"x1": X[:, 0], "x2": X[:, 1], "y": Y}

KINDS = {
    "dict of arrays": COLUMNS,
    "dict of lists": {name: list(column) for name, column in COLUMNS.items()},
    "pandas": pd.DataFrame(COLUMNS),
    "polars": pl.DataFrame(COLUMNS),
    "polars lazy": pl.DataFrame(COLUMNS).lazy(),
    "pyarrow": pa.table(COLUMNS),
    "pair of arrays": (X, Y),
    "pair of tensors": (torch.from_numpy(X), torch.from_numpy(Y)),
    "pair of lists": (X.tolist(), Y.tolist()),
    "pair, Fortran order": (np.asfortranarray(X), Y),
    "pair, every second row": (np.repeat(X, 2, axis=0)[::2], np.repeat(Y, 2)[::2]),
    "pair, rows backwards": (X[::-1], Y[::-1]),
    "pair of frame and series": (pd.DataFrame(X, columns=["x1", "x2"]), pd.Series(Y)),
    "pandas, rows taken out": pd.DataFrame(COLUMNS).reindex([*range(49, -1, -1)]),
    "read-only array": (np.frombuffer(X.tobytes()).reshape(50, 2), Y),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_coefficients(kind):
    fit = slopewise.fit(KINDS[kind], target="y")
    assert fit.design.names == ("(intercept)", "x1", "x2")
    expected = np.linalg.lstsq(np.column_stack([np.ones(50), X]), Y, rcond=None)[0]
    assert fit.theta.tolist() == pytest.approx(expected, rel=1e-12)


def test_float32_and_integers_are_summed_in_float64():
    x, y = X.astype(np.float32), np.arange(50)
    fit = slopewise.fit((x, y))
    expected = np.linalg.lstsq(np.column_stack([np.ones(50), x.astype(float)]), y, rcond=None)[0]
    assert fit.theta.tolist() == pytest.approx(expected, rel=1e-10)


def test_many_partitions_give_the_same_as_one():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((300_000, 2))
    y = x @ [1.0, 2.0] + rng.standard_normal(len(x))
    assert len(as_table((x, y)).partitions(16)) == 5
    frame = pa.table({"x1": x[:, 0], "x2": x[:, 1], "y": y})
    ours, arrow = slopewise.fit((x, y)), slopewise.fit(frame, target="y")
    expected = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), y, rcond=None)[0]
    assert ours.theta.tolist() == pytest.approx(expected, rel=1e-11)
    # Column by column or row by row, a product of blocks adds in another order: rounding only.
    assert arrow.theta.tolist() == pytest.approx(ours.theta.tolist(), rel=1e-12)
    assert torch.equal(ours.theta, slopewise.fit((x, y)).theta)


FRAME = pd.DataFrame({"x1": X[:, 0], "x2": X[:, 1]})
SHUFFLED = np.random.default_rng(4).permutation(50)


@pytest.mark.parametrize("kind", [list, tuple, torch.from_numpy, pd.Series, pl.Series, np.asarray])
@pytest.mark.parametrize(
    "table", [(X, Y), (FRAME, Y), FRAME.assign(y=Y), COLUMNS, pl.DataFrame(COLUMNS), pa.table(COLUMNS)]
)
def test_weights_beside_a_table_go_by_position(table, kind):
    w = np.linspace(0.1, 2.0, 50)
    fit = slopewise.fit(table, target="y", weights=kind(w))
    root = np.sqrt(w)[:, None]
    expected = np.linalg.lstsq(root * np.column_stack([np.ones(50), X]), root[:, 0] * Y, rcond=None)[0]
    assert fit.theta.tolist() == pytest.approx(expected, rel=1e-11)


def test_weights_that_do_not_go_beside_the_table(tmp_path):
    with pytest.raises(DataError, match="the indexes of the table and weights differ"):
        slopewise.fit(FRAME.assign(y=Y), target="y", weights=pd.Series(np.ones(50)).iloc[SHUFFLED])
    with pytest.raises(DataError, match="the table has 50 rows and weights has 49"):
        slopewise.fit(COLUMNS, target="y", weights=np.ones(49))
    with pytest.raises(ColumnError, match="the table already has a column 'weights'"):
        slopewise.fit({**COLUMNS, "weights": np.ones(50)}, target="y", weights=np.ones(50))
    FRAME.assign(y=Y).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(OptionError, match="weights is a ndarray, but the table is read from a file"):
        slopewise.fit(tmp_path / "t.csv", target="y", weights=np.ones(50))
    # Beside a matrix, which has no index, a series of weights goes by position.
    w = pd.Series(np.linspace(0.1, 2.0, 50))
    by_position = slopewise.fit((X, Y), weights=w.iloc[SHUFFLED])
    assert torch.equal(by_position.theta, slopewise.fit((X, Y), weights=w.to_numpy()[SHUFFLED]).theta)


def test_an_ordinary_matrix_is_not_copied():
    x, y = X.copy(), Y.copy()
    for pair in ((x, y), (torch.from_numpy(x), torch.from_numpy(y))):
        whole = as_table(pair).whole
        assert whole.numbers(("x1", "x2")).data_ptr() == x.ctypes.data
        assert whole.numbers(("y",)).data_ptr() == y.ctypes.data
    arrow = as_table({"x": x[:, 0].copy(), "y": y}).arrow
    assert arrow["y"].chunk(0).buffers()[1].address == y.ctypes.data


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ((X, np.column_stack([Y, Y])), r"y has shape \(50, 2\), expected \(50,\)"),
        ((X[:, 0], Y), r"X has shape \(50,\), expected \(n, q\)"),
        ((X, Y[:-1]), "X has 50 rows and y has 49"),
        ((X[None], Y), r"X has shape \(1, 50, 2\)"),
        ((X, np.array(["a"] * 50)), "y holds <U1 values, expected numbers"),
        ((X, Y, Y), "received a tuple of 3"),
        ({"a": [1.0], "y": [1.0, 2.0]}, "columns have unequal lengths"),
        ({"a": np.ones((2, 2)), "y": [1.0, 2.0]}, r"column 'a' has shape \(2, 2\)"),
        (42, "received int, which is not a table"),
        ({"d": pd.to_datetime(["2020-01-01", "2020-01-02"]), "y": [1.0, 2.0]}, "holds dates or times"),
    ],
)
def test_bad_shapes_get_a_sentence(table, sentence):
    with pytest.raises(DataError, match=sentence):
        slopewise.fit(table, target="y")


def test_options_that_do_not_apply_to_a_table_in_memory():
    with pytest.raises(OptionError, match="table_name 'people' is for database files"):
        slopewise.fit((X, Y), table_name="people")
    with pytest.raises(OptionError, match="features is the text 'x1'"):
        slopewise.fit(COLUMNS, target="y", features="x1")
    with pytest.raises(DataError, match="no target was named"):
        slopewise.fit(COLUMNS)
