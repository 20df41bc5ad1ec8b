"""The rows that a fit can still read."""

from __future__ import annotations

from dataclasses import dataclass

from slopewise.data.source import Source
from slopewise.engine.engine import Engine


@dataclass(frozen=True, slots=True)
class DataHandles:
    """The rows that a fit can still read: those trained on, and those held out (None without a split)."""

    engine: Engine
    train: Source
    test: Source | None = None
