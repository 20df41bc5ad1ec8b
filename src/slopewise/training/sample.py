"""The first read of the rows on the way up a likelihood: moments, classes, a thin sample, and the rows themselves.

The sample is every s-th row. A likelihood climbed on a few thousand rows ends within √(p / sample) standard
deviations of the whole table's optimum per row, which saves all the early passes over the table. Where a file's rows
fit into a stated part of the memory, all of them are kept as they pass, so that the file is read once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine, add_tuples
from slopewise.engine.gather import ANNOUNCED
from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.held import Held, begin, joined, picked
from slopewise.training.moments import MomentSums, checked, first_means, moment_sums
from slopewise.types import Batch

SAMPLE_ROWS = 65536
"""Rows of a sample. With 1M rows and 20 columns it leaves three passes over the table, with half as many four."""

WORTH = 4
"""A table of fewer than WORTH · SAMPLE_ROWS rows is read whole from the start."""

KEPT = 512e6
"""Bytes of x, y and w up to which the rows of a file are kept: 3M rows with 20 columns."""


@dataclass(frozen=True, slots=True)
class FirstRead:
    """moments; rows (k,) and weight (k,) of each class, none where the target is a number; sample, or None.

    held: all rows where they were kept, None where reading them again costs no input or they are too many.
    """

    moments: Moments
    rows: Tensor
    weight: Tensor
    sample: Batch | None
    held: Held | None = None


class Thinned(NamedTuple):
    """Every `stride`-th row, copied. Beyond `room` rows they are thinned to a sample."""

    parts: tuple[Batch, ...]
    stride: int
    room: int


class FirstSums(NamedTuple):
    """Sums of one pass."""

    moments: MomentSums
    rows: Tensor
    weight: Tensor
    sample: Thinned


def first_read(problem: Problem, engine: Engine, *, keep: float = 0.0) -> FirstRead:
    """Return what one pass over the problem's rows tells.

    Args:
        problem: what was asked.
        engine: sums over the rows.
        keep: bytes of x, y and w up to which the rows of a source that is not in memory are kept; 0 for none.

    Raises:
        DataError: as `read_moments`; a target that is no class number.
    """
    source = problem.source
    room = 0 if source.in_memory else int(keep / (8 * (len(source.x_names) + 2)))
    # The guess of the means needs the first rows, and a file is not opened twice for them.
    reading = source if source.in_memory else begin(source, engine.block_rows)
    shift = first_means(replace(problem, source=reading), engine)
    look = partial(first_sums, shift=shift, classes=problem.loss.classes, thinned=wanted(source.n_rows, room))
    sums = engine.sum(look, reading, add=add)
    moments = checked(sums.moments if sums else None, shift, problem)
    assert sums is not None
    counted = int(sums.rows.sum())
    if problem.loss.classes and counted != moments.n:
        raise DataError(
            f"{moments.n - counted} targets are not class numbers from 0 to {problem.loss.classes - 1}; "
            "give the class of each row."
        )
    every = sums.sample.stride == 1 and moments.n <= room
    held = Held(sums.sample.parts, source.x_names, moments.n) if every else None
    announce(held, engine)
    return FirstRead(moments, sums.rows, sums.weight, _sample(sums.sample, moments.n), held)


def wanted(rows: int | None, room: int) -> Thinned:
    """Return which rows to pick of at most `rows`: all of them if they may fit into `room`, else a sample's."""
    if rows is None or rows <= room:
        return Thinned((), 1, max(room, 2 * SAMPLE_ROWS))
    return Thinned((), max(1, rows // SAMPLE_ROWS), 2 * SAMPLE_ROWS)


def announce(held: Held | None, engine: Engine) -> None:
    """Tell the observer, if there is one, of rows that take much memory."""
    if held is None or not isinstance(engine, LocalEngine) or engine.observer is None:
        return
    size = held.nbytes
    if size > ANNOUNCED:
        engine.observer.note(f"keeping {held.n_rows:,} rows in memory, {size / 1e6:,.0f} MB: the table is read once")


def first_sums(batch: Batch, *, shift: Tensor, classes: int, thinned: Thinned) -> FirstSums:
    """Return the sums of one batch, and which of its rows `thinned` wants."""
    assert batch.y is not None
    rows = weight = batch.y.new_zeros(classes)
    if classes:
        # What is no class number goes into one place too many and is missed when the classes are counted.
        known = (batch.y >= 0) & (batch.y < classes) & (batch.y == batch.y.floor())
        number = torch.where(known, batch.y, classes).to(torch.int64)
        rows = torch.bincount(number, minlength=classes + 1)[:classes]
        weight = torch.bincount(number, batch.w, minlength=classes + 1)[:classes].to(torch.float64)
    sample = thinned._replace(parts=picked((batch,), thinned.stride))
    return FirstSums(moment_sums(batch, shift=shift), rows, weight, sample)


def add(a: FirstSums, b: FirstSums) -> FirstSums:
    """Return the sums of the rows of both."""
    sample = _join(a.sample, b.sample)
    return FirstSums(add_tuples(a.moments, b.moments), a.rows + b.rows, a.weight + b.weight, sample)


def _join(a: Thinned, b: Thinned) -> Thinned:
    """Return the rows of both at the wider stride, thinned to a sample once there is no room for them."""
    stride, room = max(a.stride, b.stride), min(a.room, b.room)
    parts = _widened(a, stride) + _widened(b, stride)
    rows, step = sum(map(len, parts)), 1
    if rows <= room:
        return Thinned(parts, stride, room)
    while rows > 2 * SAMPLE_ROWS * step:
        step *= 2
    return Thinned(picked(parts, step), stride * step, 2 * SAMPLE_ROWS)


def _widened(thinned: Thinned, stride: int) -> tuple[Batch, ...]:
    return thinned.parts if stride == thinned.stride else picked(thinned.parts, stride // thinned.stride)


def _sample(thinned: Thinned, n: int) -> Batch | None:
    if n < WORTH * SAMPLE_ROWS:
        return None
    rows = sum(map(len, thinned.parts))
    return joined(picked(thinned.parts, max(1, rows // SAMPLE_ROWS)))
