"""Balanced class weights: every class has the same total weight."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.types import Batch


def balanced_class_weights(source: Source, engine: Engine, n_classes: int) -> tuple[float, ...]:
    """Return n / (k n_c) for each class c of k, from one pass over the rows; n counts row weights.

    Args:
        source: the training rows, with a target.
        engine: sums over them.
        n_classes: k.
    """
    sums = engine.reduce(partial(class_sums, n_classes=n_classes), source, None)
    assert sums is not None  # the classes were read from these rows
    rows = sums[0]
    return tuple((rows.sum() / (n_classes * rows)).tolist())


def class_sums(batch: Batch, operands: None, *, n_classes: int) -> tuple[Tensor]:
    """Return the total row weight of each class (k,) in one batch."""
    assert batch.y is not None
    known = batch.y.isfinite()
    w = None if batch.w is None else batch.w[known]
    return (torch.bincount(batch.y[known].to(torch.int64), w, minlength=n_classes).to(torch.float64),)
