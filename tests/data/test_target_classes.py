"""Targets that are refused, and labels as class numbers."""

import numpy as np
import pytest
import torch

from slopewise.data.arrow import ColumnsChunk
from slopewise.data.source import Codes
from slopewise.data.target_classes import check_classes, class_numbers
from slopewise.data.unseen_levels import Unseen, without_unseen
from slopewise.errors import DataError


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({}, "target 't' holds no class at all"),
        ({"a": 5}, "target 't' holds only the class 'a' in the training rows"),
        ({str(i): 1 for i in range(30)}, "has a different value in each of its 30 rows, as an identifier has"),
        ({str(i): 2 for i in range(101)}, "target 't' has 101 classes, more than the limit of 100"),
        ({"a": 30, "b": 1, "c": 1}, "classes 'b', 'c' have one row each"),
    ],
)
def test_a_target_is_refused(rows: dict[str, int], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        check_classes("t", rows)


def test_a_class_may_have_a_single_row() -> None:
    check_classes("and", {"0": 3, "1": 1})
    check_classes("rare", {"0": 199, "1": 1})


def test_labels_become_numbers() -> None:
    found = Codes(np.array([1, 0, -1, 1]), ("b", "a"))
    numbers, unknown = class_numbers(found, ("a", "b", "c"))
    assert not unknown.any()
    torch.testing.assert_close(numbers, torch.tensor([0.0, 1.0, torch.nan, 0.0], dtype=torch.float64), equal_nan=True)


def test_an_unknown_class_is_named_unless_its_row_is_not_wanted() -> None:
    chunk = ColumnsChunk(10, {"t": Codes(np.array([0, 1]), ("a", "z"))})
    unknown = class_numbers(chunk.codes("t"), ("a", "b"))[1]
    unseen = [Unseen("target 't'", "class", chunk.codes("t"), ("a", "b"), unknown)]
    with pytest.raises(DataError, match="target 't' is 'z' in row 12, a class never seen in training"):
        without_unseen(unseen, chunk, None, False, None)
    assert without_unseen(unseen, chunk, np.array([True, False]), False, None).tolist() == [True, False]
    assert without_unseen(unseen, chunk, None, False, np.array([True, False])).tolist() == [True, True]
    assert without_unseen(unseen, chunk, None, True, None).tolist() == [True, False]
