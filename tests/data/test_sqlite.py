"""Tables of SQLite files."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from slopewise.data.duckdb_table import open_file
from slopewise.errors import DataError, OptionError


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER, g TEXT, flag BOOLEAN, day DATE, anything, b BLOB)")
        rows = [
            (1, "u", 1, "2020-01-01", "1.5", b"1"),
            (None, None, 0, None, 2, None),
            (3, "v", None, None, None, None),
        ]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("CREATE TABLE late (a REAL)")
        connection.executemany("INSERT INTO late VALUES (?)", [(i,) for i in range(2000)] + [("oops",)])
        connection.execute("CREATE TABLE bare (a REAL)")
        connection.commit()
    return str(file)


def test_kinds_and_values(path):
    table = open_file(path, "t")
    assert table.schema.names == ("a", "g", "flag", "day", "anything", "b")
    assert table.schema.kinds == ("number", "category", "boolean", "category", "number", "category")
    assert table.n_rows is None and table.label == f"{path}: t"
    for size in (1, 2, 100):
        chunks = list(table.chunks(["a", "flag", "anything", "g"], size))
        assert [chunk.start for chunk in chunks] == list(range(0, 3, size))
        numbers = np.concatenate([chunk.numbers(["a", "flag", "anything"]).numpy() for chunk in chunks])
        np.testing.assert_array_equal(numbers, [[1, 1, 1.5], [np.nan, 0, 2], [3, np.nan, np.nan]])
    assert chunks[0].codes("g").codes.tolist() == [0, -1, 1] and chunks[0].codes("g").levels == ("u", "v")


def test_text_in_a_number_column_is_named(path):
    with pytest.raises(DataError) as error:
        list(open_file(path, "late").chunks(["a"], 300))
    assert str(error.value) == (
        "Column 'a' holds 'oops' in row 2001 (rows count from 1), where its first rows hold numbers; "
        "correct that value, or use NULL if it is missing."
    )


@pytest.mark.parametrize(("column", "says"), [("day", r"dates or times \(DATE\)"), ("b", "values of type BLOB")])
def test_what_cannot_be_used_is_refused_when_asked_for(path, column, says):
    with pytest.raises(DataError, match=f"Column '{column}' holds {says}"):
        next(open_file(path, "t").chunks([column], 10))


def test_the_table_must_be_named_and_there(path):
    with pytest.raises(OptionError) as error:
        open_file(path)
    assert (
        str(error.value)
        == f"{path!r} is a database; name one of its tables with table_name='NAME'. It holds 'bare', 'late', 't'."
    )
    with pytest.raises(DataError, match="There is no table 'lite' in .*a.db'. Did you mean 'late'?"):
        open_file(path, "lite")
    with pytest.raises(DataError, match="Table 'bare' of .*a.db' holds no rows"):
        open_file(path, "bare")


def test_a_broken_database(tmp_path):
    file = tmp_path / "a.sqlite"
    file.write_bytes(b"SQLite format 3\0" + b"junk" * 100)
    with pytest.raises(DataError, match=r"a.sqlite' cannot be read as an SQLite database \(file is not a database\)"):
        open_file(str(file), "t")
