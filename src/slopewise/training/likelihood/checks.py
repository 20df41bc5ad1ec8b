"""Checks of classes, columns and penalty before a likelihood solver starts."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.errors import FitError, OptionError
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.exact.qr import check_rank
from slopewise.training.exact.scaling import scale_problem

DEPENDENT = 1e-12
"""Part of a column's variance left by the earlier ones below which Hessians are numerically singular."""


def refuse_warm(warm: Tensor | None, solver: str) -> None:
    """Raise OptionError where a solver that always starts from the intercept alone is given another start."""
    if warm is not None:
        raise OptionError(f"solver {solver!r} always starts from the intercept alone; leave warm_start out.")


def check_classes(rows: Tensor, levels: tuple[str, ...]) -> None:
    """Raise FitError unless every class has rows.

    Args:
        rows: (k,) of each class, empty where the target is a number.
        levels: names of the classes, or empty.

    Example:
        >>> check_classes(torch.tensor([3, 0]), ("no", "yes"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        slopewise.errors.FitError: the training rows hold only the class 'no', ...; give rows of each class.
    """
    empty = (rows == 0).nonzero()[:, 0].tolist()
    if empty:
        names = levels or tuple(str(k) for k in range(len(rows)))
        present = [names[k] for k in range(len(rows)) if k not in empty]
        held = f"only the class {present[0]!r}" if len(present) == 1 else f"no row of the class {names[empty[0]]!r}"
        raise FitError(f"the training rows hold {held}, so no other class can be predicted; give rows of each class.")


def check_columns(problem: Problem, moments: Moments) -> None:
    """Raise FitError if a column is constant or a linear combination of others, unless there is an L2 penalty."""
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
