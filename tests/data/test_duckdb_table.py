"""Tables opened by `open_file`: CSV, JSON, SQL and DuckDB databases."""

import gzip
import os

import duckdb
import numpy as np
import pytest

from slopewise.data.duckdb_table import open_file
from slopewise.errors import DataError, OptionError


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, text):
    with gzip.open(name, "wt") if name.endswith(".gz") else open(name, "w") as file:
        file.write(text)
    return name


def kinds(table):
    return dict(zip(table.schema.names, table.schema.kinds, strict=True))


def numbers(table, columns, size=1000):
    return np.concatenate([chunk.numbers(columns).numpy() for chunk in table.chunks(columns, size)])


def refusal(path, table=None):
    with pytest.raises(DataError) as error:
        opened = open_file(path, table)
        list(opened.chunks(opened.schema.names, 1000))
    return str(error.value)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.dat"])
def test_csv(name):
    text = "x,flag,g\n1,true,u\nNA,false,NaN\n2,,v\n" + "3,true,u\n" * 30_000 + "1.5,true,\n"
    table = open_file(write(name, text))
    assert kinds(table) == {"x": "number", "flag": "boolean", "g": "category"}
    assert (table.label, table.n_rows, table.in_memory) == (name, None, False)
    whole = numbers(table, ["flag", "x"])
    np.testing.assert_array_equal(whole[:3], [[1, 1], [0, np.nan], [np.nan, 2]])
    assert len(whole) == 30_004 and whole[-1].tolist() == [1, 1.5]
    np.testing.assert_array_equal(numbers(table, ["flag", "x"], 4097), whole)
    first = next(table.chunks(["g"], 3)).codes("g")
    assert [first.levels[code] if code >= 0 else None for code in first.codes] == ["u", None, "v"]


def test_chunks_of_one_row_and_two_reads():
    table = open_file(write("a.csv", "x,y\n" + "".join(f"{i},{-i}\n" for i in range(50))))
    for _ in range(2):
        chunks = list(table.chunks(["y"], 1))
        assert [(chunk.start, chunk.numbers(["y"]).item()) for chunk in chunks] == [(i, -i) for i in range(50)]


def test_a_pattern_joins_its_files_in_sorted_order():
    write("b.csv", "x,g\n3,u\n4,v\n")
    write("a.csv", "x,g\n1,\n2,\n")
    table = open_file("*.csv")
    assert kinds(table) == {"x": "number", "g": "category"}
    assert numbers(table, ["x"]).ravel().tolist() == [1, 2, 3, 4]


def test_files_of_a_pattern_must_be_alike():
    write("a.csv", "x,y\n1,2\n")
    write("b.csv", "y,x\n1,2\n")
    assert refusal("*.csv") == (
        "'b.csv' has other columns than 'a.csv': their order differs; read together, all files need the same."
    )
    write("b.csv", "x;y\n1;2\n")
    assert refusal("*.csv").startswith("'b.csv' separates its columns by ';' and 'a.csv' by ','; read together")
    write("b.json", '{"x": 1}')
    assert refusal("*.*") == "'*.*' matches files of several formats ('csv', 'json'); read one at a time."


def test_quotes_and_decimal_commas():
    table = open_file(write("a.csv", "x,g\n" + "1,u\n" * 30_000 + '2,"p,q"\n'))
    assert list(table.chunks(["g"], 10))[-1].codes("g").levels[-1] == "p,q"
    table = open_file(write("b.csv", "x;g\n1,5;u\n2,25;v\n"))
    assert numbers(table, ["x"]).ravel().tolist() == [1.5, 2.25]


def test_a_column_without_values_in_the_sample_is_a_number():
    table = open_file(write("a.csv", "x,e\n" + "1,\n" * 30_000 + "1,7\n"))
    assert kinds(table)["e"] == "number" and numbers(table, ["e"])[-1] == 7


def test_text_in_a_number_column_is_named():
    write("a.csv", "x,y\n" + "1,2\n" * 30_000 + "oops,2\n")
    assert refusal("a.csv") == (
        "Column 'x' holds 'oops' in line 30002 of 'a.csv', where its first rows hold numbers; "
        "correct that value, or leave it empty if it is missing."
    )


