"""A multi-layer perceptron: linear layers with an activation between each two of them.

The parameters are one flat vector (p,), layer by layer, each layer's weight (out, in) row by row and then its bias
(out,): the order of torch's own `module.parameters()`. A line has no hidden layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.models.activations import activation
from slopewise.models.initialization import draw_layer
from slopewise.models.model import Model
from slopewise.models.sizes import check_sizes


@dataclass(frozen=True, slots=True)
class MLP(Model):
    """eta = W_L a(… a(W_1 x + b_1) …) + b_L, without an activation at the end: the link belongs to the loss.

    inputs q, hidden sizes of the layers between, outputs k. dropout: share of the hidden values that training sets to
    zero, none elsewhere.

    Raises:
        OptionError: a size that is no whole number above zero, an unknown activation, dropout outside [0, 1).
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    activation: str = "relu"
    dropout: float = 0.0
    is_linear = False

    def __post_init__(self) -> None:
        check_sizes(self.hidden)
        for word, size in (("inputs", self.inputs), ("outputs", self.outputs)):
            if size < 1:
                raise OptionError(f"{word} is {size}; a network needs at least one.")
        activation(self.activation)
        if not 0 <= self.dropout < 1:
            raise OptionError(f"dropout is {self.dropout}; give a share of at least 0 and below 1, such as 0.2.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Values in each layer, the columns of x first and the outputs last."""
        return (self.inputs, *self.hidden, self.outputs)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of each layer's weight."""
        return tuple(zip(self.sizes[1:], self.sizes[:-1], strict=True))

    @property
    def count(self) -> int:
        """Return p, the number of parameters."""
        return sum(fan_out * (fan_in + 1) for fan_out, fan_in in self.shapes)

    @property
    def units(self) -> int:
        """Numbers that one row leaves in the network on its way through."""
        return sum(self.sizes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters (p,), as `W2[1,3]` for layer 2, from unit 3 into unit 1, and `b2[1]`; from 1."""
        found: list[str] = []
        for layer, (fan_out, fan_in) in enumerate(self.shapes, 1):
            found += [f"W{layer}[{i},{j}]" for i in range(1, fan_out + 1) for j in range(1, fan_in + 1)]
            found += [f"b{layer}[{i}]" for i in range(1, fan_out + 1)]
        return tuple(found)

    @property
    def is_weight(self) -> Tensor:
        """Which parameters (p,) a penalty counts: weights, and never a bias."""
        return torch.cat([torch.arange(fan_out * (fan_in + 1)) < fan_out * fan_in for fan_out, fan_in in self.shapes])

    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (..., n, k) for parameters (..., p) and x (n, q): one network, or many beside each other.

        Dropout belongs to training and is not done here.
        """
        activate = activation(self.activation).value
        layers = self.layers(parameters)
        for i, (weight, bias) in enumerate(layers):
            x = x @ weight.mT + bias[..., None, :]
            if i < len(layers) - 1:
                x = activate(x)
        return x

    def layers(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return each layer's weight (..., out, in) and bias (..., out), views of parameters (..., p)."""
        sizes = [size for fan_out, fan_in in self.shapes for size in (fan_out * fan_in, fan_out)]
        # one split, and not a slice each: its backward is one cat instead of a zero-padded sum
        parts = torch.split_with_sizes(parameters, sizes, dim=-1)
        return [
            (parts[2 * i].view(*parameters.shape[:-1], *shape), parts[2 * i + 1]) for i, shape in enumerate(self.shapes)
        ]

    def init(self, how: str | Sequence[float] = "torch", seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return the parameters (p,) to start from; the seed's own generator, and no other, is used.

        Args:
            how: `torch` is nn.Linear's own way and equals, bit by bit, building the module after
                torch.manual_seed(seed); xavier, he, uniform, normal; or the p values themselves.
            seed: of the generator.
            dtype: of the answer; the draw itself is in float32, so that a start is the same in either.

        Raises:
            OptionError: unknown, of the wrong length, or a start from which no descent can leave.
        """
        if not isinstance(how, str):
            return self._given(how, dtype)
        if how in ("zeros", "ones") and self.hidden:
            raise OptionError(
                f"init {how!r} starts all units of a hidden layer alike, and alike they stay: each gets the same "
                "gradient, so the layer counts as one unit; choose 'torch', 'xavier' or 'he'."
            )
        generator = torch.Generator().manual_seed(seed)
        drawn = [part for shape in self.shapes for part in draw_layer(how, shape, generator)]
        return torch.cat([part.reshape(-1) for part in drawn]).to(dtype)

    def module(self, parameters: Tensor | None = None) -> nn.Sequential:
        """Return the network as a plain nn.Sequential, in the dtype of the parameters (p,); zeros where None.

        It maps x (n, q) to what losses take: (n, k), or (n,) where k is 1. What happens to it does not reach the
        parameters given.
        """
        values = torch.zeros(self.count, dtype=torch.float64) if parameters is None else parameters.detach()
        parts: list[nn.Module] = []
        for weight, bias in self.layers(values):
            # built without values, so that torch's global generator stays where it was
            line = nn.Linear(weight.shape[1], weight.shape[0], device="meta", dtype=values.dtype)
            line.weight, line.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
            parts += [line, activation(self.activation).module()]
            if self.dropout:
                parts.append(nn.Dropout(self.dropout))
        last = [nn.Flatten(0)] if self.outputs == 1 else []
        return nn.Sequential(*parts[: -1 - bool(self.dropout)], *last)

    def unstandardize(self, parameters: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Return the parameters (..., p) of the same function of raw columns.

        *Descend scaled, read raw*: W_1 u + b_1 = (W_1 / scale) x + (b_1 - W_1 mean / scale).

        Args:
            parameters: (..., p), of the network that takes u = (x - mean) / scale.
            mean: of the columns, (q,).
            scale: of the columns, (q,).
        """
        weight, bias = self.layers(parameters)[0]
        weight = weight / scale
        first = [weight.flatten(-2), bias - weight @ mean]
        return torch.cat([*first, parameters[..., self.shapes[0][0] * (self.inputs + 1) :]], dim=-1)

    def standardize(self, parameters: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Return the parameters (..., p) for u = (x - mean) / scale of a network of raw columns: the way back of `raw`.

        W_1 x + b_1 = (W_1 scale) u + (b_1 + W_1 mean).
        """
        weight, bias = self.layers(parameters)[0]
        first = [(weight * scale).flatten(-2), bias + weight @ mean]
        return torch.cat([*first, parameters[..., self.shapes[0][0] * (self.inputs + 1) :]], dim=-1)

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as plain JSON values."""
        return {
            "inputs": self.inputs,
            "hidden": list(self.hidden),
            "outputs": self.outputs,
            "activation": self.activation,
            "dropout": self.dropout,
        }

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> MLP:
        """Return the architecture that `to_dict` took apart; its values are checked as any others.

        Raises:
            OptionError: a value makes no sense.
            KeyError: one is missing.
        """
        return MLP(
            inputs=int(stored["inputs"]),
            hidden=tuple(stored["hidden"]),
            outputs=int(stored["outputs"]),
            activation=str(stored["activation"]),
            dropout=float(stored["dropout"]),
        )

    def _given(self, values: Sequence[float], dtype: torch.dtype) -> Tensor:
        given = torch.as_tensor(values, dtype=torch.float64).reshape(-1)
        if len(given) != self.count:
            raise OptionError(
                f"init has {len(given)} values and the network {self.count} parameters; give one for each."
            )
        if not bool(given.isfinite().all()):
            raise OptionError("init holds a value that is not finite; give numbers.")
        return given.to(dtype)
