"""The answer: parameters, what happened, and what inference needs to know about the road."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.losses.loss import Loss


class Status(Enum):
    """How a solver ended. The values are the user's messages."""

    EXACT = "exact: solved from the moments"
    REFINED = "exact: solved and refined until the digits stood still"
    LIMITED = "exact, but the data determine fewer than nine digits of some coefficient"
    CONVERGED = "converged: a further step would change nothing that matters"
    STOPPED = "stopped by the rule that was asked for"
    UNFINISHED = "ran all epochs asked for without converging"
    DIVERGED = "diverged: the last good state was kept"
    INTERRUPTED = "interrupted: the best state so far was kept"


@dataclass(frozen=True, slots=True)
class Moments:
    """Everything least squares asks of the rows, about the weighted means, float64.

    n rows, weight their total weight (n where all weigh one), mean (q,), y_mean (), gram (q, q) =
    Σ w (x - mean)(x - mean)', xy (q,), yy () likewise; dropped rows and missing (columns,) counts.
    lost: decimal digits that shifting left to cancellation (0 when the first block's mean was a good guess).
    """

    n: int
    weight: float
    mean: Tensor
    y_mean: Tensor
    gram: Tensor
    xy: Tensor
    yy: Tensor
    lost: float = 0.0
    dropped: int = 0
    missing: tuple[int, ...] = ()
    log_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Factor:
    """The inverse triangular factor of the design in scaled, centred columns.

    A row of the design in those columns is u = [1, (x - mean) / scale] (without the 1 where there is no
    intercept, and mean 0 then); z = u @ r_inverse has Σ w z z' = I for an unpenalised fit. With
    a penalty, Σ w z z' = I - r_inverse' diag(ridge) r_inverse.
    mean (q,), scale (q,), r_inverse (p, p), ridge (p,).
    """

    mean: Tensor
    scale: Tensor
    r_inverse: Tensor
    ridge: Tensor
    intercept: bool


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
    """What a road that goes down returns.

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


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solver returns.

    theta (p,) raw units; digits (p,) estimated correct decimal digits; rss () weighted residual sum of
    squares; passes reads of the rows; condition of the scaled design (2-norm).
    """

    theta: Tensor
    status: Status
    digits: Tensor
    rss: Tensor
    passes: int
    condition: float
    moments: Moments
    factor: Factor


@dataclass(frozen=True, slots=True)
class Basis:
    """The curvature of a summed loss at its minimum, as an inverse triangular factor, and what follows from it.

    Parameters are in the columns u = [1, (x - mean) / scale] (without the 1 where there is no intercept, and mean 0
    then), one output after the other: d = p m of them. r_inverse (d, d) has (H + penalty)⁻¹ = r_inverse r_inverse',
    and inner (d, d) = r_inverse' H r_inverse, the identity without a penalty, is the estimates' covariance in
    the coordinates z = r_inverse' u. mean (q,), scale (q,); outputs m.
    """

    mean: Tensor
    scale: Tensor
    r_inverse: Tensor
    inner: Tensor
    intercept: bool
    outputs: int


@dataclass(frozen=True, slots=True)
class Nuisance:
    """A parameter of the loss that was estimated with the coefficients: name, value, and standard error, NaN if none.

    scale: the residuals' normalised MAD, in the target's units. alpha: the overdispersion of a negative binomial.
    """

    name: str
    value: float
    std_error: float


@dataclass(frozen=True, slots=True)
class Maximum:
    """What a solver returns that maximises a likelihood, or minimises any other loss of a linear model.

    theta (p,), or (p, m) for m > 1 outputs, raw units. loss = Σ w · loss, without the penalty, which is apart;
    null_loss is that of the intercept alone (of equal probabilities without one), NaN where it is not known.
    counts (k,) training rows of each class, none where the target is a number. decrement: how far the optimum may
    still be, in standard errors. evidence, the number that proves the status, in words; advice, the one thing to
    change ("" when nothing is). basis is None where an L1 penalty leaves no covariance to speak of. fitted_loss: the
    problem's loss with the parameters that were estimated, `nuisance`; None where none was.
    """

    theta: Tensor
    status: Status
    evidence: str
    advice: str
    loss: float
    null_loss: float
    penalty: float
    counts: tuple[int, ...]
    decrement: float
    passes: int
    moments: Moments
    basis: Basis | None
    fitted_loss: Loss | None = None
    nuisance: tuple[Nuisance, ...] = ()
