"""Activation functions of a network: value, derivative, and torch module of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError, check_choice


@dataclass(frozen=True, slots=True)
class Activation:
    """value and derivative keep the shape of their argument z; `module` makes the torch module that computes value."""

    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    module: Callable[[], nn.Module]


@dataclass(frozen=True, slots=True)
class ActivationCurve:
    """An activation tabulated for plotting: x (m,), value (m,) and derivative (m,), float64."""

    x: Tensor
    value: Tensor
    derivative: Tensor


def _sigmoid_derivative(z: Tensor) -> Tensor:
    return torch.sigmoid(z) * torch.sigmoid(-z)


def _silu_derivative(z: Tensor) -> Tensor:
    return torch.sigmoid(z) * (1 + z * torch.sigmoid(-z))


def _gelu_derivative(z: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-z / math.sqrt(2)) + z * torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _identity(z: Tensor) -> Tensor:
    return z


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(torch.sigmoid, _sigmoid_derivative, nn.Sigmoid),
    "tanh": Activation(torch.tanh, lambda z: 1 - torch.tanh(z) ** 2, nn.Tanh),
    # relu is not differentiable at 0; the derivative there is 0, as in torch.
    "relu": Activation(torch.relu, lambda z: (z > 0).to(z.dtype), nn.ReLU),
    "gelu": Activation(nn.functional.gelu, _gelu_derivative, nn.GELU),
    "silu": Activation(nn.functional.silu, _silu_derivative, nn.SiLU),
    "identity": Activation(_identity, torch.ones_like, nn.Identity),
}


def activation(name: str) -> Activation:
    """Return the activation called `name`.

    Raises:
        OptionError: an unknown name.

    >>> activation("relu").derivative(torch.tensor([-1.0, 2.0]))
    tensor([0., 1.])
    """
    return ACTIVATIONS[check_choice("activation", name, ACTIVATIONS)]


def activation_curve(name: str, start: float = -5.0, stop: float = 5.0, step: float = 0.1) -> ActivationCurve:
    """Return an activation and its derivative at start, start + step, … below stop.

    Args:
        name: of the activation.
        start: the first x.
        stop: the end, itself left out.
        step: distance between two points, above zero.

    Raises:
        OptionError: an unknown name, or an interval that is empty or infinite.

    >>> curve = activation_curve("sigmoid")
    >>> len(curve.x), curve.value[50].item(), curve.derivative[50].item()
    (100, 0.5, 0.25)
    """
    kind = activation(name)
    if not (math.isfinite(start) and math.isfinite(stop) and 0 < step < math.inf and start < stop):
        raise OptionError(f"no points from {start} to {stop} in steps of {step}; give start < stop and a step above 0.")
    # Rounded first: (5 - -5) / 0.1 may be slightly above 100 in float64 and add a point at stop itself.
    count = math.ceil(round((stop - start) / step, 9))
    # Rounded to the grid's own digits, so that the middle of [-5, 5) is 0 and not 4e-16.
    x = (start + step * torch.arange(count, dtype=torch.float64)).round(decimals=12)
    return ActivationCurve(x, kind.value(x), kind.derivative(x))
