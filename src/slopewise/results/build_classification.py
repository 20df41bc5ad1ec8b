"""From the top of a likelihood to a fit of classes."""

from __future__ import annotations

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import OptionError, check_choice
from slopewise.problem import Problem
from slopewise.results.classifier import Classifier
from slopewise.results.data_handles import DataHandles
from slopewise.results.inference.likelihood import COV_TYPES as LIKELIHOOD_COV_TYPES
from slopewise.results.inference.likelihood import covariance_of
from slopewise.solution import Maximum


def build_classifier(
    *,
    problem: Problem,
    maximum: Maximum,
    design: Design,
    model: str,
    solver: str,
    reason: str,
    engine: Engine,
    cov_type: str = "nonrobust",
    confidence_level: float = 0.95,
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
        cov_type: classical, hc0 or hc1.
        confidence_level: of the intervals.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.

    Raises:
        OptionError: errors make no sense here.
    """
    check_choice("cov_type", cov_type, LIKELIHOOD_COV_TYPES)
    uncertainty = None
    if maximum.basis is not None:
        uncertainty = covariance_of(cov_type, problem=problem, maximum=maximum, engine=engine)
    elif cov_type != "nonrobust":
        raise OptionError(
            f"cov_type={cov_type!r} needs the curvature at the optimum, which solver {solver!r} has none of."
        )
    return Classifier(
        design=design,
        model=model,
        maximum=maximum,
        uncertainty=uncertainty,
        solver=solver,
        reason=reason,
        confidence_level=float(confidence_level),
        l2=problem.penalty.strength,
        l1=problem.penalty.l1,
        class_weights=getattr(problem.loss, "class_weights", None),
        library=library,
        rows=DataHandles(engine, problem.source, test),
    )
