"""Tables of predictions, written in chunks as CSV or Parquet."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from slopewise.atomic_file import atomic_replace, check_writable
from slopewise.errors import OptionError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".csv", ".parquet")


def check_format(out: str | None) -> None:
    """Raise, before anything is read, where the file's format is not known or its folder is not writable.

    Raises:
        OptionError: an unknown ending.
        StoreError: the file cannot be written.
    """
    if out is None:
        return
    if Path(out).suffix.lower() not in FORMATS:
        raise OptionError(f"--out {out!r} has no known format; end the name in {' or '.join(FORMATS)}.")
    check_writable(out)


def write_tables(tables: Iterable[pa.Table], out: str | None) -> int:
    """Write all tables to the file `out`, or as CSV to stdout; return how many rows there were."""
    if out is None:
        return write_stream(tables, sys.stdout.buffer, parquet=False)
    with atomic_replace(out) as temporary, open(temporary, "wb") as stream:
        return write_stream(tables, stream, parquet=Path(out).suffix.lower() == ".parquet")


def write_stream(tables: Iterable[pa.Table], stream: BinaryIO, *, parquet: bool) -> int:
    """Write all tables to an open stream; the first one gives the columns. Return how many rows there were.

    Args:
        tables: of one schema.
        stream: open for writing bytes.
        parquet: write Parquet, else CSV.
    """
    from pyarrow.csv import CSVWriter
    from pyarrow.parquet import ParquetWriter

    rows, writer = 0, None
    for table in tables:
        if writer is None:
            writer = (ParquetWriter if parquet else CSVWriter)(stream, table.schema)
        writer.write_table(table)
        rows += table.num_rows
    if writer is not None:
        writer.close()
    stream.flush()
    return rows
