"""A torch module of the user's own as a model: its parameters as one flat vector, its output shape checked beforehand.

Only tensors and a description are saved; the user passes the module itself again on load.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from slopewise.errors import DataError
from slopewise.models.model import Model

TRIAL_ROWS = 3
"""Rows of the trial: not 1, an axis that reshaping may drop, nor 2, too few for some batch statistics."""


@dataclass(frozen=True, slots=True)
class Module(Model):
    """eta = inner(x), the trainable parameters of `inner` replaced by a vector (p,). Made by `as_model`."""

    inner: nn.Module
    outputs: int
    is_linear = False

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """A name for each trainable number (p,)."""
        return names_of(self.inner)

    def describe(self) -> str:
        """Return the class of the module and how many parameters it has."""
        inner: nn.Module = self.inner
        if isinstance(inner, nn.Sequential) and len(inner) == 2 and isinstance(inner[1], nn.Flatten):
            inner = inner[0]
        return f"{type(inner).__name__}, {len(flat(self.inner)):,} parameters"

    def trained(self, module: nn.Module) -> Module:
        """Return the model with what training left in the module's buffers."""
        return as_model(module, self.outputs)

    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (n, m) for parameters (p,) and x (n, q), a pure function of both."""
        named = unflat(self.inner, parameters)
        eta: Tensor = torch.func.functional_call(self.inner, named, (x,))
        return eta.reshape(len(x), self.outputs)

    def module(self, parameters: Tensor) -> nn.Module:
        """Return a copy of the module with parameters (p,), in training mode."""
        copied = copy.deepcopy(self.inner).train()
        fill(copied, parameters)
        return copied


def as_model(module: nn.Module, outputs: int) -> Module:
    """Return the module as a model of m outputs: a copy in evaluation mode, so that no call changes its buffers."""
    return Module(copy.deepcopy(module).eval(), outputs)


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trainable parameters by name, in their order; frozen ones (requires_grad False) are left out."""
    return {name: part for name, part in module.named_parameters() if part.requires_grad}


def flat(module: nn.Module) -> Tensor:
    """Return the module's trainable parameters as one vector (p,), a copy."""
    return torch.cat([part.detach().reshape(-1) for part in trainable(module).values()])


def unflat(module: nn.Module, parameters: Tensor) -> dict[str, Tensor]:
    """Return the vector (p,) as views by the parameters' names."""
    named = trainable(module)
    parts = torch.split_with_sizes(parameters, [part.numel() for part in named.values()])
    return {name: part.view(named[name].shape) for name, part in zip(named, parts, strict=True)}


def fill(module: nn.Module, parameters: Tensor) -> None:
    """Write the vector (p,) into the module's trainable parameters, in place."""
    with torch.no_grad():
        for name, part in unflat(module, parameters).items():
            module.get_parameter(name).copy_(part)


def names_of(module: nn.Module) -> tuple[str, ...]:
    """Return a name for each number of the vector (p,), as `0.weight[1,2]`; from 0, as torch counts."""
    names: list[str] = []
    for name, part in trainable(module).items():
        indices = torch.cartesian_prod(*(torch.arange(size) for size in part.shape)).reshape(part.numel(), -1)
        names += [f"{name}[{','.join(map(str, index))}]" for index in indices.tolist()] if part.dim() else [name]
    return tuple(names)


def check_module(module: Any, q: int, k: int) -> nn.Module:
    """Check the module on three rows of zeros, before the first epoch, and return the module to train.

    That is the module itself; where its single output has shape (n, 1), followed by a Flatten, as losses take (n,).

    Args:
        module: the user's own; it is called in evaluation mode and left unchanged.
        q: columns of x.
        k: outputs that the loss needs, `Loss.outputs`; a single one may have shape (n,) or (n, 1).

    Raises:
        DataError: no module, or without a trainable parameter; it cannot take x, or its output is not a float tensor
            (n, k).
    """
    if not isinstance(module, nn.Module):
        given = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
        raise DataError(
            f"module is {given}, expected a torch.nn.Module; give an instance, such as nn.Linear({q}, {k})."
        )
    parameters = list(trainable(module).values())
    if not parameters:
        raise DataError("the module has no trainable parameter; give it layers such as nn.Linear.")
    x = torch.zeros(TRIAL_ROWS, q, dtype=parameters[0].dtype)
    eta = _trial_output(module, x)
    if not isinstance(eta, Tensor):
        raise DataError(f"the module returns a {type(eta).__name__}; return one tensor of shape (n, {k}).")
    wanted = ((TRIAL_ROWS, k), (TRIAL_ROWS,)) if k == 1 else ((TRIAL_ROWS, k),)
    if tuple(eta.shape) not in wanted:
        raise DataError(
            f"for x of shape {tuple(x.shape)} the module returns {tuple(eta.shape)}, and the loss needs "
            f"{wanted[0]}: {_reshape_hint(tuple(eta.shape), k)}."
        )
    if not eta.dtype.is_floating_point:
        raise DataError(f"the module returns {eta.dtype}, which has no gradient; return floats.")
    return nn.Sequential(module, nn.Flatten(0)) if tuple(eta.shape) == (TRIAL_ROWS, 1) else module


def describe(module: nn.Module) -> dict[str, Any]:
    """Return the description of a module in a saved fit, for readers and for the check in `restore`: no code."""
    shapes = {name: list(part.shape) for name, part in module.state_dict().items()}
    return {"class": type(module).__qualname__, "text": str(module), "shapes": shapes}


def restore(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Write saved tensors, a `state_dict`, into the module that the user passes on load.

    Raises:
        DataError: the module is not the one that was saved.
    """
    own = {name: tuple(part.shape) for name, part in module.state_dict().items()}
    saved = {name: tuple(part.shape) for name, part in state.items()}
    wrong = sorted(name for name in own.keys() | saved.keys() if own.get(name) != saved.get(name))
    if wrong:
        name = wrong[0]
        raise DataError(
            f"the module given is not the one that was saved: {name!r} is {own.get(name, 'missing')} in it and "
            f"{saved.get(name, 'missing')} in the file; give the module that was fitted."
        )
    module.load_state_dict(dict(state))


def _trial_output(module: nn.Module, x: Tensor) -> object:
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            return module(x)
    except (RuntimeError, IndexError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"the module cannot take x of shape {tuple(x.shape)}, {x.dtype}: {reason}; its first layer has to take "
            f"{x.shape[1]} columns."
        ) from error
    finally:
        for part, mode in modes.items():
            part.training = mode


def _reshape_hint(shape: tuple[int, ...], k: int) -> str:
    if len(shape) == 2 and shape[0] == TRIAL_ROWS:
        return f"let its last layer have {k} output{'s' * (k > 1)}, not {shape[1]}"
    return "keep one row of output for each row of x"
