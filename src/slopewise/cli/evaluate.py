"""`slopewise evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from slopewise.cli.options import ANSWER, AsJson, Saved, Table, TableName, number
from slopewise.cli.printing import put


def evaluate(
    file: Saved,
    table: Table,
    table_name: TableName = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            parser=number,
            metavar="SHARE",
            help="Of two classes, the probability from which the second is predicted.",
            rich_help_panel=ANSWER,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Measure a saved fit on rows that it has not seen."""
    from slopewise import api

    found = api.load(file)
    words = {} if threshold is None else {"threshold": threshold}
    metrics = found.evaluate(table, table_name=table_name, **words)
    put(api.metrics_json(metrics) if json else api.metrics_text(metrics, found))
