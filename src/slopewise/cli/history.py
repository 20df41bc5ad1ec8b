"""`slopewise history`."""

from __future__ import annotations

from typing import Annotated

import typer

from slopewise.cli.options import OUTPUT, Saved, whole_number
from slopewise.cli.printing import print_status
from slopewise.cli.write import check_format, write_tables
from slopewise.errors import OptionError


def history(
    file: Saved,
    every: Annotated[
        int, typer.Option(parser=whole_number, metavar="N", help="Every N-th recorded epoch, and the last.")
    ] = 1,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write to this .csv or .parquet file.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Print the epochs of a saved descent: cost, gap, learning rate, parameters and gradient, as CSV."""
    if every < 1:
        raise OptionError(f"--every is {every}; give at least 1.")
    check_format(out, file)

    from slopewise import api

    table = api.load(file).history_table()
    rows = [*range(0, table.num_rows, every)]
    if rows[-1] != table.num_rows - 1:
        rows.append(table.num_rows - 1)
    rows_written = write_tables([table.take(rows)], out)
    if out is not None:
        print_status(f"{rows_written:,} epochs written to {out}")
