"""Stage 5, the contract: the base classes of all solvers.

A solver is a frozen dataclass: its settings, and the moments where they have been read already. Every solver has the
one method `solve(problem, engine)`, and returns a value whose status says what happened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from slopewise.engine.engine import Engine
from slopewise.problem import Problem
from slopewise.solution import Maximum, Solution


class Solver(ABC):
    """Base class of the exact least squares solvers. `needs` lists what the problem must provide, in words."""

    name: str
    needs: tuple[str, ...]

    @abstractmethod
    def solve(self, problem: Problem, engine: Engine) -> Solution:
        """Return the exact solution.

        Args:
            problem: model, loss, penalty and rows.
            engine: sums over the rows.

        Raises:
            FitError: no unique solution exists; the message names the columns and what to do.
        """


class Climber(ABC):
    """Base class of the likelihood solvers: iterative minimisation of the summed loss of a linear model.

    `needs` lists what the problem must provide, in words.
    """

    name: str
    needs: tuple[str, ...]

    @abstractmethod
    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum.

        Args:
            problem: model, loss, penalty and rows.
            engine: sums over the rows.

        Raises:
            FitError: no finite optimum exists, or it was not reached; the message says why and what to do.
        """
