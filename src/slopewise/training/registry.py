"""Every solver by name, and which of them a problem gets.

Light on purpose: the command line reads names and help from here, so nothing heavy is imported before a solver is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slopewise.errors import OptionError, check_choice
from slopewise.losses.registry import REGISTRY

if TYPE_CHECKING:
    from slopewise.losses.loss import Loss
    from slopewise.optimizers.plan import DescentPlan
    from slopewise.problem import Problem
    from slopewise.solution import Moments
    from slopewise.training.solver import Solver

Kind = Literal["exact", "likelihood", "descent"]

FACTORED = 500
"""Parameters up to which a pass may form and factor their Hessian: 500² numbers a thread, 0.04 s to factor."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A solver: its name, how it solves, a line of help, and its class, imported when it is asked for."""

    name: str
    kind: Kind
    help: str
    load: Callable[[], type[Solver]]


def _class(module: str, name: str) -> Callable[[], type[Solver]]:
    def load() -> type[Solver]:
        from importlib import import_module

        found: type[Solver] = getattr(import_module(f"slopewise.training.{module}"), name)
        return found

    return load


ENTRIES = (
    Entry("cholesky", "exact", "least squares from the moments", _class("exact.cholesky", "Cholesky")),
    Entry("qr", "exact", "least squares for nearly collinear columns", _class("exact.qr", "QR")),
    Entry("newton", "likelihood", "Newton's method", _class("likelihood.newton", "Newton")),
    Entry("lbfgs", "likelihood", "gradients only, for many columns", _class("likelihood.lbfgs", "Lbfgs")),
    Entry(
        "coordinate_descent",
        "likelihood",
        "L1 and elastic net",
        _class("likelihood.proximal_newton", "CoordinateDescent"),
    ),
    Entry("firth", "likelihood", "Firth's penalised likelihood", _class("likelihood.firth", "Firth")),
    Entry(
        "interior_point",
        "likelihood",
        "quantiles, as a linear program",
        _class("likelihood.interior_point", "InteriorPoint"),
    ),
    Entry("gd_closed_form", "descent", "SGD on a line, every epoch at once", _class("descent.solvers", "ClosedForm")),
    Entry("gd_moments", "descent", "any optimizer on the moments of a line", _class("descent.solvers", "OnMoments")),
    Entry("gd_loop", "descent", "the plain training loop", _class("descent.solvers", "Loop")),
)

SOLVERS = {entry.name: entry for entry in ENTRIES}
CHOICES = ("auto", "gd", *SOLVERS)
"""What may be asked for: `auto` chooses, `gd` chooses among the descents."""


def names_of(*kinds: Kind) -> tuple[str, ...]:
    """Return the solvers of some kinds.

    >>> names_of("exact")
    ('cholesky', 'qr')
    """
    return tuple(entry.name for entry in ENTRIES if entry.kind in kinds)


def refuse_estimates(loss: Loss) -> None:
    """Raise OptionError where gradient descent is to estimate a parameter of the loss: it takes coefficients alone."""
    if loss.estimates is not None:
        raise OptionError(
            f"gradient descent does not estimate the {loss.estimates} of loss {loss.name!r}; give "
            f"{_estimated_option(loss)}."
        )


def _estimated_option(loss: Loss) -> str:
    return next(each.given_as for each in REGISTRY[loss.name].parameters if each.estimated == loss.estimates)


def solver_class(name: str, loss: Loss) -> type[Solver]:
    """Return the class of a solver as it suits a loss: Newton's method also estimates what the loss leaves open."""
    if name == "newton" and loss.estimates == "alpha":
        return _class("likelihood.overdispersion", "OverdispersedNewton")()
    if name == "newton" and loss.name == "huber":
        return _class("likelihood.robust", "RobustNewton")()
    return SOLVERS[name].load()


@dataclass(frozen=True, slots=True)
class Choice:
    """A solver's name and class, and the reason for it, in the user's words; `make` returns it from its settings."""

    name: str
    reason: str
    solver: type[Solver]

    def make(self, **settings: Any) -> Solver:
        """Return the solver with these settings."""
        return self.solver(**settings)


