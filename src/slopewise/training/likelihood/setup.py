"""Set-up shared by the likelihood solvers: first pass over the rows, standardised columns, null model."""

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
    """What every likelihood solver starts from.

    problem: with the buffered rows for source where a file's were buffered. first: the results of the first pass.
    columns: standardised. null (d,) and null_loss: parameters and loss of the null model, see `intercept_only`.
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
    sample: int = 0,
    again: bool = True,
) -> Iterator[LikelihoodSetup]:
    """Make the first pass over the rows, and limit torch to one thread inside the `with` block.

    The engine uses all cores for its passes; between them there are only small matrices, too small for a second thread.

    Args:
        problem: model, loss, penalty and rows.
        engine: sums over the rows.
        sample: rows of a systematic sample to start on, 0 for none.
        again: whether more passes will follow, so that a file's rows are buffered if they fit.

    Yields:
        The set-up.

    Raises:
        FitError: a class without rows.
    """
    with one_torch_thread():
        first = first_pass(problem, engine, keep=KEPT if again else 0.0, sample=sample)
        check_classes(first.rows, problem.class_names)
        if first.buffered is not None:
            problem = replace(problem, source=first.buffered)
        yield LikelihoodSetup(
            problem, first, standardized_columns(problem, first.moments), *intercept_only(problem, first)
        )


def intercept_only(problem: Problem, first: FirstPass) -> tuple[Tensor, float]:
    """Return c (d,) of the null model, intercepts alone, and its summed loss; zeros and NaN for a numeric target.

    It is fitted to a table of one weighted row per class, without columns.
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
    state = newton_iteration(evaluate, equal, torch.zeros(m, m, dtype=torch.float64))
    c[:, 0] = state.c + state.step
    return c.reshape(-1), state.value
