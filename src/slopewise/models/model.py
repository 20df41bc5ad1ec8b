"""Stage 2, the contract of a model: a function from columns to predictions.

A model holds its architecture, never its parameters: `forward(parameters, x)` is a pure function, and `module`
returns the same function as a plain nn.Module that holds a copy of them, which a training loop updates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor, nn


class Model(ABC):
    """eta = f(x; parameters).

    is_linear: no layer lies between columns and eta. is_batched: `forward` takes many parameter vectors at once.
    """

    is_linear: bool
    is_batched: ClassVar[bool] = False

    @property
    @abstractmethod
    def parameter_names(self) -> tuple[str, ...]:
        """A name for each parameter (p,)."""

    @abstractmethod
    def describe(self) -> str:
        """Return the model in a few words, such as `8-64-64-1, tanh, 4801 parameters`."""

    @abstractmethod
    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (n, m) for parameters theta and x (n, q)."""

    @abstractmethod
    def module(self, parameters: Tensor) -> nn.Module:
        """Return the same function as a plain nn.Module that holds a copy of the parameters."""

    def trained(self, module: nn.Module) -> Model:
        """Return the model as a trained module has it: itself, unless it holds numbers besides its parameters."""
        return self
