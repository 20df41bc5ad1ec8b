"""Tables in files: `open_file` opens any of them. CSV, JSON, SQL and DuckDB files are read by DuckDB."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa

from slopewise.data import csv_dialect as csv
from slopewise.data import files
from slopewise.data import json_schema as json
from slopewise.data.arrow import ColumnsChunk, check_usable, chunk_from_arrow, schema_from_arrow
from slopewise.data.duckdb_errors import explain_database, explain_query, shortened
from slopewise.data.prefetch import batch_rows, prefetch
from slopewise.data.reading import Reading
from slopewise.data.source import Chunk, PlainCsv, Table
from slopewise.errors import DataError, OptionError, quoted
from slopewise.types import Schema

Explain = Callable[[str], DataError]
Relation = Callable[[Sequence[str]], str]
"""From files to the SQL that stands for them, read one after the other."""


def open_file(path: str, table: str | None = None, reading: Reading | None = None) -> Table:
    """Return the table in a file, in several files read as one, or in the result of an SQL query.

    Args:
        path: a file, a pattern such as 'data/*.csv' (its matches in sorted order), a folder of Parquet
            files, or a query that starts with SELECT, WITH or FROM and names files relative to the
            current folder. Known endings: .csv .tsv .txt .json .jsonl .ndjson (each also with .gz),
            .parquet .pq .duckdb .db .sqlite .sqlite3; a file with another ending is read as CSV.
        table: the name of a table in a database file.
        reading: how values are written, where that is known.

    Raises:
        DataError: where there is no such file or table, or it cannot be read.
        OptionError: where `table` is given without a database file, or left out with one.
    """
    if files.is_query(path) and not os.path.exists(path):
        _refuse_table(path, table)
        return _open_query(path)
    paths = files.find(path)
    formats = {files.format_of(name) or "csv" for name in paths}
    if len(formats) > 1:
        raise DataError(f"{path!r} matches files of several formats ({quoted(sorted(formats))}); read one at a time.")
    (form,) = formats
    if form == "database":
        return _open_database(path, paths, table)
    _refuse_table(path, table)
    if form == "parquet":
        from slopewise.data.parquet import open_parquet

        return open_parquet(path, paths)
    return _open_json(path, paths) if form == "json" else _open_csv(path, paths, reading or Reading())


@dataclass(frozen=True, slots=True)
class DuckTable(Table):
    """A table that DuckDB reads: `relation` is its SQL expression, `attach` a statement to run before.

    `types` is its Arrow schema, and `explain` turns a message of DuckDB into a DataError. Of a table in several files,
    `relation_of` gives the SQL for some of them; a part of it starts at row `start` of the whole, which is None here.
    Where the types were guessed from text, `retyped` opens it with some columns as that text.
    """

    label: str
    schema: Schema
    n_rows: int | None
    relation: str
    types: pa.Schema
    explain: Explain
    attach: str | None = None
    in_memory: bool = False
    plain: PlainCsv | None = None
    files: tuple[str, ...] = ()
    relation_of: Relation | None = None
    start: int | None = None
    decimal: str = "."
    missing_words: tuple[str, ...] = ()
    retyped: Callable[[Sequence[str]], DuckTable] | None = None

    def as_written(self, columns: Sequence[str]) -> Table:
        """Return the table with `columns` as the text that a CSV or JSON file holds."""
        guessed = [name for name in columns if not pa.types.is_string(self.types.field(name).type)]
        return self.retyped(guessed) if self.retyped is not None and guessed else self

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield the rows of `columns` in file order, at most `size` at a time, read by another thread."""
        check_usable(self.types, columns)
        for chunk in prefetch(_read(self, columns)):
            for start in range(0, len(chunk), size):
                yield chunk.rows(start, start + size)

    def head(self, columns: Sequence[str], rows: int) -> Chunk | None:
        """Return at most the first `rows` rows; with LIMIT, DuckDB reads no further."""
        check_usable(self.types, columns)
        first = replace(self, relation=f"(SELECT * FROM {self.relation} LIMIT {rows})")
        return next(iter(_read(first, columns)), None)

    def partitions(self, k: int) -> list[Table]:
        """Return at most k runs of whole files of about equal size; the rows of all but the last run are counted."""
        if self.relation_of is None or min(k, len(self.files)) < 2:
            return [self]
        parts: list[Table] = []
        start = self.start or 0
        cuts = files.contiguous([os.path.getsize(file) for file in self.files], k)
        for cut in cuts:
            some = self.files[cut]
            part = replace(self, relation=self.relation_of(some), files=some, start=start)
            parts.append(part)
            start += _count(part) if cut is not cuts[-1] else 0
        return parts


