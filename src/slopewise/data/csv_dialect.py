"""CSV through DuckDB: detect the dialect and the types from the first rows, and translate its error messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slopewise.data.files import same_columns
from slopewise.data.reading import Reading
from slopewise.data.source import PlainCsv
from slopewise.errors import DataError

SAMPLE = 20_480  # DuckDB's own sample, in rows.
UNKNOWN = "NULL"  # Type of a column without any value in the sample.

TYPE_NAMES = {"DOUBLE": "numbers", "BOOLEAN": "true and false", "DATE": "dates", "TIMESTAMP": "dates and times"}

RunQuery = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The dialect of the files, the SQL type that each column is read as, and the words that mean missing."""

    delimiter: str
    quote: str
    escape: str
    header: bool
    decimal: str
    dates: str | None
    timestamps: str | None
    types: dict[str, str]
    missing: tuple[str, ...]


def sniff(run_query: RunQuery, files: Sequence[str], reading: Reading) -> Dialect:
    """Return the dialect that reads the files as one table; they must have the same columns.

    A column without any value in the sample is read as numbers.

    Args:
        run_query: runs a query of DuckDB.
        files: paths of the files.
        reading: the decimal separator and the words for missing, where they are known.

    Raises:
        DataError: the files differ in their columns or in what separates them.
    """
    sample = max(256, SAMPLE // len(files))
    dialects = [_sniff_file(run_query, file, sample, reading) for file in files]
    first = dialects[0]
    types = dict(first.types)
    for file, other in zip(files, dialects, strict=True):
        same_columns(file, tuple(other.types), files[0], tuple(types))
        if other.delimiter != first.delimiter:
            raise DataError(
                f"{file!r} separates its columns by {other.delimiter!r} and {files[0]!r} by "
                f"{first.delimiter!r}; read together, all files need the same."
            )
        types = {name: _wider(types[name], other.types[name]) for name in types}
    return replace(first, types={name: "DOUBLE" if kind == UNKNOWN else kind for name, kind in types.items()})


def relation(files: Sequence[str], dialect: Dialect) -> str:
    """Return the SQL expression that reads the files, with dialect and types fixed."""
    options = {
        "delim": sql_text(dialect.delimiter),
        "quote": sql_text(dialect.quote),
        "escape": sql_text(dialect.escape),
        "comment": "''",
        "header": str(dialect.header).lower(),
        "decimal_separator": sql_text(dialect.decimal),
        "columns": sql_struct(dialect.types),
        "nullstr": sql_list(dialect.missing),
    }
    if dialect.dates:
        options["dateformat"] = sql_text(dialect.dates)
    if dialect.timestamps:
        options["timestampformat"] = sql_text(dialect.timestamps)
    arguments = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"read_csv({sql_paths(files)}, auto_detect=false, skip=0, {arguments})"


def plain_csv(files: Sequence[str], dialect: Dialect) -> PlainCsv | None:
    """Return one file as a plain CSV, which any reader can read; None where it needs more than a delimiter."""
    simple = dialect.header and dialect.quote == dialect.escape == '"'
    if len(files) > 1 or not simple or files[0].endswith(".gz"):
        return None
    return PlainCsv(files[0], dialect.delimiter, dialect.decimal)


def explain(message: str, label: str) -> DataError:
    """Return the error for a message of DuckDB about a CSV file.

    Args:
        message: DuckDB's.
        label: of the table, named where the message names no file.
    """
    file = _match(r"^\s*file = (.*)$", message) or label
    # DuckDB counts blank lines but takes a record with line breaks inside quotes as one line.
    line = _match(r"CSV Error on Line: (\d+)", message)
    conversion = re.search(r'converting column "(.*)"\. Could not convert string "(.*)" to \'(\w+)', message)
    if line and conversion:
        column, value, kind = conversion.groups()
        return DataError(
            f"Column {column!r} holds {value!r} in line {line} of {file!r}, where its first rows hold "
            f"{TYPE_NAMES.get(kind, kind)}; correct that value, or leave it empty if it is missing."
        )
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if line and counts:
        expected, received = counts.groups()
        return DataError(f"Line {line} of {file!r} has {received} values for {expected} columns; correct that line.")
    if "not utf-8" in message:
        return DataError(f"{file!r} is not written in UTF-8; save it as UTF-8 text.")
    if "GZIP" in message:
        return DataError(f"{label!r} is not a complete gzip file; copy or compress it again.")
    reason = message.splitlines()[0].split("Error: ", 1)[-1]
    if "sniffing" in message:
        reason = "no delimiter gives the same number of columns in every row"
    elif line:
        reason = f"line {line}: {message.splitlines()[2]}"
    return DataError(f"{file!r} cannot be read as CSV: {reason.rstrip('.')}; correct the file, or save it anew.")


def sql_text(text: str) -> str:
    """Return `text` as an SQL literal.

    >>> print(sql_text("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def sql_path(path: str) -> str:
    """Return the path of one file as an SQL literal, in which DuckDB sees no pattern.

    >>> print(sql_path("data[1].csv"))
    'data[[]1].csv'
    """
    return sql_text(re.sub(r"[\[*?]", lambda mark: f"[{mark[0]}]", path))


def sql_paths(paths: Sequence[str]) -> str:
    """Return the paths of files as an SQL list of literals, in which DuckDB sees no patterns."""
    return "[" + ", ".join(map(sql_path, paths)) + "]"


def sql_name(name: str) -> str:
    """Return `name` as a quoted SQL identifier.

    >>> print(sql_name("body mass"))
    "body mass"
    """
    return '"' + name.replace('"', '""') + '"'


def sql_list(texts: Sequence[str]) -> str:
    """Return `texts` as an SQL list of literals."""
    return "[" + ", ".join(map(sql_text, texts)) + "]"


def sql_struct(types: dict[str, str]) -> str:
    """Return {'name': 'TYPE', ...} as an SQL struct."""
    return "{" + ", ".join(f"{sql_text(name)}: {sql_text(kind)}" for name, kind in types.items()) + "}"


def plain_type(sql_type: str) -> str:
    """Return the type a column is read as: all numbers as DOUBLE, so that 1.5 may follow many whole numbers.

    >>> plain_type("BIGINT"), plain_type("VARCHAR")
    ('DOUBLE', 'VARCHAR')
    """
    if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DECIMAL\(.*\)", sql_type):
        return "DOUBLE"
    return "VARCHAR" if sql_type == "JSON" else sql_type


def _sniff_file(run_query: RunQuery, file: str, sample: int, reading: Reading) -> Dialect:
    # without comment='' DuckDB takes a '#' far below for the start of a comment, and the row is gone
    arguments = f"{sql_path(file)}, sample_size={sample}, nullstr={sql_list(reading.words)}, comment=''"
    with_comma = arguments + ", decimal_separator=','"
    if reading.decimal == ",":
        dialect = _ask_sniffer(run_query, file, with_comma, ",", reading.words)
        return _mark_unknown(run_query, file, dialect, sample)
    dialect = _ask_sniffer(run_query, file, arguments, ".", reading.words)
    if reading.decimal is None and dialect.delimiter == ";" and "VARCHAR" in dialect.types.values():
        # Files with semicolons often have decimal commas; that dialect is kept if it finds more numbers.
        comma = _ask_sniffer(run_query, file, with_comma, ",", reading.words)
        if list(comma.types.values()).count("VARCHAR") < list(dialect.types.values()).count("VARCHAR"):
            dialect = comma
    return _mark_unknown(run_query, file, dialect, sample)


def _ask_sniffer(run_query: RunQuery, file: str, arguments: str, decimal: str, missing: tuple[str, ...]) -> Dialect:
    fields = "Delimiter, Quote, Escape, HasHeader, DateFormat, TimestampFormat, Columns, SkipRows"
    (fields_of_file,) = run_query(f"SELECT {fields} FROM sniff_csv({arguments})")
    *marks, header, dates, timestamps, columns, skipped = fields_of_file
    delimiter, quote, escape = ("" if mark == "(empty)" else mark for mark in marks)
    if skipped:
        raise DataError(
            f"The number of columns changes between lines {skipped} and {skipped + 1} of {file!r}; "
            "correct the line that is wrong, or remove the lines above the header."
        )
    types = {column["name"]: plain_type(column["type"]) for column in columns}
    # Quotes may follow later even where the sample has none.
    quote, escape = quote or '"', escape or quote or '"'
    return Dialect(delimiter, quote, escape, header, decimal, dates, timestamps, types, missing)


def _mark_unknown(run_query: RunQuery, file: str, dialect: Dialect, sample: int) -> Dialect:
    """Return the dialect with UNKNOWN as the type of the text columns that hold no value in the sample."""
    texts = [name for name, kind in dialect.types.items() if kind == "VARCHAR"]
    if not texts:
        return dialect
    names = ", ".join(map(sql_name, texts))
    counts = ", ".join(f"count({sql_name(name)})" for name in texts)
    (met,) = run_query(f"SELECT {counts} FROM (SELECT {names} FROM {relation([file], dialect)} LIMIT {sample})")
    unknown = [name for name, count in zip(texts, met, strict=True) if count == 0]
    return replace(dialect, types=dialect.types | dict.fromkeys(unknown, UNKNOWN))


def _wider(one: str, other: str) -> str:
    if UNKNOWN in (one, other):
        return other if one == UNKNOWN else one
    return one if one == other else "VARCHAR"


def _match(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1) if match else None