def test_csv_that_is_no_table():
    assert (
        refusal(write("h.csv", "x,y\n"))
        == "'h.csv' has a header ('x', 'y') and no rows; there is nothing to learn from."
    )
    assert refusal(write("r.csv", "x,y\n" + "1,2\n" * 30_000 + "1,2,3\n")) == (
        "Line 30002 of 'r.csv' has 3 values for 2 columns; correct that line."
    )
    assert refusal(write("s.csv", "x,y\n" + "1,2\n" * 30 + "1,2,3\n")) == (
        "The number of columns changes between lines 31 and 32 of 's.csv'; "
        "correct the line that is wrong, or remove the lines above the header."
    )
    with open("l.csv", "wb") as file:
        file.write("x,g\n1,café\n".encode("latin-1"))
    assert refusal("l.csv") == "'l.csv' is not written in UTF-8; save it as UTF-8 text."
    with open("n.csv", "wb") as file:
        file.write(np.random.default_rng(0).bytes(3000))
    assert refusal("n.csv").startswith("'n.csv' cannot be read as CSV: ")
    assert refusal(write("d.csv", "x,d\n1,2020-01-01\n")).startswith("Column 'd' holds dates or times (date32[day])")


def test_json():
    rows = '{"x": 1, "g": "u", "flag": true}\n{"x": null, "g": null, "flag": null}\n' + '{"x": 2.5, "g": "v"}\n'
    for name in ("a.jsonl", "a.ndjson.gz", "a.json"):
        table = open_file(write(name, rows))
        assert kinds(table) == {"x": "number", "g": "category", "flag": "boolean"}
        np.testing.assert_array_equal(numbers(table, ["x", "flag"]), [[1, 1], [np.nan, np.nan], [2.5, np.nan]])
        assert next(table.chunks(["g"], 9)).codes("g").codes.tolist() == [0, -1, 1]


def test_bad_json():
    write("a.jsonl", '{"x": 1}\n' * 30_000 + '{"x": "oops"}\n')
    assert refusal("a.jsonl") == (
        "Column 'x' holds 'oops' in row 30001 of 'a.jsonl', where its first rows hold numbers; "
        "correct that value, or use null if it is missing."
    )
    assert refusal(write("b.json", '{"x": 1')).startswith("'b.json' cannot be read as JSON: Malformed JSON")
    assert refusal(write("c.jsonl", '{"x": 1, "l": [1]}\n')).startswith("Column 'l' holds values of type list")


def test_a_query_is_read_relative_to_the_current_folder():
    write("a.csv", "x,g\n2,u\n1,v\n3,\n")
    table = open_file("  select x * 2 AS twice, g from 'a.csv' order by x -- sorted\n;")
    assert kinds(table) == {"twice": "number", "g": "category"}
    assert numbers(table, ["twice"], 1).ravel().tolist() == [2, 4, 6]
    assert numbers(open_file("WITH t AS (FROM range(3) r(i)) FROM t"), ["i"]).ravel().tolist() == [0, 1, 2]


def test_a_query_that_fails():
    write("a.csv", "x\n1\n")
    assert refusal("SELECT z FROM 'a.csv'") == (
        "The query \"SELECT z FROM 'a.csv'\" failed: "
        'Binder Error: Referenced column "z" not found in FROM clause; correct the query.'
    )
    assert (
        refusal("SELECT 1 AS x WHERE false")
        == "'SELECT 1 AS x WHERE false' holds no rows; there is nothing to learn from."
    )
    assert refusal("FROM 'https://example.invalid/a.csv'") == (
        "The query \"FROM 'https://example.invalid/a.csv'\" names an address, and only local files are read; "
        "download it first."
    )


def test_a_query_does_not_see_the_callers_variables():
    import pandas

    frame = pandas.DataFrame({"x": [1.0]})
    assert "Table with name frame does not exist" in refusal("SELECT * FROM frame") and len(frame) == 1


