"""Findings about a curve that has been fitted: a network, or one layer where a network was called for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slopewise.doctor.classification import imbalance, one_layer
from slopewise.doctor.finding import Finding, Number
from slopewise.doctor.layers import activations_of, layer_findings, link_finding
from slopewise.results.report.text import figure
from slopewise.solution import History

ALIKE = 0.01
"""Part of the constant's cost within which a model does no better than it."""

FAILED = 0.5
"""Part of the constant's cost from which flat or dead units are the likely reason; a solved task may leave both."""

ROSE = 1.05
"""How far the validation cost has to rise over its lowest."""

LARGE = 10.0
"""Size of a raw column, root mean square, or ratio of two, from which a network is driven into its flat ends."""


@dataclass(frozen=True, slots=True)
class NetworkExamination:
    """What there is to look at after a fit.

    module: trained, from x to eta. x (n, q) in the units of the descent and y (n,), rows to look at, some thousands are
    enough. names (q,) of the columns. classes: 0 for a number as target; labels, of the classes. cost over the training
    rows, and constant, that of the null model. history, where there is one.
    """

    module: nn.Module
    x: Tensor
    y: Tensor
    names: tuple[str, ...]
    cost: float
    null_cost: float
    classes: int = 0
    labels: tuple[str, ...] = ()
    history: History | None = None
    standardized: bool = True


def network_findings(look: NetworkExamination) -> tuple[Finding, ...]:
    """Return what stands in the network's way, the likeliest cause of a failure before its consequences."""
    layers, eta = activations_of(look.module, look.x)
    found = [link_finding(layers, look.module, look.classes), _unscaled(look)]
    if look.cost > FAILED * look.null_cost:
        found += layer_findings(layers, standardized=look.standardized)
    if look.cost > (1 + ALIKE) * look.null_cost:
        found.append(_worse(look))
    elif look.cost >= (1 - ALIKE) * look.null_cost:
        is_linear = _is_linear_model(look.module)
        xor = one_layer(look.x, look.y, look.names) if is_linear and look.classes == 2 else None
        found.append(xor or _constant_prediction(look, eta, is_linear))
    if look.classes:
        counts = torch.bincount(look.y.to(torch.int64), minlength=look.classes).tolist()
        found.append(imbalance(counts, look.labels))
    found.append(over_fitting(look.history))
    return tuple(finding for finding in found if finding is not None)


def over_fitting(history: History | None) -> Finding | None:
    """Return a finding where the validation cost rose from its lowest on while the training cost went on falling."""
    if history is None or history.validation is None or not len(history.validation):
        return None
    best = int(history.validation.argmin())
    lowest, last = float(history.validation[best]), float(history.validation[-1])
    if not last > ROSE * lowest or not float(history.cost[-1]) < float(history.cost[best]):
        return None
    epoch = int(history.epoch[best])
    return Finding(
        code="over-fitting",
        severity="warning",
        what=f"from epoch {epoch} on the network learns the training rows by heart",
        number=Number(
            last / lowest,
            f"validation cost {figure(lowest)} at epoch {epoch}, {figure(last)} at the end, while training fell from "
            f"{figure(float(history.cost[best]))} to {figure(float(history.cost[-1]))}",
        ),
        cause="it has room for what is true of these rows only",
        fix=f"early_stopping=True, which keeps the state of epoch {epoch}",
    )


def _worse(look: NetworkExamination) -> Finding:
    cause, fix = "its steps threw it about, or it began far off", "a smaller lr"
    if look.history is None or len(look.history.cost) < 2 or _falls(look.history):
        cause, fix = "the descent is still on its way from a start far off", "more epochs, or a larger lr"
    words = f"cost {figure(look.cost, 4)}, and the null model costs {figure(look.null_cost, 4)}"
    return Finding(
        code="worse-than-constant",
        severity="warning",
        what="the model does worse than one answer for all rows would",
        number=Number(look.cost, words),
        cause=cause,
        fix=fix,
    )


def _constant_prediction(look: NetworkExamination, eta: Tensor, is_linear: bool) -> Finding:
    words = f"cost {figure(look.cost, 4)}, and the null model costs {figure(look.null_cost, 4)}"
    what = "the model answers nearly the same for every row, whatever its columns say"
    if look.classes == 2:
        p = torch.sigmoid(eta.reshape(-1))
        words += f"{_even_odds(look.null_cost)}; outputs from {float(p.min()):.3f} to {float(p.max()):.3f}"
        what = "your model is a coin" if _even_odds(look.null_cost) else "your model bets on the class shares alone"
    cause, fix = "the start led onto a plateau, where all gradients nearly cancel", "n_init=16, to try other starts"
    if is_linear:
        cause, fix = "no single cut through the columns tells the rows apart", "model='mlp', hidden=8"
    elif _falls(look.history):
        cause, fix = "the descent is still on its way", "more epochs, or a larger lr"
    return Finding(
        code="coin",
        severity="warning",
        what=what,
        number=Number(look.cost, words),
        cause=cause,
        fix=fix,
    )


def _even_odds(null_cost: float) -> str:
    return ", ln 2, as a coin" if abs(null_cost - 0.693147) < 0.01 * 0.693147 else ""


def _falls(history: History | None) -> bool:
    """Return whether the last tenth of the run brought the cost down by more than a hundredth."""
    if history is None or len(history.cost) < 2:
        return False
    earlier = history.cost[-max(len(history.cost) // 10, 1) - 1]
    return float(earlier - history.cost[-1]) > ALIKE * abs(float(earlier))


def _is_linear_model(module: nn.Module) -> bool:
    """Return whether the module is made of linear layers alone, which together are one."""
    leaves = [part for part in module.modules() if not list(part.children())]
    return all(isinstance(part, nn.Linear | nn.Identity | nn.Flatten | nn.Dropout) for part in leaves)


def _unscaled(look: NetworkExamination) -> Finding | None:
    if look.standardized:
        return None
    sizes = look.x.to(torch.float64).square().mean(0).sqrt()
    spread = look.x.to(torch.float64).std(0, correction=0)
    varies = spread > 0
    if not bool(varies.any()):
        return None
    large = int(sizes.argmax())
    ratio = float(spread[varies].max() / spread[varies].min())
    if float(sizes[large]) < LARGE and ratio < LARGE:
        return None
    return Finding(
        code="unscaled-inputs",
        severity="warning",
        what="the network is given raw columns",
        number=Number(
            float(sizes[large]),
            f"{look.names[large]!r} is {figure(float(sizes[large]), 3)} in size, root mean square, and the columns' "
            f"deviations differ {figure(ratio, 3)}-fold",
        ),
        cause="initial weights are made for columns of size 1: larger ones drive the units into their flat ends",
        fix="leave out standardize=False: descend in standard units and read the answer in raw ones",
    )
