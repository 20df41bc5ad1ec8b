"""Tables of predictions, written in chunks as CSV or Parquet."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from slopewise.atomic_file import atomic_replace, check_writable
from slopewise.errors import OptionError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".csv", ".parquet")


def check_format(out: str | None, *read: str) -> None:
    """Raise, before anything is read, where the file's format is not known or its folder is not writable.

    Args:
        out: the file to write, None for stdout.
        read: what the command reads.

    Raises:
        OptionError: an unknown ending, or the file is one of those that are read.
        StoreError: the file cannot be written.
    """
    if out is None:
        return
    if Path(out).suffix.lower() not in FORMATS:
        raise OptionError(f"--out {out!r} has no known format; end the name in {' or '.join(FORMATS)}.")
    check_output(out, *read)


def check_output(out: str, *read: str) -> None:
    """Raise, before anything is read, where a file cannot be written or is one of those that are read.

    Args:
        out: the file to write.
        read: files, patterns, folders, or queries that name files, as the commands take them.

    Raises:
        OptionError: it is one of them, or a link to one.
        StoreError: the file cannot be written.
    """
    check_writable(out)
    if not os.path.exists(out):
        return
    for source in read:
        if any(_is_same(out, file) for file in _files_in(source)):
            raise OptionError(f"--out {out!r} would replace {source!r}, which is read; give another name.")


def _files_in(source: str) -> Iterator[str]:
    """Yield the files that a path, a pattern, a folder or the quoted names of a query stand for."""
    if os.path.isdir(source):
        yield from glob(os.path.join(escape(source), "**", "*"), recursive=True)
        return
    yield source
    named = re.findall(r"'([^']+)'|\"([^\"]+)\"", source) if " " in source else []
    for pattern in (source, *(one or other for one, other in named)):
        yield pattern
        yield from glob(pattern, recursive=True)


def _is_same(out: str, file: str) -> bool:
    try:
        return os.path.samefile(out, file)
    except (OSError, ValueError):
        return False


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
