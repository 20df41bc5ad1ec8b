"""What a saved fit is held against: a condition, a choice, and the shape of a tensor."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor


def expect(holds: bool, otherwise: str) -> None:
    """Raise unless something holds.

    Args:
        holds: whether it does.
        otherwise: what is wrong where it does not.

    Raises:
        ValueError: it does not.
    """
    if not holds:
        raise ValueError(otherwise)


def expect_choice(name: str, value: object, known: Collection[object]) -> None:
    """Raise unless a value is one of those that are known.

    Args:
        name: of the field.
        value: its value.
        known: the values it may have.

    Raises:
        ValueError: it is none of them.
    """
    expect(value in known, f"{name} is {value!r}, not one of {', '.join(map(str, known))}")


def expect_shapes(wanted: Mapping[str, tuple[Tensor, tuple[int, ...]]], dtype: torch.dtype = torch.float64) -> None:
    """Raise unless every tensor has its shape.

    Args:
        wanted: by name, tensor and shape.
        dtype: of all of them.

    Raises:
        ValueError: one has another shape or type.
    """
    for name, (tensor, shape) in wanted.items():
        if tuple(tensor.shape) != shape or tensor.dtype != dtype:
            raise ValueError(f"tensor {name} is {tuple(tensor.shape)} {tensor.dtype}, not {shape} {dtype}")
