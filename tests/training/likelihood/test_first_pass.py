"""The first pass: rows of a file are buffered while they fit, and then read once, whatever the solver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from problems import problem_of, random_classes

from slopewise.data.design_source import DesignSource
from slopewise.data.learn import learn_design
from slopewise.data.memory import matrix_table
from slopewise.data.open import as_table
from slopewise.data.source import Source
from slopewise.data.split import Split
from slopewise.engine.buffered import BufferedRows, StartedRead, every_nth, joined, start_read
from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError
from slopewise.losses.penalty import ElasticNet
from slopewise.losses.squared import Squared
from slopewise.problem import Problem
from slopewise.training.likelihood import setup
from slopewise.training.likelihood.first_pass import SAMPLE_ROWS, first_pass
from slopewise.training.likelihood.firth import Firth
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.newton import Newton
from slopewise.training.likelihood.proximal_newton import CoordinateDescent
from slopewise.training.likelihood.setup import likelihood_setup
from slopewise.training.solver import Solver
from slopewise.types import Batch

SOLVERS = [Newton(), Lbfgs(), CoordinateDescent(), Firth()]
NAMES = [solver.name for solver in SOLVERS]

ENGINE = LocalEngine()
ROW = 8 * (2 + 2)
"""Bytes of a row with two columns, as they are counted."""


@dataclass(frozen=True)
class Streamed(Source):
    """Another source's rows as from a file, copied for every read; counts the reads and their rows."""

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
        for batch in self.inner.batches(size):
            self.read[-1] += len(batch)
            yield replace(batch, x=batch.x.clone())

    def partitions(self, k: int) -> list[Source]:
        return [self]

    def first_invalid_value(self) -> DataError | None:
        return self.inner.first_invalid_value()


@dataclass(frozen=True)
class Given(Source):
    """A file whose batches are these."""

    given: tuple[Batch, ...]
    x_names: tuple[str, ...] = ("x1", "x2")
    n_rows: int | None = None
    in_memory: bool = False

    def batches(self, size: int) -> Iterator[Batch]:
        yield from self.given

    def partitions(self, k: int) -> list[Source]:
        return [self]

    def first_invalid_value(self) -> DataError | None:
        return None


@dataclass
class RecordingCallback:
    """Remembers its calls."""

    notes: list[str] = field(default_factory=list)
    counted: list[tuple[int, int | None]] = field(default_factory=list)

    def rows(self, done: int, total: int | None) -> None:
        self.counted.append((done, total))

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


@pytest.mark.parametrize("solver", SOLVERS, ids=NAMES)
@pytest.mark.parametrize("known", [True, False], ids=["rows known", "rows unknown"])
@pytest.mark.parametrize("n", [500, 300_000])
def test_rows_that_fit_are_read_once(n: int, known: bool, solver: Solver) -> None:
    problem, source = streamed(n, known=known)
    solution = solver.solve(problem, ENGINE)
    assert source.read == [n]
    assert solution.passes > 1


@pytest.mark.parametrize("solver", SOLVERS, ids=NAMES)
@pytest.mark.parametrize("known", [True, False], ids=["rows known", "rows unknown"])
def test_rows_that_do_not_fit_are_read_again(monkeypatch: pytest.MonkeyPatch, known: bool, solver: Solver) -> None:
    monkeypatch.setattr(setup, "KEPT", 299_999 * ROW)
    problem, source = streamed(300_000, known=known)
    solution = solver.solve(problem, ENGINE)
    assert source.read == [300_000] * solution.passes


@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize(
    ("solver", "classes"),
    [(solver, classes) for solver in SOLVERS for classes in (2, 3) if (solver.name, classes) != ("firth", 3)],
    ids=lambda value: getattr(value, "name", value),
)
def test_kept_or_not_the_answer_is_the_same(
    monkeypatch: pytest.MonkeyPatch, solver: Solver, classes: int, weighted: bool
) -> None:
    problem, source = streamed(300_000, classes=classes, weighted=weighted)
    kept = solver.solve(problem, ENGINE)
    memory = solver.solve(replace(problem, source=source.inner), ENGINE)
    monkeypatch.setattr(setup, "KEPT", 0)
    again = solver.solve(problem, ENGINE)
    for other in (memory, again):
        torch.testing.assert_close(kept.theta, other.theta, rtol=1e-9, atol=1e-12)
        assert kept.loss == pytest.approx(other.loss, rel=1e-13)


@pytest.mark.parametrize("solver", SOLVERS, ids=NAMES)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_is_read_once_and_gives_what_memory_gives(tmp_path: Path, ending: str, solver: Solver) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    x, y = random_classes(16, n=70_000, q=2, k=2)
    memory = problem_of(x, y)
    table = pa.table({"x1": x[:, 0], "x2": x[:, 1], "y": y})
    path = tmp_path / f"rows.{ending}"
    (pyarrow.csv.write_csv if ending == "csv" else pq.write_table)(table, path)
    file = Streamed(DesignSource(as_table(str(path), None), memory.source.design))
    found, expected = (solver.solve(problem, ENGINE) for problem in (replace(memory, source=file), memory))
    assert file.read == [70_000]
    torch.testing.assert_close(found.theta, expected.theta, rtol=1e-9, atol=1e-12)
    assert found.loss == pytest.approx(expected.loss, rel=1e-12)


def test_torch_has_its_threads_back_however_the_solver_ends() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), likelihood_setup(streamed(500)[0], ENGINE):
        assert torch.get_num_threads() == 1
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before


