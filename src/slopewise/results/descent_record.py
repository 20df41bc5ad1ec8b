"""What a fit keeps of its descent: the plan, every recorded epoch, and how far from the exact answer it ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.stability import Limits
from slopewise.results.inference.covariance import Covariance
from slopewise.solution import Descended, Factor, History, Moments, Solution
from slopewise.training.moments.quadratic import Quadratic, cost_at
from slopewise.training.moments.standardize import Standardization, to_raw_scale, to_standard_scale

CLOSE = 0.01
"""Standard errors by which every coefficient may miss the exact one for its interval still to mean something."""

FULL = 15.0


@dataclass(frozen=True, slots=True)
class DescentRecord:
    """The road behind a descended fit.

    road: replay, moments or loop. start (p,) in the units of the descent; exact: the answer it goes towards and its
    scatter, None where the columns determine no single one; largest_lr: the limit known before the first step.
    """

    plan: DescentPlan
    road: str
    units: Standardization
    start: Tensor
    descended: Descended
    exact: Solution | None
    scatter: Covariance | None
    largest_lr: float

    @property
    def history(self) -> History:
        """Every recorded epoch, in the units of the descent."""
        return self.descended.history


def solution_at(
    *,
    theta: Tensor,
    descended: Descended,
    moments: Moments,
    quadratic: Quadratic,
    units: Standardization,
    exact: Solution | None,
) -> Solution:
    """Return the state theta (p,), raw units, as a solution: its residual sum of squares and its digits.

    digits are real ones, against the exact answer, and NaN where there is none.
    """
    scaled = to_standard_scale(theta, units)
    cost = float(cost_at(quadratic, scaled))
    constant = int(units.intercept)
    ridge = quadratic.hessian.new_zeros(())
    if exact is not None:
        ridge = exact.factor.ridge[constant:] @ (theta[constant:] * exact.factor.scale) ** 2
    rss = (moments.weight * cost - ridge).clamp(min=0)
    return Solution(
        theta=theta,
        status=descended.status,
        digits=torch.full_like(theta, torch.nan) if exact is None else agreement(theta, exact),
        rss=torch.as_tensor(rss, dtype=torch.float64),
        passes=1 + (exact.passes - 1 if exact is not None else 0),
        condition=math.nan if exact is None else exact.condition,
        moments=moments,
        factor=no_factor(moments, units.intercept) if exact is None else exact.factor,
    )


def agreement(theta: Tensor, exact: Solution) -> Tensor:
    """Return the correct decimal digits (p,) of theta, no more than the exact answer itself has."""
    error = (theta - exact.theta).abs()
    size = torch.where(exact.theta == 0, 1.0, exact.theta.abs())
    return torch.minimum(-(error / size).log10(), exact.digits).clamp(0.0, FULL)


def scatter_at(theta: Tensor, exact: Solution | None, at_exact: Covariance | None) -> Covariance:
    """Return the covariance of the exact estimates if theta has come within CLOSE standard errors of all of them.

    Otherwise NaN: an interval around a state on the way says nothing about the data.
    """
    p = len(theta)
    nothing = torch.full((p, p), torch.nan, dtype=torch.float64)
    if exact is None or at_exact is None:
        return Covariance("nonrobust", nothing, nothing)
    away = (theta - exact.theta).abs()
    error = at_exact.raw.diagonal().clamp(min=0).sqrt()
    arrived = bool((away <= CLOSE * error + 1e-12 * exact.theta.abs()).all())
    return at_exact if arrived else Covariance(at_exact.kind, nothing, nothing)


def history_columns(descent: DescentRecord, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the history column by column, one row per recorded epoch.

    epoch, cost, and where they are known gap (cost - lowest) and distance (of the parameters to the exact optimum, in
    the units of the descent); validation where rows were held out; lr and gradient_norm; then every parameter in raw
    units under its name; and, where the descent worked in other units, `name (scaled)`; and `d name`, the
    gradient in the units of the descent.
    """
    history = descent.history
    columns: dict[str, Any] = {"epoch": history.epoch.numpy(), "cost": history.cost.numpy()}
    if history.lowest is not None and history.optimum is not None:
        columns["gap"] = (history.cost - history.lowest).clamp(min=0).numpy()
        columns["distance"] = (history.parameters - history.optimum).norm(dim=1).numpy()
    if history.validation is not None:
        columns["validation"] = history.validation.numpy()
    columns["lr"] = history.lr.numpy()
    columns["gradient_norm"] = history.gradient.norm(dim=1).numpy()
    raw = to_raw_scale(history.parameters.to(torch.float64), descent.units)
    columns |= {name: raw[:, j].numpy() for j, name in enumerate(names)}
    if descent.plan.standardize:
        columns |= {f"{name} (scaled)": history.parameters[:, j].numpy() for j, name in enumerate(names)}
    return columns | {f"d {name}": history.gradient[:, j].numpy() for j, name in enumerate(names)}


def recorded_row(descent: DescentRecord, epoch: int) -> int | None:
    """Return the row of the history that holds `epoch`, None if it was not recorded.

    Raises:
        OptionError: the descent never came to this epoch.
    """
    if not 0 <= epoch <= descent.descended.epochs:
        raise OptionError(f"epoch {epoch} does not exist; this descent has epochs 0 to {descent.descended.epochs}.")
    found = (descent.history.epoch == epoch).nonzero()
    return int(found[0]) if len(found) else None


def described(descent: DescentRecord) -> dict[str, Any]:
    """Return the descent as plain values, for JSON."""
    plan, history, descended = descent.plan, descent.history, descent.descended
    lowest = None if history.lowest is None else float(history.lowest)
    cost = float(history.cost[history.epoch == descended.best_epoch][-1]) if len(history.epoch) else math.nan
    return {
        "solver": descent.road,
        "optimizer": plan.optimizer,
        "options": {name: list(value) if isinstance(value, tuple) else value for name, value in plan.options.items()},
        "schedule": plan.schedule.name,
        "batch_size": plan.batch_size,
        "standardize": plan.standardize,
        "dtype": plan.dtype,
        "seed": plan.seed,
        "epochs": descended.epochs,
        "kept_epoch": descended.best_epoch,
        "largest_stable_lr": descent.largest_lr,
        "cost_at_start": float(history.cost[0]),
        "cost": cost,
        "lowest": lowest,
        "gap": None if lowest is None else max(cost - lowest, 0.0),
        "evidence": descended.evidence,
        "advice": descended.advice,
    }


def largest_lr_of(limits: Limits, plan: DescentPlan) -> float:
    """Return the limit of the step for sgd; NaN for optimizers that set their own steps."""
    return limits.lr if plan.optimizer == "sgd" else math.nan


def no_factor(moments: Moments, intercept: bool) -> Factor:
    """Return a factor that is not known: NaN, so that everything that would follow from it is NaN too."""
    q = len(moments.mean)
    p = q + int(intercept)
    mean = moments.mean if intercept else torch.zeros_like(moments.mean)
    unknown = torch.full((p, p), torch.nan, dtype=torch.float64)
    return Factor(mean, torch.ones(q, dtype=torch.float64), unknown, torch.zeros(p, dtype=torch.float64), intercept)
