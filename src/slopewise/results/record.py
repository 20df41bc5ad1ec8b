"""What a fit holds. Functions of this room take a record; `Fit` puts the verbs around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from slopewise.data.design import Design
from slopewise.data.split import Split
from slopewise.losses.loss import Loss
from slopewise.models.linear import Linear
from slopewise.models.model import Model
from slopewise.solution import DescentRecord, GlmStatistics, Moments, Solution

if TYPE_CHECKING:
    from slopewise.data.source import Source
    from slopewise.engine.engine import Engine

LISTED = 100
"""Parameters up to which a network's states and gradients are kept of every recorded epoch, and listed."""


@dataclass(frozen=True, slots=True)
class Covariance:
    """Of the parameters, of one kind of `cov_type`.

    raw (d, d): of theta, output after output. inner (d, d): the same in the coordinates z of the basis, raw = M inner
    M'. clusters: how many, 0 where rows are independent. lags: of hac, None of other kinds.
    """

    kind: str
    raw: Tensor
    inner: Tensor
    clusters: int = 0
    lags: int | None = None


@dataclass(frozen=True, slots=True)
class RegressionMetrics:
    """n rows; rmse = √(Σ w e² / Σ w); mae = Σ w |e| / Σ w; r2 = 1 - Σ w e² / Σ w (y - ȳ)².

    ȳ is the weighted mean of these very rows. NaN where there is nothing to divide by.
    """

    n: int
    rmse: float
    mae: float
    r2: float


@dataclass(frozen=True, slots=True)
class ClassificationMetrics:
    """n rows; confusion (k, k), weights of rows by true class and then by predicted class.

    accuracy; log_loss = -Σ w log P_y / Σ w; brier = Σ w (P_1 - y)² / Σ w for two classes, and the sum over all k for
    more; auc, the share of pairs of one row in and one row out of the class that are scored the right way round, ties
    counting half, with more than two classes the mean over classes against their rest. precision, recall and f1
    (k,) of each class; NaN where there is nothing to divide by.
    """

    n: int
    accuracy: float
    log_loss: float
    brier: float
    auc: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    confusion: tuple[tuple[float, ...], ...]


Metrics = RegressionMetrics | ClassificationMetrics


@dataclass(frozen=True, slots=True)
class CsvRows:
    """Training rows that a script reads itself from one CSV file with a header, those of `split`.

    booleans names the columns that hold true and false.
    """

    path: str
    delimiter: str = ","
    decimal: str = "."
    booleans: tuple[str, ...] = ()
    split: Split = field(default_factory=lambda: Split(0.0))


@dataclass(frozen=True, slots=True)
class InlineRows:
    """Training rows that a script holds, as the design makes them: x (n, q), y (n,), w and offset (n,) or None."""

    x: Tensor
    y: Tensor
    w: Tensor | None = None
    offset: Tensor | None = None


Origin = CsvRows | InlineRows


@dataclass(frozen=True, slots=True)
class DataHandles:
    """The rows that a fit can still read: those trained on, and those held out (None without a split)."""

    engine: Engine
    train: Source
    test: Source | None = None
    validation: Source | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FitRecord:
    """A model fitted to a table: everything that is saved.

    solver and reason: which, and why that one. covariance: of the parameters, None where there is none to speak of;
    exact_covariance: that of the exact solution which a descent goes towards. confidence_level of the intervals; l2 and
    l1, the penalties. library: the one whose frames come out. findings: the doctor's, as plain values. train, test and
    validation: metrics on those rows, as far as they have been measured. origin: where a script finds the training
    rows. glm: deviance, dispersion and the like of a loss with log link.
    """

    design: Design
    model: Model
    loss: Loss
    solution: Solution
    solver: str
    reason: str
    covariance: Covariance | None = None
    exact_covariance: Covariance | None = None
    cov_type: str = "nonrobust"
    confidence_level: float = 0.95
    l2: float = 0.0
    l1: float = 0.0
    library: str = "pyarrow"
    findings: tuple[dict[str, Any], ...] = ()
    train: Metrics | None = None
    test: Metrics | None = None
    validation: Metrics | None = None
    origin: Origin | None = None
    glm: GlmStatistics | None = None

    @property
    def theta(self) -> Tensor:
        """Parameters; see `Solution.theta`."""
        return self.solution.theta

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, none where the target is a number; the first is the one that others are compared with."""
        return self.design.target_levels

    @property
    def moments(self) -> Moments:
        """Moments of the training rows."""
        return self.solution.rows

    @property
    def descent(self) -> DescentRecord | None:
        """The gradient descent behind the fit, None where there was none."""
        return self.solution.descent

    @property
    def is_solved(self) -> bool:
        """Whether theta are coefficients in raw units; otherwise a training loop made them, in the descent's units."""
        return isinstance(self.model, Linear)

    @property
    def has_coefficients(self) -> bool:
        """Whether there is a coefficient for each column: no hidden layers."""
        return self.model.is_linear

    @property
    def class_weights(self) -> tuple[float, ...] | None:
        """Weight of each class in the loss, None where all are 1."""
        weights: tuple[float, ...] | None = getattr(self.loss, "class_weights", None)
        return weights

    def coefficient_matrix(self) -> Tensor:
        """Return the coefficients (m, p) of each output, raw units, the intercept first.

        With eta = c_0 + c (x - mean) / scale they are W = c / scale and b = c_0 - W mean.
        """
        if self.is_solved:
            return self.theta[None] if self.theta.ndim == 1 else self.theta.T
        descent = self.descent
        assert descent is not None
        q = len(self.design.x_names)
        outputs = len(self.theta) // (q + 1)
        slopes = self.theta[: outputs * q].reshape(outputs, q) / descent.units.scale
        constants = self.theta[outputs * q :] - slopes @ descent.units.mean
        rows = torch.cat([constants[:, None], slopes], dim=1) * descent.y_scale
        rows[:, 0] += descent.y_mean
        return rows
