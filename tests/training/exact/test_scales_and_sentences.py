"""Tiny, huge and shifted columns: the right slope, or one sentence that says why not."""

from __future__ import annotations

import numpy as np
import pytest

import slopewise
from slopewise.errors import DataError, FitError


@pytest.fixture
def line() -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.RandomState(11)
    t = rng.normal(size=20)
    y = 1 + 2 * t + rng.normal(size=20) * 0.1
    return t, y, float(np.polyfit(t, y, 1)[0])


@pytest.mark.parametrize("scale", [1e-140, 1e-100, 1e-50, 1e50, 1e100, 1e150])
def test_a_scale_changes_nothing(line: tuple[np.ndarray, np.ndarray, float], scale: float) -> None:
    t, y, slope = line
    assert float(slopewise.fit((t[:, None] * scale, y)).theta[1]) == pytest.approx(slope / scale, rel=1e-12)
    scaled = slopewise.fit((t[:, None], y * scale))
    assert float(scaled.theta[1]) == pytest.approx(slope * scale, rel=1e-12)
    assert scaled.stats.r2 == pytest.approx(slopewise.fit((t[:, None], y)).stats.r2, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-160, 1e-200, 1e-300])
def test_squares_that_underflow_are_said(line: tuple[np.ndarray, np.ndarray, float], scale: float) -> None:
    """Case N26s: the column varies, and is never called constant."""
    t, y, _ = line
    with pytest.raises(FitError, match="column 'x1' holds values below 1e-145"):
        slopewise.fit((t[:, None] * scale, y))
    with pytest.raises(FitError, match="the target holds values below 1e-145"):
        slopewise.fit((t[:, None], y * scale))


@pytest.mark.parametrize("scale", [1e160, 1e200, 1e300])
def test_squares_that_overflow_are_said(line: tuple[np.ndarray, np.ndarray, float], scale: float) -> None:
    """Case N26."""
    t, y, _ = line
    with pytest.raises(DataError, match="sums overflowed: column 'x1' holds values beyond 1e150"):
        slopewise.fit((t[:, None] * scale, y))
    with pytest.raises(DataError, match="sums overflowed: the target holds values beyond 1e150"):
        slopewise.fit((t[:, None], y * scale))


def test_a_column_that_varies_in_its_last_digits_is_said() -> None:
    """Case R92."""
    rng = np.random.RandomState(11)
    c, y = 1e9 + np.arange(30) * 1e-6, np.arange(30) * 0.5 + rng.normal(size=30)
    with pytest.raises(FitError, match="column 'c' varies only in its last digits"):
        slopewise.fit({"c": c, "y": y}, target="y")


def test_nested_categories_are_refused_with_what_can_be_done() -> None:
    """Case R90."""
    region, city = ["N", "N", "S", "S"] * 15, ["Kiel", "Bremen", "Ulm", "Passau"] * 15
    y = np.random.RandomState(11).normal(size=60)
    with pytest.raises(FitError, match=r"drop the column 'city', or merge its level 'Ulm' with another"):
        slopewise.fit({"region": region, "city": city, "y": y}, target="y")
    assert slopewise.fit({"city": city, "y": y}, target="y").n == 60