def _read(table: DuckTable, columns: Sequence[str]) -> Generator[ColumnsChunk, None, None]:
    names = ", ".join(map(csv.sql_name, columns))
    start = table.start or 0
    with _connect(table.attach) as connection:
        try:
            query = connection.sql(f"SELECT {names} FROM {table.relation}")
            for batch in query.to_arrow_reader(batch_rows(len(columns))):
                yield chunk_from_arrow(batch, table.schema, start)
                start += batch.num_rows
        # An error while batches are transferred reaches Python as Arrow's OSError.
        except (duckdb.Error, OSError) as error:
            raise table.explain(str(error)) from None
    if not start and table.start is None:
        raise DataError(f"{table.label!r} holds no rows; there is nothing to learn from.")


def _count(table: DuckTable) -> int:
    """Return the number of rows, for which the files are parsed once."""
    with _connect(table.attach) as connection:
        ((rows,),) = _query_runner(connection, table.explain)(f"SELECT count(*) FROM {table.relation}")
    return int(rows)


def _connect(attach: str | None = None) -> duckdb.DuckDBPyConnection:
    # Nothing is fetched from the network, and a query can name files only, not the caller's variables.
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
    )
    if attach:
        connection.execute(attach)
    return connection


def _query_runner(connection: duckdb.DuckDBPyConnection, explain: Explain) -> csv.RunQuery:
    """Return a function that runs an SQL query and returns its rows."""

    def run_query(query: str) -> list[tuple[Any, ...]]:
        try:
            return connection.sql(query).fetchall()
        except duckdb.Error as error:
            raise explain(str(error)) from None

    return run_query


def _types(connection: duckdb.DuckDBPyConnection, relation: str, explain: Explain) -> pa.Schema:
    try:
        return connection.sql(f"SELECT * FROM {relation} LIMIT 0").to_arrow_table().schema
    except duckdb.Error as error:
        raise explain(str(error)) from None


def _open_csv(path: str, paths: list[str], reading: Reading) -> DuckTable:
    explain = partial(csv.explain, label=path)
    with _connect() as connection:
        run_query = _query_runner(connection, explain)
        dialect = csv.sniff(run_query, paths, reading)
        if not run_query(f"SELECT 1 FROM {csv.relation(paths, dialect)} LIMIT 1"):
            header = quoted(dialect.types)
            raise DataError(f"{path!r} has a header ({header}) and no rows; there is nothing to learn from.")
    return _csv_table(path, paths, dialect)


def _csv_table(path: str, paths: list[str], dialect: csv.Dialect, texts: Sequence[str] = ()) -> DuckTable:
    dialect = replace(dialect, types=dialect.types | dict.fromkeys(texts, "VARCHAR"))
    relation_of, retyped = partial(csv.relation, dialect=dialect), partial(_csv_table, path, paths, dialect)
    found = _guessed_table(path, paths, partial(csv.explain, label=path), relation_of, retyped)
    plain = csv.plain_csv(paths, dialect)
    return replace(found, plain=plain, decimal=dialect.decimal, missing_words=dialect.missing)


