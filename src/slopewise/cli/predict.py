"""`slopewise predict`."""

from __future__ import annotations

from typing import Annotated

import typer

from slopewise.cli.options import ANSWER, OUTPUT, Saved, Table, TableName, Threshold, number
from slopewise.cli.printing import tell
from slopewise.cli.write import check_format, write_tables


def predict(
    file: Saved,
    table: Table,
    table_name: TableName = None,
    interval: Annotated[
        float | None,
        typer.Option(
            parser=number,
            metavar="LEVEL",
            help="Add columns low and high, for example 0.95.",
            rich_help_panel=ANSWER,
        ),
    ] = None,
    mean: Annotated[
        bool, typer.Option("--mean", help="Interval of the mean, not of a new row.", rich_help_panel=ANSWER)
    ] = False,
    threshold: Threshold = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write .csv or .parquet; CSV to stdout without it.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Predict new rows with a saved fit."""
    check_format(out)

    from slopewise import api

    found = api.load(file)
    words = {"interval": interval, "mean": mean or None, "threshold": threshold}
    said = {word: value for word, value in words.items() if value is not None}
    rows = write_tables(found.predict_table(table, table_name=table_name, **said), out)
    if out is not None:
        tell(f"{rows:,} rows written to {out}")
