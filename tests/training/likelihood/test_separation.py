"""Separated classes are named, and only they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from problems import problem_of
from scipy.optimize import linprog

from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError
from slopewise.losses.penalty import L2
from slopewise.solution import Status
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.newton import Newton

ENGINE = LocalEngine()
HOURS = [[9], [14], [21], [27], [32], [37]]
PASSED = [0, 0, 1, 1, 1, 1]


def refusal(x: object, y: object, levels: tuple[str, ...] = (), solver: type = Newton) -> str:
    with pytest.raises(FitError) as raised:
        solver().solve(replace(problem_of(x, y), class_names=levels), ENGINE)
    return str(raised.value)


@pytest.mark.parametrize("solver", [Newton, Lbfgs])
def test_study_hours(solver: type) -> None:
    assert refusal(HOURS, PASSED, ("Fail", "Pass"), solver) == (
        "the classes are perfectly separated: 'x1' alone does it, 'Fail' up to 14, 'Pass' from 21; larger coefficients "
        "fit ever better and no finite estimate exists: set l2 above zero, or choose firth."
    )


def test_house_areas() -> None:
    sentence = refusal([[20], [25], [30], [40], [50], [55]], [0, 0, 1, 1, 1, 2], ("Low", "Medium", "High"))
    assert sentence == (
        "the classes are perfectly separated: 'x1' alone does it, 'Low' up to 25, 'Medium' from 30 to 50, 'High' from "
        "55; larger coefficients fit ever better and no finite estimate exists: set l2 above zero."
    )


def test_the_and_table_is_separated_by_both_columns() -> None:
    sentence = refusal([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    assert "'x1', 'x2' do it together, rows 2 ('0') and 4 ('1') lying nearest to the other side" in sentence


@pytest.mark.parametrize("solver", [Newton, Lbfgs])
def test_a_level_that_only_one_class_has(solver: type) -> None:
    sentence = refusal([[0], [0], [0], [0], [1], [1]], [0, 1, 0, 1, 1, 1], solver=solver)
    assert "separated in part (2 of 6 rows): no row of '0' has 'x1' above 0" in sentence


def test_classes_that_touch_in_one_value() -> None:
    sentence = refusal([[1], [2], [3], [3], [4], [5]], [0, 0, 0, 1, 1, 1])
    assert "no row of '0' has 'x1' above 3 and no row of '1' has 'x1' below 3" in sentence


def test_three_classes_in_part() -> None:
    make = np.random.default_rng(2)
    x = np.column_stack([make.normal(size=90), np.arange(90) % 3 == 0])
    y = make.integers(0, 3, 90)
    y[x[:, 1] == 1] = make.integers(0, 2, 30)
    assert "no row of '2' has 'x2' above 0" in refusal(x, y)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_penalty_makes_an_answer(classes: int) -> None:
    x, y = np.arange(12.0)[:, None], np.arange(12) * classes // 12
    assert Newton().solve(problem_of(x, y, penalty=L2(0.1)), ENGINE).status is Status.CONVERGED


def test_near_to_separated_is_not_separated() -> None:
    # One row on the wrong side, 1e5 standard deviations from the rest: the answer is far out, but finite.
    x = np.concatenate([np.linspace(-1, 1, 40), [1e5]])[:, None]
    y = np.concatenate([np.arange(40) % 2, [1]])
    assert Newton().solve(problem_of(x, y), ENGINE).status is Status.CONVERGED


def separated(x: np.ndarray, y: np.ndarray) -> bool:
    """Konis (2007): is there a direction in which no row loses and one gains? A linear program."""
    k = int(y.max()) + 1
    ones = np.column_stack([np.ones(len(x)), x])
    rows = []
    for row, own in zip(ones, y.astype(int), strict=True):
        for other in range(k):
            if other != own:
                weights = np.zeros((k, len(row)))
                weights[own] += row
                weights[other] -= row
                rows.append(weights.ravel())
    gains = np.array(rows)
    best = linprog(-gains.sum(0), A_ub=-gains, b_ub=np.zeros(len(gains)), bounds=(-1, 1), method="highs")
    return bool(-best.fun > 1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_named_exactly_when_a_linear_program_finds_it(seed: int) -> None:
    make = np.random.default_rng(seed)
    seen = {True: 0, False: 0}
    for _ in range(20):
        k, q = int(make.integers(2, 4)), int(make.integers(1, 4))
        n = int(make.integers(2, 16))
        x = make.integers(0, make.integers(2, 5), (n, q)).astype(float)
        y = make.integers(0, k, n)
        x, y = np.vstack([x, np.eye(q), np.zeros((k, q))]), np.concatenate([y, np.zeros(q, int), np.arange(k)])
        expected = separated(x, y)
        seen[expected] += 1
        if expected:
            assert "no finite estimate exists" in refusal(x, y)
        else:
            assert Newton().solve(problem_of(x, y), ENGINE).status is Status.CONVERGED
    assert min(seen.values()) > 0
