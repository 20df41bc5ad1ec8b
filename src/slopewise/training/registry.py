"""Every solver by name, and which of them a problem gets.

Light on purpose: the command line reads names and help from here, so nothing heavy is imported before a solver is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slopewise.errors import OptionError, check_choice

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class Choice:
    """A solver's name and the reason for it, in the user's words; `make` returns the solver from its settings."""

    name: str
    reason: str

    def make(self, **settings: Any) -> Solver:
        """Return the solver with these settings."""
        return SOLVERS[self.name].load()(**settings)


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
        return _checked(Choice("firth", "Firth's penalty was asked for"), problem, None)
    if wanted == "auto":
        return _auto(problem, moments)
    choice = _checked(Choice(wanted, "asked for"), problem, None)
    if SOLVERS[wanted].kind == "exact":
        _auto(problem, moments, wanted)
    return choice


def _auto(problem: Problem, moments: Moments | None, wanted: str = "auto") -> Choice:
    l1 = problem.penalty.l1
    if l1:
        return Choice(
            "coordinate_descent", f"l1 {l1:g} is not differentiable at 0, where coordinate descent finds exact zeros"
        )
    if problem.loss.name == "squared":
        from slopewise.training.exact.choice import exact_solver

        assert moments is not None
        solver, reason = exact_solver(problem, moments, wanted)
        return Choice(solver.name, reason)
    parameters = len(problem.names) * problem.loss.outputs
    if parameters > FACTORED:
        return Choice("lbfgs", f"{parameters:,} parameters are too many to factor their Hessian at each step")
    plural = "s" if parameters > 1 else ""
    return Choice("newton", f"{parameters} parameter{plural}, whose Hessian is quickly factored")


def _descent(problem: Problem, plan: DescentPlan, wanted: str, rows_needed: str) -> Choice:
    from slopewise.training.solver import unmet

    against = {name: unmet(SOLVERS[name].load(), problem, plan) for name in names_of("descent")}
    if rows_needed:
        for name in ("gd_closed_form", "gd_moments"):
            against[name] = [*against[name], rows_needed]
    if against["gd_loop"]:
        raise OptionError(f"gradient descent cannot be used here: {'; '.join(against['gd_loop'])}; leave it out.")
    if not against["gd_closed_form"]:
        best = Choice(
            "gd_closed_form",
            "full-batch sgd on squared loss has a closed form: every epoch from one read of the rows",
        )
    elif not against["gd_moments"]:
        reasons = "; ".join(against["gd_closed_form"])
        best = Choice("gd_moments", f"{reasons}; the moments give each gradient without the rows")
    else:
        best = Choice("gd_loop", "; ".join(against["gd_moments"]))
    if wanted in ("gd", best.name):
        return best
    if wanted in against and not against[wanted]:
        return Choice(wanted, "asked for")
    reasons = "; ".join(against.get(wanted) or ["it makes no gradient descent"])
    raise OptionError(
        f"there is no {wanted} of this descent: {reasons}; {best.name!r} would be used, choose it or leave solver out."
    )


def _checked(choice: Choice, problem: Problem, plan: DescentPlan | None) -> Choice:
    from slopewise.training.solver import unmet

    reasons = unmet(SOLVERS[choice.name].load(), problem, plan)
    if reasons:
        raise OptionError(
            f"solver {choice.name!r} cannot be used here: {'; '.join(reasons)}; choose solver='auto', or leave it out."
        )
    return choice
