"""`slopewise predict`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from slopewise.cli.options import ANSWER, OUTPUT, Saved, Table, TableName, Threshold, number
from slopewise.cli.printing import print_status
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
    of: Annotated[
        Literal["observation", "mean"],
        typer.Option(help="What the interval is to hold: a new row, or the mean of many.", rich_help_panel=ANSWER),
    ] = "observation",
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
    tables = found.predict_table(table, interval=interval, of=of, threshold=threshold, table_name=table_name)
    rows = write_tables(tables, out)
    if out is not None:
        print_status(f"{rows:,} rows written to {out}")
