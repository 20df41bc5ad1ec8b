"""A descended fit at one of its epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch

from slopewise.errors import OptionError
from slopewise.results.trail import Trail, recorded_row, scatter_at, solution_at
from slopewise.training.quadratic import quadratic_of
from slopewise.training.replay import state_at
from slopewise.training.units import from_raw, to_raw

if TYPE_CHECKING:
    from slopewise.results.fit import Fit

F = TypeVar("F", bound="Fit")


def state_of(fit: F, trail: Trail, epoch: int) -> F:
    """Return the fit as it stood after `epoch` epochs of its descent.

    A recorded epoch is looked up; of a replay any other is computed by itself.

    Raises:
        OptionError: there is no such epoch, or nothing is known of it.
    """
    moments = fit.solution.moments
    exact = trail.exact
    optimum = None if exact is None else from_raw(exact.theta, trail.units)
    quadratic = quadratic_of(moments, trail.units, l2=fit.l2, optimum=optimum, rss=None if exact is None else exact.rss)
    row = recorded_row(trail, epoch)
    if row is not None:
        scaled = trail.history.parameters[row]
    elif trail.road == "replay":
        scaled = state_at(quadratic, trail.plan, trail.start, epoch).parameters[0]
    else:
        raise OptionError(
            f"epoch {epoch} was not recorded and this descent has no closed form; fit with record=1 to keep all epochs."
        )
    theta = to_raw(scaled.to(torch.float64), trail.units)
    solution = solution_at(
        theta=theta,
        descended=trail.descended,
        moments=moments,
        quadratic=quadratic,
        units=trail.units,
        exact=exact,
    )
    reason = f"epoch {epoch} of {trail.descended.epochs}"
    scatter = scatter_at(theta, exact, trail.scatter)
    return replace(
        fit, solution=solution, uncertainty=scatter, reason=reason, known_train=None, known_test=None, findings=()
    )
