"""From the top of a likelihood to a fit of classes."""

from __future__ import annotations

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import OptionError, check_choice
from slopewise.problem import Problem
from slopewise.results.classifier import Classifier
from slopewise.results.likelihood import ERRORS as LIKELIHOOD_ERRORS
from slopewise.results.likelihood import covariance_of
from slopewise.results.rows_kept import Rows
from slopewise.solution import Maximum


def conclude_classes(
    *,
    problem: Problem,
    maximum: Maximum,
    design: Design,
    model: str,
    solver: str,
    reason: str,
    engine: Engine,
    errors: str = "classical",
    level: float = 0.95,
    test: Source | None = None,
    library: str = "pyarrow",
) -> Classifier:
    """Return the fit of classes with its uncertainty. Robust errors read the rows once more, classical ones do not.

    Args:
        problem: what was asked.
        maximum: what was found.
        design: of the table.
        model: logistic or softmax.
        solver: its name.
        reason: why that one.
        engine: sums over the rows.
        errors: classical, hc0 or hc1.
        level: of the intervals.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.

    Raises:
        OptionError: errors make no sense here.
    """
    check_choice("errors", errors, LIKELIHOOD_ERRORS)
    uncertainty = None
    if maximum.curvature is not None:
        uncertainty = covariance_of(errors, problem=problem, maximum=maximum, engine=engine)
    elif errors != "classical":
        raise OptionError(f"errors={errors!r} needs the curvature at the optimum, which solver {solver!r} has none of.")
    return Classifier(
        design=design,
        model=model,
        maximum=maximum,
        uncertainty=uncertainty,
        solver=solver,
        reason=reason,
        level=float(level),
        l2=problem.penalty.strength,
        l1=problem.penalty.l1,
        class_weights=getattr(problem.loss, "class_weights", None),
        library=library,
        rows=Rows(engine, problem.source, test),
    )
