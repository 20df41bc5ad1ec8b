"""Findings about what goes on inside a network: units that no gradient moves any more, a link that is there twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slopewise.doctor.finding import Finding, Number
from slopewise.results.report.text import figure

FLAT = 0.01
"""Part of its steepest slope below which a sigmoid or tanh counts as flat: |z| above 5.3 and 3.0."""

MOSTLY = 0.5
"""Share of a layer's values that have to be flat, or of its units that have to be dead, to be worth a word."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Values (n, h) that a layer of activations gave out; number, of the layer among these, from 1."""

    number: int
    kind: str
    values: Tensor


SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "Sigmoid": lambda a: 4 * a * (1 - a),
    "Tanh": lambda a: 1 - a**2,
}
"""Each one's slope as part of its steepest, from what it gave out."""


def activations_of(module: nn.Module, x: Tensor) -> tuple[tuple[Layer, ...], Tensor]:
    """Return what the sigmoids, tanhs and ReLUs in a module give out for x (n, q), and its output.

    The module runs once, in evaluation mode and without gradients, and is left as it was.
    """
    seen: list[Layer] = []
    counted = {nn.Sigmoid, nn.Tanh, nn.ReLU}

    def look(part: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen.append(Layer(len(seen) + 1, type(part).__name__, out.reshape(len(x), -1)))

    hooks = [part.register_forward_hook(look) for part in module.modules() if type(part) in counted]
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
    """Return a finding for each layer whose sigmoids or tanhs are flat, or whose ReLUs are dead, for most rows."""
    found = [_saturated(layer, standardized) for layer in layers if layer.kind in SLOPES]
    found += [_dead(layer) for layer in layers if layer.kind == "ReLU"]
    return [finding for finding in found if finding is not None]


def link_finding(layers: tuple[Layer, ...], module: nn.Module, classes: int) -> Finding | None:
    """Return a finding where the module ends in the sigmoid or softmax that the loss applies by itself."""
    leaves = [part for part in module.modules() if not list(part.children())]
    named = [type(part).__name__ for part in leaves if not isinstance(part, nn.Flatten)]
    if not classes or not named or named[-1] not in ("Sigmoid", "Softmax", "LogSoftmax", "LogSigmoid"):
        return None
    least = math.log1p((classes - 1) * math.exp(-1))
    return Finding(
        code="link-twice",
        severity="error",
        what=f"the network ends in {named[-1]}, and the loss applies its own",
        number=Number(least, f"scores within [0, 1] cannot bring the cost below {least:.4f}, however long it trains"),
        cause="the loss takes scores of any size and turns them into probabilities itself, without rounding them first",
        fix=f"leave {named[-1]} out of the module",
    )


def _saturated(layer: Layer, standardized: bool) -> Finding | None:
    flat = float((SLOPES[layer.kind](layer.values) < FLAT).double().mean())
    if flat < MOSTLY:
        return None
    name = layer.kind.lower()
    return Finding(
        code="saturated",
        severity="warning",
        what=f"the {name}s of layer {layer.number} are saturated",
        number=Number(flat, f"{flat:.0%} of its values have less than {FLAT:.0%} of the steepest slope"),
        cause=f"far from 0 a {name} is flat, so hardly any gradient passes to the layers before it",
        fix="init='xavier', whose weights are small enough"
        if standardized
        else "leave out standardize=False: scaled columns are small",
    )


def _dead(layer: Layer) -> Finding | None:
    units = layer.values.shape[1]
    dead = int((layer.values <= 0).all(0).sum())
    if not units or dead < MOSTLY * units:
        return None
    return Finding(
        code="dead-relu",
        severity="error" if dead == units else "warning",
        what=f"{'all' if dead == units else 'most'} ReLUs of layer {layer.number} are dead",
        number=Number(dead, f"{dead} of {units} units are 0 for every row ({figure(100 * dead / units, 3)} %)"),
        cause="a unit that is 0 for every row has no gradient and never comes back; one step too large can do it",
        fix="a smaller lr, or activation='silu', which is flat nowhere",
    )