def test_a_linear_model_with_l1_needs_no_row_after_the_first_pass() -> None:
    problem, source = streamed(500)
    line = replace(problem, loss=Squared(), penalty=ElasticNet(0.0, 5.0))
    assert CoordinateDescent().solve(line, ENGINE).passes == 1
    assert source.read == [500]
    with likelihood_setup(line, ENGINE, again=False) as prepared:
        assert prepared.first.buffered is prepared.first.sample is None
        assert prepared.problem.source is source


def test_kept_rows_are_the_tables() -> None:
    problem, source = streamed(70_000, weighted=True)
    buffered = first_pass(problem, ENGINE, keep=70_000 * ROW).buffered
    assert buffered is not None
    expected, found = joined(tuple(source.inner.batches(1000))), joined(buffered.pieces)
    assert torch.equal(found.x, expected.x)
    assert torch.equal(found.y, expected.y)
    assert torch.equal(found.w, expected.w)
    assert buffered.nbytes == 70_000 * ROW


@pytest.mark.parametrize("keep", [0, 299_999 * ROW])
def test_beyond_the_bound_only_a_sample_is_kept(keep: float) -> None:
    problem, _ = streamed(300_000, known=False)
    first = first_pass(problem, ENGINE, keep=keep)
    assert first.buffered is None
    assert first.sample is not None
    assert SAMPLE_ROWS <= len(first.sample) <= 2 * SAMPLE_ROWS


@pytest.mark.parametrize("known", [True, False], ids=["rows known", "rows unknown"])
@pytest.mark.parametrize(("keep", "buffered"), [(299_999 * ROW, False), (300_000 * ROW, True)])
def test_without_a_sample_all_rows_are_buffered_or_none(known: bool, keep: float, buffered: bool) -> None:
    problem, _ = streamed(300_000, known=known)
    first = first_pass(problem, ENGINE, keep=keep, sample=0)
    assert first.sample is None
    assert (first.buffered is not None) == buffered


@pytest.mark.parametrize(("rows", "known"), [(100, False), (99, True), (0, False)])
def test_no_more_rows_are_kept_than_there_is_room_for(rows: int, known: bool) -> None:
    problem, source = streamed(150, known=known)
    started = start_read(source, 7, room=rows)
    assert isinstance(started, StartedRead)
    assert sum(map(len, started.seen)) == (105 if rows == 100 else 7)
    assert sum(map(len, started.batches(7))) == 150
    assert source.read == [150]


def test_kept_rows_are_not_copied() -> None:
    _, source = streamed(150)
    batches = tuple(source.batches(100))
    buffered = start_read(Given(batches), 100, room=150)
    assert isinstance(buffered, BufferedRows)
    assert all(kept is given for kept, given in zip(buffered.pieces, batches, strict=True))


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_what_is_left_out_is_counted_all_the_same(missing: str) -> None:
    x, y = random_classes(21, n=500, q=2, k=2)
    x[[3, 200, 201], 1] = np.nan
    x[450:, 0] = np.nan  # with batches of 50 rows, the last is empty once they are dropped
    table = matrix_table(x, y, None)
    design = learn_design(
        table, target="y", features=None, weights=None, intercept=True, missing=missing, split=Split(0.0)
    )
    memory = replace(problem_of(np.nan_to_num(x), y), source=DesignSource(table, design))
    file = replace(memory, source=Streamed(memory.source))
    kept, expected = (first_pass(problem, LocalEngine(50), keep=1e9) for problem in (file, memory))
    assert kept.buffered is not None
    assert (kept.moments.n, kept.moments.dropped) == (expected.moments.n, expected.moments.dropped)
    assert kept.moments.missing == expected.moments.missing
    assert sum(kept.moments.missing) == 53


def test_a_file_of_which_every_row_is_left_out_is_refused() -> None:
    table = matrix_table(np.full((9, 2), np.nan), np.arange(9.0) % 2, None)
    problem = problem_of(np.ones((9, 2)), np.arange(9.0) % 2)
    dropping = DesignSource(table, replace(problem.source.design, missing="drop"))
    with pytest.raises(DataError, match="no rows to fit on: all 9 were dropped for missing values"):
        first_pass(replace(problem, source=Streamed(dropping)), ENGINE, keep=1e9)


def test_progress_is_reported_while_rows_are_kept() -> None:
    problem, _ = streamed(150)
    callback = RecordingCallback()
    first_pass(problem, LocalEngine(100, callback), keep=1e9)
    assert callback.counted == [(100, 150), (150, 150)]


def test_what_lies_in_memory_is_not_kept_again() -> None:
    problem, source = streamed(500)
    assert first_pass(replace(problem, source=source.inner), ENGINE, keep=1e9).buffered is None


def test_much_memory_is_announced() -> None:
    for n, notes in ((500, []), (4_200_000, ["keeping 4,200,000 rows in memory, 101 MB: the table is read once"])):
        callback = RecordingCallback()
        x = np.random.default_rng(0).normal(size=(n, 2))
        problem = problem_of(x, (x[:, 0] > 0).astype(float))
        first_pass(replace(problem, source=Streamed(problem.source)), LocalEngine(callback=callback), keep=1e9)
        assert callback.notes == notes


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
    assert torch.equal(joined(every_nth(pieces, step)).x, x[::step])


def test_parts_are_cut_alike_whatever_the_pieces() -> None:
    x = torch.arange(100_000, dtype=torch.float64)[:, None]
    whole = BufferedRows((Batch(x, x[:, 0]),)).partitions(4)
    pieces = BufferedRows(
        tuple(Batch(x[a : a + 7000], x[a : a + 7000, 0]) for a in range(0, 100_000, 7000))
    ).partitions(4)
    assert len(whole) == len(pieces) == 4
    for one, other in zip(whole, pieces, strict=True):
        a, b = (joined(tuple(part.batches(1024))) for part in (one, other))
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
