"""Fixtures that more than one folder of tests uses."""

from pathlib import Path

import pytest


@pytest.fixture
def examples() -> Path:
    """The folder of example tables."""
    return Path(__file__).parents[1] / "examples"
