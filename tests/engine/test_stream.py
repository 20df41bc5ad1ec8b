"""Mini-batches from a stream: every row once, in an order that its description alone decides, from a bounded buffer."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import torch
from problems import problem_of

from slopewise.data.design_source import DesignSource
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table
from slopewise.data.source import Source
from slopewise.data.split import Split
from slopewise.engine import stream as module
from slopewise.engine.local import LocalEngine
from slopewise.engine.stream import buffer_rows, permutation
from slopewise.errors import DataError
from slopewise.losses.squared import Squared
from slopewise.training.moments.standardize import StandardizedRows
from slopewise.types import Batch

N = 1000
ENGINE = LocalEngine()


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 250 rows of two columns."""
    monkeypatch.setattr(module, "BUFFER", 250 * 8 * 4)
    monkeypatch.setattr(module, "READ_ROWS", 60)


def rows(n: int = N, weights: bool = False) -> Source:
    x = np.column_stack([np.arange(n), np.ones(n)])
    return problem_of(x, np.arange(n), w=np.arange(n) + 1.0 if weights else None, loss=Squared()).source


def numbers(
    source: Source, size: int = 32, seed: int | None = 0, epoch: int = 0, engine: LocalEngine = ENGINE
) -> list[int]:
    return [int(row) for batch in engine.stream(source, size, seed, epoch) for row in batch.x[:, 0].tolist()]


@pytest.mark.parametrize("n", [1, 31, 32, 250, 251, N])
@pytest.mark.parametrize("size", [1, 7, 32, 250, 400])
@pytest.mark.parametrize("seed", [None, 0])
def test_every_row_once_an_epoch(seed: int | None, size: int, n: int) -> None:
    batches = list(ENGINE.stream(rows(n, weights=True), size, seed))
    assert sorted(int(row) for batch in batches for row in batch.x[:, 0].tolist()) == list(range(n))
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert 0 < len(batches[-1]) <= size
    for batch in batches:
        assert torch.equal(batch.x[:, 0], batch.y)
        assert torch.equal(batch.w, batch.y + 1)


def test_without_a_seed_the_order_is_the_sources() -> None:
    assert numbers(rows(), seed=None) == list(range(N))


def test_the_order_is_that_of_seed_and_epoch() -> None:
    orders = {(seed, epoch): numbers(rows(), seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1)}
    assert len({tuple(order) for order in orders.values()}) == 4
    for (seed, epoch), order in orders.items():
        assert numbers(rows(), seed=seed, epoch=epoch) == order


def test_rows_are_shuffled_within_a_buffer_and_no_further() -> None:
    size, buffer = 32, buffer_rows(2, 32)
    assert buffer == 224
    order = numbers(rows(), size)
    for start in range(0, N, buffer):
        some = order[start : start + buffer]
        assert sorted(some) == list(range(start, min(start + buffer, N)))
        assert some != sorted(some)
    assert order[:buffer] == permutation(buffer, 0, 0).tolist()
    assert order[buffer : 2 * buffer] == (buffer + permutation(buffer, 0, 0, 1)).tolist()


def test_a_small_source_is_shuffled_whole_as_rows_in_memory_are() -> None:
    assert numbers(rows(200)) == permutation(200, 0, 0).tolist()


@dataclass(frozen=True)
class InPieces(Source):
    """Another source's rows in pieces of other sizes than asked for, some empty."""

    inner: Source
    sizes: tuple[int, ...]
    x_names: tuple[str, ...] = ("x1", "x2")
    n_rows: int | None = None
    in_memory: bool = False

    def batches(self, size: int) -> Iterator[Batch]:
        (whole,) = self.inner.batches(N)
        at = turn = 0
        while at < N:
            step = self.sizes[turn % len(self.sizes)]
            yield Batch(whole.x[at : at + step], whole.y[at : at + step])
            at, turn = at + step, turn + 1

    def partitions(self, k: int) -> list[Source]:
        return [self]

    def first_invalid_value(self) -> DataError | None:
        return None


@pytest.mark.parametrize("sizes", [(1,), (13, 0, 400), (1000,)])
def test_the_order_does_not_depend_on_how_rows_are_read(sizes: tuple[int, ...]) -> None:
    expected = numbers(rows())
    assert numbers(InPieces(rows(), sizes)) == expected
    for batch_rows in (1, 17, 100_000):
        assert numbers(rows(), engine=LocalEngine(batch_rows)) == expected