def select_solver(
    problem: Problem,
    moments: Moments | None = None,
    plan: DescentPlan | None = None,
    wanted: str = "auto",
    *,
    firth: bool = False,
    rows_needed: str = "",
) -> Choice:
    """Return the solver for a problem.

    Args:
        problem: what is asked.
        moments: of its rows; least squares without a descent needs them.
        plan: of the descent, None where there is none.
        wanted: one of CHOICES.
        firth: Firth's penalty was asked for.
        rows_needed: why a descent needs the rows themselves, such as a checkpoint; empty where it does not.

    Raises:
        OptionError: the solver asked for cannot take this problem; says why, and which would be used.
        FitError: the moments alone show that there is no answer.
    """
    check_choice("solver", wanted, CHOICES)
    if plan is not None:
        return _descent(problem, plan, "gd" if wanted == "auto" else wanted, rows_needed)
    if firth and wanted not in ("auto", "firth"):
        raise OptionError(f"firth has a solver of its own, and solver {wanted!r} is not it; leave one of them out.")
    if firth or wanted == "firth":
        return _checked("firth", "Firth's penalty was asked for", problem)
    if wanted == "auto":
        return _checked(*_auto(problem, moments), problem)
    choice = _checked(wanted, "asked for", problem)
    if SOLVERS[wanted].kind == "exact":
        _exact(problem, moments, wanted)
    return choice


def _auto(problem: Problem, moments: Moments | None) -> tuple[str, str]:
    """Return the solver's name and the reason."""
    l1, loss = problem.penalty.l1, problem.loss
    if "interior_point" in REGISTRY[loss.name].solvers:
        return "interior_point", f"loss {loss.name!r} is piecewise linear: a linear program"
    if l1:
        return (
            "coordinate_descent",
            f"l1 {l1:g} is not differentiable at 0, where coordinate descent finds exact zeros",
        )
    if loss.estimates is not None:
        return "newton", f"{loss.estimates} is estimated together with the coefficients"
    if loss.name == "squared":
        return _exact(problem, moments)
    parameters = len(problem.names) * loss.outputs
    if parameters > FACTORED:
        return "lbfgs", f"{parameters:,} parameters are too many to factor their Hessian at each step"
    plural = "s" if parameters > 1 else ""
    return "newton", f"{parameters} parameter{plural}, whose Hessian is quickly factored"


def _exact(problem: Problem, moments: Moments | None, wanted: str = "auto") -> tuple[str, str]:
    from slopewise.training.exact.choice import exact_solver

    assert moments is not None
    solver, reason = exact_solver(problem, moments, wanted)
    return solver.name, reason


def _descent(problem: Problem, plan: DescentPlan, wanted: str, rows_needed: str) -> Choice:
    from slopewise.training.solver import unmet

    refuse_estimates(problem.loss)
    against = {name: unmet(SOLVERS[name].load(), problem, plan) for name in names_of("descent")}
    if rows_needed:
        for name in ("gd_closed_form", "gd_moments"):
            against[name] = [*against[name], rows_needed]
    if against["gd_loop"]:
        raise OptionError(f"gradient descent cannot be used here: {'; '.join(against['gd_loop'])}; leave it out.")
    if not against["gd_closed_form"]:
        best = "gd_closed_form"
        reason = "full-batch sgd on squared loss has a closed form: every epoch from one read of the rows"
    elif not against["gd_moments"]:
        best = "gd_moments"
        reason = f"{'; '.join(against['gd_closed_form'])}; the moments give each gradient without the rows"
    else:
        best, reason = "gd_loop", "; ".join(against["gd_moments"])
    if wanted in ("gd", best):
        return Choice(best, reason, SOLVERS[best].load())
    if wanted in against and not against[wanted]:
        return Choice(wanted, "asked for", SOLVERS[wanted].load())
    reasons = "; ".join(against.get(wanted) or ["it makes no gradient descent"])
    raise OptionError(
        f"there is no {wanted} of this descent: {reasons}; {best!r} would be used, choose it or leave solver out."
    )


def _checked(name: str, reason: str, problem: Problem) -> Choice:
    """Return the choice; OptionError where the solver cannot take the problem."""
    from slopewise.training.solver import unmet

    loss = problem.loss
    solver = solver_class(name, loss)
    reasons = unmet(solver, problem)
    can = REGISTRY[loss.name].solvers
    if not reasons and name not in can:
        reasons = [f"loss {loss.name!r} is solved by {', '.join(can)}"]
    if not reasons and loss.estimates is not None and name != "newton":
        reasons = [f"it does not estimate the {loss.estimates}; give {_estimated_option(loss)}"]
    if reasons:
        raise OptionError(
            f"solver {name!r} cannot be used here: {'; '.join(reasons)}; choose solver='auto', or leave it out."
        )
    return Choice(name, reason, solver)
