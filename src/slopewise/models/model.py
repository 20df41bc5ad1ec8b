"""Stage 2, the contract: from columns to predictions.

A model holds its architecture, never its parameters: `forward(parameters, x)` is a pure function, and `module`
gives the same function out as a plain nn.Module that holds a copy of them, which is what a training loop moves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


class Model(ABC):
    """eta = f(x; parameters). `is_linear` says that f is linear in the parameters."""

    is_linear: bool

    @abstractmethod
    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (n, k) for parameters theta and x (n, q)."""

    @abstractmethod
    def module(self, parameters: Tensor) -> nn.Module:
        """Return the same function as a plain nn.Module that holds a copy of the parameters."""
