"""The summary: never wider than 80 columns, aligned, and whole; the JSON: valid, with the promised keys."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from slopewise import api
from slopewise.results.fit import Fit
from slopewise.results.report.text import align, figure, shorten, tail, wrap
from slopewise.wording import visible

KEYS = [
    "n", "n_dropped", "solver", "reason", "status", "digits", "coefficients", "r2", "adj_r2", "f", "aic", "bic",
    "sigma", "train", "test",
]  # fmt: skip


def test_penguins(mass: Fit) -> None:
    text = mass.summary()
    assert text.startswith("Linear regression of body_mass_g\n")
    assert f"{mass.n} used, {mass.n_dropped} dropped (missing: flipper_length_mm 2, sex 11" in text
    assert "species: reference Adelie; sex: reference female" in text
    assert re.search(r"^species\[Chinstrap\] +-\d", text, re.M)
    assert re.search(r"R² .* train +test$", text, re.M)
    assert re.search(rf"rows +{mass.train.n} +{mass.test.n}$", text, re.M)
    assert f"{mass.status.value.split(':')[0]}" in text.splitlines()[-1]


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=90)
sizes = st.floats(-14, 6).map(lambda e: 10.0**e)


@settings(max_examples=40, deadline=None)
@given(
    name=st.lists(names.filter(str.strip), min_size=4, max_size=4, unique=True),
    scale=st.tuples(sizes, sizes, sizes),
    noise=st.sampled_from([0.0, 1e-3, 1.0]),
    cov_type=st.sampled_from(["nonrobust", "hc1"]),
    confidence_level=st.sampled_from([0.5, 0.95, 0.99999]),
)
def test_never_wider_than_eighty(
    name: list[str], scale: tuple[float, ...], noise: float, cov_type: str, confidence_level: float
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2)) * np.array(scale[:2])
    level_names = [name[3] + "a", "b" + name[3]]
    columns = {name[0]: x[:, 0], name[1]: x[:, 1], name[2]: [level_names[i % 2] for i in range(30)]}
    columns["y" + name[3] * 3] = scale[2] * (x @ (1 / np.array(scale[:2])) + noise * rng.normal(size=30))
    fit = api.fit(columns, target="y" + name[3] * 3, cov_type=cov_type, confidence_level=confidence_level)
    lines = fit.summary().splitlines()
    assert max(map(cell_len, lines)) <= 80
    head = next(i for i, line in enumerate(lines) if "std error" in line)
    # Every row of the table ends where its head does: the columns stand below each other.
    assert {cell_len(line) for line in lines[head : head + 5]} == {cell_len(lines[head])}


def test_every_kind_of_note(random_table: Any) -> None:
    fit = api.fit(random_table(seed=1), target="y", weights="w", intercept=False, cov_type="hc0", l2=1.0)
    text = fit.summary()
    assert ", weights w" in text and "robust to heteroscedasticity: HC0" in text
    assert "L2 penalty 1: errors" in text and "no intercept" in text
    assert "F on" not in text


def test_json_has_the_promised_keys_and_no_nan(mass: Fit) -> None:
    perfect = api.fit({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]}, target="y")
    saturated = api.fit({"x": [1.0, 2.0], "y": [2.0, 5.0]}, target="y")
    for fit in (mass, perfect, saturated):
        text = fit.to_json()
        assert "NaN" not in text and "Infinity" not in text
        found = json.loads(text)
        assert set(KEYS) <= set(found)
        assert list(found["coefficients"][0]) == [
            "name", "estimate", "std_error", "t", "p", "ci_low", "ci_high", "digits",
        ]  # fmt: skip
        assert {"rmse", "mae", "r2"} <= set(found["train"])
        assert found["status"] in ("exact", "refined", "limited")
        assert found == fit.to_dict()
    assert json.loads(perfect.to_json())["f"] is None
    assert json.loads(mass.to_json())["coefficients"][0]["estimate"] == mass.theta[0].item()


def test_digits_are_not_rounded_up(mass: Fit) -> None:
    assert mass.to_dict()["digits"] <= mass.digits < mass.to_dict()["digits"] + 0.1


def test_repr_is_short(mass: Fit) -> None:
    assert repr(mass) == f"Fit('body_mass_g', linear, squared loss, n={mass.n})"


def test_the_solver_and_its_reason_are_shown(penguins: pd.DataFrame) -> None:
    fit = api.fit(penguins, target="body_mass_g", features=["year"], missing="drop", solver="qr")
    assert "Solver  qr: asked for" in fit.summary()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (math.nan, "-"), (-math.inf, "-inf"), (123456.0, "123456"), (1234567.0, "1.2346e+06"),
        (0.0012345, "0.0012345"), (1.2e-4, "1.2000e-04"), (9.99999, "10.0000"), (-2.5, "-2.5000"),
    ],
)  # fmt: skip
def test_figures(value: float, text: str) -> None:
    assert figure(value) == text


def test_p_values() -> None:
    assert [tail(p) for p in (0.0, 0.0004999, 0.0005, 0.04951, 1.0, math.nan)] == [
        "<0.001", "<0.001", "0.001", "0.050", "1.000", "-",
    ]  # fmt: skip


def test_columns_align_on_the_point() -> None:
    assert align([1.5, -200.25, 0.0], 4, 11) == ["   1.500", "-200.2  ", "   0    "]
    assert align([1e-14, 2e6], 3, 11) == ["1.00e-14", "2.00e+06"]


@given(text=names, most=st.integers(2, 30))
def test_shortened_text_fits(text: str, most: int) -> None:
    short = shorten(text, most)
    assert cell_len(short) <= most
    shown = " ".join(visible(text).split())
    if cell_len(shown) <= most:
        assert short == shown


def test_words_wrap() -> None:
    assert wrap("aa bb cc", 8, "x: ", "   ") == ["x: aa bb", "   cc"]
    assert wrap("", 8, "x: ", "   ") == ["x: "]
