"""`slopewise evaluate`."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps
from math import isfinite

from slopewise.cli.options import AsJson, Saved, Table, TableName
from slopewise.cli.printing import put


def evaluate(file: Saved, table: Table, table_name: TableName = None, json: AsJson = False) -> None:
    """Measure a saved fit on rows that it has not seen."""
    from slopewise import api

    metrics = asdict(api.load(file).evaluate(table, table_name=table_name))
    put(as_json(metrics) if json else as_lines(metrics))


def as_json(metrics: dict[str, float]) -> str:
    """Return one JSON object, null for what is not a finite number: JSON knows no NaN."""
    return dumps({name: value if isfinite(value) else None for name, value in metrics.items()})


def as_lines(metrics: dict[str, float]) -> str:
    """Return one line per figure: its name, and its value to six digits."""
    return "\n".join(f"{name:<5}{value:>14.6g}" for name, value in metrics.items())
