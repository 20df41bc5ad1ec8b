"""Which exact solver least squares takes, and why."""

from __future__ import annotations

import torch

from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.exact.cholesky import Cholesky
from slopewise.training.exact.qr import QR
from slopewise.training.exact.scaling import scale_problem
from slopewise.training.solver import Solver

SQUARED_LIMIT = 1e6
"""Condition of the moments beyond which QR is taken: they would leave fewer than nine digits of a standard error."""

NO_DIGIT = 1e14
"""Condition beyond which a Cholesky factor of the moments is noise."""


def exact_solver(problem: Problem, moments: Moments, wanted: str = "auto") -> tuple[Solver, str]:
    """Return the exact solver of a linear model with squared loss and the reason for it.

    Args:
        problem: what is asked.
        moments: of its rows.
        wanted: auto, cholesky or qr.

    Raises:
        FitError: the moments alone show that there is no answer.
    """
    scaled = scale_problem(problem, moments)
    eigenvalues = torch.linalg.eigvalsh(scaled.penalised)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    condition = largest / smallest if smallest > 0 else float("inf")
    if wanted == "qr":
        return QR(), "asked for"
    if wanted == "cholesky":
        if condition > NO_DIGIT:
            raise FitError(
                f"solver 'cholesky' was asked for, but the moments' condition is {condition:.1e} and would leave "
                "no digit; choose solver 'qr' or 'auto'."
            )
        return Cholesky(), "asked for"
    if smallest * SQUARED_LIMIT <= largest:
        return QR(), f"condition of the moments {condition:.1e}, beyond {SQUARED_LIMIT:.0e}: QR keeps the digits"
    return Cholesky(), f"condition of the moments {condition:.1e}, below {SQUARED_LIMIT:.0e}: one read is enough"