def test_duckdb_tables():
    with duckdb.connect("a.duckdb") as connection:
        connection.sql("CREATE TABLE t AS SELECT i, i::DECIMAL(9, 2) / 2 AS half, i::HUGEINT AS h FROM range(5) r(i)")
        connection.sql("CREATE SCHEMA s; CREATE TABLE s.u (x DOUBLE)")
    os.rename("a.duckdb", "a.db")
    table = open_file("a.db", "t")
    assert (table.n_rows, table.label) == (5, "a.db: t")
    assert numbers(table, ["half", "h"], 2).tolist() == [[i / 2, i] for i in range(5)]
    assert refusal("a.db", "v") == "There is no table 'v' in 'a.db'. Known: 't', 's.u'."
    assert refusal("a.db", "s.u") == "Table 's.u' of 'a.db' holds no rows; there is nothing to learn from."
    with pytest.raises(
        OptionError, match="'a.db' is a database; name one of its tables with table_name='NAME'. It holds 't', 's.u'."
    ):
        open_file("a.db")
    write("b.db", "not a database" * 100)
    assert refusal("b.db", "t").startswith("'b.db' cannot be read as a DuckDB or SQLite database: IO Error")


def test_a_table_is_only_for_databases():
    write("a.csv", "x\n1\n")
    with pytest.raises(OptionError) as error:
        open_file("a.csv", "t")
    assert str(error.value) == "table='t' was given, but 'a.csv' is not a database file; leave `table` out."


def test_a_broken_row_ends_the_pass_after_a_good_start_too():
    write("a.csv", "x\n" + "1\n" * 400_000 + "oops\n")
    chunks = open_file("a.csv").chunks(["x"], 1000)
    assert len(next(chunks)) == 1000
    with pytest.raises(DataError, match="Column 'x' holds 'oops' in line 400002 of 'a.csv'"):
        list(chunks)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT 1) ; COPY (SELECT 1) TO 'owned.csv' ; SELECT (1", "failed"),
        ("SELECT 1 AS x; COPY (SELECT 1) TO 'owned.csv'", "holds SELECT and COPY, and one SELECT is read"),
        ("SELECT 1 AS x; ATTACH 'owned.csv'", "holds SELECT and ATTACH"),
        ("SELECT 1 AS x; INSTALL httpfs", "holds SELECT and LOAD"),
        ("SELECT 1 AS x; LOAD httpfs", "holds SELECT and LOAD"),
        ("SELECT 1 AS x; SET threads = 1", "holds SELECT and SET"),
        ("SELECT 1 AS x; PRAGMA version", "holds SELECT and"),
        ("SELECT 1 AS x; SELECT 2 AS x", "holds SELECT and SELECT"),
        ("WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a", "holds INSERT"),
    ],
)
def test_a_query_is_one_select(query, sentence, tmp_path):
    assert sentence in refusal(query)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [3, 30_000])
def test_a_row_that_begins_with_a_hash_is_a_row(tmp_path, at):
    rows = [f"{'#17' if k == at else k},{k}.5" for k in range(40_000)]
    path = tmp_path / "t.csv"
    path.write_text("unit,price\n" + "\n".join(rows) + "\n", encoding="utf-8")
    table = open_file(str(path))
    assert sum(len(chunk) for chunk in table.chunks(["price"], 65536)) == 40_000


@pytest.mark.parametrize(
    "name", ["data[1].csv", "what?.csv", "a*b.csv", "data[1].jsonl", "from sales.csv", "With tax.csv"]
)
def test_a_path_that_exists_is_that_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for other in ("data1.csv", "what1.csv", "axxb.csv", "data1.jsonl"):
        text = '{"a": 9, "y": 9}\n' if other.endswith("l") else "a,y\n9,9\n"
        (tmp_path / other).write_text(text, encoding="utf-8")
    text = '{"a": 1, "y": 2}\n{"a": 3, "y": 4}\n' if name.endswith("l") else "a,y\n1,2\n3,4\n"
    (tmp_path / name).write_text(text, encoding="utf-8")
    (chunk,) = open_file(name).chunks(["a", "y"], 10)
    assert chunk.numbers(["a", "y"]).tolist() == [[1.0, 2.0], [3.0, 4.0]]
