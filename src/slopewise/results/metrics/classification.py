"""How good probabilities of classes are on given rows."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import DataError
from slopewise.results.prediction.scores import ScoreOperands, Scorer, scorer_of
from slopewise.results.record import ClassificationMetrics, FitRecord
from slopewise.types import Batch


class ClassSums(NamedTuple):
    """Sums over rows; scores holds each row's [y, w, log probabilities] (r, k + 2), for the auc, in parts."""

    n: int
    log_loss: Tensor
    brier: Tensor
    confusion: Tensor
    scores: tuple[Tensor, ...]


def classification_metrics(
    record: FitRecord, engine: Engine, source: Source, threshold: float | None = None
) -> ClassificationMetrics:
    """Return the metrics of a fit of classes on the rows of a source, in one read.

    For the auc, k + 2 numbers a row are kept in memory until the end.

    Args:
        record: of the fit.
        engine: sums over the rows.
        source: x, y (class numbers) and w.
        threshold: of two classes, the probability from which the second is predicted, None for the likelier one.

    Raises:
        DataError: a missing or infinite value; the column and row are named.
    """
    scorer, operands = scorer_of(record)
    sums = engine.reduce(partial(class_sums, scorer=scorer, threshold=threshold), source, operands, add_sums)
    if sums is not None and not bool(sums.log_loss.isfinite()):
        raise source.first_invalid_value() or DataError(
            "scores overflowed: some values are beyond 1e150; look at the largest values of the table."
        )
    return finish_classes(sums, len(record.class_names))


def class_sums(batch: Batch, operands: ScoreOperands, *, scorer: Scorer, threshold: float | None) -> ClassSums:
    """Return the sums of one batch."""
    return sums_of(scorer.predicted(operands, batch.x, batch.offset), batch, threshold)


def sums_of(logs: Tensor, batch: Batch, threshold: float | None) -> ClassSums:
    """Return the sums of one batch for its log probabilities.

    Args:
        logs: log probabilities (n, k).
        batch: its y and w are used.
        threshold: of two classes, the probability from which the second is predicted; None for the likelier one.
    """
    assert batch.y is not None
    n, k = logs.shape
    w = batch.y.new_ones(n) if batch.w is None else batch.w
    y = batch.y.nan_to_num().to(torch.int64)
    predicted = logs.argmax(1) if threshold is None else (logs[:, 1] >= math.log(threshold)).to(torch.int64)
    confusion = torch.bincount(y * k + predicted, w, minlength=k * k).reshape(k, k)
    wrong = (logs.exp() - torch.nn.functional.one_hot(y, k)).square().sum(1)
    own = logs.gather(1, y[:, None])[:, 0] + 0 * batch.y  # a missing target must show up in the sum
    scores = torch.cat([batch.y[:, None], w[:, None], logs], dim=1)
    return ClassSums(n, -(w @ own), w @ wrong / (2 if k == 2 else 1), confusion, (scores,))


def finish_classes(sums: ClassSums | None, k: int) -> ClassificationMetrics:
    """Return the metrics that the sums stand for."""
    nan = (math.nan,) * k
    weight = float(sums.confusion.sum()) if sums else 0.0
    if sums is None or not weight > 0:
        return ClassificationMetrics(sums.n if sums else 0, *(math.nan,) * 4, nan, nan, nan, ((0.0,) * k,) * k)
    right, true, said = sums.confusion.diagonal(), sums.confusion.sum(1), sums.confusion.sum(0)
    return ClassificationMetrics(
        n=sums.n,
        accuracy=float(right.sum()) / weight,
        log_loss=float(sums.log_loss) / weight,
        brier=float(sums.brier) / weight,
        auc=_auc(torch.cat(sums.scores), k),
        precision=tuple((right / said).tolist()),
        recall=tuple((right / true).tolist()),
        f1=tuple((2 * right / (said + true)).tolist()),
        confusion=tuple(tuple(row) for row in sums.confusion.tolist()),
    )


def area_under_roc(*, score: Tensor, inside: Tensor, w: Tensor) -> float:
    """Return Σ over pairs (a inside, b outside) of w_a w_b (1[s_a > s_b] + ½ 1[s_a = s_b]) / Σ w_a w_b; Mann-Whitney.

    Args:
        score: (n,).
        inside: mask (n,) of the rows of the class.
        w: (n,).
    """
    order = score.argsort()
    place = torch.cat([order.new_zeros(1), score[order].diff().ne(0).cumsum(0)])
    ins = torch.bincount(place, torch.where(inside, w, 0.0)[order])
    outs = torch.bincount(place, torch.where(inside, 0.0, w)[order])
    below = outs.cumsum(0) - outs
    pairs = float(ins.sum() * outs.sum())
    return float((ins * (below + outs / 2)).sum()) / pairs if pairs > 0 else math.nan


def _auc(scores: Tensor, k: int) -> float:
    y, w, logs = scores[:, 0], scores[:, 1], scores[:, 2:]
    if k == 2:
        # Their difference is the linear predictor, which tells rows apart whose probabilities round to one.
        return area_under_roc(score=logs[:, 1] - logs[:, 0], inside=y == 1, w=w)
    return sum(area_under_roc(score=logs[:, j], inside=y == j, w=w) for j in range(k)) / k


def add_sums(a: ClassSums, b: ClassSums) -> ClassSums:
    """Return the sums of the rows of both."""
    return ClassSums(
        a.n + b.n, a.log_loss + b.log_loss, a.brier + b.brier, a.confusion + b.confusion, a.scores + b.scores
    )
