"""Stage 4: the optimizers of torch.optim by name, with torch's own argument names. A new optimizer is one entry."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MethodType

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan


@dataclass(frozen=True, slots=True)
class OptimizerSpec:
    """A torch.optim class, the arguments of a plan with torch's defaults, and the implementation that is fastest."""

    make: type[torch.optim.Optimizer]
    arguments: Mapping[str, object]
    how: Mapping[str, bool] = field(default_factory=dict)


# For few parameters most of a step is Python overhead: foreach=False avoids torch's choice of an implementation, and
# the fused kernels halve a step of Adam (57 to 29 us for two parameters).
PLAIN = {"foreach": False}
FUSED = {"fused": True}

ADAM = {"lr": None, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False}

OPTIMIZERS: dict[str, OptimizerSpec] = {
    "sgd": OptimizerSpec(
        torch.optim.SGD,
        {"lr": None, "momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0},
        PLAIN,
    ),
    "adam": OptimizerSpec(torch.optim.Adam, ADAM, FUSED),
    "adamw": OptimizerSpec(torch.optim.AdamW, {**ADAM, "weight_decay": 0.01}, FUSED),
    "rmsprop": OptimizerSpec(
        torch.optim.RMSprop,
        {"lr": None, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "centered": False},
        PLAIN,
    ),
    "adagrad": OptimizerSpec(
        torch.optim.Adagrad, {"lr": None, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10}, PLAIN
    ),
}


def build_optimizer(
    parameters: Iterable[Tensor], plan: DescentPlan, *, in_place: bool = False
) -> torch.optim.Optimizer:
    """Return the planned torch.optim optimizer over `parameters`.

    Args:
        parameters: to be updated.
        plan: the plan.
        in_place: the gradient tensors exist already and are shared: zero_grad sets them to 0 instead of to None.

    Raises:
        OptionError: the plan has no learning rate yet.
    """
    if not plan.has_lr:
        raise OptionError(f"{plan.optimizer} has no learning rate; give one, such as lr=0.01.")
    spec = OPTIMIZERS[plan.optimizer]
    parameters = list(parameters)
    optimizer = spec.make(parameters, **plan.options, **spec.how)  # type: ignore[arg-type]
    # torch's own methods also call its profiler and its compiler: 6 of the 10 us of a step of SGD, and as much again
    # for zero_grad (a proxy, so that no reference cycle keeps the optimizer's state)
    zero_grad = zero_gradients if in_place else forget_gradients
    step = torch.no_grad()(inspect.unwrap(type(optimizer).step))
    optimizer.zero_grad = partial(zero_grad, parameters)  # type: ignore[method-assign]
    optimizer.step = MethodType(step, weakref.proxy(optimizer))  # type: ignore[method-assign]
    return optimizer


def forget_gradients(parameters: list[Tensor], set_to_none: bool = True) -> None:
    """Set the gradients to None, as optimizer.zero_grad()."""
    for parameter in parameters:
        parameter.grad = None


def zero_gradients(parameters: list[Tensor], set_to_none: bool = False) -> None:
    """Set the gradients to zero in place, as optimizer.zero_grad(set_to_none=False)."""
    for parameter in parameters:
        assert parameter.grad is not None
        parameter.grad.zero_()
