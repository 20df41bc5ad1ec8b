"""The covariance that belongs to a loss: which one, and from what it is made."""

from __future__ import annotations

from dataclasses import replace

from slopewise.engine.engine import Engine
from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import PiecewiseLinear, Robust
from slopewise.problem import Problem
from slopewise.solution import Basis, Solution
from slopewise.training.likelihood.information import expected_basis, glm_statistics
from slopewise.training.likelihood.robust import h1_basis
from slopewise.training.likelihood.sparsity import quantile_basis


def sampling_basis(
    problem: Problem, solution: Solution, engine: Engine, dispersion: float | None = None
) -> Basis | None:
    """Return the basis of the loss's own covariance, M inner M' with M the map from its coordinates to raw units.

    Classes: the inverse Hessian. Losses with a log link: the inverse expected information times the dispersion; with
    alpha estimated, the coefficients' part of the inverse joint Hessian. Robust losses: H1. Quantiles: the sandwich
    with a kernel density. None where the solver left no Hessian that the loss could have.

    Args:
        problem: as it was solved.
        solution: its solution.
        engine: sums over the rows.
        dispersion: of a loss with log link, where it is known already; otherwise the rows are read for it.
    """
    problem = replace(problem, loss=solution.fitted_loss or problem.loss)
    loss = problem.loss
    if isinstance(loss, PiecewiseLinear):
        return quantile_basis(problem, solution, engine)
    if solution.basis is None or loss.response == "class" or any(each.name == "alpha" for each in solution.nuisance):
        return solution.basis
    if isinstance(loss, LogLink):
        dispersion = loss.dispersion if dispersion is None else dispersion
        if dispersion is None:
            dispersion = glm_statistics(problem, solution, engine).dispersion
        return expected_basis(problem, solution, engine, dispersion=dispersion)
    return h1_basis(problem, solution, engine) if isinstance(loss, Robust) else solution.basis
