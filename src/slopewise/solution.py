"""The answer: one kind of solution for every solver, and the parts that it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from slopewise.models.model import Model
from slopewise.optimizers.plan import DescentPlan

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.losses.loss import Loss


class Status(Enum):
    """How a solver ended. The values are the user's messages."""

    EXACT = "exact: solved from the moments"
    REFINED = "exact: solved and refined until no digit changed"
    LIMITED = "exact, but the data determine fewer than nine digits of some coefficient"
    CONVERGED = "converged: a further step would change nothing that matters"
    STOPPED = "stopped by the rule that was asked for"
    UNFINISHED = "ran all epochs asked for without converging"
    DIVERGED = "diverged: the last good state was kept"
    INTERRUPTED = "interrupted: the best state so far was kept"
    ON_THE_WAY = "a state on the way, not the end of the descent"


@dataclass(frozen=True, slots=True)
class Moments:
    """Everything least squares asks of the rows, about the weighted means, float64.

    n rows, weight their total weight (n where all weigh one), mean (q,), y_mean (), gram (q, q) =
    Σ w (x - mean)(x - mean)', xy (q,), yy () likewise; dropped, weightless and missing (columns,) count what is not in
    them. mean and y_mean are the sums shift + offset (q + 1,), x first and y last, kept apart so that moments of other
    rows can be added without losing digits of a large mean. lost: decimal digits lost by a bad guess of the mean.
    """

    n: int
    weight: float
    mean: Tensor
    y_mean: Tensor
    gram: Tensor
    xy: Tensor
    yy: Tensor
    shift: Tensor
    offset: Tensor
    lost: float = 0.0
    dropped: int = 0
    missing: tuple[int, ...] = ()
    log_weight: float = 0.0
    weightless: int = 0


@dataclass(frozen=True, slots=True)
class Standardization:
    """u = (x - mean) / scale, with mean (q,) and scale (q,); raw units have 0 and 1. intercept: theta has one."""

    mean: Tensor
    scale: Tensor
    intercept: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """The Hessian of a summed loss at its minimum, as an inverse triangular factor, and what follows from it.

    Parameters are those of the columns u = [1, (x - mean) / scale] (without the 1 where there is no intercept, and
    mean 0 then), one output after the other: d = p m of them. r_inverse (d, d) has (H + penalty)⁻¹ = r_inverse
    r_inverse', and inner (d, d) = r_inverse' H r_inverse, the identity without a penalty, is the estimates' covariance
    in the coordinates z = r_inverse' u, up to the residual variance for squared loss, where H is half the Hessian:
    Σ w u u'. mean (q,), scale (q,); outputs m.
    """

    mean: Tensor
    scale: Tensor
    r_inverse: Tensor
    inner: Tensor
    intercept: bool
    outputs: int = 1


@dataclass(frozen=True, slots=True)
class Nuisance:
    """A parameter of the loss that was estimated with the coefficients: name, value, and standard error, NaN if none.

    scale: the residuals' normalised MAD, in the target's units. alpha: the overdispersion of a negative binomial, and
    cross (d,) the mixed second derivatives of its logarithm and theta over its own, in the coordinates z of the basis.
    """

    name: str
    value: float
    std_error: float
    cross: Tensor | None = None


@dataclass(frozen=True, slots=True)
class GlmStatistics:
    """What a generalized linear model reports of itself; weights count as repeated rows.

    pearson = Σ w (y - mu)² / V(mu); deviance = Σ w unit deviance, null_deviance that of the null model; df_resid =
    Σ w - p. dispersion is the loss's own where it has one, else pearson / df_resid, NaN without a degree of freedom.
    loglik is the log likelihood at that dispersion, its constants included; null_loglik that of the null model.
    """

    pearson: float
    deviance: float
    null_deviance: float
    df_resid: float
    dispersion: float
    loglik: float
    null_loglik: float


@dataclass(frozen=True, slots=True)
class History:
    """What a descent looked like. Row 0 is the start; the row of epoch k is the state after k epochs.

    epoch (r,) int64, the recorded epochs; cost (r,) mean loss over all training rows of the state in that row,
    penalty included; parameters (r, p) and gradient (r, p) of the cost, both in the units of the descent;
    lr (r,) the step size that the update leaving the row uses (of the last row: would use). validation (r,) the
    cost on the validation rows, or None. optimum (p,) and lowest () are the exact optimum in those units and its
    cost, None where they are not known.
    """

    epoch: Tensor
    cost: Tensor
    parameters: Tensor
    gradient: Tensor
    lr: Tensor
    validation: Tensor | None = None
    optimum: Tensor | None = None
    lowest: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Descended:
    """What a loop of gradient descent returns.

    theta (p,) raw units, of the state kept; best_epoch, the epoch it belongs to; epochs actually made; evidence,
    the number that proves the status, in words; advice, the one thing to change ("" when nothing is). cost of the
    state kept, None where the history has it.
    """

    theta: Tensor
    status: Status
    evidence: str
    advice: str
    history: History
    epochs: int
    best_epoch: int
    seconds: float = 0.0
    cost: float | None = None

    @property
    def final_cost(self) -> float:
        """Cost of the state that was kept."""
        if self.cost is not None:
            return self.cost
        return float(self.history.cost[self.history.epoch == self.best_epoch][-1])


