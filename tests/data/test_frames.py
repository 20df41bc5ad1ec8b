"""Frames under whatever names their columns have, and options that name columns in whatever way."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import slopewise
from slopewise.errors import ColumnError, DataError, OptionError

RNG = np.random.default_rng(5)
N = 40
X = np.column_stack([RNG.normal(size=N), RNG.integers(0, 9, N)])
Y = 1 + X @ [2.0, -0.5] + RNG.normal(size=N) * 0.1
ALL = np.column_stack([X, Y])
WANTED = np.linalg.lstsq(np.column_stack([np.ones(N), X]), Y, rcond=None)[0]
FRAME = pd.DataFrame(ALL, columns=["x", "z", "y"])


def check(fit, *names):
    assert fit.design.x_names == names
    assert fit.theta.tolist() == pytest.approx(WANTED, rel=1e-9)


def test_columns_of_one_name_are_refused_by_that_name():
    names = ["a", "a", "y"]
    for frame in (pd.DataFrame(ALL, columns=names), pa.table(list(ALL.T), names=names)):
        with pytest.raises(DataError, match="2 columns of the table have the name 'a'; rename all but one"):
            slopewise.fit(frame, target="y")
    with pytest.raises(DataError, match=r"2 columns of the table have the name '1' \(1, '1'\)"):
        slopewise.fit(pd.DataFrame(ALL, columns=[1, "1", "y"]), target="y")
    both = pd.MultiIndex.from_tuples([("a", "b_c"), ("a_b", "c"), ("y", "")])
    with pytest.raises(DataError, match="2 columns of the table have the name 'a_b_c'"):
        slopewise.fit(pd.DataFrame(ALL, columns=both), target="y")


@pytest.mark.parametrize("target", ["t_y", ("t", "y")])
@pytest.mark.parametrize("features", [None, ["m_x", "m_z"], [("m", "x"), ("m", "z")]])
def test_names_of_several_levels_are_joined(target, features):
    names = pd.MultiIndex.from_tuples([("m", "x"), ("m", "z"), ("t", "y")])
    frame = pd.DataFrame(ALL, columns=names)
    fit = slopewise.fit(frame, target=target, features=features)
    check(fit, "m_x", "m_z")
    assert fit.predict(frame)["prediction"].to_numpy() == pytest.approx(fit.predict(frame[["m"]])["prediction"])
    check(slopewise.fit({("m", "x"): X[:, 0], ("m", "z"): X[:, 1], ("t", "y"): Y}, target=target), "m_x", "m_z")


def test_a_pivoted_frame():
    long = FRAME.reset_index().melt(id_vars="index", var_name="what")
    wide = long.pivot_table(index="index", columns="what", values=["value"]).reset_index()
    check(slopewise.fit(wide, target="value_y", features=["value_x", "value_z"]), "value_x", "value_z")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([2019, 2020, 2021], ("2019", "2020")),
        ([0, 1, 2], ("0", "1")),
        ([2, 0, 1], ("2", "0")),
        ([0.5, 1.5, 2.5], ("0.5", "1.5")),
        ([True, False, "y"], ("True", "False")),
        (list(pd.to_datetime([f"2020-01-0{day}" for day in (1, 2, 3)])),
         ("2020-01-01 00:00:00", "2020-01-02 00:00:00")),
    ],
)  # fmt: skip
def test_names_that_are_not_text_are_used_as_text(labels, names):
    frame = pd.DataFrame(ALL, columns=labels)
    target = labels[2]
    for named in {str(target), target} if not isinstance(target, pd.Timestamp) else [str(target)]:
        fit = slopewise.fit(frame, target=named)
        check(fit, *names)
    assert fit.predict(frame)["prediction"].shape == (N,)
    check(slopewise.fit((frame.iloc[:, :2], Y)), *names)
    check(slopewise.fit(dict(zip(labels, ALL.T, strict=True)), target=str(target)), *names)


def test_a_label_never_becomes_a_position():
    frame = pd.DataFrame(np.column_stack([Y, X]), columns=[2, 0, 1])
    for target in (2, "2", np.int64(2)):
        check(slopewise.fit(frame, target=target), "0", "1")
    check(slopewise.fit(frame, target=2, features=[0, 1]), "0", "1")
    check(slopewise.fit(frame, target=2, features=frame.columns[1:]), "0", "1")
    with pytest.raises(ColumnError, match="target '2' is not a column of the table"):
        slopewise.fit(FRAME, target=2)
    with pytest.raises(ColumnError, match="feature '1' is not a column of the table"):
        slopewise.fit(FRAME, target="y", features=[1])


@pytest.mark.parametrize(
    "features",
    [
        FRAME.columns[:2],
        FRAME.columns.drop("y"),
        np.array(["x", "z"]),
        np.array(["x", "z"], dtype=object),
        pd.Series(["x", "z"]),
        pl.Series(["x", "z"]),
        ("x", "z"),
        {"x": 1, "z": 2}.keys(),
        {"z", "x"},
        FRAME[["x", "z"]],
    ],
)
def test_features_may_be_any_list_of_names(features):
    check(slopewise.fit(FRAME, target="y", features=features), "x", "z")
    check(
        slopewise.fit(FRAME, target="y", features=iter(list(features)) if not isinstance(features, set) else features),
        "x",
        "z",
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"target": ["y", "z"]}, "target is a list, expected the name of one column"),
        ({"target": FRAME["y"]}, "target is a Series, expected the name of one column"),
        ({"target": Y}, "target is a ndarray, expected the name of one column"),
        ({"target": "y", "features": 2}, "features is 2; give a list of column names"),
        ({"target": "y", "features": [["x"], ["z"]]}, "features holds a list; give a list of column names"),
        ({"target": "y", "cluster": ["x"]}, "cluster is a list, expected the name of one column"),
    ],
)
def test_what_names_no_column_gets_a_sentence(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        slopewise.fit(FRAME, **options)


def test_y_may_be_a_frame_of_one_column():
    x = FRAME[["x", "z"]]
    for y in (FRAME[["y"]], Y[:, None], pl.DataFrame({"price": Y}), pl.LazyFrame({"p": Y}), pa.table({"p": Y})):
        check(slopewise.fit((x, y)), "x", "z")
        check(slopewise.fit((pl.from_pandas(x), y)), "x", "z")
        check(slopewise.fit((X, y)), "x1", "x2")
    for other in (x, X):
        with pytest.raises(DataError, match="y has the 2 columns 'y', 'z', expected one value per row"):
            slopewise.fit((other, FRAME[["y", "z"]]))
    fit = slopewise.fit((FRAME["x"], Y))
    assert fit.design.x_names == ("x",)
    assert slopewise.fit((pl.Series("x", X[:, 0]), Y)).theta.tolist() == fit.theta.tolist()


def mixed(frame):
    notes = [1, "a", None, 2.5] * (N // 4)
    return frame.assign(note=pd.Series(notes, dtype=object), items=pd.Series([{"k": 1}] * (N - 1) + [[1, 2]]))


def test_a_column_of_numbers_and_text_is_named_and_only_where_it_is_used():
    frame = mixed(FRAME)
    with pytest.raises(DataError, match="column 'note' mixes numbers and text: 1 in row 1 and 'a' in row 2"):
        slopewise.fit(frame, target="y")
    with pytest.raises(DataError, match="column 'note' mixes numbers and text"):
        slopewise.fit(frame, target="note", features=["x"])
    with pytest.raises(DataError, match=r"column 'items' holds values of type dict, such as \{'k': 1\} in row 1"):
        slopewise.fit(frame, target="y", features=["x", "items"])
    fit = slopewise.fit(frame, target="y", features=["x", "z"])
    check(fit, "x", "z")
    assert fit.predict(frame)["prediction"].to_numpy() == pytest.approx(fit.predict(FRAME)["prediction"])
    with pytest.raises(DataError, match="column 'x' mixes numbers and text"):
        fit.predict(mixed(FRAME).rename(columns={"x": "old", "note": "x"}))
    mixture = pd.DataFrame({"x": pd.Categorical([1, "a"] * (N // 2)), "y": Y})
    with pytest.raises(DataError, match="column 'x' mixes numbers and text"):
        slopewise.fit(mixture, target="y")


def test_columns_of_unusual_types_are_used():
    want = pytest.approx(WANTED, rel=1e-9)
    z = X[:, 1].astype(int)
    columns = {"x": X[:, 0], "z": z, "y": Y}
    frames = [
        pd.DataFrame({**columns, "z": pd.arrays.SparseArray(z)}),
        pd.DataFrame({**columns, "z": pd.Series(z, dtype=object)}),
        pd.DataFrame({**columns, "z": pd.Series(z, dtype="Int64")}),
        pd.DataFrame({**columns, "z": z.astype(np.longdouble)}),
        pd.DataFrame({**columns, "x": X[:, 0].astype(">f8"), "z": z.astype(">i2")}),
        pl.DataFrame(columns).with_columns(pl.col("z").cast(pl.Int128)),
        pl.DataFrame(columns).with_columns(pl.col("z").cast(pl.UInt8)).lazy(),
        pa.table(columns).to_batches()[0],
    ]
    for frame in frames:
        fit = slopewise.fit(frame, target="y")
        assert fit.theta.tolist() == want
        assert np.asarray(fit.predict(frame)["prediction"]).shape == (N,)
    huge = pd.DataFrame({**columns, "z": pd.Series([int(value) * 2**80 for value in z], dtype=object)})
    assert float(slopewise.fit(huge, target="y").theta[2]) * 2.0**80 == pytest.approx(WANTED[2], rel=1e-9)


def test_one_row_in_every_form():
    fit = slopewise.fit(FRAME, target="y")
    want = pytest.approx([float(fit.theta[0] + 4.0 * fit.theta[1] + fit.theta[2])], rel=1e-12)
    for row in (
        {"x": 4.0, "z": 1.0},
        {"x": np.float64(4), "z": 1},
        {"x": np.array(4.0), "z": True},
        {"x": [4.0], "z": [1]},
        [{"x": 4.0, "z": 1.0}],
        pd.Series({"x": 4.0, "z": 1.0}),
        pd.Series({"x": 4.0, "z": 1.0, "note": "a"}, name=7),
    ):
        assert np.asarray(fit.predict(row)["prediction"], dtype=float).tolist() == want
    row = fit.predict(FRAME.iloc[3])
    assert isinstance(row, pd.DataFrame) and list(row.index) == [3]
    two = fit.predict([{"x": 4.0, "z": 1.0}, {"z": 1.0, "x": 4.0, "more": "a"}])["prediction"]
    assert two[0] == two[1]
    with pytest.raises(DataError, match="column 'z' holds 1 missing value"):
        fit.predict([{"x": 4.0, "z": 1.0}, {"x": 4.0}])
    with pytest.raises(ColumnError, match="has no column 'z', which this fit was trained with"):
        fit.predict({"x": 4.0})
    with pytest.raises(DataError, match=r"a single row with X.reshape\(1, -1\)"):
        fit.predict([4.0, 1.0])
    with pytest.raises(ColumnError, match="the matrix has no column 'x'"):
        fit.predict([[4.0, 1.0]])
    matrix = slopewise.fit((X, Y))
    assert matrix.predict([[4.0, 1.0]]).tolist() == want
    with pytest.raises(DataError, match=r"a single row with X.reshape\(1, -1\)"):
        matrix.predict(X[0])
    sexes = slopewise.fit({"g": ["f", "m"] * 20, "y": Y}, target="y")
    assert sexes.predict({"g": "m"})["prediction"].tolist() == sexes.predict({"g": ["m"]})["prediction"].tolist()
    records = FRAME.to_dict("records")
    check(slopewise.fit(records, target="y"), "x", "z")
    check(slopewise.fit((FRAME[["x", "z"]].to_dict("records"), Y)), "x", "z")
