"""Three gradients side by side: by hand, by central differences, by autograd.

1. By hand: what the user derived, as a function or as numbers.
2. Central difference, float64: (f(x + h) - f(x - h)) / 2h for one component of x at a time. Its error falls with h²
   until rounding, which grows as 1/h, takes over; `errors` shows both.
3. Autograd: the function runs once on tensors that remember how they were made, and backward follows them.
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
APART = 1e-4
"""Relative difference between autograd and the nearest central difference that is no rounding."""

CUT = "autograd never reached it: .detach(), .item(), float(), .data or no_grad() cuts the way back"
CORNER = "autograd and every difference disagree: a corner here, or a part that autograd takes as constant"
NOWHERE = "not a finite number at this point"


@dataclass(frozen=True, slots=True)
class Gradients:
    """The gradient of one function at one point, by three roads; v components in all.

    names (v,) of the components; at, difference, autograd (v,); hand (v,) and ratio (v,), hand / autograd, None
    without a gradient by hand. diagnosis (v,), "" where all is well. errors: a pair (h, worst error of the
    difference against autograd) for each step from 1e-1 to 1e-12, and best_h the step with the least; empty and None
    where autograd is not to be trusted.
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
        OptionError: the point, the step or the gradient by hand makes no sense; the function returns something else
            than one float64 number.

    >>> gradients(lambda x: x**2, 3.0).difference.item()
    6.000000000012662
    """
    points = _points(at)
    if not 0 < h < math.inf:
        raise OptionError(f"h is {h}; give a small step above zero, such as 1e-4.")
    if rows is not None and rows < 1:
        raise OptionError(f"rows is {rows}; give the number of rows that the function averages over.")
    value = float(value_of(function, points))
    slopes, reached = by_autograd(function, points)
    ladder = torch.stack([by_difference(function, points, step) for step in STEPS])
    noise = 1e3 * EPS * max(abs(value), float(slopes.abs().max()))
    trouble = [_trouble(*each, noise) for each in zip(slopes.tolist(), ladder.T, reached.tolist(), strict=True)]
    module_source = None if hand is None else _hand(hand, points)
    if module_source is not None:
        pairs = zip(trouble, module_source.tolist(), slopes.tolist(), strict=True)
        trouble = [found or explain(mine, right, noise, rows) for found, mine, right in pairs]
    trusted = not any(found in (CUT, CORNER, NOWHERE) for found in trouble)
    errors = tuple(zip(STEPS, (ladder - slopes).abs().amax(1).tolist(), strict=True)) if trusted else ()
    return Gradients(
        names=_names(function, points),
        at=flat(points),
        value=value,
        h=h,
        difference=by_difference(function, points, h),
        autograd=slopes,
        hand=module_source,
        ratio=None if module_source is None else module_source / slopes,
        diagnosis=tuple(trouble),
        errors=errors,
        best_h=min(errors, key=lambda pair: pair[1])[0] if errors else None,
    )


def partial_derivatives(function: Function, at: Any) -> tuple[float, ...]:
    """Return the partial derivatives of a function at a point, by autograd, in the order of its arguments.

    Raises:
        FitError: autograd does not reach an argument, or differs from every central difference.
        OptionError: as `gradients`.

    >>> partial_derivatives(lambda x, y: 2 * x + 3 * x * y + y**3, (1.0, 2.0))
    (8.0, 15.0)
    """
    found = gradients(function, at)
    for name, trouble in zip(found.names, found.diagnosis, strict=True):
        if trouble:
            raise FitError(f"there is no derivative with respect to {name}: {trouble}.")
    return tuple(found.autograd.tolist())


def _points(at: Any) -> tuple[Tensor, ...]:
    parts = at if isinstance(at, tuple | list) else (at,)
    points = tuple(torch.as_tensor(part, dtype=torch.float64).detach().clone() for part in parts)
    if not points or not all(point.numel() and bool(point.isfinite().all()) for point in points):
        raise OptionError(f"at is {at!r}; give a finite number, or one for each argument of the function.")
    return points


def _hand(hand: Any, points: Sequence[Tensor]) -> Tensor:
    given = hand(*points) if callable(hand) else hand
    parts = given if isinstance(given, tuple | list) else (given,)
    values = flat([torch.as_tensor(part, dtype=torch.float64).detach() for part in parts])
    wanted = sum(point.numel() for point in points)
    if len(values) != wanted:
        raise OptionError(f"the gradient by hand has {len(values)} components and the point {wanted}; give one each.")
    return values


def _trouble(slope: float, ladder: Tensor, reached: bool, noise: float) -> str:
    """Return what keeps autograd's derivative from being believed, "" where nothing does."""
    near = float(ladder[(ladder - slope).abs().argmin()])
    if not (math.isfinite(slope) and math.isfinite(near)):
        return NOWHERE
    if abs(near - slope) <= APART * max(abs(slope), abs(near)) + noise:
        return ""
    return CORNER if reached else CUT


def _names(function: Function, points: Sequence[Tensor]) -> tuple[str, ...]:
    """Return x, y, W[0], W[1], b …: the names of the function's arguments, numbered where one has components."""
    try:
        arguments = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # torch's own functions do not tell
        arguments = []
    names: list[str] = []
    for i, point in enumerate(points):
        name = arguments[i] if i < len(arguments) else f"x{i + 1}"
        names += [name] if point.dim() == 0 else [f"{name}[{j}]" for j in range(point.numel())]
    return tuple(names)
