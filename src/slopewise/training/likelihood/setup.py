"""Everything that is settled before a climb's first step, for all climbers alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.engine.threads import one_torch_thread
from slopewise.problem import Problem
from slopewise.training.likelihood.checks import check_classes
from slopewise.training.likelihood.first_pass import KEPT, FirstPass, first_pass
from slopewise.training.likelihood.newton_iteration import newton_iteration
from slopewise.training.likelihood.score import Derivatives, ScoreOperands, derivatives, score_sums
from slopewise.training.likelihood.standardized_columns import StandardizedColumns, standardized_columns
from slopewise.types import Batch


@dataclass(frozen=True, slots=True)
class LikelihoodSetup:
    """Where a climb begins.

    problem: what was asked, of rows in memory where a file's were kept. first: what the first read told. frame: the
    columns to climb in. null (d,) and null_loss: the model that knows the classes' shares alone, see `intercept_only`.
    """

    problem: Problem
    first: FirstPass
    columns: StandardizedColumns
    null: Tensor
    null_loss: float


@contextmanager
def likelihood_setup(
    problem: Problem,
    engine: Engine,
    *,
    first: FirstPass | None = None,
    levels: tuple[str, ...] = (),
    sample: int = 0,
    again: bool = True,
) -> Iterator[LikelihoodSetup]:
    """Read the rows for the first time, and leave the cores to the engine while a climb goes on.

    Between the passes there is nothing but small matrices, over before a second thread has woken up.

    Args:
        problem: what was asked.
        engine: sums over the rows.
        first: what the first read told, or None to read it.
        levels: names of the classes, for messages.
        sample: rows of a thin sample to start on, 0 for none.
        again: whether the rows will be met again, and so are to be kept if they fit.

    Raises:
        FitError: a class without rows.
    """
    with one_torch_thread():
        first = first or first_pass(problem, engine, keep=KEPT if again else 0.0, sample=sample)
        check_classes(first.rows, levels)
        if first.buffered is not None:
            problem = replace(problem, source=first.buffered)
        yield LikelihoodSetup(
            problem, first, standardized_columns(problem, first.moments), *intercept_only(problem, first)
        )


def intercept_only(problem: Problem, first: FirstPass) -> tuple[Tensor, float]:
    """Return c (d,) of the model that knows only the classes' shares, and its summed loss; zeros and NaN for numbers.

    It is a table of one row per class, without columns.
    """
    m, p = problem.loss.outputs, len(problem.names)
    c = torch.zeros(m, p, dtype=torch.float64)
    k = problem.loss.classes
    if not k:
        return c.reshape(-1), float("nan")
    table = Batch(torch.empty(k, 0, dtype=torch.float64), torch.arange(k, dtype=torch.float64), first.weight)
    nothing, one = torch.empty(0, dtype=torch.float64), torch.ones(1, dtype=torch.float64)

    def evaluate(shares: Tensor) -> Derivatives:
        sums = score_sums(table, ScoreOperands(shares[None], nothing), loss=problem.loss)
        return derivatives(sums, m, one)

    equal = torch.zeros(m, dtype=torch.float64)
    if not problem.intercept:
        return c.reshape(-1), evaluate(equal).value
    top = newton_iteration(evaluate, equal, torch.zeros(m, m, dtype=torch.float64))
    c[:, 0] = top.c + top.step
    return c.reshape(-1), top.value
