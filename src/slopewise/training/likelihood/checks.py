"""What must be true of classes and columns before a climb begins."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.errors import FitError, OptionError
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.exact.qr import check_rank
from slopewise.training.exact.scaling import scale_problem

DEPENDENT = 1e-12
"""Share of a column's variance outside the earlier columns below which a Hessian can no longer tell it apart."""


def refuse_l1(problem: Problem, solver: str) -> None:
    """Raise OptionError if the penalty has corners, which this solver would walk past."""
    if problem.penalty.l1:
        raise OptionError(
            f"solver {solver!r} cannot take l1 {problem.penalty.l1:g}; choose solver 'coordinate_descent' or 'auto'."
        )


def check_classes(rows: Tensor, levels: tuple[str, ...]) -> None:
    """Raise FitError unless every class has rows.

    Args:
        rows: of each class (k,), none where the target is a number.
        levels: names of the classes, or none.
    """
    empty = (rows == 0).nonzero()[:, 0].tolist()
    if empty:
        names = levels or tuple(str(k) for k in range(len(rows)))
        there = [names[k] for k in range(len(rows)) if k not in empty]
        buffered = f"only the class {there[0]!r}" if len(there) == 1 else f"no row of the class {names[empty[0]]!r}"
        raise FitError(
            f"the training rows hold {buffered}, so there is nothing to tell apart; give rows of each class."
        )


def check_columns(problem: Problem, moments: Moments) -> None:
    """Raise FitError if a column is constant or a combination of others, unless a penalty makes up for it."""
    if problem.penalty.strength:
        return
    scaled = scale_problem(problem, moments)
    q = len(scaled.mean)
    r, failed = torch.linalg.cholesky_ex(scaled.gram, upper=True)
    outside = r.diagonal() ** 2
    bad = [int(failed) - 1] if int(failed) else (outside < DEPENDENT).nonzero()[:, 0].tolist()
    if not bad or q < 2:
        return
    k = bad[0]
    before = torch.linalg.cholesky(scaled.gram[:k, :k], upper=True)
    column = torch.linalg.solve_triangular(before.T, scaled.gram[:k, k : k + 1], upper=False)
    triangle = torch.zeros(k + 1, k + 1, dtype=torch.float64)
    triangle[:k, :k], triangle[:k, k:] = before, column
    check_rank(triangle, scaled, problem.names[int(problem.intercept) :])
