"""The examination of a descent on a curve before its first step: classes, or a network."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.doctor.classification import MOST_ROWS, imbalance
from slopewise.doctor.examine import Report, columns_findings
from slopewise.doctor.finding import Finding, Number, ranked
from slopewise.doctor.separable import separating_hyperplane
from slopewise.doctor.steps import beyond_limit
from slopewise.engine.engine import Engine
from slopewise.models.build import describe_model, is_linear_model, start_of
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.optimizers.stability import HessianSpectrum, Limits, limits_of
from slopewise.problem import Problem
from slopewise.results.report.text import figure
from slopewise.training.likelihood.first_pass import FirstPass
from slopewise.training.network.prepare import largest_curvature, with_learning_rate
from slopewise.training.network.sharpness import measured_rows

EVERYWHERE = "wherever the descent goes: no place is steeper than where all classes are equally likely."
ALIKE = "wherever the descent goes: a line with squared loss is curved alike everywhere."
AT_START = "at the start, on the first {rows:,} rows: a network's limit changes on its way."
KINDS = {"squared": "linear", "logistic": "logistic regression", "softmax": "softmax regression"}


def examine_network_before(
    problem: Problem, first: FirstPass, engine: Engine, *, plan: DescentPlan, labels: tuple[str, ...]
) -> Report:
    """Return the report on a planned descent of classes or of a network.

    Args:
        problem: its model made by `models.build.build_network`, in float64.
        first: what one read of the rows told.
        engine: reads the first rows.
        plan: the plan, with or without a learning rate.
        labels: names of the classes, none where the target is a number.
    """
    model, moments = problem.model, first.moments
    is_linear = is_linear_model(model)
    head = engine.head(problem.source, MOST_ROWS)
    assert head.y is not None
    rows = head.x, head.y, head.w
    start = start_of(model, plan.init, plan.seed)
    sgd = sgd_of(plan.options) if plan.optimizer == "sgd" else None

    def limits(standardize: bool) -> Limits:
        found = largest_curvature(problem, moments, rows, start, standardize=standardize, is_linear=is_linear)
        return limits_of(HessianSpectrum(torch.tensor([found], dtype=torch.float64)), sgd)

    raw, standard = limits(False), limits(True)
    own = standard if plan.standardize else raw
    planned = with_learning_rate(plan, own.lr)
    found = [*columns_findings(problem, moments, plan.standardize)]
    if sgd is not None and planned.lr > own.lr:
        found.append(beyond_limit(planned.lr, own.lr, is_linear=is_linear))
    if labels:
        rare = imbalance(first.counts, labels)
        apart = None if problem.penalty.strength or not is_linear else _separated(rows, moments.n)
        found += [finding for finding in (apart, rare) if finding is not None]
    where = EVERYWHERE if labels else ALIKE
    return Report(
        n=moments.n,
        names=problem.names,
        plan=planned,
        raw=raw,
        standard=standard,
        needed=None,
        findings=ranked(found),
        model=KINDS[problem.loss.name] if is_linear else describe_model(model),
        classes=labels,
        counts=first.counts,
        holds=where if is_linear else AT_START.format(rows=min(measured_rows(len(start)), moments.n)),
    )


def _separated(rows: tuple[Tensor, Tensor, Tensor | None], n: int) -> Finding | None:
    """Return a finding where straight cuts tell all classes apart; only small tables are looked at whole."""
    x, y, _ = rows
    if n > len(x) or not x.shape[1]:
        return None
    cut = separating_hyperplane(x, y)
    if not cut.separable:
        return None
    return Finding(
        code="separated",
        severity="warning",
        what="straight cuts tell all rows of the classes apart",
        number=Number(cut.distance, f"the classes lie {figure(cut.distance, 3)} apart, no row being longer than 1"),
        cause="larger coefficients fit ever better, so that no finite answer exists and no descent arrives",
        fix="l2=1" + (", or firth=True without a descent" if int(y.max()) == 1 else ""),
    )
