"""Choose the solver of a likelihood (any loss of a linear model without a closed form), with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from slopewise.errors import OptionError, check_choice
from slopewise.problem import Problem
from slopewise.training.likelihood.firth import Firth
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.newton import Newton
from slopewise.training.likelihood.proximal_newton import Coordinate
from slopewise.training.solver import Climber

CLIMBERS = ("newton", "lbfgs", "coordinate_descent", "firth")

FACTORED = 500
"""Most parameters whose Hessian is formed and factored at each iteration: 500² numbers a thread, 0.04 s to factor."""


@dataclass(frozen=True, slots=True)
class Ascent:
    """The chosen likelihood solver, and the reason for it as one phrase for the report."""

    climber: Climber
    reason: str


def choose_ascent(
    problem: Problem,
    levels: tuple[str, ...],
    wanted: str = "auto",
    *,
    firth: bool = False,
    start: Tensor | None = None,
) -> Ascent:
    """Return the likelihood solver for a linear model with any twice differentiable loss.

    Args:
        problem: linear model, its loss, its penalty and its rows.
        levels: names of the classes, for messages.
        wanted: auto, or one of CLIMBERS.
        firth: use Firth's penalty.
        start: theta (p,) or (p, m) of another fit to start from, raw units, or None.

    Returns:
        The solver, and why it was chosen.

    Raises:
        OptionError: an unknown solver, or a start for a solver that always starts from the intercept alone.
    """
    check_choice("solver", wanted, ("auto", *CLIMBERS))
    made: dict[str, Climber] = {
        "newton": Newton(start=start, levels=levels),
        "lbfgs": Lbfgs(start=start, levels=levels),
        "coordinate_descent": Coordinate(levels=levels),
        "firth": Firth(levels=levels),
    }
    if start is not None and (firth or problem.penalty.l1 or wanted in ("coordinate_descent", "firth")):
        raise OptionError("firth and l1 always start from the intercept alone; leave warm_start out.")
    if firth and wanted not in ("auto", "firth"):
        raise OptionError(
            f"firth=True has a solver of its own, and solver={wanted!r} is another; leave one of them out."
        )
    if firth or wanted == "firth":
        return Ascent(made["firth"], "Firth's penalty was asked for")
    if wanted != "auto":
        return Ascent(made[wanted], "asked for")
    if problem.penalty.l1:
        return Ascent(
            made["coordinate_descent"],
            f"l1={problem.penalty.l1:g} is not differentiable at 0, which coordinate descent handles exactly",
        )
    parameters = len(problem.names) * problem.loss.outputs
    if parameters > FACTORED:
        return Ascent(
            made["lbfgs"], f"{parameters:,} parameters are too many to factor their Hessian at each iteration"
        )
    plural = "s" if parameters > 1 else ""
    return Ascent(made["newton"], f"{parameters} parameter{plural}, whose Hessian is quickly factored")
