"""NIST StRD linear regression sets: certified values beside, as published."""

import csv
import json
import math
from pathlib import Path

import pytest

import slopewise

HERE = Path(__file__).parent / "nist"
CERTIFIED = json.loads((HERE / "certified.json").read_text())
DEGREE = {"norris": 1, "pontius": 2, "noint1": 1, "filip": 10, "wampler1": 5, "wampler3": 5, "wampler5": 5}
PROMISED = dict.fromkeys(CERTIFIED, 9.0) | {"filip": 7.5}


def table(name):
    with (HERE / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {key: [float(row[key]) for row in rows] for key in rows[0]}
    if name in DEGREE:
        x = columns.pop("x")
        columns |= {f"x{k}": [value**k for value in x] for k in range(1, DEGREE[name] + 1)}
    return columns


def correct_digits(got, certified):
    """The log relative error; the log absolute error where the certified value is zero; 15 is full."""
    error = abs(got - certified) / (abs(certified) or 1.0)
    return 15.0 if error == 0 else min(15.0, -math.log10(error))


@pytest.fixture(scope="module", params=[(name, rows) for name in CERTIFIED for rows in (None, 1)], ids=str)
def fitted(request):
    name, rows = request.param
    options = {} if rows is None else {"batch_rows": rows}
    fit = slopewise.fit(table(name), target="y", intercept=CERTIFIED[name]["intercept"], **options)
    return name, fit.to_dict(), [float(v) for v in CERTIFIED[name]["estimates"].values()]


def test_coefficients(fitted):
    name, fit, certified = fitted
    digits = [correct_digits(c["estimate"], v) for c, v in zip(fit["coefficients"], certified, strict=True)]
    assert min(digits) >= PROMISED[name], digits


def test_standard_errors(fitted):
    name, fit, _ = fitted
    certified = [float(v) for v in CERTIFIED[name]["standard_errors"].values()]
    digits = [correct_digits(c["std_error"], v) for c, v in zip(fit["coefficients"], certified, strict=True)]
    assert min(digits) >= PROMISED[name], digits


def test_residual_deviation_and_r_squared(fitted):
    name, fit, _ = fitted
    certified = CERTIFIED[name]
    assert correct_digits(fit["sigma"], float(certified["residual_standard_deviation"])) >= PROMISED[name]
    assert correct_digits(fit["r2"], float(certified["r_squared"])) >= PROMISED[name]


def test_own_estimate_of_digits_is_not_optimistic_by_more_than_one(fitted):
    _, fit, certified = fitted
    for coefficient, value in zip(fit["coefficients"], certified, strict=True):
        assert coefficient["digits"] <= correct_digits(coefficient["estimate"], value) + 1, coefficient
