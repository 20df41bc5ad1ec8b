"""Rows stored column by column, and their conversion from Arrow."""

import decimal

import numpy as np
import pyarrow as pa
import pytest
import torch

from slopewise.data.arrow import (
    ColumnsChunk,
    check_usable,
    column_from_arrow,
    kind_of_arrow,
    schema_from_arrow,
)
from slopewise.data.source import Codes
from slopewise.errors import DataError


def test_one_column_is_shared_and_several_are_laid_out_column_by_column():
    shared = column_from_arrow(pa.array([1.0, 2.0, 3.0]), "number")
    chunk = ColumnsChunk(5, {"a": shared, "b": np.array([7.0, np.nan, 9.0])})
    one = chunk.numbers(["a"])
    assert one.shape == (3, 1) and one.data_ptr() == shared.ctypes.data
    both = chunk.numbers(["b", "a"])
    assert both.dtype == torch.float64 and both.T.is_contiguous()
    np.testing.assert_array_equal(both.numpy(), [[7, 1], [np.nan, 2], [9, 3]])
    assert chunk.numbers([]).shape == (3, 0)


def test_rows_share_memory_and_keep_count_of_their_place():
    codes = Codes(np.array([0, -1, 1]), ("x", "y"))
    chunk = ColumnsChunk(10, {"a": np.arange(3.0), "g": codes})
    cut = chunk.rows(1, 99)
    assert (cut.start, len(cut)) == (11, 2)
    assert np.shares_memory(cut.columns["a"], chunk.columns["a"])
    assert cut.codes("g").codes.tolist() == [-1, 1]


def test_asking_for_the_wrong_kind_says_what_to_do():
    chunk = ColumnsChunk(0, {"a": np.arange(2.0), "g": Codes(np.array([0, 0]), ("x",))})
    with pytest.raises(DataError) as error:
        chunk.numbers(["g"])
    assert str(error.value) == "Column 'g' holds text and was requested as a number; use it as a category."
    with pytest.raises(DataError, match="Column 'a' holds numbers and was requested as a category"):
        chunk.codes("a")


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (pa.array([1, None, 3]), "number", [1, np.nan, 3]),
        (pa.array([1.5, None], pa.float32()), "number", [1.5, np.nan]),
        (pa.array([2**63 - 1]), "number", [2.0**63]),
        (pa.array([decimal.Decimal("1.25"), None]), "number", [1.25, np.nan]),
        (pa.array([True, None, False]), "boolean", [1, np.nan, 0]),
        (pa.nulls(2), "number", [np.nan, np.nan]),
        (pa.chunked_array([[1.0], [None, 2.0]]), "number", [1, np.nan, 2]),
    ],
)
def test_numbers_from_arrow(array, kind, expected):
    assert kind_of_arrow(array.type) == kind
    column = column_from_arrow(array, kind)
    assert column.dtype == np.float64
    np.testing.assert_array_equal(column, expected)


@pytest.mark.parametrize(
    ("array", "codes", "levels"),
    [
        (pa.array(["a", None, "b", "a"]), [0, -1, 1, 0], ("a", "b")),
        (pa.array(["a", None], pa.string_view()), [0, -1], ("a",)),
        (pa.DictionaryArray.from_arrays([1, 0, None], [5, 6]), [1, 0, -1], ("5", "6")),
        (pa.DictionaryArray.from_arrays([0, 1, 2], ["x", None, "x"]), [0, -1, 0], ("x",)),
        (pa.chunked_array([pa.array([w]).dictionary_encode() for w in "ab"]), [0, 1], ("a", "b")),
    ],
)
def test_categories_from_arrow(array, codes, levels):
    assert kind_of_arrow(array.type) == "category"
    column = column_from_arrow(array, "category")
    assert column.codes.dtype == np.int64
    assert (column.codes.tolist(), column.levels) == (codes, levels)


def test_dates_and_lists_are_listed_and_refused_when_asked_for():
    types = pa.schema([("a", pa.int8()), ("when", pa.timestamp("us")), ("l", pa.list_(pa.int8()))])
    assert schema_from_arrow(types).names == ("a", "when", "l")
    check_usable(types, ["a"])
    with pytest.raises(DataError) as error:
        check_usable(types, ["a", "when"])
    assert str(error.value) == (
        "Column 'when' holds dates or times (timestamp[us]), which are not numbers; leave it out with "
        "exclude=['when'], or turn it into a number first, for example days since a start date."
    )
    with pytest.raises(DataError, match="Column 'l' holds values of type list<.*>, which are neither"):
        check_usable(types, ["l"])
