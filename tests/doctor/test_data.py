from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from slopewise.doctor.data import data_findings
from slopewise.doctor.finding import Finding, lines

Make = Callable[..., Any]

A = [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]
Y = [2.0, 1.0, 4.0, 3.0, 7.0, 8.0]


def find(lesson: Any, **options: Any) -> tuple[Finding, ...]:
    return data_findings(lesson.moments, lesson.names, **options)


def codes(found: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in found]


def test_a_healthy_table_has_no_finding(lesson: Make) -> None:
    healthy = lesson(Y, a=[-1.0, 0, 1, 0, 1, -1], b=[1.0, -1, 0, 2, -1, 0])
    assert find(healthy) == ()
    assert find(healthy, standardize=True) == ()


def test_nothing_is_found_in_no_columns(hours: Any) -> None:
    assert data_findings(hours.moments, ()) == ()


def test_a_constant_column_is_named(lesson: Make) -> None:
    (found,) = find(lesson(Y, a=A, four=[0.1] * 6, c=[1.0, 0, 1, 1, 0, 1]))
    assert (found.code, found.severity) == ("constant-column", "error")
    assert found.number.value == 0.0
    assert found.number.words == "standard deviation 0: 0.1 in each of 6 rows"
    assert found.fix == "leave 'four' out: features=['a', 'c']"


def test_without_an_intercept_a_constant_column_may_stay(lesson: Make) -> None:
    (found,) = find(lesson(Y, a=A, one=[1.0] * 6), intercept=False)
    assert found.severity == "note"
    assert "acts as an intercept" in found.cause


def test_a_pair_is_named_with_its_inflation(lesson: Make) -> None:
    shadow = [2 * value + (0.02 if j % 2 else -0.02) for j, value in enumerate(A)]
    (found,) = find(lesson(Y, a=A, b=[1.0, 3, 2, 5, 1, 2], shadow=shadow))
    r = float(torch.corrcoef(torch.tensor([A, shadow], dtype=torch.float64))[0, 1])
    assert (found.code, found.severity) == ("collinear-pair", "warning")
    assert found.number.value == pytest.approx(r, rel=1e-12)
    assert f"correlation {r:.8g}" in found.number.words
    growth = float(found.number.words.split("grows ")[1].removesuffix("-fold"))
    assert growth == pytest.approx(1 / (1 - r**2), rel=5e-3)  # three digits are shown


def test_of_a_pair_the_column_that_explains_less_of_the_target_is_dropped(lesson: Make) -> None:
    close = [value + (0.05 if j % 2 else 0.0) for j, value in enumerate(A)]
    assert find(lesson(close, a=A, b=close))[0].fix == "leave 'a' out: features=['b']"
    assert find(lesson(A, a=A, b=close))[0].fix == "leave 'b' out: features=['a']"


def test_exact_copies_are_errors_and_each_is_dropped_once(lesson: Make) -> None:
    found = find(lesson(Y, a=A, b=[-2 * value for value in A], c=[value + 1 for value in A]))
    assert codes(found) == ["collinear-pair", "collinear-pair"]
    assert {finding.severity for finding in found} == {"error"}
    assert len({finding.fix for finding in found}) == 2
    assert "without bound" in found[0].number.words


def test_quizzes_in_raw_units_are_a_thousand_times_harder(quizzes: Any) -> None:
    (found,) = find(quizzes, standardize=False)
    # R5 of the seed documents: condition number 1.642e6
    assert found.code == "unscaled-columns"
    assert found.number.value == pytest.approx(1.642e6, rel=5e-4)
    assert found.number.words == "condition number 1.642e+06 raw, 35.18 standardised"
    assert "the mean of 'quiz1' is 8.58 standard deviations from zero" in found.cause
    assert (found.severity, found.fix[:15]) == ("warning", "leave out stand")
    (note,) = find(quizzes, standardize=True)
    assert note.severity == "note"


def test_columns_of_unequal_size_are_described_by_their_deviations(lesson: Make) -> None:
    (found,) = find(lesson(Y, a=A, b=[300.0, -100, 200, -500, 400, -300]), standardize=False)
    # by hand: b's mean square is 64e4 / 6, a's variance 147 / 6 - (25 / 6)² = 7.139
    assert "'b' varies 122 times as much as 'a'" in found.cause


def test_a_column_on_another_scale(lesson: Make) -> None:
    b = [3.0, 1.0, 2.0, 5.0, 4.0, 3.0]
    (found,) = find(lesson(Y, a=A, b=b, income=[value * 1e5 for value in (2, 7, 1, 8, 2, 8)]))
    assert (found.code, found.severity) == ("outlying-scale", "warning")
    assert found.fix == "divide 'income' by 1e5 in the table"


def test_a_column_far_from_zero(lesson: Make) -> None:
    (found,) = find(lesson(Y, a=[value + 1e6 for value in A]))
    assert (found.code, found.severity) == ("far-from-zero", "warning")
    assert found.cause.startswith("the first 6 of a number's 16 digits")
    assert found.fix == "subtract 1000004 from 'a' in the table"


def test_a_category_is_left_out_whole(lesson: Make) -> None:
    made = replace(lesson(Y, a=A, b=A), names=("size", "kind[b]"))
    (found,) = find(made)
    assert found.fix == "leave 'kind' out: features=['size']"
    (found,) = find(replace(made, names=("shoe size", "kind[b]")))
    assert found.fix == "leave 'kind' out: features=['shoe size']"


def test_every_line_fits_a_terminal(lesson: Make, quizzes: Any) -> None:
    found = find(quizzes, standardize=False) + find(lesson(Y, a=A, b=A, c=[1.0] * 6))
    assert max(map(len, lines(found))) <= 80
