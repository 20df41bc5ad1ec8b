"""The examination of a descent on a curve before its first step: classes, or a network."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.doctor.classes import MOST_ROWS, imbalance
from slopewise.doctor.examine import Report, columns_findings
from slopewise.doctor.finding import Finding, Number, ranked
from slopewise.doctor.separable import linear_cut
from slopewise.doctor.steps import beyond_limit
from slopewise.models.build import in_words, is_straight, start_of
from slopewise.optimizers.descent import Descent
from slopewise.optimizers.limits import Curvature, Limits, limits_of
from slopewise.optimizers.recurrence import sgd_of
from slopewise.problem import Problem
from slopewise.results.text import figure
from slopewise.training.curved import looked_at
from slopewise.training.outset import settled, steepness
from slopewise.training.sample import FirstRead

EVERYWHERE = "wherever the descent goes: no place is steeper than where all classes are equally likely."
ALIKE = "wherever the descent goes: a line with squared loss is curved alike everywhere."
AT_START = "at the start, on the first {rows:,} rows: a network's limit changes on its way."
KINDS = {"squared": "linear", "logistic": "logistic regression", "softmax": "softmax regression"}


def examine_curve(problem: Problem, first: FirstRead, *, descent: Descent, labels: tuple[str, ...]) -> Report:
    """Return the report on a planned descent of classes or of a network.

    Args:
        problem: its model made by `models.build.build_network`, in float64.
        first: what one read of the rows told.
        descent: the plan, with or without a learning rate.
        labels: names of the classes, none where the target is a number.
    """
    model, moments = problem.model, first.moments
    straight = is_straight(model)
    rows = first_rows(problem.source, MOST_ROWS)
    start = start_of(model, descent.init, descent.seed)
    sgd = sgd_of(descent.options) if descent.optimizer == "sgd" else None

    def limits(standardize: bool) -> Limits:
        found = steepness(problem, moments, rows, start, standardize=standardize, straight=straight)
        return limits_of(Curvature(torch.tensor([found], dtype=torch.float64)), sgd)

    raw, standard = limits(False), limits(True)
    own = standard if descent.standardize else raw
    planned = settled(descent, own.lr)
    found = [*columns_findings(problem, moments, descent.standardize)]
    if sgd is not None and planned.lr > own.lr:
        found.append(beyond_limit(planned.lr, own.lr, straight=straight))
    if labels:
        rare = imbalance(first.counts, labels)
        apart = None if problem.penalty.strength or not straight else _separated(rows, moments.n)
        found += [finding for finding in (apart, rare) if finding is not None]
    where = EVERYWHERE if labels else ALIKE
    return Report(
        n=moments.n,
        names=problem.names,
        descent=planned,
        raw=raw,
        standard=standard,
        needed=None,
        findings=ranked(found),
        model=KINDS[problem.loss.name] if straight else in_words(model),
        classes=labels,
        counts=first.counts,
        holds=where if straight else AT_START.format(rows=min(looked_at(len(start)), moments.n)),
    )


def first_rows(source: Source, most: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return x (n, q), y (n,) and w (n,) or None of the first `most` rows, raw units."""
    xs: list[Tensor] = []
    ys: list[Tensor] = []
    ws: list[Tensor] = []
    for batch in source.batches(most):
        assert batch.y is not None
        xs.append(batch.x)
        ys.append(batch.y)
        ws += [] if batch.w is None else [batch.w]
        if sum(map(len, xs)) >= most:
            break
    return torch.cat(xs)[:most], torch.cat(ys)[:most], torch.cat(ws)[:most] if ws else None


def _separated(rows: tuple[Tensor, Tensor, Tensor | None], n: int) -> Finding | None:
    """Return a finding where straight cuts tell all classes apart; only small tables are looked at whole."""
    x, y, _ = rows
    if n > len(x) or not x.shape[1]:
        return None
    cut = linear_cut(x, y)
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
