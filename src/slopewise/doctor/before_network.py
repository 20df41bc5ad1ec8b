"""Examination of a gradient descent before its first step, for classes or a network."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.doctor.classification import MOST_ROWS, imbalance
from slopewise.doctor.examine import Report, columns_findings
from slopewise.doctor.finding import Finding, Number, ranked
from slopewise.doctor.separable import separating_hyperplane
from slopewise.doctor.steps import beyond_limit
from slopewise.engine.engine import Engine
from slopewise.losses.offset import target_of
from slopewise.models.build import start_of
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.optimizers.stability import HessianSpectrum, Limits, limits_of
from slopewise.problem import Problem
from slopewise.results.report.text import figure
from slopewise.training.likelihood.first_pass import FirstPass
from slopewise.training.network.prepare import largest_curvature, with_learning_rate
from slopewise.training.network.sharpness import measured_rows

LIMIT_OF_CLASSES = "for all parameters: the curvature is largest where all classes are equally likely."
LIMIT_OF_LINEAR = "for all parameters: the Hessian of the loss is nowhere larger."
LIMIT_AT_START = "at the start, on the first {rows:,} rows: the limit changes during training."


def examine_network_before(
    problem: Problem, first: FirstPass, engine: Engine, *, plan: DescentPlan, labels: tuple[str, ...]
) -> Report:
    """Return the report on a planned descent of classes or of a network.

    Args:
        problem: its model made by `models.build.build_network`, in float64.
        first: the result of the first pass over the rows.
        engine: reads the first rows.
        plan: the plan, with or without a learning rate.
        labels: names of the classes, empty where the target is a number.
    """
    model, moments = problem.model, first.moments
    is_linear = model.is_linear
    head = engine.head(problem.source, MOST_ROWS)
    assert head.y is not None
    rows = head.x, target_of(head.y, head.offset), head.w
    start = start_of(model, plan.init, plan.seed)
    sgd = sgd_of(plan.options) if plan.optimizer == "sgd" else None

    def limits(standardize: bool) -> Limits:
        largest = largest_curvature(problem, moments, rows, start, standardize=standardize, is_linear=is_linear)
        return limits_of(HessianSpectrum(torch.tensor([largest], dtype=torch.float64)), sgd)

    raw, standard = limits(False), limits(True)
    own = standard if plan.standardize else raw
    planned = with_learning_rate(plan, own.lr)
    findings = [*columns_findings(problem, moments, plan.standardize)]
    if sgd is not None and planned.lr > own.lr:
        findings.append(beyond_limit(planned.lr, own.lr, is_linear=is_linear))
    if labels:
        rare = imbalance(first.counts, labels)
        separated = None if problem.penalty.strength or not is_linear else _separated(rows, moments.n)
        findings += [finding for finding in (separated, rare) if finding is not None]
    at_start = LIMIT_AT_START.format(rows=min(measured_rows(len(start)), moments.n))
    bounded = is_linear and problem.loss.max_hessian is not None
    where = (LIMIT_OF_CLASSES if labels else LIMIT_OF_LINEAR) if bounded else at_start
    return Report(
        n=moments.n,
        names=problem.names,
        plan=planned,
        raw=raw,
        standard=standard,
        needed=None,
        findings=ranked(findings),
        model=problem.loss.title if is_linear else model.describe(),
        class_names=labels,
        counts=first.counts,
        holds=where,
    )


def _separated(rows: tuple[Tensor, Tensor, Tensor | None], n: int) -> Finding | None:
    """Return a finding where hyperplanes separate all classes; None for tables of more than MOST_ROWS rows."""
    x, y, _ = rows
    if n > len(x) or not x.shape[1]:
        return None
    hyperplane = separating_hyperplane(x, y)
    if not hyperplane.separable:
        return None
    return Finding(
        code="separated",
        severity="warning",
        what="the classes are linearly separable",
        number=Number(
            hyperplane.distance, f"the classes are {figure(hyperplane.distance, 3)} apart, for rows of length 1 at most"
        ),
        cause="larger coefficients always fit better, so that no finite solution exists and no descent converges",
        fix="l2=1" + (", or firth=True without gradient descent" if int(y.max()) == 1 else ""),
    )
