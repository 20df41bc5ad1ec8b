"""The classes that may stand in a saved fit, by name, and a module of the user's own put together again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from slopewise.errors import StoreError
from slopewise.losses.registry import REGISTRY, loss_class
from slopewise.models.linear import Linear
from slopewise.models.mlp import MLP
from slopewise.models.model import Model
from slopewise.models.torch_module import as_model, check_module, restore
from slopewise.results.record import ClassificationMetrics, CsvRows, InlineRows, RegressionMetrics

_STORED: tuple[type, ...] = (
    Linear,
    MLP,
    *map(loss_class, REGISTRY),
    RegressionMetrics,
    ClassificationMetrics,
    CsvRows,
    InlineRows,
)
KINDS = {kind.__name__: kind for kind in _STORED}


def given_module(
    stored: Mapping[str, Any], state: Mapping[str, Tensor], module: nn.Module | None, q: int, dtype: torch.dtype
) -> Model:
    """Return the user's own module with its saved numbers, as a model.

    Args:
        stored: what the file says of it.
        state: its numbers, by name.
        module: as it is given again.
        q: columns of x.
        dtype: in which it computes.

    Raises:
        StoreError: none is given.
        DataError: another one is given.
    """
    if module is None:
        raise StoreError(
            f"the fit is of a module of your own, {stored['module']['class']}, whose code is not in the file; give it "
            "again: load(path, module=…)."
        )
    outputs = int(stored["outputs"])
    inner = check_module(copy.deepcopy(module).to(dtype), q, outputs)
    restore(inner, state)
    return as_model(inner, outputs)
