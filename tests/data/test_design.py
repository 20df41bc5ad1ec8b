"""How columns become x, y and w, and what is refused on the way."""

import numpy as np
import pandas as pd
import pytest
import torch

import slopewise
from slopewise.data.design import Design
from slopewise.data.design_source import DesignSource
from slopewise.data.learn import learn_design, read_new
from slopewise.data.open import as_table
from slopewise.data.split import Split
from slopewise.errors import ColumnError, DataError, OptionError

PLANTS = {
    "soil": ["loam", "clay", None, "sand", "clay", "loam"],
    "shade": [True, False, True, None, False, False],
    "rain": [1.0, 2.0, 3.0, 4.0, float("nan"), 6.0],
    "height": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0],
}


def learned(data=PLANTS, *, missing="drop", split=None, **options):
    table = as_table(data)
    settings = {"target": "height", "features": None, "weights": None, "intercept": True} | options
    split = split or Split(0.0)
    return DesignSource(table, learn_design(table, missing=missing, split=split, **settings), split, "train")


def whole(source, size=100):
    batches = list(source.batches(size))
    return torch.cat([b.x for b in batches]), torch.cat([b.y for b in batches]), batches


def test_categories_are_coded_against_the_first_level_and_rows_with_gaps_are_dropped():
    source = learned()
    x, y, batches = whole(source)
    assert source.x_names == ("soil[loam]", "shade", "rain")
    assert source.design.features[0].absent == ("sand",), "the row of sand is dropped for its shade"
    assert x.tolist() == [[1, 1, 1], [0, 0, 2], [1, 0, 6]]
    assert y.tolist() == [3, 1, 9]
    assert (batches[0].dropped, batches[0].missing) == (3, (1, 1, 1, 0))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_batches_of_any_size_hold_the_same_rows(size):
    x, y, batches = whole(learned(), size)
    assert torch.equal(x, whole(learned())[0]) and torch.equal(y, whole(learned())[1])
    assert sum(b.dropped for b in batches) == 3


def test_mean_fills_numbers_with_the_mean_and_categories_with_the_commonest_level():
    x, _, batches = whole(learned(missing="mean"))
    assert x[4, 3] == pytest.approx((1 + 2 + 3 + 4 + 6) / 5)
    assert x[3, 2] == pytest.approx(2 / 5)
    assert x[2, :2].tolist() == [0, 0], "clay and loam are equally common; the first in order, clay, is the reference"
    assert batches[0].dropped == 0 and batches[0].missing == (1, 1, 1, 0)


def test_only_training_rows_are_learned_from():
    data = {"x": [float(i) for i in range(200)], "kind": ["a", "b"] * 100, "y": [float(i % 7) for i in range(200)]}
    split = Split(0.5, seed=1)
    held_out = split.mask("test", 0, 200)
    data["kind"] = [
        "only held out" if out and i % 3 == 0 else kind
        for i, (out, kind) in enumerate(zip(held_out, data["kind"], strict=True))
    ]
    source = learned(data, target="y", missing="mean", split=split)
    assert source.design.features[1].levels == ("a", "b")
    assert source.design.features[0].fill == pytest.approx(np.arange(200.0)[~held_out].mean())


def test_a_design_survives_its_own_description():
    design = learned(missing="mean").design
    assert Design.from_dict(design.to_dict()) == design


def test_numbers_in_a_matrix_are_used_where_they_lie():
    x = np.random.default_rng(0).standard_normal((10, 3))
    source = learned((x, x[:, 0]), target="y", missing="error")
    batch = next(iter(source.batches(100)))
    assert batch.x.data_ptr() == x.ctypes.data


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"target": "hieght"}, ColumnError, "target 'hieght' is not a column of .* Did you mean 'height'"),
        ({"features": ["rian"]}, ColumnError, "feature 'rian' is not a column .* Did you mean 'rain'"),
        ({"weights": "mass"}, ColumnError, "weights 'mass' is not a column"),
        ({"features": ["rain", "rain"]}, DataError, "named twice"),
        ({"features": ["rain", "height"]}, DataError, "also named as a feature"),
        ({"features": []}, DataError, "no feature column is left"),
        ({"missing": "dorp"}, OptionError, "missing 'dorp' is not known. Did you mean 'drop'"),
        ({"target": "soil"}, DataError, "target 'soil' is not numeric: it holds text, 'loam' in row 1"),
        ({"weights": "soil"}, DataError, "weights column 'soil' is not numeric"),
    ],
)
def test_invalid_options_are_refused(options, error, sentence):
    with pytest.raises(error, match=sentence):
        learned(**options)


def test_missing_values_are_named_with_column_row_and_count():
    source = learned({"a": [1.0, 2.0, None, None], "y": [1.0, 2.0, 3.0, 4.0]}, target="y", missing="error")
    assert "column 'a' holds 2 missing values (empty or NaN), the first in row 3" in str(source.first_invalid_value())


def test_infinite_values_are_named_whatever_the_policy():
    for missing in ("error", "drop", "mean"):
        data = {"a": [1.0, float("inf"), 3.0, 5.0], "y": [1.0, 2.0, 3.0, 4.0]}
        with pytest.raises(DataError, match="column 'a' holds 1 infinite value, the first in row 2"):
            slopewise.fit(data, target="y", missing=missing)


def test_an_unseen_level_is_named_with_its_row():
    source = learned()
    new = as_table({"soil": ["clay", "peat"], "shade": [True, True], "rain": [1.0, 2.0]})
    with pytest.raises(DataError, match="column 'soil' is 'peat' in row 2, a level never seen in training .*'clay'"):
        list(DesignSource(new, source.design, with_target=False).batches(10))


def test_missing_and_retyped_columns_are_named():
    design = learned().design
    with pytest.raises(ColumnError, match="has no column 'soil', which this fit was trained with"):
        read_new(design, as_table({"rain": [1.0], "shade": [True]}), with_target=False)
    retyped = as_table({"soil": [1.0], "shade": [True], "rain": [1.0]})
    with pytest.raises(DataError, match="column 'soil' of .* holds numbers, but .* trained with text"):
        read_new(design, retyped, with_target=False)


@pytest.mark.parametrize(
    ("weights", "sentence"), [([1.0, -2.0, 1.0], "is -2.0 in row 2"), ([0.0, 0.0, 0.0], "all weights are zero")]
)
def test_impossible_weights(weights, sentence):
    with pytest.raises(DataError, match=sentence):
        slopewise.fit({"x": [1.0, 2.0, 4.0], "w": weights, "y": [1.0, 2.0, 3.0]}, target="y", weights="w")


def test_all_rows_dropped_is_refused():
    with pytest.raises(DataError, match="no rows to fit on: all 2 were dropped for missing values"):
        slopewise.fit({"x": [None, 2.0], "y": [1.0, None]}, target="y", missing="drop")


def test_a_category_of_one_level_is_refused():
    with pytest.raises(DataError, match="column 'k' holds only the level 'a' in the training rows"):
        slopewise.fit({"k": ["a", "a", "a"], "y": [1.0, 2.0, 3.0]}, target="y")


def test_pandas_categories_and_integers_are_understood():
    frame = pd.DataFrame({"k": pd.Categorical(["u", "v", "u", "w"]), "i": [1, 2, 3, 5], "y": [1, 2, 2, 7]})
    x, y, _ = whole(learned(frame, target="y", missing="error"))
    assert x.tolist() == [[0, 0, 1], [1, 0, 2], [0, 0, 3], [0, 1, 5]] and y.tolist() == [1, 2, 2, 7]
