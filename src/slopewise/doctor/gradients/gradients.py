"""Compare three gradients of a function: by hand, by central differences, by autograd.

1. By hand: the user's, as a function or as numbers.
2. Central difference, float64: (f(x + h) - f(x - h)) / 2h for one component of x at a time. Its error falls with h²
   until rounding, which grows as 1/h, takes over; `errors` shows both.
3. Autograd: the function runs once on tensors that require gradients, followed by a backward pass.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slopewise.doctor.gradients.factors import explain
from slopewise.doctor.gradients.numerical import Function, by_autograd, by_difference, flat, value_of
from slopewise.doctor.gradients.table import table
from slopewise.errors import FitError, OptionError

STEPS = tuple(10.0**-k for k in range(1, 13))
EPS = torch.finfo(torch.float64).eps
TOLERANCE = 1e-4
"""Relative difference between autograd and the nearest central difference that is more than rounding."""

DETACHED = "autograd does not reach it: .detach(), .item(), float(), .data or no_grad() removes it from the graph"
DISAGREES = "autograd and every difference disagree: not differentiable here, or a part that autograd takes as constant"
NOT_FINITE = "not a finite number at this point"


@dataclass(frozen=True, slots=True)
class Gradients:
    """The gradient of one function at one point, computed in three ways; v components in all.

    names (v,) of the components; at, difference, autograd (v,); hand (v,) and ratio (v,), hand / autograd, None
    without a gradient by hand. diagnosis (v,), "" where they agree. errors: a pair (h, worst error of the
    difference against autograd) for each step from 1e-1 to 1e-12, and best_h the step with the least; empty and None
    where autograd is wrong.
    """

    names: tuple[str, ...]
    at: Tensor
    value: float
    h: float
    difference: Tensor
    autograd: Tensor
    hand: Tensor | None
    ratio: Tensor | None
    diagnosis: tuple[str, ...]
    errors: tuple[tuple[float, float], ...]
    best_h: float | None

    def __str__(self) -> str:
        return table(
            names=self.names,
            hand=None if self.hand is None else self.hand.tolist(),
            difference=self.difference.tolist(),
            autograd=self.autograd.tolist(),
            ratio=None if self.ratio is None else self.ratio.tolist(),
            diagnosis=self.diagnosis,
            h=self.h,
            errors=self.errors,
            best_h=self.best_h,
        )


def gradients(function: Function, at: Any, hand: Any = None, h: float = 1e-4, rows: int | None = None) -> Gradients:
    """Return the gradient of `function` at a point by hand, by central differences and by autograd.

    Args:
        function: takes float64 tensors and returns one number.
        at: a number or a tensor for a function of one argument; a tuple of them, one per argument, for several.
        hand: the gradient by hand: a function of the same arguments, or the values, one per argument.
        h: step of the difference.
        rows: how many rows m the function averages over, so that a factor like m/2 can be named.

    Raises:
        OptionError: the point, the step or the gradient by hand is invalid; the function does not return one float64
            number.

    >>> gradients(lambda x: x**2, 3.0).difference.item()
    6.000000000012662
    """
    points = _points(at)
    if not 0 < h < math.inf:
        raise OptionError(f"h is {h}; give a small step above zero, such as 1e-4.")
    if rows is not None and rows < 1:
        raise OptionError(f"rows is {rows}; give the number of rows that the function averages over.")
    value = float(value_of(function, points))
    autograd, reached = by_autograd(function, points)
    differences = torch.stack([by_difference(function, points, step) for step in STEPS])
    noise = 1e3 * EPS * max(abs(value), float(autograd.abs().max()))
    diagnosis = [
        _diagnosis(*each, noise) for each in zip(autograd.tolist(), differences.T, reached.tolist(), strict=True)
    ]
    by_hand = None if hand is None else _hand(hand, points)
    if by_hand is not None:
        pairs = zip(diagnosis, by_hand.tolist(), autograd.tolist(), strict=True)
        diagnosis = [problem or explain(mine, right, noise, rows) for problem, mine, right in pairs]
    trusted = not any(problem in (DETACHED, DISAGREES, NOT_FINITE) for problem in diagnosis)
    errors = tuple(zip(STEPS, (differences - autograd).abs().amax(1).tolist(), strict=True)) if trusted else ()
    return Gradients(
        names=_names(function, points),
        at=flat(points),
        value=value,
        h=h,
        difference=by_difference(function, points, h),
        autograd=autograd,
        hand=by_hand,
        ratio=None if by_hand is None else by_hand / autograd,
        diagnosis=tuple(diagnosis),
        errors=errors,
        best_h=min(errors, key=lambda pair: pair[1])[0] if errors else None,
    )


def partial_derivatives(function: Function, at: Any) -> tuple[float, ...]:
    """Return the partial derivatives of a function at a point, by autograd, in the order of its arguments.

    Args:
        function: takes float64 tensors and returns one number.
        at: a number or a tensor for one argument, a tuple of them for several.

    Raises:
        FitError: autograd does not reach an argument, or differs from every central difference.
        OptionError: as `gradients`.

    >>> partial_derivatives(lambda x, y: 2 * x + 3 * x * y + y**3, (1.0, 2.0))
    (8.0, 15.0)
    """
    result = gradients(function, at)
    for name, diagnosis in zip(result.names, result.diagnosis, strict=True):
        if diagnosis:
            raise FitError(f"there is no derivative with respect to {name}: {diagnosis}.")
    return tuple(result.autograd.tolist())


def _points(at: Any) -> tuple[Tensor, ...]:
    parts = at if isinstance(at, tuple | list) else (at,)
    points = tuple(torch.as_tensor(part, dtype=torch.float64).detach().clone() for part in parts)
    if not points or not all(point.numel() and bool(point.isfinite().all()) for point in points):
        raise OptionError(f"at is {at!r}; give a finite number, or one for each argument of the function.")
    return points


def _hand(hand: Any, points: Sequence[Tensor]) -> Tensor:
    gradient = hand(*points) if callable(hand) else hand
    parts = gradient if isinstance(gradient, tuple | list) else (gradient,)
    values = flat([torch.as_tensor(part, dtype=torch.float64).detach() for part in parts])
    wanted = sum(point.numel() for point in points)
    if len(values) != wanted:
        raise OptionError(f"the gradient by hand has {len(values)} components and the point {wanted}; give one each.")
    return values


def _diagnosis(slope: float, differences: Tensor, reached: bool, noise: float) -> str:
    """Return why autograd's derivative is wrong, "" where a central difference agrees with it."""
    near = float(differences[(differences - slope).abs().argmin()])
    if not (math.isfinite(slope) and math.isfinite(near)):
        return NOT_FINITE
    if abs(near - slope) <= TOLERANCE * max(abs(slope), abs(near)) + noise:
        return ""
    return DISAGREES if reached else DETACHED


def _names(function: Function, points: Sequence[Tensor]) -> tuple[str, ...]:
    """Return x, y, W[0], W[1], b …: the names of the function's arguments, numbered where one has components."""
    try:
        arguments = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # torch's own functions have no signature
        arguments = []
    names: list[str] = []
    for i, point in enumerate(points):
        name = arguments[i] if i < len(arguments) else f"x{i + 1}"
        names += [name] if point.dim() == 0 else [f"{name}[{j}]" for j in range(point.numel())]
    return tuple(names)
