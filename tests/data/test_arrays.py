"""Arrays of every kind are used as the numbers that they are, or refused in a sentence; never misread."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

import slopewise
from slopewise.errors import DataError

RNG = np.random.default_rng(5)
N = 40
X = np.column_stack([RNG.normal(size=N), RNG.integers(0, 9, N)])
Y = 1 + X @ [2.0, -0.5] + RNG.normal(size=N) * 0.1


def least_squares(x, y):
    return np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), y, rcond=None)[0]


def packed(values):
    """Return the values as a field of packed records, whose strides are no whole number of elements."""
    records = np.zeros(len(values), dtype=[("flag", "i1"), ("value", "f8")])
    records["value"] = values
    return records["value"]


SAME = {
    "big-endian X": (X.astype(">f8"), Y),
    "big-endian y": (X, Y.astype(">f8")),
    "long double": (X.astype(np.longdouble), Y.astype(np.longdouble)),
    "negative strides": (X[::-1, ::-1][::-1, ::-1], Y[::-1].copy()[::-1]),
    "broadcast and packed": (X, packed(Y)),
    "objects": (X.astype(object), Y.astype(object)),
    "decimals": (X, [Decimal(repr(value)) for value in Y.tolist()]),
    "fractions": (X, [Fraction(value) for value in Y.tolist()]),
    "list of tensors": (
        X,
        np.array([torch.tensor(value, dtype=torch.float64) for value in Y.tolist()] + [None], dtype=object)[:-1],
    ),
    "masked, nothing masked": (np.ma.MaskedArray(X), np.ma.MaskedArray(Y)),
    "matrix class": (np.asmatrix(X), np.asmatrix(Y).T),
    "sparse tensor": (torch.from_numpy(X).to_sparse(), torch.from_numpy(Y)),
    "needs gradient": (torch.from_numpy(X).requires_grad_(), torch.nn.Parameter(torch.from_numpy(Y))),
    "y is a column": (X, Y[:, None]),
    "y is a tensor column": (torch.from_numpy(X), torch.from_numpy(Y)[:, None]),
    "y is a frame": (X, pd.DataFrame({"price": Y})),
    "y is a Polars frame": (X, pl.DataFrame({"price": Y})),
    "tuples": (tuple(map(tuple, X.tolist())), tuple(Y.tolist())),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_numbers_are_used(kind):
    fit = slopewise.fit(SAME[kind])
    assert fit.theta.tolist() == pytest.approx(least_squares(X, Y), rel=1e-9)


@pytest.mark.parametrize("kind", SAME)
def test_the_numbers_are_used_in_a_dict(kind):
    x, y = SAME[kind]
    if isinstance(x, torch.Tensor):
        x = x.detach().to_dense()
    columns = {"a": x[:, 0], "b": x[:, 1]} if not isinstance(x, tuple) else {"a": [r[0] for r in x], "b": X[:, 1]}
    if isinstance(x, np.matrix):
        y = np.asarray(y)[:, 0]
    if not isinstance(y, pd.DataFrame | pl.DataFrame):
        fit = slopewise.fit({**columns, "y": y}, target="y")
        assert fit.theta.tolist() == pytest.approx(least_squares(X, Y), rel=1e-9)


@pytest.mark.parametrize("dtype", ["f2", "f4", "i1", "u1", "i2", "u2", "u4", "u8", ">u2", ">i4", "?"])
def test_every_type_of_number(dtype):
    x = RNG.integers(0, 2 if dtype == "?" else 9, (N, 3)).astype(dtype)
    want = least_squares(x[:, [0, 2]].astype(float), Y)
    for fit in (
        slopewise.fit((x, Y), features=["x1", "x3"]),
        slopewise.fit({"x1": x[:, 0], "x3": x[:, 2], "y": Y}, target="y"),
        slopewise.fit(pd.DataFrame({"x1": x[:, 0], "x3": x[:, 2], "y": Y}), target="y"),
    ):
        assert fit.theta.tolist() == pytest.approx(want, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64, torch.bfloat16, torch.float16, torch.bool])
def test_every_type_of_tensor(dtype):
    x = torch.from_numpy(RNG.integers(0, 2, (N, 3))).to(dtype)
    want = least_squares(x[:, :2].to(torch.float64).numpy(), Y)
    assert slopewise.fit((x, Y), features=["x1", "x2"]).theta.tolist() == pytest.approx(want, rel=1e-9)
    table = {"a": x[:, 0], "b": x[:, 1], "y": torch.from_numpy(Y)}
    assert slopewise.fit(table, target="y").theta.tolist() == pytest.approx(want, rel=1e-9)


def test_masked_entries_are_missing_and_never_used():
    x, y = X.copy(), Y.copy()
    x[3, 0], y[7] = 1e6, -1e6
    masked, masked_y = np.ma.masked_greater(x, 1e5), np.ma.masked_less(y, -1e5)
    kept = np.delete(np.arange(N), [3, 7])
    want = least_squares(X[kept], Y[kept])
    columns = {"x1": masked[:, 0], "x2": masked[:, 1], "y": masked_y}
    for table in ((masked, masked_y), columns, (pd.DataFrame({"x1": masked[:, 0], "x2": X[:, 1]}), masked_y)):
        fit = slopewise.fit(table, target="y", missing="drop")
        assert fit.n == N - 2 and fit.theta.tolist() == pytest.approx(want, rel=1e-9)
    for table in ((masked, y), (x, masked_y), columns):
        with pytest.raises(DataError, match="holds 1 missing value"):
            slopewise.fit(table, target="y")
    weights = np.ma.masked_equal(np.where(np.arange(N) == 5, 9.0, 1.0), 9.0)
    fit = slopewise.fit((X, Y), weights=weights, missing="drop")
    assert fit.theta.tolist() == pytest.approx(least_squares(np.delete(X, 5, 0), np.delete(Y, 5)), rel=1e-9)
    whole = np.ma.masked_equal(np.arange(N), 4)
    assert slopewise.fit((X, whole), missing="drop").n == N - 1
    fit = slopewise.fit((X, Y))
    with pytest.raises(DataError, match="column 'x1' holds 1 missing value"):
        fit.predict(masked)


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ((X + 1j, Y), "X"),
        ((torch.tensor(X + 1j), torch.tensor(Y)), "X"),
        ((torch.tensor(X), torch.tensor(Y + 1j)), "y"),
        ((X.astype(complex).tolist(), Y), "X"),
        ((X.astype(complex).astype(object), Y), "X"),
        ((np.ma.MaskedArray(X + 1j), Y), "X"),
        ({"x": X[:, 0] + 1j, "y": Y}, "column 'x'"),
        ({"x": torch.tensor(X[:, 0] + 1j), "y": Y}, "column 'x'"),
        ({"x": [1j] * N, "y": Y}, "column 'x'"),
        (pd.DataFrame({"x": X[:, 0] + 1j, "y": Y}), "column 'x'"),
        ((pd.DataFrame({"x": X[:, 0]}), Y + 1j), "column 'y'"),
    ],
)
def test_complex_numbers_are_refused(table, what):
    with pytest.raises(DataError, match=f"^{what} holds complex numbers, expected real ones"):
        slopewise.fit(table, target="y")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (([[1.0, 2.0], [1.0]], [1.0, 2.0]), "X has rows of unequal length"),
        ((np.array([[1, "a"], [2, 3]], dtype=object), [1.0, 2.0]), "column 2 of X mixes numbers and text: 3 in row 2"),
        ((X, ["a"] * N), "y holds <U1 values, expected numbers"),
        ((X, pd.Series(["a"] * N)), "y holds values of type str, such as 'a' in row 1"),
        ((scipy.sparse.csr_matrix(X), Y), r"X is a sparse csr_matrix, .* give X.toarray\(\)"),
        ((scipy.sparse.coo_array(X), Y), r"X is a sparse coo_array"),
        ((torch.empty(3, 2, device="meta"), [1.0, 2.0, 3.0]), "X is a tensor on the device meta"),
        ({"x": {0: 1.0, 1: 2.0}, "y": [1.0, 2.0]}, "column 'x' is a dict, expected one value per row"),
        ({"x": {1.0, 2.0}, "y": [1.0, 2.0]}, "column 'x' is a set, expected one value per row"),
        ({"x": 1.0, "y": [1.0, 2.0]}, "column 'x' is the single value 1.0"),
        ({"x": "ab", "y": [1.0, 2.0]}, "column 'x' is a str"),
        ({"x": [1, "a"], "y": [1.0, 2.0]}, "column 'x' mixes numbers and text: 1 in row 1 and 'a' in row 2"),
        ({"x": ["a", 2.5], "y": [1.0, 2.0]}, "column 'x' mixes numbers and text: 2.5 in row 2 and 'a' in row 1"),
        ({"x": ["a", "\ud800"], "y": [1.0, 2.0]}, "column 'x' holds text that is not valid Unicode"),
        ({"x": [[1], [2]], "y": [1.0, 2.0]}, "'x' holds values of type list"),
        ({1: [1.0, 2.0], "1": [1.0, 2.0]}, "2 columns of the table have the name '1'"),
        ([], "expected"),
    ],
)  # fmt: skip
def test_what_is_no_column_of_numbers_gets_a_sentence(table, sentence):
    with pytest.raises(DataError, match=sentence):
        slopewise.fit(table, target="y")


def test_generators_mixed_numbers_and_wide_integers():
    table = {"x": (value for value in [2**70, True, Decimal("0.5"), 3]), "y": [1.0, 2.0, 3.0, 5.0]}
    fit = slopewise.fit(table, target="y")
    want = np.linalg.lstsq(
        np.column_stack([np.ones(4), [1.0, 2.0**-70, 0.5 * 2.0**-70, 3 * 2.0**-70]]), [1.0, 2.0, 3.0, 5.0], rcond=None
    )[0]
    assert float(fit.theta[1]) * 2.0**70 == pytest.approx(want[1], rel=1e-9)


@pytest.mark.parametrize("series", [pd.Series, lambda y: pd.Series(y, index=list("ab" * 20))])
def test_rows_of_other_indexes_are_never_joined_by_position(series):
    frame = pd.DataFrame(X, columns=["x", "z"])
    shuffled = pd.Series(Y).sample(frac=1, random_state=1)
    assert sorted(shuffled.index) == list(frame.index)
    for table in (
        (frame, shuffled),
        (frame, shuffled.to_frame("price")),
        (frame["x"], shuffled),
        (frame, pd.Series(Y, index=range(1, N + 1))),
        {"x": frame["x"], "y": shuffled},
        {"x": frame["x"], "z": X[:, 1], "y": shuffled},
    ):
        with pytest.raises(DataError, match=r"the indexes of [Xx] and y differ: row 1 is .* y.reindex\([Xx].index\)"):
            slopewise.fit(table, target="y")
    with pytest.raises(DataError, match="the indexes of X and y differ"):
        slopewise.fit((frame, Y)).evaluate((frame, shuffled))
    want = pytest.approx(least_squares(X, Y), rel=1e-9)
    labels = series(Y).index
    for table in (
        (frame, Y),
        (frame.set_axis(labels), series(Y)),
        (frame.iloc[::-1], Y[::-1]),
        (X, shuffled.sort_index()),
        (frame.to_numpy(), pd.Series(Y, index=shuffled.index)),
    ):
        assert slopewise.fit(table).theta.tolist() == want


def test_a_matrix_of_another_width_is_refused():
    fit = slopewise.fit((X, Y))
    for rows in (np.column_stack([X, X, Y]), np.column_stack([Y, X]), X[:, :1], torch.from_numpy(np.hstack([X, X]))):
        width = rows.shape[1]
        sentence = f"has {width} columns? and this fit was trained with 2"
        with pytest.raises(DataError, match=sentence):
            fit.predict(rows)
        with pytest.raises(DataError, match=sentence):
            fit.evaluate((rows, Y))
        with pytest.raises(DataError, match=sentence):
            fit.predict(rows.tolist())
    wide = np.column_stack([X, X[:, 0] ** 2, Y])
    chosen = slopewise.fit((wide[:, :3], Y), features=["x1", "x2"])
    assert chosen.predict(wide[:, :3]) == pytest.approx(fit.predict(X))
    with pytest.raises(DataError, match="has 4 columns and this fit was trained with 3"):
        chosen.predict(wide)
    bare = slopewise.fit(wide, target="x4", features=["x1", "x2"])
    assert bare.predict(wide) == pytest.approx(fit.predict(X))
    assert bare.predict(wide[:, :3]) == pytest.approx(fit.predict(X))
    named = slopewise.fit({"x1": X[:, 0], "x2": X[:, 1], "y": Y}, target="y")
    assert named.predict(X) == pytest.approx(fit.predict(X))
    with pytest.raises(DataError, match="has 4 columns and this fit was trained with 2"):
        named.predict(wide)
    frame = pd.DataFrame(X, columns=["x1", "x2"])
    assert fit.predict(frame.assign(x3=0.0))["prediction"].to_numpy() == pytest.approx(fit.predict(X))


def test_the_width_is_kept_in_the_file(tmp_path):
    slopewise.fit((X, Y), features=["x1"]).save(tmp_path / "f.safetensors")
    again = slopewise.load(tmp_path / "f.safetensors")
    assert again.predict(X).shape == (N,)
    with pytest.raises(DataError, match="has 1 column and this fit was trained with 2"):
        again.predict(X[:, :1])


def test_the_width_of_a_matrix_is_kept_where_it_is_read_as_is_said() -> None:
    x = np.array([[1.0, 5.0], [2.0, -9999.0], [3.0, 6.0], [4.0, 8.0], [5.0, 7.0]])
    fit = slopewise.fit((x, x[:, 0] * 2 + 1), features=["x2"], na_values=["-9999"], missing="drop")
    assert fit.n == 4 and fit.predict(x).shape == (5,)
    with pytest.raises(DataError, match="has 3 columns and this fit was trained with"):
        fit.predict(np.ones((2, 3)))