def files(folder: Path) -> dict[str, str]:
    make = np.random.default_rng(0)
    table = pa.table({"a": np.arange(N) * 1.0, "b": make.normal(size=N), "y": make.normal(size=N)})
    pq.write_table(table, folder / "one.parquet", row_group_size=300)
    pyarrow.csv.write_csv(table, folder / "one.csv")
    (folder / "five").mkdir()
    for number, (start, stop) in enumerate(((0, 10), (10, 400), (400, 401), (401, 900), (900, N))):
        pq.write_table(table.slice(start, stop - start), folder / "five" / f"{number}.parquet", row_group_size=77)
    return {name: str(folder / name) for name in ("one.parquet", "one.csv", "five")}


def test_one_file_or_five_give_one_order(tmp_path: Path) -> None:
    orders = []
    for path in files(tmp_path).values():
        table, split = as_table(path, None), Split(0.2, 3)
        design = learn_design(
            table, target="y", features=None, weights=None, intercept=True, missing="error", split=split
        )
        orders.append(numbers(DesignSource(table, design, split, "train")))
    assert 700 < len(orders[0]) < 900
    assert orders[0] == orders[1] == orders[2]


def test_rows_left_out_leave_no_gap() -> None:
    source = rows()
    table = source.table
    kept = DesignSource(table, replace(source.design, missing="drop"), Split(0.5, 1), "train")
    order = numbers(kept)
    assert order[: buffer_rows(2, 32)] != sorted(order)[: buffer_rows(2, 32)]
    assert sorted(order) == [int(row) for batch in kept.batches(N) for row in batch.x[:, 0].tolist()]


def test_units_and_dtype() -> None:
    mean, scale = torch.tensor([10.0, 0.0], dtype=torch.float64), torch.tensor([2.0, 1.0], dtype=torch.float64)
    source = StandardizedRows(rows(weights=True), mean, scale, torch.float32, 1.0, 4.0, 0.5)
    for batch in ENGINE.stream(source, 32, 0):
        assert batch.x.dtype == batch.y.dtype == batch.w.dtype == torch.float32
        row = batch.x[:, 0] * 2 + 10
        torch.testing.assert_close(batch.y, (row - 1) / 4)
        torch.testing.assert_close(batch.w, (row + 1) / 2)


def test_batches_may_be_kept() -> None:
    for seed in (None, 0):
        kept = list(ENGINE.stream(rows(), 32, seed))
        assert sorted(torch.cat([batch.x[:, 0] for batch in kept]).tolist()) == list(range(N))


def test_no_more_rows_are_in_memory_than_two_buffers_and_a_batch() -> None:
    class Counting(InPieces):
        ahead = 0

        def batches(self, size: int) -> Iterator[Batch]:
            for batch in super().batches(size):
                Counting.ahead += len(batch)
                yield batch

    used = most = 0
    for batch in ENGINE.stream(Counting(rows(), (20,)), 32, 0):
        used += len(batch)
        most = max(most, Counting.ahead - used)
    assert used == N
    assert most <= 2 * buffer_rows(2, 32) + 20


def test_leaving_early_and_errors() -> None:
    class Breaks(InPieces):
        def batches(self, size: int) -> Iterator[Batch]:
            yield next(super().batches(size))
            raise DataError("the file is cut short.")

    with pytest.raises(DataError, match="cut short"):
        list(ENGINE.stream(Breaks(rows(), (300,)), 32, 0))
    batches = ENGINE.stream(rows(), 32, 0)
    next(batches)
    batches.close()
    gc.collect()


def test_progress_is_reported_for_files() -> None:
    reported: list[tuple[int, int | None]] = []

    class RecordingCallback:
        def rows(self, done: int, total: int | None) -> None:
            reported.append((done, total))

        def note(self, text: str) -> None: ...
        def epochs(self, done: int, total: int, cost: float) -> None: ...

    list(LocalEngine(callback=RecordingCallback()).stream(InPieces(rows(), (20,)), 32, 0))
    assert reported[-1] == (N, None)
    assert len(reported) == 5


def test_the_buffer_is_measured_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert buffer_rows(20, 1024) == 363_520
    assert buffer_rows(20, 1_000_000) == 1_000_000
    assert buffer_rows(100_000, 256) == 256
