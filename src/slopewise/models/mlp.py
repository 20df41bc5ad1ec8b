"""A multi-layer perceptron: linear layers with an activation between each two of them.

The parameters are one flat vector (p,), layer by layer, each layer's weight (out, in) row by row and then its bias
(out,): the order of torch's own `module.parameters()`. A linear model has no hidden layer.
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

    inputs q, sizes of the hidden layers, outputs m. dropout: share of the hidden values that training sets to
    zero, none elsewhere.

    Raises:
        OptionError: a size that is not a whole number above zero, an unknown activation, dropout outside [0, 1).
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    activation: str = "relu"
    dropout: float = 0.0
    is_batched = True

    def __post_init__(self) -> None:
        check_sizes(self.hidden)
        for word, size in (("inputs", self.inputs), ("outputs", self.outputs)):
            if size < 1:
                raise OptionError(f"{word} is {size}; a network needs at least one.")
        activation(self.activation)
        if not 0 <= self.dropout < 1:
            raise OptionError(f"dropout is {self.dropout}; give a share of at least 0 and below 1, such as 0.2.")

    @property
    def is_linear(self) -> bool:  # type: ignore[override]
        """Whether there is no hidden layer."""
        return not self.hidden

    def describe(self) -> str:
        """Return the network in a few words, such as `8-64-64-1, tanh, 4801 parameters`."""
        parts = [self.activation] if self.hidden else []
        parts += [f"dropout {self.dropout:g}"] if self.dropout else []
        return ", ".join(["-".join(map(str, self.sizes)), *parts, f"{self.count:,} parameters"])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values in each layer, the columns of x first and the outputs last."""
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
        """Number of activations of one row, inputs and outputs included."""
        return sum(self.sizes)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters (p,), as `W2[1,3]` for layer 2, from unit 3 into unit 1, and `b2[1]`; from 1."""
        names: list[str] = []
        for layer, (fan_out, fan_in) in enumerate(self.shapes, 1):
            names += [f"W{layer}[{i},{j}]" for i in range(1, fan_out + 1) for j in range(1, fan_in + 1)]
            names += [f"b{layer}[{i}]" for i in range(1, fan_out + 1)]
        return tuple(names)

    @property
    def is_weight(self) -> Tensor:
        """Which parameters (p,) are penalised: weights, and never a bias."""
        return torch.cat([torch.arange(fan_out * (fan_in + 1)) < fan_out * fan_in for fan_out, fan_in in self.shapes])

    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (..., n, m) for parameters (..., p) and x (n, q): one network, or a batch of them.

        Dropout is applied in training only, not here.
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
        """Return the initial parameters (p,); torch's global generator is not used.

        Args:
            how: `torch` is nn.Linear's own initialization and equals, bit by bit, building the module after
                torch.manual_seed(seed); xavier, he, uniform, normal; or the p values themselves.
            seed: of the generator.
            dtype: of the result; the random numbers are float32, so that they are the same in either.

        Raises:
            OptionError: unknown, of the wrong length, or all units of a hidden layer equal, which never differ then.

        >>> MLP(inputs=2, hidden=(), outputs=1).init("ones")
        tensor([1., 1., 1.], dtype=torch.float64)
        """
        if not isinstance(how, str):
            return self._from_values(how, dtype)
        if how in ("zeros", "ones") and self.hidden:
            raise OptionError(
                f"init {how!r} makes all units of a hidden layer equal, and they stay equal: each has the same "
                "gradient, so the layer acts as one unit; choose 'torch', 'xavier' or 'he'."
            )
        generator = torch.Generator().manual_seed(seed)
        drawn = [part for shape in self.shapes for part in draw_layer(how, shape, generator)]
        return torch.cat([part.reshape(-1) for part in drawn]).to(dtype)

    def module(self, parameters: Tensor | None = None) -> nn.Sequential:
        """Return the network as a plain nn.Sequential, in the dtype of the parameters (p,); zeros where None.

        It maps x (n, q) to eta in the losses' shape: (n, m), or (n,) where m is 1. It holds a copy of the parameters.
        """
        values = torch.zeros(self.count, dtype=torch.float64) if parameters is None else parameters.detach()
        parts: list[nn.Module] = []
        for weight, bias in self.layers(values):
            # built on the meta device, so that torch's global generator is not used
            linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta", dtype=values.dtype)
            linear.weight, linear.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
            parts += [linear, activation(self.activation).module()]
            if self.dropout:
                parts.append(nn.Dropout(self.dropout))
        last = [nn.Flatten(0)] if self.outputs == 1 else []
        return nn.Sequential(*parts[: -1 - bool(self.dropout)], *last)

    def unstandardize(self, parameters: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Return the parameters (..., p) of the same function of the raw columns.

        A network trained on standardised columns, expressed in the units of the table:
        W_1 u + b_1 = (W_1 / scale) x + (b_1 - W_1 mean / scale).

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
        """Return the parameters (..., p) for u = (x - mean) / scale of a network of raw columns.

        W_1 x + b_1 = (W_1 scale) u + (b_1 + W_1 mean). The arguments are those of `unstandardize`, which this inverts;
        `parameters` are those of the raw columns.
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
        """Return the architecture from the values of `to_dict`, checked as in the constructor.

        Raises:
            OptionError: a value is invalid.
            KeyError: one is missing.
        """
        return MLP(
            inputs=int(stored["inputs"]),
            hidden=tuple(stored["hidden"]),
            outputs=int(stored["outputs"]),
            activation=str(stored["activation"]),
            dropout=float(stored["dropout"]),
        )

    def _from_values(self, values: Sequence[float], dtype: torch.dtype) -> Tensor:
        theta = torch.as_tensor(values, dtype=torch.float64).reshape(-1)
        if len(theta) != self.count:
            raise OptionError(
                f"init has {len(theta)} values and the network {self.count} parameters; give one for each."
            )
        if not bool(theta.isfinite().all()):
            raise OptionError("init holds a value that is not finite; give numbers.")
        return theta.to(dtype)
