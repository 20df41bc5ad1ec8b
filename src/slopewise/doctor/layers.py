"""Findings about a network's layers: saturated or dead units, and an inverse link that is applied twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slopewise.doctor.finding import Finding, Number
from slopewise.results.report.text import figure

SATURATED = 0.01
"""Derivative, relative to its maximum, below which a sigmoid or tanh is saturated: |z| above 5.3 and 3.0."""

MOST = 0.5
"""Share of a layer's values that are saturated, or of its units that are dead, from which it is reported."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Outputs (n, h) of an activation layer; number: its position among these, from 1."""

    number: int
    kind: str
    values: Tensor


DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "Sigmoid": lambda a: 4 * a * (1 - a),
    "Tanh": lambda a: 1 - a**2,
}
"""Derivative of each, relative to its maximum, as a function of its output."""


def activations_of(module: nn.Module, x: Tensor) -> tuple[tuple[Layer, ...], Tensor]:
    """Return the outputs of the sigmoids, tanhs and ReLUs in a module for x (n, q), and its own output.

    The module runs once, in evaluation mode and without gradients, and is left unchanged.
    """
    seen: list[Layer] = []
    counted = {nn.Sigmoid, nn.Tanh, nn.ReLU}

    def record(part: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        seen.append(Layer(len(seen) + 1, type(part).__name__, out.reshape(len(x), -1)))

    hooks = [part.register_forward_hook(record) for part in module.modules() if type(part) in counted]
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            eta: Tensor = module(x)
        return tuple(seen), eta
    finally:
        for hook in hooks:
            hook.remove()
        for part, mode in modes.items():
            part.training = mode


def layer_findings(layers: tuple[Layer, ...], *, standardized: bool) -> list[Finding]:
    """Return a finding for each layer whose sigmoids or tanhs are saturated, or whose ReLUs are dead, for most rows."""
    findings = [_saturated(layer, standardized) for layer in layers if layer.kind in DERIVATIVES]
    findings += [_dead(layer) for layer in layers if layer.kind == "ReLU"]
    return [finding for finding in findings if finding is not None]


def link_finding(layers: tuple[Layer, ...], module: nn.Module, n_classes: int) -> Finding | None:
    """Return a finding where the module ends in the sigmoid or softmax that the loss already applies.

    Args:
        layers: outputs of the activation layers.
        module: the network.
        n_classes: k, 0 where the target is a number.
    """
    leaves = [part for part in module.modules() if not list(part.children())]
    named = [type(part).__name__ for part in leaves if not isinstance(part, nn.Flatten)]
    if not n_classes or not named or named[-1] not in ("Sigmoid", "Softmax", "LogSoftmax", "LogSigmoid"):
        return None
    least = math.log1p((n_classes - 1) * math.exp(-1))
    return Finding(
        code="link-twice",
        severity="error",
        what=f"the network ends in {named[-1]}, which the loss already applies",
        number=Number(least, f"scores within [0, 1] cannot bring the cost below {least:.4f}, however long it trains"),
        cause="the loss takes scores of any size and turns them into probabilities itself, without rounding them first",
        fix=f"leave {named[-1]} out of the module",
    )


def _saturated(layer: Layer, standardized: bool) -> Finding | None:
    share = float((DERIVATIVES[layer.kind](layer.values) < SATURATED).double().mean())
    if share < MOST:
        return None
    name = layer.kind.lower()
    return Finding(
        code="saturated",
        severity="warning",
        what=f"the {name}s of layer {layer.number} are saturated",
        number=Number(share, f"{share:.0%} of its values have a derivative below {SATURATED:.0%} of the maximum"),
        cause=f"far from 0 the derivative of a {name} is nearly 0, so the layers before it receive hardly any gradient",
        fix="init='xavier', whose weights are small enough"
        if standardized
        else "leave out standardize=False: standardised columns are small",
    )


def _dead(layer: Layer) -> Finding | None:
    units = layer.values.shape[1]
    dead = int((layer.values <= 0).all(0).sum())
    if not units or dead < MOST * units:
        return None
    return Finding(
        code="dead-relu",
        severity="error" if dead == units else "warning",
        what=f"{'all' if dead == units else 'most'} ReLUs of layer {layer.number} are dead",
        number=Number(dead, f"{dead} of {units} units are 0 for every row ({figure(100 * dead / units, 3)} %)"),
        cause="a unit that is 0 for every row has gradient 0 and stays dead; one step that is too large can cause it",
        fix="a smaller lr, or activation='silu', whose derivative is not 0 there",
    )
