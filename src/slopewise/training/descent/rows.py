"""The training rows of a descent: in memory, or streamed from where they lie because they are too many.

A descent asks three things of them: the batches of an epoch, the cost of a state over all of them, and what a
checkpoint knows them by.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import DataError, OptionError
from slopewise.optimizers.plan import DescentPlan
from slopewise.solution import Moments
from slopewise.training.descent.checkpoint import digest_of
from slopewise.training.descent.kernels import CostOperands, cost_sums, set_gradient, target_products
from slopewise.training.descent.minibatches import Arrays, batches_of, weighted_arrays
from slopewise.training.descent.objective import Penalty, RowLoss, idle_cost, whole_cost
from slopewise.training.moments.standardize import StandardizedRows
from slopewise.types import Callback

FIRST_ROWS = 65536
"""Streamed rows that are kept in memory besides: for what needs some rows and not all."""


class DescentRows(ABC):
    """Rows in the units and the dtype of a descent. n of them; `first`: x, y and w of the first, in memory.

    Where they have an offset, it stands beside the target, y (n, 2), and the losses given are those of `row_loss`.
    """

    n: int
    first: Arrays

    @abstractmethod
    def batches(self, plan: DescentPlan) -> Callable[[int], Iterable[Arrays]]:
        """Return the function that gives the batches of an epoch.

        Raises:
            OptionError: a batch larger than the table.
        """

    @abstractmethod
    def cost(self, module: nn.Module, loss: RowLoss, penalty: Penalty | None, *, with_gradient: bool) -> float:
        """Return the cost of all rows.

        Args:
            module: from x to what the loss takes; its training mode is restored afterwards.
            loss: from predictions and y to the loss of each row (n,).
            penalty: from the module to what is added to the mean loss, or None.
            with_gradient: leave the gradient of the cost in the parameters' grad.
        """

    @abstractmethod
    def idle_cost(self, module: nn.Module, loss: RowLoss) -> float:
        """Return the cost of the output 0 for every row: a scale for the others, whatever the start."""

    @abstractmethod
    def digest(self) -> str:
        """Return a text that other rows do not have."""


@dataclass(frozen=True, slots=True)
class RowsInMemory(DescentRows):
    """arrays: x, y and w of mean 1 or None."""

    arrays: Arrays

    @property
    def n(self) -> int:  # type: ignore[override]
        """Number of rows."""
        return len(self.arrays[1])

    @property
    def first(self) -> Arrays:  # type: ignore[override]
        """All rows."""
        return self.arrays

    def batches(self, plan: DescentPlan) -> Callable[[int], Iterable[Arrays]]:
        """Return the function that gives the batches of an epoch."""
        return batches_of(self.arrays, plan.batch_size, plan.seed)

    def cost(self, module: nn.Module, loss: RowLoss, penalty: Penalty | None, *, with_gradient: bool) -> float:
        """Return the cost of all rows."""
        return whole_cost(module, self.arrays, loss, penalty, with_gradient=with_gradient)

    def idle_cost(self, module: nn.Module, loss: RowLoss) -> float:
        """Return the cost of the output 0 for every row."""
        return idle_cost(module, self.arrays, loss)

    def digest(self) -> str:
        """Return a hash of the rows."""
        return digest_of(self.arrays)


@dataclass(frozen=True, slots=True)
class StreamedRows(DescentRows):
    """Rows that are read in every epoch, and once more for every cost.

    source: in the units of the descent, weights of mean 1. n of them, or a bound where nothing but their cost is asked
    for. first: the first rows. moments: of the training rows in their own units, by which a checkpoint knows them.
    """

    engine: Engine
    source: StandardizedRows
    n: int
    first: Arrays
    moments: Moments

    def batches(self, plan: DescentPlan) -> Callable[[int], Iterable[Arrays]]:
        """Return the function that gives the batches of an epoch, shuffled within the buffer of `Engine.stream`.

        Raises:
            OptionError: a batch larger than the table.
        """
        size = plan.batch_size or self.n
        if size > self.n:
            raise OptionError(
                f"batch_size {size} is more than the {self.n} rows; leave it out to take all rows at each step."
            )

        def of_epoch(epoch: int) -> Iterable[Arrays]:
            for batch in self.engine.stream(self.source, size, plan.seed, epoch):
                assert batch.y is not None
                yield batch.x, batch.y, batch.w

        return of_epoch

    def cost(self, module: nn.Module, loss: RowLoss, penalty: Penalty | None, *, with_gradient: bool) -> float:
        """Return the cost of all rows, read once for it.

        Raises:
            DataError: no row has a weight above 0; a missing or infinite value, which validation rows may have.
        """
        was_training = module.training
        module.eval()
        kernel = partial(cost_sums, loss=loss, with_gradient=with_gradient)
        sums = self.engine.reduce(kernel, self.source, CostOperands(module))
        if sums is None or not float(sums.weight) > 0:
            raise DataError("there are no rows with a weight above 0 to measure on; check the split and the weights.")
        total = float(sums.loss) / float(sums.weight)
        if math.isnan(total) and (error := self.source.first_invalid_value()) is not None:
            raise error
        if with_gradient:
            set_gradient(module, sums.gradient / sums.weight)
        if penalty is not None:
            with torch.set_grad_enabled(with_gradient):
                extra = penalty(module)
            if with_gradient:
                extra.backward()  # type: ignore[no-untyped-call]
            total += extra.item()
        module.train(was_training)
        return total

    def idle_cost(self, module: nn.Module, loss: RowLoss) -> float:
        """Return the cost of the output 0 for each of the first rows: it is but a scale."""
        return idle_cost(module, self.first, loss)

    def digest(self) -> str:
        """Return a hash of the moments, and of those of the offset, for which the rows are read once."""
        found = self.moments
        digest = hashlib.sha256(f"streamed {found.n} {found.weight!r}".encode())
        for part in (found.mean, found.y_mean, found.gram, found.xy, found.yy):
            digest.update(part.contiguous().numpy().tobytes())
        if self.first[1].dim() > 1:
            sums = self.engine.reduce(target_products, self.source, None)
            assert sums is not None  # the first of them are known
            digest.update(sums.products.numpy().tobytes())
        return digest.hexdigest()


def descent_rows(
    source: Source,
    engine: Engine,
    plan: DescentPlan,
    moments: Moments,
    standardized: Callable[[Source, float], StandardizedRows],
    *,
    may_stream: bool = True,
    callback: Callback | None = None,
) -> DescentRows:
    """Return the rows of a descent: in memory, or streamed where mini-batches of more than fit there are asked for.

    Args:
        source: in its own units.
        engine: reads the rows.
        plan: the plan.
        moments: of the training rows.
        standardized: from a source and a factor for its weights to the rows in the units of the descent.
        may_stream: whether the rows need not be in memory.
        callback: told how the read gets on, when much memory is taken, and when rows are streamed.

    Raises:
        DataError: no rows; a missing or infinite value.
    """
    itemsize = 4 if plan.dtype == "float32" else 8
    size = moments.n * (len(source.x_names) + 2) * itemsize
    if source.in_memory or not may_stream or plan.batch_size is None or size <= engine.memory:
        found = engine.gather(standardized(source, 1.0), callback)
        return RowsInMemory(weighted_arrays(found.x, found.y, found.w))
    if callback is not None:
        callback.note(
            f"streaming {moments.n:,} rows in every epoch: in memory they would take {size / 1e6:,.0f} MB, and "
            f"{engine.memory / 1e6:,.0f} MB are given to them; every recorded cost takes one read more"
        )
    rows = standardized(source, moments.n / moments.weight)
    head = engine.head(rows, FIRST_ROWS)
    assert head.y is not None
    return StreamedRows(engine, rows, moments.n, (head.x, head.y, head.w), moments)


def validation_rows(
    source: Source,
    training: DescentRows,
    engine: Engine,
    standardized: Callable[[Source, float], StandardizedRows],
) -> DescentRows:
    """Return the rows held out for watching: where the training rows are in memory in memory too, else streamed.

    Args:
        source: the rows held out, with a target.
        training: the training rows, as `descent_rows` returns them.
        engine: gathers the rows.
        standardized: from a source and a factor for its weights to rows in the units of the descent.

    Raises:
        DataError: no rows; a missing or infinite value.
    """
    rows = standardized(source, 1.0)
    if isinstance(training, StreamedRows):
        return replace(training, source=rows, n=source.n_rows or 0)
    found = engine.gather(rows)
    return RowsInMemory(weighted_arrays(found.x, found.y, found.w))
