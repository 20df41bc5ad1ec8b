"""What every engine promises, on the engine of this machine; and that nobody else names what only engines know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from problems import problem_of
from torch import Tensor, nn

import slopewise
from slopewise.data.source import Source
from slopewise.engine.buffered import BufferedRows
from slopewise.engine.default import default_engine
from slopewise.engine.gather import gather
from slopewise.engine.local import LocalEngine
from slopewise.engine.operands import move
from slopewise.engine.threads import Stop, cores, kept_memory, one_torch_thread, side_by_side, threads_for
from slopewise.errors import DataError
from slopewise.losses.squared import Squared
from slopewise.types import Batch

PACKAGE = Path(slopewise.__file__).parent

PRIVATE = re.compile(
    r"LocalEngine|set_num_threads|get_num_threads|cpu_count|\bcuda\b|import threading|concurrent\.futures|torch\.device"
)
"""Engines by name, threads, devices."""

READER = "data/prefetch.py"
"""Reads beside the arithmetic with a thread of its own: stage 1 knows no engine."""


class Shift(NamedTuple):
    shift: Tensor


class Sums(NamedTuple):
    total: Tensor
    rows: int


def kernel(batch: Batch, operands: Shift) -> Sums:
    return Sums((batch.x - operands.shift).sum(0), len(batch))


def latest(batch: Batch, operands: None) -> tuple[float, float]:
    return float(batch.x[0, 0]), float(batch.x[-1, 0])


def ends(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    assert a[1] < b[0]
    return a[0], b[1]


@dataclass(frozen=True)
class Streamed(Source):
    """Another source's rows as from a file; counts the rows that were read."""

    inner: Source
    read: list[int] = field(default_factory=list)
    in_memory: bool = False
    n_rows: int | None = None
    x_names: tuple[str, ...] = ("x1", "x2")

    def batches(self, size: int) -> Iterator[Batch]:
        self.read.append(0)
        for batch in self.inner.batches(size):
            self.read[-1] += len(batch)
            yield batch

    def partitions(self, k: int) -> list[Source]:
        raise AssertionError("a file is read by one reader on this machine")

    def first_invalid_value(self) -> DataError | None:
        return None


def rows(n: int) -> Source:
    x = np.column_stack([np.arange(n), np.ones(n)])
    return problem_of(x, np.arange(n), loss=Squared()).source


def test_only_engines_name_engines_threads_and_devices() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "engine" not in path.relative_to(PACKAGE).parts and str(path.relative_to(PACKAGE)) != READER
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PRIVATE.search(line)
    ]
    assert not found, "only engine/ may name these:\n" + "\n".join(found)


@pytest.mark.parametrize("n", [1, 100, 200_000])
@pytest.mark.parametrize("file", [True, False])
def test_a_sum_over_rows(n: int, file: bool) -> None:
    source = Streamed(rows(n)) if file else rows(n)
    found = LocalEngine(64 if n < 1000 else 65536).reduce(kernel, source, Shift(torch.tensor([1.0, 1.0])))
    assert found is not None
    assert found.total.tolist() == [n * (n - 1) / 2 - n, 0]
    assert found.rows == n


def test_results_are_combined_in_the_order_of_the_rows() -> None:
    assert LocalEngine(1000).reduce(latest, rows(200_000), None, ends) == (0, 199_999)


def test_the_sum_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    make = np.random.default_rng(0)
    source = problem_of(make.normal(size=(300_000, 2)), make.normal(size=300_000), loss=Squared()).source
    sums = []
    for threads in (1, 2, 5):
        monkeypatch.setattr("slopewise.engine.local.cores", lambda threads=threads: threads)
        sums.append(LocalEngine().reduce(kernel, source, Shift(torch.zeros(2, dtype=torch.float64))))
    assert torch.equal(sums[0].total, sums[1].total)
    assert torch.equal(sums[0].total, sums[2].total)


def test_what_a_kernel_raises_is_raised() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        LocalEngine().reduce(kernel, rows(200_000), Shift(torch.zeros(5)))


@pytest.mark.parametrize("n", [0, 1, 50, 64, 70, 1000])
def test_the_first_rows(n: int) -> None:
    source = rows(70)
    for each, engine in (
        (source, LocalEngine()),
        (Streamed(source), LocalEngine(16)),
        (Streamed(source), LocalEngine(1)),
    ):
        head = engine.head(each, n)
        assert head.x[:, 0].tolist() == head.y.tolist() == list(range(min(n, 70)))