@dataclass(frozen=True, slots=True)
class Plateau:
    """Starts of nearly one final cost: how many, from which cost to which, and how many of them were still falling.

    at_null_cost: the plateau is where the null model is. diverged: their cost is no finite number.
    """

    count: int
    low: float
    high: float
    falling: int
    at_null_cost: bool = False
    diverged: bool = False

    def __str__(self) -> str:
        plural = "" if self.count == 1 else "s"
        if self.diverged:
            return f"{self.count} start{plural} diverged"
        where = f"{self.low:.4f}" if f"{self.low:.4f}" == f"{self.high:.4f}" else f"{self.low:.4f} to {self.high:.4f}"
        note = ", no better than the null model" if self.at_null_cost else ""
        moving = f", {self.falling} still falling" if self.falling else ""
        return f"{self.count} start{plural} at cost {where}{note}{moving}"


@dataclass(frozen=True, slots=True)
class StartsReport:
    """How many starts ended: how many of them solved the task by `rule`, and where the others stopped.

    best: number of the one kept, from 0; cost (count,), of each at the end; seeds (count,).
    """

    solved: int
    rule: str
    plateaus: tuple[Plateau, ...]
    best: int
    seeds: tuple[int, ...]
    cost: Tensor

    @property
    def count(self) -> int:
        """Starts in all."""
        return len(self.seeds)

    def lines(self) -> list[str]:
        """Return the report as sentences."""
        kept = f"kept: start {self.best} (seed {self.seeds[self.best]}), cost {float(self.cost[self.best]):.6g}"
        return [f"{self.solved} of {self.count} starts solved it: {self.rule}", *map(str, self.plateaus), kept]


@dataclass(frozen=True, slots=True)
class SharpnessHistory:
    """The largest eigenvalue of the cost's Hessian along a run.

    epoch (s,) int64; eigenvalue (s,) and lr (s,), the largest stable one, float64: NaN where the Hessian was not
    finite, inf where the cost was flat.
    """

    epoch: Tensor
    eigenvalue: Tensor
    lr: Tensor


@dataclass(frozen=True, slots=True)
class DescentRecord:
    """The gradient descent behind a solution.

    plan: as it was carried out, its learning rate decided. units: of the columns. start (p,) in the units of the
    descent. history; epochs made; best_epoch: the one whose state was kept; cost of that state; seconds. norms (r,):
    of the gradient in the recorded epochs. largest_lr: the largest stable learning rate known before the first step,
    NaN for optimizers that set their own steps. y_mean and y_scale: of the target, 0 and 1 where it is left alone.
    exact: the exact solution that a linear model goes towards, or None. null_cost: of the null model, NaN where it was
    not computed. starts: how each of many ended. sharpness: how the largest stable learning rate changed.
    """

    plan: DescentPlan
    units: Standardization
    start: Tensor
    history: History
    epochs: int
    best_epoch: int
    norms: Tensor
    largest_lr: float
    cost: float
    seconds: float = 0.0
    exact: Solution | None = None
    null_cost: float = math.nan
    y_mean: float = 0.0
    y_scale: float = 1.0
    starts: StartsReport | None = None
    sharpness: SharpnessHistory | None = None

    @property
    def has_states(self) -> bool:
        """Whether the parameters of every recorded epoch are known."""
        return bool(self.history.parameters[0].isfinite().all())


@dataclass(frozen=True, slots=True)
class Solution:
    """What every solver returns.

    theta (p,), or (p, m) for m > 1 outputs, raw units; of a network its parameters (p,), which take standardised
    columns. evidence: the number that proves the status, in words; advice: the one thing to change, or "". loss = Σ w ·
    loss, without the penalty; null_loss is that of the intercept alone (of equal probabilities without one), NaN where
    not known. passes: reads of the rows. counts (k,): training rows of each class. decrement: how far the optimum may
    still be, in standard errors. basis: None where there is no covariance. digits (p,): estimated correct decimal
    digits, or None. condition of the scaled columns (2-norm). descent: of a gradient descent. model: as trained, if it
    holds more than theta. fitted_loss: with the parameters that were estimated, `nuisance`, or None.
    """

    theta: Tensor
    status: Status
    evidence: str = ""
    advice: str = ""
    loss: float = math.nan
    null_loss: float = math.nan
    penalty: float = 0.0
    passes: int = 0
    moments: Moments | None = None
    basis: Basis | None = None
    digits: Tensor | None = None
    condition: float = math.nan
    counts: tuple[int, ...] = ()
    decrement: float = math.nan
    descent: DescentRecord | None = None
    model: Model | None = None
    fitted_loss: Loss | None = None
    nuisance: tuple[Nuisance, ...] = ()

    @property
    def rows(self) -> Moments:
        """The moments of the training rows, which every solver but those of networks has at hand."""
        assert self.moments is not None
        return self.moments
