"""A descended fit at one of its epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch

from slopewise.errors import OptionError
from slopewise.results.descent_record import DescentRecord, recorded_row, scatter_at, solution_at
from slopewise.training.descent.closed_form import state_at
from slopewise.training.moments.quadratic import quadratic_of
from slopewise.training.moments.standardize import to_raw_scale, to_standard_scale

if TYPE_CHECKING:
    from slopewise.results.fit import Fit

F = TypeVar("F", bound="Fit")


def state_of(fit: F, descent: DescentRecord, epoch: int) -> F:
    """Return the fit as it stood after `epoch` epochs of its descent.

    A recorded epoch is looked up; of a replay any other is computed by itself.

    Raises:
        OptionError: there is no such epoch, or nothing is known of it.
    """
    moments = fit.solution.moments
    exact = descent.exact
    optimum = None if exact is None else to_standard_scale(exact.theta, descent.units)
    quadratic = quadratic_of(
        moments, descent.units, l2=fit.l2, optimum=optimum, rss=None if exact is None else exact.rss
    )
    row = recorded_row(descent, epoch)
    if row is not None:
        scaled = descent.history.parameters[row]
    elif descent.road == "gd_closed_form":
        scaled = state_at(quadratic, descent.plan, descent.start, epoch).parameters[0]
    else:
        raise OptionError(
            f"epoch {epoch} was not recorded and this descent has no closed form; "
            "fit with history_every=1 to keep all epochs."
        )
    theta = to_raw_scale(scaled.to(torch.float64), descent.units)
    solution = solution_at(
        theta=theta,
        descended=descent.descended,
        moments=moments,
        quadratic=quadratic,
        units=descent.units,
        exact=exact,
    )
    reason = f"epoch {epoch} of {descent.descended.epochs}"
    scatter = scatter_at(theta, exact, descent.scatter)
    return replace(
        fit, solution=solution, uncertainty=scatter, reason=reason, known_train=None, known_test=None, findings=()
    )
