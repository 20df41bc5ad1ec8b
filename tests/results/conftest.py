"""Tables and fits that several files use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catalog import KINDS

from slopewise import api
from slopewise.results.fit import Fit

FEATURES = ["flipper_length_mm", "species", "sex"]

RandomTable = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def mass(penguins: pd.DataFrame) -> Fit:
    """A fit with categories, dropped rows and a split."""
    return api.fit(penguins, target="body_mass_g", features=FEATURES, missing="drop", test_size=0.2)


@pytest.fixture(scope="session")
def random_table() -> RandomTable:
    """Columns of very different sizes, with offsets; y heteroscedastic; weights w over three decades."""

    def make(seed: int, n: int = 120, q: int = 4) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        size = 10.0 ** np.arange(q)
        x = (rng.normal(size=(n, q)) + 3) * size
        x[:, -1] += 0.9 * x[:, 0]
        y = 5 + x @ (1 / size) + rng.normal(size=n) * (1 + np.abs(x[:, 0]))
        table = pd.DataFrame(x, columns=[f"x{j + 1}" for j in range(q)])
        return table.assign(y=y, w=10.0 ** rng.uniform(-1.5, 1.5, size=n))

    return make


@pytest.fixture(scope="session")
def every_kind() -> dict[str, Fit]:
    """A fit of every kind, with a category among its columns."""
    rng = np.random.default_rng(3)
    n = 60
    a, b = rng.normal(size=n), rng.normal(size=n)
    score = a + rng.normal(size=n)
    table = {
        "a": a,
        "b": b,
        "c": np.array(["p", "q", "r"])[rng.integers(0, 3, n)],
        "y": a - b + rng.normal(size=n),
        "two": np.where(score > 0, "yes", "no"),
        "three": np.array(["low", "mid", "top"])[np.digitize(score, [-0.7, 0.7])],
        "count": rng.poisson(np.exp(0.5 + 0.3 * a) * rng.gamma(1.0, 1.0, n)).astype(float),
        "cost": rng.gamma(2.0, np.exp(0.5 * a)),
        "hours": rng.uniform(0.5, 2, n),
    }
    found = {}
    for kind in KINDS:
        options: dict[str, Any] = {"features": ["a", "b", "c"], **kind.options}
        found[kind.name] = api.fit(table, **options)
    return found
