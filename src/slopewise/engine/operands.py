"""Moving operands, batches and results between devices."""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

V = TypeVar("V")


def move(value: V, device: torch.device) -> V:
    """Return a value with all tensors inside it on a device: of tuples, dataclasses and torch modules.

    What lies there already is not copied; of a module that does not, a copy is moved.
    """
    moved: Any = value
    if isinstance(value, Tensor):
        moved = value.to(device)
    elif isinstance(value, nn.Module):
        parts = (*value.parameters(), *value.buffers())
        moved = value if all(part.device == device for part in parts) else copy.deepcopy(value).to(device)
    elif isinstance(value, tuple):
        items = [move(item, device) for item in value]
        moved = value._make(items) if hasattr(value, "_make") else type(value)(items)
    elif is_dataclass(value) and not isinstance(value, type):
        inside = {part.name: move(getattr(value, part.name), device) for part in fields(value) if part.init}
        moved = replace(value, **inside)
    result: V = moved
    return result
