"""Set-up shared by the likelihood solvers: first pass over the rows, standardised columns, null model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.engine.threads import one_torch_thread
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.likelihood.checks import check_classes
from slopewise.training.likelihood.first_pass import KEPT, FirstPass, first_pass, step_unit
from slopewise.training.likelihood.null_model import null_model
from slopewise.training.likelihood.standardized_columns import StandardizedColumns, standardized_columns


@dataclass(frozen=True, slots=True)
class LikelihoodSetup:
    """What the iterations begin with.

    problem: what was asked, of rows in memory where a file's were kept. first: of the first pass. columns: in which
    the solver works. null (d,) and null_loss: the model without columns, see `null_model`.
    """

    problem: Problem
    first: FirstPass
    columns: StandardizedColumns
    null: Tensor
    null_loss: float

    @property
    def unit(self) -> float:
        """By what a step in standard errors is measured, so that tiny weights are solved as well as large ones."""
        return step_unit(self.first.moments)


@contextmanager
def likelihood_setup(
    problem: Problem,
    engine: Engine,
    *,
    sample: int = 0,
    again: bool = True,
    moments: Moments | None = None,
) -> Iterator[LikelihoodSetup]:
    """Read the rows for the first time, and leave the cores to the engine during the iterations.

    The engine uses all cores for its passes; between them there are only small matrices, too small for a second thread.

    Args:
        problem: model, loss, penalty and rows.
        engine: sums over the rows.
        sample: rows of a systematic sample to start on, 0 for none.
        again: whether more passes will follow, so that a file's rows are buffered if they fit.
        moments: of the rows, where they are known and the solver needs nothing else of them; nothing is read then.

    Yields:
        The set-up.

    Raises:
        FitError: a class without rows; targets that are all 0 where their logarithm is modelled.
    """
    with one_torch_thread():
        if moments is None:
            first = first_pass(problem, engine, keep=KEPT if again else 0.0, sample=sample)
        else:
            first = FirstPass(moments, moments.gram.new_zeros(0), moments.gram.new_zeros(0), None)
        check_classes(first.rows, problem.class_names)
        if first.buffered is not None:
            problem = replace(problem, source=first.buffered)
        columns = standardized_columns(problem, first.moments)
        yield LikelihoodSetup(problem, first, columns, *null_model(problem, first, engine))
