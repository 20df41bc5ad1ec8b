"""The start of one fit from another: its numbers, out of its own units and into those of the new table."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from slopewise.data.design import Design
from slopewise.errors import OptionError, quoted
from slopewise.models.mlp import MLP
from slopewise.models.model import Model
from slopewise.results.fit import Fit
from slopewise.solution import Standardization


def check_start(start: Any, design: Design) -> Fit[Any]:
    """Return the fit to start from.

    Raises:
        OptionError: it is no fit, or one of other columns or classes.
    """
    if not isinstance(start, Fit):
        raise OptionError(
            f"warm_start is a {type(start).__name__}; give a fit of the same columns, or the path of one."
        )
    ours, theirs = (design.names, design.target_levels), (start.design.names, start.design.target_levels)
    if ours != theirs:
        raise OptionError(
            f"warm_start was fitted to {quoted(theirs[0])}{_and_classes(theirs[1])}, and this fit has {quoted(ours[0])}"
            f"{_and_classes(ours[1])}; start from a fit of the same."
        )
    return start


def linear_start(start: Any, design: Design) -> Tensor:
    """Return theta (p,) or (p, m), raw units, of a linear model; OptionError as `check_start`, or of hidden layers."""
    rows = _coefficients(check_start(start, design))
    return rows[0] if len(rows) == 1 else rows.T.contiguous()


def network_start(
    start: Any, design: Design, model: Model, units: Standardization, y_mean: float, y_scale: float
) -> Tensor:
    """Return the parameters (p,) of a network in the units of its descent.

    Args:
        start: a network of the same layers; or, for one without hidden layers, any fit with coefficients.
        design: of the table.
        model: the network to be trained.
        units: of its columns.
        y_mean: of its target, 0 where that is left alone.
        y_scale: of its target, 1 where that is left alone.

    Raises:
        OptionError: as `check_start`; other layers; a module of the user's own.
    """
    fit = check_start(start, design)
    if not isinstance(model, MLP):
        raise OptionError(
            "a module of your own starts from the parameters it comes with; leave warm_start out and pass fit.network, "
            "or a module that has loaded them."
        )
    if model.is_linear:
        rows = _coefficients(fit)
        raw = torch.cat([rows[:, 1:].reshape(-1), rows[:, 0]])
    else:
        raw = _raw(fit, model)
    raw = _with_outputs(model, raw, 1 / y_scale, -y_mean / y_scale)
    return model.standardize(raw, units.mean, units.scale)


def _coefficients(fit: Fit[Any]) -> Tensor:
    """Return the coefficients (m, p) of each output, raw units, the intercept first."""
    fit.coefficient_columns()  # refuses hidden layers
    return fit.record.coefficient_matrix()


def _raw(fit: Fit[Any], model: MLP) -> Tensor:
    """Return the parameters (p,) of a network of the same layers, from raw columns to raw predictions."""
    theirs, descent = fit.model, fit.descent
    if not isinstance(theirs, MLP) or descent is None:
        raise OptionError(
            f"warm_start is a fit without hidden layers, {theirs.describe()}, and this network is "
            f"{'-'.join(map(str, model.sizes))}; start from one with the same layers."
        )
    if (theirs.shapes, theirs.activation) != (model.shapes, model.activation):
        raise OptionError(
            f"warm_start is a network {'-'.join(map(str, theirs.sizes))} with {theirs.activation}, and this one "
            f"is {'-'.join(map(str, model.sizes))} with {model.activation}; start from one with the same layers."
        )
    raw = theirs.unstandardize(fit.theta, descent.units.mean, descent.units.scale)
    return _with_outputs(model, raw, descent.y_scale, descent.y_mean)


def _with_outputs(model: MLP, parameters: Tensor, factor: float, shift: float) -> Tensor:
    """Return the parameters (p,) of the network that gives factor · eta + shift."""
    changed = parameters.clone()
    weight, bias = model.layers(changed)[-1]
    weight.mul_(factor)
    bias.mul_(factor).add_(shift)
    return changed


def _and_classes(levels: tuple[str, ...]) -> str:
    return f" and classes {quoted(levels)}" if levels else ""
