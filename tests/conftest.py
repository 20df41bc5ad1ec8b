"""Fixtures that more than one folder of tests uses."""

from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def examples() -> Path:
    """The folder of example tables."""
    return EXAMPLES


@pytest.fixture(scope="session")
def penguins() -> pd.DataFrame:
    return pd.read_csv(EXAMPLES / "penguins.csv")
