"""Which solver takes a summed loss without a closed form, and why."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from slopewise.errors import OptionError, check_choice
from slopewise.losses.log_link import Overdispersed
from slopewise.losses.loss import Robust
from slopewise.losses.registry import REGISTRY
from slopewise.problem import Problem
from slopewise.training.likelihood.firth import Firth
from slopewise.training.likelihood.interior_point import InteriorPoint
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.newton import Newton
from slopewise.training.likelihood.overdispersion import OverdispersedNewton
from slopewise.training.likelihood.proximal_newton import Coordinate
from slopewise.training.likelihood.robust import RobustNewton
from slopewise.training.solver import Climber

CLIMBERS = ("newton", "lbfgs", "coordinate_descent", "firth")
ALL_SOLVERS = (*CLIMBERS, "interior_point")

FACTORED = 500
"""Parameters up to which a pass may form and factor their Hessian: 500² numbers a thread, 0.04 s to factor."""


@dataclass(frozen=True, slots=True)
class Ascent:
    """A solver and the reason for it, in the user's words."""

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
    """Return the solver for a linear model with any loss but the squared one.

    Args:
        problem: what was asked.
        levels: names of the classes.
        wanted: auto, or one of ALL_SOLVERS.
        firth: Firth's penalty was asked for.
        start: parameters of another fit to start from, raw units, or None.

    Raises:
        OptionError: `wanted` is no such solver, or not one of this loss; one that always starts from nothing was
            given a start.
    """
    check_choice("solver", wanted, ("auto", *ALL_SOLVERS))
    can = REGISTRY[problem.loss.name].solvers
    if wanted != "auto" and wanted not in can:
        raise OptionError(f"solver {wanted!r} cannot minimise loss {problem.loss.name!r}; choose {either(can)}.")
    if problem.loss.estimates is not None and wanted not in ("auto", "newton"):
        own = REGISTRY[problem.loss.name].parameters[0].name
        raise OptionError(f"solver {wanted!r} does not estimate the {problem.loss.estimates}; give {own}.")
    made: dict[str, Climber] = {
        "newton": newton_of(problem, start, levels),
        "lbfgs": Lbfgs(start=start, levels=levels),
        "coordinate_descent": Coordinate(levels=levels),
        "firth": Firth(levels=levels),
        "interior_point": InteriorPoint(),
    }
    if start is not None and "interior_point" in can:
        raise OptionError("solver 'interior_point' always starts from least squares; leave warm_start out.")
    if start is not None and (firth or problem.penalty.l1 or wanted in ("coordinate_descent", "firth")):
        raise OptionError("firth and l1 always start from the intercept alone; leave warm_start out.")
    if firth and wanted not in ("auto", "firth"):
        raise OptionError(f"firth has a solver of its own, and solver {wanted!r} is not it; leave one of them out.")
    if firth or wanted == "firth":
        return Ascent(made["firth"], "Firth's penalty was asked for")
    if wanted != "auto":
        return Ascent(made[wanted], "asked for")
    if "interior_point" in can:
        return Ascent(made["interior_point"], f"loss {problem.loss.name!r} is piecewise linear: a linear program")
    if problem.penalty.l1 and "coordinate_descent" not in can:
        raise OptionError(
            f"no solver takes l1 {problem.penalty.l1:g} with loss {problem.loss.name!r}; leave l1 out, or set l2."
        )
    if problem.loss.estimates is not None:
        return Ascent(made["newton"], f"{problem.loss.estimates} is estimated together with the coefficients")
    if problem.penalty.l1:
        return Ascent(
            made["coordinate_descent"],
            f"l1 {problem.penalty.l1:g} is not differentiable at 0, which coordinate descent takes into account",
        )
    parameters = len(problem.names) * problem.loss.outputs
    if parameters > FACTORED:
        return Ascent(made["lbfgs"], f"{parameters:,} parameters are too many to factor their Hessian at each step")
    plural = "s" if parameters > 1 else ""
    return Ascent(made["newton"], f"{parameters} parameter{plural}, whose Hessian is quickly factored")


def newton_of(problem: Problem, start: Tensor | None, levels: tuple[str, ...]) -> Climber:
    """Return Newton's method as it suits the loss."""
    if isinstance(problem.loss, Robust):
        return RobustNewton(start=start)
    if isinstance(problem.loss, Overdispersed) and problem.loss.estimates is not None:
        return OverdispersedNewton(start=start)
    return Newton(start=start, levels=levels)


def either(names: tuple[str, ...]) -> str:
    """Return `'a', 'b' or 'c'`."""
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last
