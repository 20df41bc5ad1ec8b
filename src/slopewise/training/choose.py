"""Choose the exact least squares solver, Cholesky or QR, from the condition of the moments."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from slopewise.errors import FitError, check_choice
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.exact.cholesky import Cholesky
from slopewise.training.exact.qr import QR
from slopewise.training.exact.scaling import scale_problem
from slopewise.training.solver import Solver

SOLVERS = ("auto", "cholesky", "qr")

SQUARED_LIMIT = 1e6
"""Condition of the moments beyond which QR is used: they would leave fewer than nine digits of a standard error."""

NO_DIGIT = 1e14
"""Condition beyond which a Cholesky factor of the moments is noise."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen solver, and the reason for it as one phrase for the report."""

    solver: Solver
    reason: str


def choose(problem: Problem, moments: Moments, wanted: str = "auto") -> Choice:
    """Return the exact solver for a linear model with squared loss, given its moments.

    Args:
        problem: linear model, squared loss.
        moments: of the training rows.
        wanted: one of SOLVERS; auto uses QR where the condition of the moments exceeds SQUARED_LIMIT.

    Returns:
        The solver, and why it was chosen.

    Raises:
        OptionError: `wanted` is not a solver.
        FitError: the moments alone show that no solution exists.
    """
    check_choice("solver", wanted, SOLVERS)
    scaled = scale_problem(problem, moments)
    eigenvalues = torch.linalg.eigvalsh(scaled.penalised)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    collinear = smallest * SQUARED_LIMIT <= largest
    squared = largest / smallest if smallest > 0 else float("inf")
    if wanted == "qr":
        return Choice(QR(moments), "asked for")
    if wanted == "cholesky":
        if squared > NO_DIGIT:
            raise FitError(
                f"solver='cholesky' was asked for, but the condition number of the moments is {squared:.1e}, which "
                "leaves no correct digit; choose solver='qr' or solver='auto'."
            )
        return Choice(Cholesky(moments), "asked for")
    if collinear:
        return Choice(
            QR(moments), f"condition of the moments {squared:.1e}, beyond {SQUARED_LIMIT:.0e}: QR keeps the digits"
        )
    return Choice(
        Cholesky(moments), f"condition of the moments {squared:.1e}, below {SQUARED_LIMIT:.0e}: one read is enough"
    )
