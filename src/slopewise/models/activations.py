"""What bends a network: each activation as a function, as a torch module, and with its slope for drawing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError, check_choice


@dataclass(frozen=True, slots=True)
class Activation:
    """value and slope take z (any shape) and keep its shape; `module` makes the torch module that computes value."""

    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    module: Callable[[], nn.Module]


@dataclass(frozen=True, slots=True)
class ActivationCurve:
    """An activation to be drawn: x (m,), value (m,) and slope (m,), float64."""

    x: Tensor
    value: Tensor
    derivative: Tensor


def _sigmoid_slope(z: Tensor) -> Tensor:
    return torch.sigmoid(z) * torch.sigmoid(-z)


def _silu_slope(z: Tensor) -> Tensor:
    return torch.sigmoid(z) * (1 + z * torch.sigmoid(-z))


def _gelu_slope(z: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-z / math.sqrt(2)) + z * torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _identity(z: Tensor) -> Tensor:
    return z


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(torch.sigmoid, _sigmoid_slope, nn.Sigmoid),
    "tanh": Activation(torch.tanh, lambda z: 1 - torch.tanh(z) ** 2, nn.Tanh),
    # The corner at 0 has slope 0, as in torch.
    "relu": Activation(torch.relu, lambda z: (z > 0).to(z.dtype), nn.ReLU),
    "gelu": Activation(nn.functional.gelu, _gelu_slope, nn.GELU),
    "silu": Activation(nn.functional.silu, _silu_slope, nn.SiLU),
    "identity": Activation(_identity, torch.ones_like, nn.Identity),
}


def activation(name: str) -> Activation:
    """Return the activation of that name.

    Raises:
        OptionError: there is none of that name.
    """
    return ACTIVATIONS[check_choice("activation", name, ACTIVATIONS)]


def activation_curve(name: str, start: float = -5.0, stop: float = 5.0, step: float = 0.1) -> ActivationCurve:
    """Return an activation and its slope at start, start + step, … below stop.

    Args:
        name: of the activation.
        start: the first x.
        stop: the end, itself left out.
        step: between neighbours, above zero.

    Raises:
        OptionError: an unknown name, or an interval with no point or without end.

    >>> found = activation_curve("sigmoid")
    >>> len(found.x), found.value[50].item(), found.derivative[50].item()
    (100, 0.5, 0.25)
    """
    kind = activation(name)
    if not (math.isfinite(start) and math.isfinite(stop) and 0 < step < math.inf and start < stop):
        raise OptionError(f"no points from {start} to {stop} in steps of {step}; give start < stop and a step above 0.")
    # Rounded first: (5 - -5) / 0.1 may come out a hair above 100 and add a point at stop itself.
    count = math.ceil(round((stop - start) / step, 9))
    # Rounded to the grid's own digits, so that the middle of [-5, 5) is 0 and not 4e-16.
    x = (start + step * torch.arange(count, dtype=torch.float64)).round(decimals=12)
    return ActivationCurve(x, kind.value(x), kind.derivative(x))
