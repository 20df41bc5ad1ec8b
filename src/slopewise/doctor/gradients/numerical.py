"""Numerical gradients: by central differences, and by autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from slopewise.errors import OptionError

Function = Callable[..., Any]


def value_of(function: Function, points: Sequence[Tensor]) -> Tensor:
    """Return the function's value at float64 points, one float64 number ().

    Raises:
        OptionError: it returns several numbers or another dtype, or works with tensors of another.
    """
    try:
        result = function(*points)
    except RuntimeError as error:
        if "dtype" not in str(error):
            raise
        raise OptionError(
            "the function mixes other tensors with the float64 ones it is given; make its data float64 with .double()."
        ) from error
    if isinstance(result, int | float):
        return torch.tensor(float(result), dtype=torch.float64)
    value = torch.as_tensor(result)
    if value.numel() != 1:
        shape = tuple(value.shape)
        raise OptionError(f"the function returned shape {shape}, and a gradient is of one number; end it in .mean().")
    if value.dtype != torch.float64:
        raise OptionError(
            f"the function returned {str(value.dtype).removeprefix('torch.')}, in which a difference keeps three "
            "digits at most; make its data float64 with .double()."
        )
    return value.reshape(())


def by_autograd(function: Function, points: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the gradient (v,), and whether backward reached each of its components (v,)."""
    leaves = [point.clone().requires_grad_() for point in points]
    value = value_of(function, leaves)
    parts: Sequence[Tensor | None] = [None] * len(leaves)
    if value.requires_grad:
        parts = torch.autograd.grad(value, leaves, allow_unused=True)
    gradient = [torch.zeros_like(leaf) if part is None else part for leaf, part in zip(leaves, parts, strict=True)]
    reached = [torch.full_like(leaf, part is not None) for leaf, part in zip(leaves, parts, strict=True)]
    return flat(gradient).detach(), flat(reached).detach() > 0


def by_difference(function: Function, points: Sequence[Tensor], h: float) -> Tensor:
    """Return (f(x + h) - f(x - h)) / 2h (v,), one component of x varied at a time.

    Args:
        function: takes float64 tensors and returns one number.
        points: its arguments, v numbers in all.
        h: step of the difference.

    >>> by_difference(lambda x: x**2, [torch.tensor(3.0, dtype=torch.float64)], 0.5)
    tensor([6.], dtype=torch.float64)
    """
    gradient = []
    for i, point in enumerate(points):
        for j in range(point.numel()):
            ends = []
            for step in (h, -h):
                moved = point.clone()
                moved.view(-1)[j] += step
                ends.append(value_of(function, [*points[:i], moved, *points[i + 1 :]]).detach())
            gradient.append((ends[0] - ends[1]) / (2 * h))
    return torch.stack(gradient)


def flat(parts: Sequence[Tensor]) -> Tensor:
    """Return the components of all parts as one vector (v,)."""
    return torch.cat([part.reshape(-1) for part in parts])
