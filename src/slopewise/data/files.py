"""Resolve a path, a pattern or a folder to files, with an error message where there are none."""

from __future__ import annotations

import glob
import gzip
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from slopewise.errors import DataError, OptionError, nearest, quoted

SUFFIXES = {
    "csv": (".csv", ".tsv", ".txt"),
    "json": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq"),
    "database": (".duckdb", ".db", ".sqlite", ".sqlite3"),
}
FOREIGN = (
    ".xlsx",
    ".xls",
    ".ods",
    ".feather",
    ".arrow",
    ".h5",
    ".npy",
    ".npz",
    ".pkl",
    ".zip",
    ".bz2",
    ".xz",
    ".zst",
)


def is_query(text: str) -> bool:
    """Return whether `text` is SQL: it starts with SELECT, WITH or FROM, followed by a space and more.

    >>> is_query("SELECT area FROM 'sales.csv'"), is_query("select.csv")
    (True, False)
    """
    return re.match(r"\s*(select|with|from)\s+\S", text, re.IGNORECASE) is not None


def format_of(path: str) -> str | None:
    """Return "csv", "json", "parquet" or "database" by the name's ending (before .gz); None if unknown.

    >>> format_of("sales.csv.gz"), format_of("notes.md")
    ('csv', None)
    """
    ending = Path(path.lower().removesuffix(".gz")).suffix
    return next((name for name, endings in SUFFIXES.items() if ending in endings), None)


def find(path: str) -> list[str]:
    """Return the files of a path, a pattern or a folder of Parquet files, in sorted order.

    Raises:
        DataError: where there is no such file, or it is empty or may not be read.
    """
    if re.match(r"[a-z][a-z0-9+]+://", path, re.IGNORECASE):
        raise DataError(f"{path!r} is an address, and only local files are read; download it first.")
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        files = _in_folder(path)
    elif os.path.exists(path) or not glob.has_magic(path):
        files = [path]
    else:
        files = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
        if not files:
            raise DataError(f"No file matches the pattern {path!r}; check it, and the folder it starts from.")
    for file in files:
        check_readable(file)
    return files


def check_readable(path: str) -> None:
    """Raise DataError if `path` is missing, empty, may not be read, or is a broken gzip file."""
    folder = os.path.dirname(path) or "."
    if not os.path.exists(path):
        raise _missing(path, folder)
    if not os.access(path, os.R_OK):
        raise DataError(f"{path!r} may not be read by this user; change its permissions or give another file.")
    if os.path.getsize(path) == 0:
        raise DataError(f"{path!r} is empty (0 bytes); give a file with a header and at least one row.")
    if path.lower().endswith(FOREIGN):
        raise DataError(f"{path!r} is in a format that is not read; export it as CSV or Parquet.")
    if path.lower().endswith(".gz"):
        _check_gzip(path)


def chosen_table(path: str, table: str | None, tables: Iterable[str]) -> str:
    """Return `table` if it is one of those in the database.

    Args:
        path: of the database, for messages.
        table: the requested name, or None.
        tables: the names in the database.

    Raises:
        DataError: no tables, or none of that name.
        OptionError: no name was given; the message lists the tables.
    """
    tables = list(tables)
    if not tables:
        raise DataError(f"{path!r} holds no tables; give another database file.")
    if table is None:
        raise OptionError(
            f"{path!r} is a database; name one of its tables with table_name='NAME'. It holds {quoted(tables)}."
        )
    if table not in tables:
        raise DataError(f"There is no table {table!r} in {path!r}.{nearest(table, tables)}")
    return table


def _in_folder(path: str) -> list[str]:
    if not os.access(path, os.R_OK | os.X_OK):
        raise DataError(f"Folder {path!r} may not be read by this user; change its permissions.")
    # Names that start with _ or . are metadata that Spark and others write beside the data.
    names = sorted(name for name in os.listdir(path) if name[0] not in "._")
    files = [os.path.join(path, name) for name in names if format_of(name) == "parquet"]
    if not files:
        example = next((Path(name).suffix for name in names if format_of(name)), ".csv")
        raise DataError(
            f"{path!r} is a folder without Parquet files in it; give a file, "
            f"or a pattern such as {os.path.join(path, '*' + example)!r}."
        )
    return files


def _missing(path: str, folder: str) -> DataError:
    if not os.path.isdir(folder):
        return DataError(f"There is no folder {folder!r}, so no file {path!r}; check the path.")
    if not os.access(folder, os.R_OK | os.X_OK):
        return DataError(f"Folder {folder!r} may not be read by this user; change its permissions.")
    names = sorted(name for name in os.listdir(folder) if name[0] != ".")
    # Files that could be read come first, so that they are listed where no name is close.
    names.sort(key=lambda name: format_of(name) is None)
    hint = nearest(os.path.basename(path), names) if names else ""
    known = hint.replace(" Known:", f" In {folder!r} there are:", 1)
    return DataError(
        f"There is no file {path!r}.{known}" if names else f"There is no file {path!r}; {folder!r} is empty."
    )


def _check_gzip(path: str) -> None:
    try:
        with gzip.open(path) as file:
            file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path!r} is not a readable gzip file ({error}); copy it again, or rename it if it is not compressed."
        ) from None


def same_columns(path: str, names: tuple[str, ...], first: str, expected: tuple[str, ...]) -> None:
    """Raise DataError unless two files that are read as one table have the same columns.

    Args:
        path: of one file.
        names: its columns, in order.
        first: path of the file that it is compared with.
        expected: that one's columns, in order.
    """
    if names == expected:
        return
    missing = [name for name in expected if name not in names]
    added = [name for name in names if name not in expected]
    detail = (
        f"it lacks {quoted(missing)}" if missing else f"it also has {quoted(added)}" if added else "their order differs"
    )
    raise DataError(f"{path!r} has other columns than {first!r}: {detail}; read together, all files need the same.")


def contiguous(sizes: Sequence[int], k: int) -> list[slice]:
    """Return at most k slices that cut a list into contiguous groups of about equal size.

    Args:
        sizes: of the items of the list.
        k: groups at most.

    >>> contiguous([10, 10, 30, 10], 2)
    [slice(0, 2, None), slice(2, 4, None)]
    """
    total, before, groups = max(sum(sizes), 1), 0, []
    for size in sizes:
        groups.append(min(int((before + size / 2) * k / total), k - 1))  # by the middle of each item
        before += size
    starts = [at for at in range(len(sizes)) if not at or groups[at] != groups[at - 1]]
    return [slice(start, stop) for start, stop in zip(starts, [*starts, len(sizes)][1:], strict=True)]
