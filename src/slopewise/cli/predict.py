"""`slopewise predict`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from slopewise.cli.options import MODEL, OUTPUT, Saved, Table, TableName, Threshold, number
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
            help="Add columns low and high of this level, such as 0.95.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    of: Annotated[
        Literal["observation", "mean"],
        typer.Option(help="Interval for a new observation, or for its mean.", rich_help_panel=MODEL),
    ] = "observation",
    threshold: Threshold = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write .csv or .parquet; CSV to stdout without it.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Predict new rows with a saved fit."""
    check_format(out, file, table)

    from slopewise import api

    saved = api.load(file)
    tables = saved.predict_table(table, interval=interval, of=of, threshold=threshold, table_name=table_name)
    rows = write_tables(tables, out)
    if out is not None:
        print_status(f"{rows:,} rows written to {out}")
