"""Which options there are, and what each may be."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from slopewise.engine.engine import Engine
    from slopewise.types import Callback


class DataOptions(TypedDict, total=False):
    """What may be said about the table."""

    target: str | None
    features: Sequence[str] | None
    exclude: Sequence[str] | None
    categories: Sequence[str] | None
    numbers: Sequence[str] | None
    na_values: Sequence[str] | None
    decimal: str | None
    thousands: str | None
    weights: Any
    offset: str | None
    exposure: str | None
    table_name: str | None
    intercept: bool
    missing: Literal["error", "drop", "mean"]
    seed: int
    batch_rows: int
    callback: Callback | None
    engine: Engine | None


class ModelOptions(TypedDict, total=False):
    """What may be said about the model, whatever solves it."""

    loss: str | None
    tau: float | None
    delta: float | None
    overdispersion: float | None
    l2: float
    class_weight: Literal["balanced"] | None
    hidden: Sequence[int] | str | None
    activation: str | None
    module: Any


class DescentOptions(TypedDict, total=False):
    """What may be said about going down; the words are torch.optim's own. Any of them chooses a descent."""

    optimizer: str | None
    lr: float | None
    momentum: float | None
    dampening: float | None
    nesterov: bool | None
    weight_decay: float | None
    betas: tuple[float, float] | None
    eps: float | None
    amsgrad: bool | None
    alpha: float | None
    centered: bool | None
    lr_decay: float | None
    schedule: str | None
    step_size: int | None
    gamma: float | None
    t_max: int | None
    eta_min: float | None
    factor: float | None
    plateau_patience: int | None
    threshold: float | None
    min_lr: float | None
    epochs: int | None
    batch_size: int | None
    init: str | Sequence[float] | None
    standardize: bool | None
    history_every: int | str | None
    dtype: str | None
    monitor: str | None
    patience: int | None
    min_delta: float | None
    gap_tol: float | None
    grad_tol: float | None


class CheckOptions(DataOptions, ModelOptions, DescentOptions, total=False):
    """Everything that `check` takes beside the table, the model and the task."""


class FitOptions(CheckOptions, total=False):
    """Everything that `fit` takes beside the table, the model and the task."""

    test_size: float | None
    validation_size: float | None
    l1: float
    firth: bool
    cov_type: str
    cluster: str | None
    lags: int | None
    confidence_level: float
    solver: str
    dropout: float | None
    n_init: int | None
    warm_start: Any
    early_stopping: bool
    allow_divergence: bool
    checkpoint: str | PathLike[str] | None
    resume: bool
