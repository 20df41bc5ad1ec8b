"""Parquet files, one or several, whole or broken."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slopewise.data.duckdb_table import open_file
from slopewise.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for start, name in ((0, "b2.parquet"), (100, "a1.parquet")):
        rows = np.arange(start, start + 100)
        table = pa.table(
            {
                "x": rows.astype(float),
                "i": pa.array([None if r % 10 == 0 else int(r) for r in rows]),
                "flag": rows % 2 == 0,
                "g": [None if r % 4 == 0 else f"k{r % 4}" for r in rows],
                "when": pa.array(rows, pa.timestamp("s")),
                "x.1": -rows.astype(float),
            }
        )
        pq.write_table(table, tmp_path / name, row_group_size=30)
    return tmp_path


def joined(table, columns, size):
    return np.concatenate([chunk.numbers(columns).numpy() for chunk in table.chunks(columns, size)])


def test_a_folder_is_read_in_sorted_order_with_any_size_any_number_of_times(folder):
    table = open_file(str(folder))
    assert table.n_rows == 200 and not table.in_memory
    assert dict(zip(table.schema.names, table.schema.kinds, strict=True)) == {
        "x": "number", "i": "number", "flag": "boolean", "g": "category", "when": "category", "x.1": "number",
    }  # fmt: skip
    whole = joined(table, ["x", "flag", "i"], 10**6)
    assert whole[:2].tolist() == [[100, 1, pytest.approx(np.nan, nan_ok=True)], [101, 0, 101]]
    assert whole[:, 0].tolist() == [*range(100, 200), *range(100)]
    for size in (1, 7, 64):
        np.testing.assert_array_equal(joined(table, ["x", "flag", "i"], size), whole)
    assert [len(chunk) for chunk in table.chunks(["x"], 1)] == [1] * 200
    starts = [chunk.start for chunk in table.chunks(["x"], 7)]
    assert starts[0] == 0 and starts == sorted(starts) and starts[-1] < 200


def test_missing_categories_have_code_minus_one(folder):
    chunk = next(open_file(str(folder / "b2.parquet")).chunks(["g"], 5))
    assert chunk.codes("g").codes[[0, 4]].tolist() == [-1, -1]
    assert [chunk.codes("g").levels[code] for code in chunk.codes("g").codes[1:4]] == ["k1", "k2", "k3"]


def test_a_dot_in_a_name_is_no_path(folder):
    chunk = next(open_file(str(folder / "b2.parquet")).chunks(["x.1", "x"], 3))
    assert chunk.numbers(["x", "x.1"]).tolist() == [[0, 0], [1, -1], [2, -2]]
    assert list(next(open_file(str(folder / "b2.parquet")).chunks(["x"], 3)).columns) == ["x"]


def test_dates_are_refused_when_asked_for(folder):
    with pytest.raises(DataError, match=r"Column 'when' holds dates or times \(timestamp\[ms\]\)"):
        next(open_file(str(folder)).chunks(["x", "when"], 10))


def test_a_file_that_is_not_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_text("x,y\n1,2\n" * 10)
    with pytest.raises(DataError) as error:
        open_file(str(path))
    assert str(error.value).startswith(f"{str(path)!r} is not a complete Parquet file: ")
    assert str(error.value).endswith("; write or copy it again.")


def test_a_truncated_file(folder):
    path = folder / "a1.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="a1.parquet' is not a complete Parquet file"):
        open_file(str(path))


def test_a_file_cut_after_it_was_opened(folder):
    table = open_file(str(folder / "a1.parquet"))
    (folder / "a1.parquet").unlink()
    with pytest.raises(DataError, match="a1.parquet' is not a complete Parquet file"):
        list(table.chunks(["x"], 10))


def test_files_with_other_columns_or_kinds(tmp_path):
    pq.write_table(pa.table({"x": [1.0], "y": [1.0]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b.parquet' has other columns than .*a.parquet': it lacks 'y'; read"):
        open_file(str(tmp_path / "*.parquet"))
    pq.write_table(pa.table({"y": [1], "x": ["text"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"Column 'x' is a category in .*b.parquet' and a number in .*a.parquet'"):
        open_file(str(tmp_path / "*.parquet"))


def test_no_rows(tmp_path):
    pq.write_table(pa.table({"x": pa.array([], pa.float64())}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="a.parquet' holds no rows; there is nothing to learn from."):
        open_file(str(tmp_path / "a.parquet"))