def test_a_read_that_was_opened_is_read_once() -> None:
    source = Streamed(rows(70))
    engine = LocalEngine(16)
    reading = engine.open(source)
    assert not reading.in_memory
    assert len(engine.head(reading, 50)) == 50
    assert len(engine.head(reading, 20)) == 20
    assert source.read == [64]
    found = engine.reduce(kernel, reading, Shift(torch.zeros(2)))
    assert found.rows == 70
    assert found.total[0] == 69 * 35
    assert source.read == [70]


def test_rows_that_fit_are_kept() -> None:
    source = Streamed(rows(70))
    engine = LocalEngine(16)
    reading = engine.open(source, keep=70 * 8 * 4)
    assert reading.in_memory
    for _ in range(2):
        assert engine.reduce(kernel, reading, Shift(torch.zeros(2))).rows == 70
    assert source.read == [70]
    assert not engine.open(source, keep=69 * 8 * 4).in_memory
    assert engine.open(reading) is reading


def test_kept_rows_count_what_was_left_out_once() -> None:
    def piece(n: int, dropped: int) -> Batch:
        x = torch.ones(n, 1, dtype=torch.float64)
        return Batch(x, x[:, 0], dropped=dropped, missing=(dropped,))

    sizes = [(0, 2), (20_000, 3), (0, 4), (30_000, 5), (10, 0), (0, 7)]
    kept = BufferedRows(tuple(piece(n, dropped) for n, dropped in sizes), ("a",), 50_010)
    for k in (1, 2, 3, 100):
        batches = [batch for part in kept.partitions(k) for batch in part.batches(1000)]
        assert sum(map(len, batches)) == 50_010
        assert sum(batch.dropped for batch in batches) == 21
        assert sum(batch.missing[0] for batch in batches if batch.missing) == 21
    assert sum(batch.dropped for batch in kept.batches(1000)) == 21


def test_gathered_rows_are_scaled() -> None:
    mean, scale = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0])
    found = gather(Streamed(rows(20)), 7, mean=mean, scale=scale, dtype=torch.float32)
    assert found.x.dtype == found.y.dtype == torch.float32
    assert found.x[:, 0].tolist() == [(k - 1) / 2 for k in range(20)]


def test_moving_leaves_what_is_there_and_reaches_everything() -> None:
    @dataclass(frozen=True, slots=True)
    class Inner:
        x: Tensor
        name: str

    value = Shift(torch.zeros(2)), Inner(torch.ones(1), "a"), nn.Linear(2, 1), None, 3.0
    there = move(value, torch.device("cpu"))
    assert there[0].shift is value[0].shift
    assert there[1].x is value[1].x
    assert there[2] is value[2]
    far = move(value, torch.device("meta"))
    assert isinstance(far[0], Shift)
    assert far[0].shift.device.type == far[1].x.device.type == far[2].weight.device.type == "meta"
    assert far[1].name == "a"
    assert far[3:] == (None, 3.0)
    assert value[2].weight.device.type == "cpu"


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), one_torch_thread():
        assert torch.get_num_threads() == 1
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before
    with threads_for(10):
        assert torch.get_num_threads() == 1
    with threads_for(10**9):
        assert torch.get_num_threads() == before
    assert cores() >= 1


def test_side_by_side_keeps_the_order_and_asks_the_others_to_stop() -> None:
    stop = Stop()
    assert side_by_side([lambda k=k: k for k in range(5)], 2, stop) == ([0, 1, 2, 3, 4], False)
    stop = Stop()

    def fails() -> int:
        raise ValueError("no")

    def waits() -> int:
        while not stop.asked:
            pass
        return 1

    with pytest.raises(ValueError, match="no"):
        side_by_side([fails, waits], 2, stop)


def test_memory_is_kept_for_its_owner() -> None:
    first = kept_memory(("test", 3), 5, lambda: torch.zeros(5))
    assert kept_memory(("test", 3), 4, lambda: torch.zeros(4)) is first
    assert kept_memory(("test", 3), 6, lambda: torch.ones(6)) is not first
    assert len(kept_memory(("test", 4), 2, lambda: torch.zeros(2))) == 2


def test_the_default_engine() -> None:
    engine = default_engine(100)
    assert engine.batch_rows == 100
    assert replace(engine, batch_rows=3).batch_rows == 3
