"""Parts of a table: together the whole, in order, each chunk knowing its place in it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from slopewise.data.design_source import DesignSource
from slopewise.data.files import contiguous
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table
from slopewise.data.source import Table
from slopewise.data.split import Split

N = 1000


def tables(folder: Path) -> dict[str, str]:
    """One table as one Parquet file, as several, as several CSV files and as several JSON files; and its like."""
    make = np.random.default_rng(0)
    whole = pa.table({"a": np.arange(N) * 1.0, "b": make.normal(size=N), "y": make.normal(size=N)})
    pq.write_table(whole, folder / "one.parquet", row_group_size=70)
    for name in ("parquets", "csvs", "jsons"):
        (folder / name).mkdir()
    at = 0
    for number, rows in enumerate((100, 1, 450, 249, 200)):
        part = whole.slice(at, rows)
        pq.write_table(part, folder / "parquets" / f"{number}.parquet", row_group_size=64)
        pyarrow.csv.write_csv(part, folder / "csvs" / f"{number}.csv")
        part.to_pandas().to_json(
            folder / "jsons" / f"{number}.jsonl", orient="records", lines=True, double_precision=15
        )
        at += rows
    return {
        "one Parquet file": str(folder / "one.parquet"),
        "a folder of Parquet": str(folder / "parquets"),
        "CSV files": str(folder / "csvs" / "*.csv"),
        "JSON files": str(folder / "jsons" / "*.jsonl"),
    }


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return tables(tmp_path_factory.mktemp("parts"))


def values(table: Table, size: int = 64) -> np.ndarray:
    return np.concatenate([chunk.numbers(["a", "b", "y"]).numpy() for chunk in table.chunks(["a", "b", "y"], size)])


NAMES = ["one Parquet file", "a folder of Parquet", "CSV files", "JSON files"]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("name", NAMES)
def test_parts_are_the_whole(name: str, k: int, paths: dict[str, str]) -> None:
    table = as_table(paths[name], None)
    parts = table.partitions(k)
    assert min(k, 2) <= len(parts) <= k
    np.testing.assert_array_equal(np.concatenate([values(part) for part in parts]), values(table))
    for part in parts:
        for chunk in part.chunks(["a"], 50):
            assert chunk.start == chunk.numbers(["a"])[0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_parts_of_parts_and_parts_sent_elsewhere(name: str, paths: dict[str, str]) -> None:
    table = as_table(paths[name], None)
    parts = [part for half in table.partitions(2) for part in pickle.loads(pickle.dumps(half)).partitions(2)]
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate([values(part) for part in parts]), values(table))
    starts = [next(iter(part.chunks(["a"], 5))).start for part in parts]
    assert starts == [int(values(part)[0, 0]) for part in parts]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_are_held_out_of_the_parts(name: str, paths: dict[str, str]) -> None:
    table, split = as_table(paths[name], None), Split(0.3, 5)
    design = learn_design(table, target="y", features=None, weights=None, intercept=True, missing="error", split=split)
    for part in ("train", "test"):
        source = DesignSource(table, design, split, part)
        whole = [row for batch in source.batches(100) for row in batch.x[:, 0].tolist()]
        parts = [row for some in source.partitions(3) for batch in some.batches(100) for row in batch.x[:, 0].tolist()]
        assert parts == whole


def test_rows_of_a_parquet_part_are_known(paths: dict[str, str]) -> None:
    parts = as_table(paths["a folder of Parquet"], None).partitions(3)
    assert sum(part.n_rows or 0 for part in parts) == N
    assert max(part.n_rows or 0 for part in parts) < N / 2


def test_one_file_of_text_is_its_only_part(paths: dict[str, str]) -> None:
    table = as_table(paths["CSV files"].replace("*", "2"), None)
    assert table.partitions(4) == [table]


def test_a_part_without_rows_is_none_to_complain_of(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n")
    (tmp_path / "b.csv").write_text("x,y\n")
    parts = as_table(str(tmp_path / "*.csv"), None).partitions(2)
    assert [sum(len(chunk) for chunk in part.chunks(["x"], 5)) for part in parts] == [2, 0]


def test_contiguous_groups() -> None:
    for sizes in ([1] * 7, [100, 1, 1], [1, 1, 100], [0, 0], [5], []):
        for k in (1, 2, 3, 50):
            cuts = contiguous(sizes, k)
            assert len(cuts) <= k
            assert [at for cut in cuts for at in range(*cut.indices(len(sizes)))] == list(range(len(sizes)))
    assert contiguous([1] * 8, 4) == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)]
