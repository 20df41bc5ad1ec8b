"""From the user's words, or the user's own module, to the network that is trained, and to where it starts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.models.mlp import MLP
from slopewise.models.model import Model
from slopewise.models.torch_module import Module, as_model, check_module, flat, names_of

DEFAULT_ACTIVATION = "relu"


def build_network(
    *,
    inputs: int,
    outputs: int,
    hidden: Sequence[int] = (),
    activation: str | None = None,
    dropout: float | None = None,
    module: nn.Module | None = None,
) -> MLP | Module:
    """Return the network: layers by their sizes, or the user's own module.

    Args:
        inputs: columns of x.
        outputs: that the loss asks for, `Loss.outputs`.
        hidden: sizes of the layers between; none makes a line, or a logistic regression.
        activation: between two layers, relu if not said.
        dropout: share of hidden values set to zero in training.
        module: the user's own; it is copied, and tried before anything else happens.

    Raises:
        OptionError: a size, activation or dropout that makes no sense, or one of them beside a module.
        DataError: the module cannot take x, or gives out another shape than the loss asks for.
    """
    if module is None:
        for name, asked in (("activation", activation), ("dropout", dropout)):
            if asked and not hidden:
                raise OptionError(
                    f"{name} is for hidden layers, and there are none; give hidden=(8,), or leave it out."
                )
        return MLP(inputs, tuple(hidden), outputs, activation or DEFAULT_ACTIVATION, dropout or 0.0)
    for word, value in (("hidden", hidden), ("activation", activation), ("dropout", dropout)):
        if value:
            raise OptionError(f"a module of your own says itself what is in it; leave out {word}, or the module.")
    return as_model(check_module(copy.deepcopy(module), inputs, outputs), outputs)


def is_linear_model(model: Model) -> bool:
    """Return whether no layer lies between the columns and the outputs."""
    return isinstance(model, MLP) and not model.hidden


def has_buffers(model: Model) -> bool:
    """Return whether the model holds numbers that training changes besides its parameters, as a norm over batches."""
    return isinstance(model, Module) and any(part.is_floating_point() for part in model.inner.buffers())


def in_dtype(model: Model, dtype: torch.dtype) -> Model:
    """Return the model computing in `dtype`: a user's module converted, anything else as it is."""
    return replace(model, inner=copy.deepcopy(model.inner).to(dtype)) if isinstance(model, Module) else model


def start_of(model: Model, init: str | Sequence[float], seed: int) -> Tensor:
    """Return the parameters (p,) float64 to start from, in the units of the descent.

    Args:
        model: made by `build_network`.
        init: one of the names of models/initial.py, or p values; a user's module starts as it comes, `torch`.
        seed: of the draw.

    Raises:
        OptionError: unknown, of the wrong length, or a start from which no descent can leave.
    """
    if isinstance(model, MLP):
        return model.init(init, seed)
    assert isinstance(model, Module)
    own = flat(model.inner).to(torch.float64)
    if init == "torch":
        return own
    if isinstance(init, str):
        raise OptionError(
            f"init {init!r} is for layers given by their sizes; a module of your own starts as it is: leave init out."
        )
    if len(init) != len(own):
        raise OptionError(f"init has {len(init)} values and the module {len(own)} parameters; give one for each.")
    return torch.tensor(list(init), dtype=torch.float64)


def parameter_names(model: Model) -> tuple[str, ...]:
    """Return a name for each parameter (p,)."""
    if isinstance(model, MLP):
        return model.names
    assert isinstance(model, Module)
    return names_of(model.inner)


def describe_model(model: Model) -> str:
    """Return the network in a few words, such as `8-64-64-1, tanh, 4801 parameters`."""
    if isinstance(model, MLP):
        activate = [model.activation] if model.hidden else []
        drop = [f"dropout {model.dropout:g}"] if model.dropout else []
        return ", ".join(["-".join(map(str, model.sizes)), *activate, *drop, f"{model.count:,} parameters"])
    assert isinstance(model, Module)
    inner: nn.Module = model.inner
    if isinstance(inner, nn.Sequential) and len(inner) == 2 and isinstance(inner[1], nn.Flatten):
        inner = inner[0]
    return f"{type(inner).__name__}, {len(flat(model.inner)):,} parameters"
