"""Findings about a fitted network, or a linear model where a network is needed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slopewise.doctor.classification import imbalance, one_layer
from slopewise.doctor.finding import Finding, Number
from slopewise.doctor.layers import activations_of, layer_findings, link_finding
from slopewise.results.report.text import figure
from slopewise.solution import History

NO_BETTER = 0.01
"""Relative difference to the null model's cost within which a model is no better."""

FAILED = 0.5
"""Cost, relative to the null model's, from which saturated or dead units are reported; good fits may have both."""

ROSE = 1.05
"""Ratio of the last validation cost to its lowest from which a network overfits."""

LARGE = 10.0
"""Root mean square of a raw column, or ratio of two, from which activations saturate."""


@dataclass(frozen=True, slots=True)
class NetworkExamination:
    """Inputs of the findings on a fitted network.

    module: trained, from x to eta. x (n, q) in the units of the descent and y (n,), some thousands of the rows.
    names (q,) of the columns. n_classes: 0 for a number as target; class_names. cost over the training
    rows, and null_cost, that of the null model. history, where there is one. has_offset: an offset is added to eta.
    """

    module: nn.Module
    x: Tensor
    y: Tensor
    names: tuple[str, ...]
    cost: float
    null_cost: float
    n_classes: int = 0
    class_names: tuple[str, ...] = ()
    history: History | None = None
    standardized: bool = True
    has_offset: bool = False


def network_findings(examination: NetworkExamination) -> tuple[Finding, ...]:
    """Return the findings on a fitted network, the likeliest cause of a failure before its consequences."""
    layers, eta = activations_of(examination.module, examination.x)
    findings = [link_finding(layers, examination.module, examination.n_classes), _unscaled(examination)]
    if examination.cost > FAILED * examination.null_cost:
        findings += layer_findings(layers, standardized=examination.standardized)
    margin = NO_BETTER * abs(examination.null_cost)  # the cost of counts may be negative
    if examination.cost > examination.null_cost + margin:
        findings.append(_worse(examination))
    elif examination.cost >= examination.null_cost - margin:
        is_linear = _is_linear_model(examination.module)
        xor = (
            one_layer(examination.x, examination.y, examination.names)
            if is_linear and examination.n_classes == 2
            else None
        )
        findings.append(xor or _constant_prediction(examination, eta, is_linear))
    if examination.n_classes:
        counts = torch.bincount(examination.y.to(torch.int64), minlength=examination.n_classes).tolist()
        findings.append(imbalance(counts, examination.class_names))
    findings.append(over_fitting(examination.history))
    return tuple(finding for finding in findings if finding is not None)


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
        what=f"from epoch {epoch} on the network overfits",
        number=Number(
            last / lowest,
            f"validation cost {figure(lowest)} at epoch {epoch}, {figure(last)} at the end, while training fell from "
            f"{figure(float(history.cost[best]))} to {figure(float(history.cost[-1]))}",
        ),
        cause="it has enough parameters to fit the noise of the training rows",
        fix=f"early_stopping=True, which keeps the state of epoch {epoch}",
    )


def _worse(examination: NetworkExamination) -> Finding:
    cause, fix = "the learning rate is too large, or the initial parameters are far from the optimum", "a smaller lr"
    if examination.history is None or len(examination.history.cost) < 2 or _falls(examination.history):
        cause, fix = (
            "the cost is still decreasing from initial parameters far from the optimum",
            "more epochs, or a larger lr",
        )
    words = f"cost {figure(examination.cost, 4)}, and the null model costs {figure(examination.null_cost, 4)}"
    return Finding(
        code="worse-than-constant",
        severity="warning",
        what=f"the model is worse than the null model, which predicts the same for every row{_apart(examination)}",
        number=Number(examination.cost, words),
        cause=cause,
        fix=fix,
    )


def _constant_prediction(examination: NetworkExamination, eta: Tensor, is_linear: bool) -> Finding:
    words = f"cost {figure(examination.cost, 4)}, and the null model costs {figure(examination.null_cost, 4)}"
    what = f"the model predicts nearly the same for every row{_apart(examination)}, like the null model"
    if examination.n_classes == 2:
        p = torch.sigmoid(eta.reshape(-1))
        words += f"{_even_odds(examination.null_cost)}; outputs from {float(p.min()):.3f} to {float(p.max()):.3f}"
        what = "the model predicts the same class probabilities for every row, like the null model"
    cause, fix = (
        "the descent reached a plateau, where the gradient is nearly zero",
        "n_init=16, for other initial parameters",
    )
    if is_linear:
        cause, fix = "no linear function of the columns explains the target", "model='mlp', hidden=8"
    elif _falls(examination.history):
        cause, fix = "the cost is still decreasing", "more epochs, or a larger lr"
    return Finding(
        code="constant-prediction",
        severity="warning",
        what=what,
        number=Number(examination.cost, words),
        cause=cause,
        fix=fix,
    )


def _apart(examination: NetworkExamination) -> str:
    return ", apart from its offset" if examination.has_offset else ""


def _even_odds(null_cost: float) -> str:
    return ", ln 2, as for equal odds" if abs(null_cost - 0.693147) < 0.01 * 0.693147 else ""


def _falls(history: History | None) -> bool:
    """Return whether the last tenth of the epochs reduced the cost by more than one percent."""
    if history is None or len(history.cost) < 2:
        return False
    earlier = history.cost[-max(len(history.cost) // 10, 1) - 1]
    return float(earlier - history.cost[-1]) > NO_BETTER * abs(float(earlier))


def _is_linear_model(module: nn.Module) -> bool:
    """Return whether the module consists of linear layers alone, and so is linear."""
    leaves = [part for part in module.modules() if not list(part.children())]
    return all(isinstance(part, nn.Linear | nn.Identity | nn.Flatten | nn.Dropout) for part in leaves)


def _unscaled(examination: NetworkExamination) -> Finding | None:
    if examination.standardized:
        return None
    sizes = examination.x.to(torch.float64).square().mean(0).sqrt()
    spread = examination.x.to(torch.float64).std(0, correction=0)
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
            f"{examination.names[large]!r} is {figure(float(sizes[large]), 3)} in size, root mean square, and the "
            f"columns' deviations differ {figure(ratio, 3)}-fold",
        ),
        cause="initial weights are scaled for columns of size 1: larger ones saturate the units",
        fix="leave out standardize=False: train on standardised columns, with the result in the units of the table",
    )
