"""The epochs of a descent: as columns, and as the fit at one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.models.build import has_buffers
from slopewise.results.inference.covariance import covariance_at
from slopewise.results.record import LISTED, FitRecord
from slopewise.solution import DescentRecord, Status
from slopewise.training.descent.closed_form import state_at
from slopewise.training.descent.solvers import at_theta
from slopewise.training.moments.quadratic import quadratic_of
from slopewise.training.moments.standardize import to_raw_scale, to_standard_scale


def descent_of(record: FitRecord) -> DescentRecord:
    """Return the descent of a fit.

    Raises:
        OptionError: it was solved without one.
    """
    if record.descent is None:
        raise OptionError(
            f"this fit was solved by {record.solver}, without a descent, and has no epochs; fit with solver='gd' to "
            "have them."
        )
    return record.descent


def history_columns(record: FitRecord) -> dict[str, Any]:
    """Return the history column by column, one row per recorded epoch.

    epoch, cost; where the exact optimum is known gap (cost - lowest) and distance (of the parameters to it, in the
    units of the descent); validation where rows were held out; lr and gradient_norm; sharpness and largest_lr where
    they were measured, NaN in the epochs between; then, of a line, every coefficient in raw units under its name, and
    where the descent worked in other units `name (scaled)`, or of a network of up to 100 parameters each of them; and
    `d name`, the gradient in the units of the descent.

    Raises:
        OptionError: the fit was solved without a descent.
    """
    descent = descent_of(record)
    history = descent.history
    columns: dict[str, Any] = {"epoch": history.epoch.numpy(), "cost": history.cost.numpy()}
    if history.lowest is not None and history.optimum is not None:
        columns["gap"] = (history.cost - history.lowest).clamp(min=0).numpy()
        columns["distance"] = (history.parameters - history.optimum).norm(dim=1).numpy()
    if history.validation is not None:
        columns["validation"] = history.validation.numpy()
    columns |= {"lr": history.lr.numpy(), "gradient_norm": descent.norms.numpy()}
    if descent.sharpness is not None:
        columns |= {"sharpness": _placed(descent, "eigenvalue"), "largest_lr": _placed(descent, "lr")}
    return columns | _states(record, descent)


def _states(record: FitRecord, descent: DescentRecord) -> dict[str, Any]:
    history = descent.history
    if record.is_solved:
        names = record.design.names
        raw = to_raw_scale(history.parameters.to(torch.float64), descent.units)
        columns = {name: raw[:, j].numpy() for j, name in enumerate(names)}
        if descent.plan.standardize:
            columns |= {f"{name} (scaled)": history.parameters[:, j].numpy() for j, name in enumerate(names)}
    elif history.parameters.shape[1] <= LISTED and descent.has_states:
        names = record.model.parameter_names
        columns = {name: history.parameters[:, j].numpy() for j, name in enumerate(names)}
    else:
        return {}
    return columns | {f"d {name}": history.gradient[:, j].numpy() for j, name in enumerate(names)}


def _placed(descent: DescentRecord, name: str) -> Any:
    """Return what was measured at some epochs as a column of the history."""
    assert descent.sharpness is not None
    column = torch.full_like(descent.history.cost, torch.nan)
    column[torch.searchsorted(descent.history.epoch, descent.sharpness.epoch)] = getattr(descent.sharpness, name)
    return column.numpy()


def at_epoch(record: FitRecord, epoch: int) -> FitRecord:
    """Return the record of the fit as it stood after `epoch` epochs.

    A recorded epoch is looked up; of a descent in closed form any other is computed by itself.

    Raises:
        OptionError: the fit was solved without a descent; there is no such epoch, or its state is not known.
    """
    descent = descent_of(record)
    if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 <= epoch <= descent.epochs:
        raise OptionError(f"epoch {epoch} does not exist; this descent has epochs 0 to {descent.epochs}.")
    reason = f"epoch {epoch} of {descent.epochs}"
    fresh = replace(record, reason=reason, train=None, test=None, validation=None, findings=())
    solution = record.solution
    if epoch != descent.best_epoch:
        solution = replace(solution, status=Status.ON_THE_WAY, evidence=reason, advice="")
    if not record.is_solved:
        return replace(fresh, solution=replace(solution, theta=_network_state(record, descent, epoch)))
    exact, moments = descent.exact, record.moments
    optimum = None if exact is None else to_standard_scale(exact.theta, descent.units)
    rss = None if exact is None else exact.loss
    quadratic = quadratic_of(moments, descent.units, l2=record.l2, optimum=optimum, rss=rss)
    row = (descent.history.epoch == epoch).nonzero()
    if len(row):
        state = descent.history.parameters[int(row[0])]
    elif record.solver == "gd_closed_form":
        state = state_at(quadratic, descent.plan, descent.start, epoch).parameters[0]
    else:
        raise OptionError(
            f"epoch {epoch} was not recorded and this descent has no closed form; fit with history_every=1 to keep all "
            "epochs."
        )
    theta = to_raw_scale(state.to(torch.float64), descent.units)
    solution = at_theta(solution, theta=theta, quadratic=quadratic, l2=record.l2, moments=moments)
    covariance = covariance_at(theta, exact, record.exact_covariance)
    return replace(fresh, solution=solution, covariance=covariance)


def _network_state(record: FitRecord, descent: DescentRecord, epoch: int) -> Tensor:
    """Return the parameters (p,) of a network after an epoch."""
    history = descent.history
    if epoch == descent.best_epoch:
        return record.theta
    row = (history.epoch == epoch).nonzero()
    if not len(row):
        raise OptionError(f"epoch {epoch} was not recorded; fit with history_every=1 to keep all epochs.")
    if descent.starts is not None:
        raise OptionError("of many starts only the end is kept; train one start to have its epochs.")
    if has_buffers(record.model):
        raise OptionError(
            "the module's buffers (of a norm over batches) were kept of the end alone, not of each epoch."
        )
    if not descent.has_states:
        raise OptionError(
            f"the file of a network of more than {LISTED} parameters holds the state of epoch {descent.best_epoch} "
            "alone; fit again to have the others."
        )
    return history.parameters[int(row[0])]
