"""Targets that are refused, and labels as class numbers."""

import numpy as np
import pytest
import torch

from slopewise.data.source import Codes
from slopewise.data.target_classes import check_classes, class_numbers
from slopewise.errors import DataError


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({}, "target 't' holds no class at all"),
        ({"a": 5}, "target 't' holds only the class 'a' in the training rows"),
        ({str(i): 1 for i in range(30)}, "has a different value in each of its 30 rows, as an identifier has"),
        ({str(i): 2 for i in range(101)}, "target 't' has 101 classes, more than the limit of 100"),
        ({"a": 30, "b": 1}, "class 'b' has one row each in target 't'"),
        ({"a": 30, "b": 1, "c": 1}, "classes 'b', 'c' have one row each"),
    ],
)
def test_a_target_is_refused(rows: dict[str, int], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        check_classes("t", rows)


def test_a_lesson_may_have_a_single_row() -> None:
    check_classes("and", {"0": 3, "1": 1})


def test_labels_become_numbers() -> None:
    found = Codes(np.array([1, 0, -1, 1]), ("b", "a"))
    numbers = class_numbers(found, ("a", "b", "c"), target="t", start=0, keep=None)
    torch.testing.assert_close(numbers, torch.tensor([0.0, 1.0, torch.nan, 0.0], dtype=torch.float64), equal_nan=True)


def test_an_unknown_class_is_named_unless_its_row_is_not_wanted() -> None:
    found = Codes(np.array([0, 1]), ("a", "z"))
    with pytest.raises(DataError, match="target 't' is 'z' in row 12, a class never seen in training"):
        class_numbers(found, ("a", "b"), target="t", start=10, keep=None)
    class_numbers(found, ("a", "b"), target="t", start=10, keep=np.array([True, False]))
