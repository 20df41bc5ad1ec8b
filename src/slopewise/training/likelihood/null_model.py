"""The model without columns: where the iterations start, and what every likelihood ratio compares with.

Classes know their shares only; counts and positive numbers their mean, beside the offset of each row. Without an
intercept eta is 0, or the offset alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import Loss
from slopewise.problem import Problem
from slopewise.training.likelihood.first_pass import FirstPass, step_unit
from slopewise.training.likelihood.newton_iteration import TOLERANCE, newton_iteration
from slopewise.training.likelihood.score import Derivatives, ScoreOperands, ScoreSums, derivatives, score_sums
from slopewise.types import Batch

NOTHING, ONE = torch.empty(0, dtype=torch.float64), torch.ones(1, dtype=torch.float64)


def null_model(problem: Problem, first: FirstPass, engine: Engine) -> tuple[Tensor, float]:
    """Return c (d,) of the null model in standardised columns, and its summed loss; zeros and NaN for numbers.

    Args:
        problem: loss, intercept and rows.
        first: the first pass, for the counts and the means.
        engine: sums over the rows, where there is an offset.

    Raises:
        FitError: every target is 0, so that the logarithm of their mean is not finite.
    """
    m, p = problem.loss.outputs, len(problem.names)
    c = torch.zeros(m, p, dtype=torch.float64)
    if problem.loss.n_classes:
        eta, loss = _of_classes(problem, first)
    elif isinstance(problem.loss, LogLink):
        eta, loss = _of_means(problem, problem.loss, first, engine)
    else:
        return c.reshape(-1), float("nan")
    if problem.intercept:
        c[:, 0] = eta
    return c.reshape(-1), loss


def _of_classes(problem: Problem, first: FirstPass) -> tuple[Tensor, float]:
    """Return eta (m,) and the summed loss: a table of one row per class, without columns."""
    k, m = problem.loss.n_classes, problem.loss.outputs
    table = Batch(torch.empty(k, 0, dtype=torch.float64), torch.arange(k, dtype=torch.float64), first.weight)

    def evaluate(shares: Tensor) -> Derivatives:
        return derivatives(score_sums(table, ScoreOperands(shares[None], NOTHING), loss=problem.loss), m, ONE)

    equal = torch.zeros(m, dtype=torch.float64)
    if not problem.intercept:
        return equal, evaluate(equal).value
    none = torch.zeros(m, m, dtype=torch.float64)
    top = newton_iteration(evaluate, equal, none, tolerance=TOLERANCE * step_unit(first.moments))
    return top.c + top.step, top.value


def _of_means(problem: Problem, loss: LogLink, first: FirstPass, engine: Engine) -> tuple[Tensor, float]:
    """Return eta (1,) and the summed loss; without an offset both follow from the mean, as the loss is affine in y."""
    mean = first.moments.y_mean[None]
    if not float(mean) > 0:
        raise FitError(
            f"every target is 0, and {loss.title} models the logarithm of their mean, which is not finite then; "
            "give rows with larger targets."
        )
    if not first.has_offset:
        eta = loss.null_eta(mean)[None] if problem.intercept else torch.zeros_like(mean)
        return eta, first.moments.weight * float(loss.value(eta, mean))

    def evaluate(eta: Tensor) -> Derivatives:
        sums = engine.reduce(partial(null_sums, loss=loss), problem.source, ScoreOperands(eta[None], NOTHING))
        assert sums is not None  # the first pass has seen these rows
        return derivatives(sums, 1, ONE)

    if not problem.intercept:
        return torch.zeros_like(mean), evaluate(torch.zeros_like(mean)).value
    sums = engine.reduce(exposure_sums, problem.source, None)
    assert sums is not None
    start, none = (sums[0] / sums[1]).log()[None], torch.zeros(1, 1, dtype=torch.float64)
    top = newton_iteration(evaluate, start, none, tolerance=TOLERANCE * step_unit(first.moments))
    return top.c + top.step, top.value


def exposure_sums(batch: Batch, operands: None) -> tuple[Tensor, Tensor]:
    """Return Σ w y and Σ w exp(offset) (), whose ratio is a Poisson rate."""
    assert batch.y is not None
    exposure = torch.ones_like(batch.y) if batch.offset is None else batch.offset.exp()
    w = torch.ones_like(batch.y) if batch.w is None else batch.w
    return w @ batch.y, w @ exposure


def null_sums(batch: Batch, operands: ScoreOperands, *, loss: Loss) -> ScoreSums:
    """Return the sums of one batch for the model of an intercept, beta (1, 1), and the offset."""
    return score_sums(replace(batch, x=batch.x[:, :0]), operands, loss=loss)