def _guessed_table(
    path: str, paths: list[str], explain: Explain, relation_of: Relation, retyped: Callable[[Sequence[str]], DuckTable]
) -> DuckTable:
    """Return a table whose types were guessed from text."""
    relation = relation_of(paths)
    with _connect() as connection:
        types = _types(connection, relation, explain)
    opened = DuckTable(path, schema_from_arrow(types), None, relation, types, explain, files=tuple(paths))
    return replace(opened, relation_of=relation_of, retyped=retyped)


def _open_json(path: str, paths: list[str]) -> DuckTable:
    with _connect() as connection:
        kinds = json.sniff(_query_runner(connection, partial(json.explain, label=path)), paths)
    return _json_table(path, paths, kinds)


def _json_table(path: str, paths: list[str], kinds: dict[str, str], texts: Sequence[str] = ()) -> DuckTable:
    kinds = kinds | dict.fromkeys(texts, "VARCHAR")
    explain = partial(_explain_json, path=path, paths=paths, kinds=kinds)
    retyped = partial(_json_table, path, paths, kinds)
    return _guessed_table(path, paths, explain, partial(json.relation, types=kinds), retyped)


def _open_query(query: str) -> DuckTable:
    text = query.strip().rstrip(";")
    explain = partial(explain_query, query=shortened(text))
    # The bracket is on its own line, as the query may end in a comment.
    relation = f"({text}\n)"
    with _connect() as connection:
        _check_query(connection, text, explain)
        types = _types(connection, relation, explain)
    return DuckTable(shortened(text), schema_from_arrow(types), None, relation, types, explain)


def _check_query(connection: duckdb.DuckDBPyConnection, text: str, explain: Explain) -> None:
    """Raise DataError unless the text is one SELECT, parsed by DuckDB itself: nothing else is ever carried out."""
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise explain(str(error)) from None
    kinds = [str(statement.type).rpartition(".")[2].removesuffix("_STATEMENT") for statement in statements]
    if kinds != ["SELECT"]:
        raise DataError(
            f"The query {shortened(text)!r} holds {' and '.join(kinds) or 'no statement'}, and one SELECT is read; "
            "run anything else in DuckDB itself."
        )


def _open_database(path: str, paths: list[str], table: str | None) -> Table:
    if len(paths) > 1:
        raise DataError(f"{path!r} matches {len(paths)} database files; give one of them: {quoted(paths)}.")
    (file,) = paths
    with open(file, "rb") as opened:
        is_sqlite = opened.read(16) == b"SQLite format 3\0"
    if is_sqlite:
        from slopewise.data.sqlite import open_sqlite

        return open_sqlite(file, table)
    return _open_duckdb(file, table)


def _open_duckdb(file: str, table: str | None) -> DuckTable:
    attach = f"ATTACH {csv.sql_text(file)} AS data (READ_ONLY)"
    explain = partial(explain_database, file=file)
    with _connect() as connection:
        run_query = _query_runner(connection, explain)
        try:
            connection.execute(attach)
        except duckdb.Error as error:
            raise explain(str(error)) from None
        listed = run_query(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'data' ORDER BY ALL"
        )
        tables = {name if schema == "main" else f"{schema}.{name}": (schema, name) for schema, name in listed}
        chosen = files.chosen_table(file, table, tables)
        relation = ".".join(map(csv.sql_name, ("data", *tables[chosen])))
        ((n_rows,),) = run_query(f"SELECT count(*) FROM {relation}")
        if not n_rows:
            raise DataError(f"Table {chosen!r} of {file!r} holds no rows; there is nothing to learn from.")
        types = _types(connection, relation, explain)
    return DuckTable(f"{file}: {chosen}", schema_from_arrow(types), n_rows, relation, types, explain, attach)


def _explain_json(message: str, path: str, paths: list[str], kinds: dict[str, str]) -> DataError:
    with _connect() as connection:
        run_query = _query_runner(connection, partial(json.explain, label=path))
        return json.explain(message, path, json.first_misfit(run_query, paths, kinds))


def _refuse_table(path: str, table: str | None) -> None:
    if table is not None:
        raise OptionError(
            f"table={table!r} was given, but {shortened(path)!r} is not a database file; leave `table` out."
        )
