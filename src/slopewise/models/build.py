"""Build the network from layer sizes or from the user's own module, and its initial parameters."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.models.mlp import MLP
from slopewise.models.model import Model
from slopewise.models.torch_module import Module, as_model, check_module, flat

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
        outputs: columns of eta that the loss needs, `Loss.outputs`.
        hidden: sizes of the hidden layers; none makes a linear or a logistic regression.
        activation: between two layers, relu by default.
        dropout: share of hidden values set to zero in training.
        module: the user's own; it is copied and checked on a few rows first.

    Returns:
        An MLP, or the module wrapped as a model.

    Raises:
        OptionError: an invalid size, activation or dropout, or one of them together with a module.
        DataError: the module cannot take x, or returns another shape than the loss needs.

    >>> build_network(inputs=2, outputs=1, hidden=(3,), activation="tanh").describe()
    '2-3-1, tanh, 13 parameters'
    """
    if module is None:
        for name, value in (("activation", activation), ("dropout", dropout)):
            if value and not hidden:
                raise OptionError(
                    f"{name} is for hidden layers, and there are none; give hidden=(8,), or leave it out."
                )
        return MLP(inputs, tuple(hidden), outputs, activation or DEFAULT_ACTIVATION, dropout or 0.0)
    for name, option in (("hidden", hidden), ("activation", activation), ("dropout", dropout)):
        if option:
            raise OptionError(
                f"{name} was given together with a module, which has its own layers; leave out one of them."
            )
    return as_model(check_module(copy.deepcopy(module), inputs, outputs), outputs)


def has_buffers(model: Model) -> bool:
    """Return whether training changes buffers besides the parameters, such as those of batch normalisation."""
    return isinstance(model, Module) and any(part.is_floating_point() for part in model.inner.buffers())


def in_dtype(model: Model, dtype: torch.dtype) -> Model:
    """Return the model computing in `dtype`: a user's module converted, anything else as it is."""
    return replace(model, inner=copy.deepcopy(model.inner).to(dtype)) if isinstance(model, Module) else model


def start_of(model: Model, init: str | Sequence[float], seed: int) -> Tensor:
    """Return the initial parameters (p,) float64, in the units of the descent.

    Args:
        model: made by `build_network`.
        init: one of the names of models/initialization.py, or p values; a user's module keeps its own, `torch`.
        seed: of the random generator.

    Raises:
        OptionError: unknown, of the wrong length, or all units of a hidden layer equal, which training cannot change.
    """
    if isinstance(model, MLP):
        return model.init(init, seed)
    assert isinstance(model, Module)
    own = flat(model.inner).to(torch.float64)
    if init == "torch":
        return own
    if isinstance(init, str):
        raise OptionError(
            f"init {init!r} is for layers given by their sizes; a module keeps its own initial parameters: "
            "leave init out."
        )
    if len(init) != len(own):
        raise OptionError(f"init has {len(init)} values and the module {len(own)} parameters; give one for each.")
    return torch.tensor(list(init), dtype=torch.float64)
