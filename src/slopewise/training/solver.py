"""Stage 5, the contract: from a problem to its solution.

A solver is a frozen value: its settings, and the moments where they have been read already. Every exact road has the
one signature, `solve(problem, engine)`, and ends in a Solution whose status says what happened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from slopewise.engine.engine import Engine
from slopewise.problem import Problem
from slopewise.solution import Maximum, Solution


class Solver(ABC):
    """A way to minimise. `needs` says in words what the problem must be for this road to exist."""

    name: str
    needs: tuple[str, ...]

    @abstractmethod
    def solve(self, problem: Problem, engine: Engine) -> Solution:
        """Return the solution.

        Raises:
            FitError: no answer exists; the message names the columns and what to do.
        """


class Climber(ABC):
    """A way to minimise the summed loss of a linear model that has no closed form, such as -log likelihood."""

    name: str
    needs: tuple[str, ...]

    @abstractmethod
    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum.

        Raises:
            FitError: no finite optimum exists, or it was not reached; the message says why and what to do.
        """
