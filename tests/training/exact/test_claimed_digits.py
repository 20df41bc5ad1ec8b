"""The claimed digits of least squares against exact rational arithmetic: never more than one digit above the truth."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import slopewise
from slopewise.errors import FitError

SLACK = 1.0


def exact(x: np.ndarray, y: np.ndarray, intercept: bool) -> list[Fraction]:
    """Solve the normal equations of the float64 values as they are, without rounding."""
    rows = [[Fraction(1)] * intercept + [Fraction(float(v)) for v in row] for row in x]
    targets = [Fraction(float(v)) for v in y]
    p = len(rows[0])
    system = [
        [sum((r[i] * r[j] for r in rows), Fraction(0)) for j in range(p)]
        + [sum((r[i] * t for r, t in zip(rows, targets, strict=True)), Fraction(0))]
        for i in range(p)
    ]
    for i in range(p):
        system[i] = [value / system[i][i] for value in system[i]]
        for k in range(p):
            if k != i:
                factor = system[k][i]
                system[k] = [a - factor * b for a, b in zip(system[k], system[i], strict=True)]
    return [row[p] for row in system]


def ill_conditioned(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of unequal scale, far from zero, close to collinear, or powers; targets from the columns and noise."""
    rng = np.random.default_rng(seed)
    n, q = int(rng.integers(5, 16)), int(rng.integers(2, 4))
    x, kind = rng.normal(size=(n, q)), seed // 2 % 6
    if kind == 0:
        x = x * 10.0 ** rng.uniform(-14, 14, q)
    elif kind == 1:
        x = x + 10.0 ** rng.uniform(0, 9, q)
    elif kind == 2:
        x[:, 1] = x[:, 0] + 10.0 ** rng.uniform(-9, 0) * x[:, 1]
    elif kind == 3:
        x = np.vander(rng.uniform(1, 2, n) * 10.0 ** rng.uniform(-2, 2), q + 1)[:, :q]
    elif kind == 4:
        x[:, 0], x[:, 1] = 1e14 * x[:, 0], 1 + 1e-3 * x[:, 1]
        return x, x.sum(1)
    else:
        x[:, 0], x[:, 1] = 1e14 + x[:, 0], rng.random(n)
        return x, 2 * x[:, 0] - 3 * x[:, 1] + rng.normal(size=n)
    return x, x @ (rng.normal(size=q) / np.abs(x).max(0)) + 10.0 ** rng.uniform(-6, 3) * rng.normal(size=n)


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_no_digit_is_claimed_that_is_not_there(start: int) -> None:
    fitted = 0
    for seed in range(start, start + 50):
        x, y = ill_conditioned(seed)
        intercept = bool(seed % 2)
        try:
            fit = slopewise.fit((x, y), intercept=intercept)
        except FitError:
            continue
        fitted += 1
        wanted = exact(x, y, intercept)
        for found, claimed, value in zip(fit.theta.tolist(), fit.solution.digits.tolist(), wanted, strict=True):
            error = abs((Fraction(found) - value) / value) if value else Fraction(0)
            true = 15.0 if error == 0 else min(15.0, max(0.0, -math.log10(error)))
            assert claimed <= true + SLACK, f"seed {seed}: {claimed:.1f} claimed, {true:.1f} right"
    assert fitted >= 40


def test_a_coefficient_of_zero_keeps_its_digits() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 2))
    assert slopewise.fit((x, 3 + 2 * x[:, 0])).digits > 14
