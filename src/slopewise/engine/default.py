"""The engine that is used where none was named."""

from __future__ import annotations

from slopewise.engine.engine import Engine
from slopewise.engine.local import BATCH_ROWS, LocalEngine
from slopewise.types import Callback


def default_engine(batch_rows: int = BATCH_ROWS, callback: Callback | None = None) -> Engine:
    """Return the engine of this machine.

    Args:
        batch_rows: rows of a batch at most.
        callback: told how reads get on, or None.
    """
    return LocalEngine(batch_rows, callback)
