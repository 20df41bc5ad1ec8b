"""Stage 5, the contract: the base classes of all solvers.

A solver is a frozen value that holds its settings. Every solver has the one signature, `solve(problem, engine)`,
and ends in a Solution whose status says what happened. What it asks of a problem is data, `requires`, checked before
the first pass over the rows; registry.py lists all solvers and chooses one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from slopewise.engine.engine import Engine
from slopewise.optimizers.plan import DescentPlan
from slopewise.problem import Problem
from slopewise.solution import Moments, Solution
from slopewise.types import Callback

if TYPE_CHECKING:
    from torch import Tensor

Requirement = Callable[[Problem, DescentPlan | None], str | None]
"""From a problem and the plan of a descent, None for other solvers, to None where it is met, else the reason."""


class Solver(ABC):
    """A way to minimise Σ w · loss + penalty."""

    name: ClassVar[str]
    requires: ClassVar[tuple[Requirement, ...]]

    @abstractmethod
    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the solution.

        Args:
            problem: what is asked.
            engine: sums over the rows.
            warm: parameters to start from, shaped as the solution's theta; None for the solver's own start.
            moments: of the rows, where they have been read already.
            callback: told how a descent is getting on.

        Raises:
            OptionError: the solver cannot start from `warm`.
            FitError: no answer exists, or it was not reached; the message names the columns and what to do.
        """


def unmet(solver: type[Solver], problem: Problem, plan: DescentPlan | None = None) -> list[str]:
    """Return the reasons for which a solver cannot take a problem; none where it can.

    Args:
        solver: its class.
        problem: what is asked.
        plan: of a descent, None for other solvers.
    """
    return [reason for requirement in solver.requires if (reason := requirement(problem, plan)) is not None]
