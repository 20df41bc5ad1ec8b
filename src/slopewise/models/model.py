"""Stage 2, the contract of a model: a function from columns to predictions.

A model holds its architecture, never its parameters: `forward(parameters, x)` is a pure function, and `module`
returns the same function as a plain nn.Module that holds a copy of them, which a training loop updates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


class Model(ABC):
    """eta = f(x; parameters). `is_linear`: whether f is linear in the parameters."""

    is_linear: bool

    @abstractmethod
    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (n, m) for parameters theta and x (n, q)."""

    @abstractmethod
    def module(self, parameters: Tensor) -> nn.Module:
        """Return the same function as a plain nn.Module that holds a copy of the parameters."""
