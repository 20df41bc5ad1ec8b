"""The first read: rows of a file are kept while they fit, and then read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from problems import problem_of, random_classes

from slopewise.data.source import Source
from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError
from slopewise.problem import Problem
from slopewise.training import newton
from slopewise.training.held import Held, joined, picked
from slopewise.training.newton import Newton
from slopewise.training.sample import SAMPLE_ROWS, first_read
from slopewise.types import Batch

ENGINE = LocalEngine()
ROW = 8 * (2 + 2)
"""Bytes of a row with two columns, as they are counted."""


@dataclass(frozen=True)
class Streamed(Source):
    """Another source's rows as from a file, in one buffer that is used again and again; counts how often it is read."""

    inner: Source
    known: bool = True
    read: list[int] = field(default_factory=list)
    in_memory: bool = False

    @property
    def x_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.inner.x_names

    @property
    def n_rows(self) -> int | None:  # type: ignore[override]
        return self.inner.n_rows if self.known else None

    def batches(self, size: int) -> Iterator[Batch]:
        self.read.append(0)
        room = torch.empty(size, len(self.x_names), dtype=torch.float64)
        for batch in self.inner.batches(size):
            room[: len(batch)] = batch.x
            self.read[-1] += len(batch)
            yield replace(batch, x=room[: len(batch)])

    def partitions(self, k: int) -> list[Source]:
        return [self]

    def blame(self) -> DataError | None:
        return self.inner.blame()


@dataclass
class Told:
    """Remembers what it is told."""

    notes: list[str] = field(default_factory=list)

    def rows(self, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epochs(self, done: int, total: int, cost: float) -> None:
        pass


def streamed(n: int, *, classes: int = 2, known: bool = True, weighted: bool = False) -> tuple[Problem, Streamed]:
    x, y = random_classes(21, n=n, q=2, k=classes)
    w = np.random.default_rng(0).uniform(0.5, 2, n) if weighted else None
    problem = problem_of(x, y, w=w)
    source = Streamed(problem.source, known)
    return replace(problem, source=source), source


@pytest.mark.parametrize("known", [True, False], ids=["rows known", "rows unknown"])
@pytest.mark.parametrize("n", [500, 300_000])
def test_rows_that_fit_are_read_once(n: int, known: bool) -> None:
    problem, source = streamed(n, known=known)
    maximum = Newton().solve(problem, ENGINE)
    assert source.read == [n]
    assert maximum.passes > 1


@pytest.mark.parametrize("known", [True, False], ids=["rows known", "rows unknown"])
def test_rows_that_do_not_fit_are_read_again(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    monkeypatch.setattr(newton, "KEPT", 299_999 * ROW)
    problem, source = streamed(300_000, known=known)
    maximum = Newton().solve(problem, ENGINE)
    assert source.read == [300_000] * maximum.passes


@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize("classes", [2, 3])
def test_kept_or_not_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch, classes: int, weighted: bool) -> None:
    problem, source = streamed(300_000, classes=classes, weighted=weighted)
    kept = Newton().solve(problem, ENGINE)
    memory = Newton().solve(replace(problem, source=source.inner), ENGINE)
    monkeypatch.setattr(newton, "KEPT", 0)
    again = Newton().solve(problem, ENGINE)
    for other in (memory, again):
        torch.testing.assert_close(kept.theta, other.theta, rtol=1e-9, atol=1e-12)
        assert kept.loss == pytest.approx(other.loss, rel=1e-13)


def test_kept_rows_are_the_tables() -> None:
    problem, source = streamed(70_000, weighted=True)
    held = first_read(problem, ENGINE, keep=70_000 * ROW).held
    assert held is not None
    expected, found = joined(tuple(source.inner.batches(1000))), joined(held.pieces)
    assert torch.equal(found.x, expected.x)
    assert torch.equal(found.y, expected.y)
    assert torch.equal(found.w, expected.w)
    assert held.nbytes == 70_000 * ROW


@pytest.mark.parametrize("keep", [0, 299_999 * ROW])
def test_beyond_the_bound_only_a_sample_is_kept(keep: float) -> None:
    problem, _ = streamed(300_000, known=False)
    first = first_read(problem, ENGINE, keep=keep)
    assert first.held is None
    assert first.sample is not None
    assert SAMPLE_ROWS <= len(first.sample) <= 2 * SAMPLE_ROWS


def test_what_lies_in_memory_is_not_kept_again() -> None:
    problem, source = streamed(500)
    assert first_read(replace(problem, source=source.inner), ENGINE, keep=1e9).held is None


def test_much_memory_is_announced() -> None:
    for n, notes in ((500, []), (4_200_000, ["keeping 4,200,000 rows in memory, 101 MB: the table is read once"])):
        told = Told()
        x = np.random.default_rng(0).normal(size=(n, 2))
        problem = problem_of(x, (x[:, 0] > 0).astype(float))
        first_read(replace(problem, source=Streamed(problem.source)), LocalEngine(observer=told), keep=1e9)
        assert told.notes == notes


def test_a_missing_value_is_still_named() -> None:
    problem, source = streamed(500)
    x, y = random_classes(21, n=500, q=2, k=2)
    x[7, 1] = np.nan
    bad = replace(problem, source=Streamed(problem_of(x, y).source))
    with pytest.raises(DataError, match="column 'x2' holds 1 missing value .* the first in row 8"):
        Newton().solve(bad, ENGINE)


@pytest.mark.parametrize("step", [1, 3, 8])
def test_every_so_many_rows_whatever_the_pieces(step: int) -> None:
    x = torch.arange(20, dtype=torch.float64)[:, None]
    pieces = tuple(Batch(x[a:b], x[a:b, 0]) for a, b in ((0, 1), (1, 8), (8, 8), (8, 9), (9, 20)))
    assert torch.equal(joined(picked(pieces, step)).x, x[::step])


def test_parts_are_cut_alike_whatever_the_pieces() -> None:
    x = torch.arange(100_000, dtype=torch.float64)[:, None]
    whole = Held((Batch(x, x[:, 0]),)).partitions(4)
    pieces = Held(tuple(Batch(x[a : a + 7000], x[a : a + 7000, 0]) for a in range(0, 100_000, 7000))).partitions(4)
    assert len(whole) == len(pieces) == 4
    for one, other in zip(whole, pieces, strict=True):
        a, b = (joined(tuple(part.batches(1024))) for part in (one, other))
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
