"""Largest stable learning rates of SGD on a quadratic cost, known before the first step.

Along an eigenvector of the Hessian an epoch of SGD is a linear recurrence, e_(t+1) = T e_t - D e_(t-1) with
x = lr (lambda + weight_decay), m = momentum and k = 1 - dampening:

    heavy ball   T = 1 + m - k x          D = m             stable for 0 < k x < 2 (1 + m)
    Nesterov     T = (1 + m) (1 - x)      D = m (1 - x)     stable for 0 < x < 2 (1 + m) / (1 + 2 m)

by Jury's conditions: |D| < 1, 1 - T + D > 0, 1 + T + D > 0. SGD without momentum is the heavy ball with m = 0. The
largest eigenvalue determines the limit; an upper bound of it gives a limit that is safe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.sgd_recurrence import SGD

NEGLIGIBLE = 1e-13
"""Eigenvalue, relative to that of the columns without cancellation, below which it is rounding of their moments."""

NAMED_SHARE = 0.9
"""Share of a direction's squared length that its named columns have."""

MOST_COLUMNS = 4
"""Most columns named for a direction."""


@dataclass(frozen=True, slots=True)
class HessianSpectrum:
    """Eigenvalues and eigenvectors of a cost's Hessian, as far as they are known.

    eigenvalues (r,), ascending; eigenvectors (p, r), one in each column, or None; names (p,) of the parameters.
    exact: these are all the eigenvalues, and the same everywhere. Otherwise only the last one is meaningful: an
    upper bound (logistic: of the hessian's at probability one half) or a value at one point (networks), and
    HessianSpectrum(eigenvalues=tensor([largest])) is enough for the limit.
    """

    eigenvalues: Tensor
    eigenvectors: Tensor | None = None
    names: tuple[str, ...] = ()
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Direction:
    """An eigenvector: its eigenvalue, and the columns with the largest components, with sign."""

    eigenvalue: float
    columns: tuple[str, ...]
    loadings: tuple[float, ...]

    def __str__(self) -> str:
        parts = zip(self.loadings, self.columns, strict=True)
        text = " ".join(f"{'-' if part < 0 else '+'} {abs(part):.2f} {name}" for part, name in parts)
        return text.removeprefix("+ ")


@dataclass(frozen=True, slots=True)
class OptimalStep:
    """Learning rate and momentum with the fastest convergence: the error's asymptotic factor per epoch is `rate`."""

    lr: float
    momentum: float
    rate: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Stability limits and convergence rates of SGD on a cost.

    largest eigenvalue; lr, the largest stable one for the planned SGD; plain, heavy and nesterov, the same without
    momentum, and with `momentum` as heavy ball or by Nesterov's rule. None where the spectrum is not exact: smallest
    eigenvalue above zero, condition number, optimal settings, slowest and fastest direction. flat: number of directions
    along which the cost is constant, which do not take part in the descent.
    """

    largest: float
    lr: float
    momentum: float
    plain: float
    heavy: float
    nesterov: float
    flat: int = 0
    smallest: float | None = None
    condition: float | None = None
    best: OptimalStep | None = None
    best_momentum: OptimalStep | None = None
    slowest: Direction | None = None
    fastest: Direction | None = None


def limits_of(spectrum: HessianSpectrum, sgd: SGD | None = None) -> Limits:
    """Return the stability limits of SGD for a Hessian's spectrum.

    Args:
        spectrum: of the cost, in the units of the descent.
        sgd: the planned optimizer. Where it has no momentum, the limits with momentum are those of 0.9.

    Raises:
        OptionError: momentum or dampening outside [0, 1).
    """
    sgd = sgd or SGD()
    momentum, decay = sgd.momentum or 0.9, sgd.weight_decay
    largest = float(spectrum.eigenvalues[-1])
    limits = Limits(
        largest=largest,
        lr=largest_lr(largest, sgd),
        momentum=momentum,
        plain=largest_lr(largest, SGD(weight_decay=decay)),
        heavy=largest_lr(largest, SGD(momentum, sgd.dampening, weight_decay=decay)),
        nesterov=largest_lr(largest, SGD(momentum, nesterov=True, weight_decay=decay)),
    )
    if not spectrum.exact or largest <= 0:
        return limits
    curved = (~flat_directions(spectrum)).nonzero()[:, 0].tolist()
    smallest = float(spectrum.eigenvalues[curved[0]])
    return replace(
        limits,
        flat=len(spectrum.eigenvalues) - len(curved),
        smallest=smallest,
        condition=largest / smallest,
        best=best_plain(smallest + decay, largest + decay),
        best_momentum=best_heavy_ball(smallest + decay, largest + decay),
        slowest=direction_of(spectrum, curved[0]),
        fastest=direction_of(spectrum, curved[-1]),
    )


def largest_lr(eigenvalue: float, sgd: SGD) -> float:
    """Return the learning rate below which SGD converges, given the Hessian's largest eigenvalue.

    2 / lambda without momentum, 2 (1 + m) / ((1 - dampening) lambda) with momentum m, 2 (1 + m) / ((1 + 2 m) lambda)
    with Nesterov's rule, lambda with weight_decay added; inf where that is not positive.

    Raises:
        OptionError: momentum or dampening outside [0, 1).

    Example:
        >>> round(largest_lr(11.092940, SGD()), 6)
        0.180295
    """
    _check(sgd)
    curved = eigenvalue + sgd.weight_decay
    if curved <= 0:
        return math.inf
    if sgd.nesterov:
        # With dampening, which torch does not allow, D = m (1 - k x) and the condition is the same for k x.
        return 2 * (1 + sgd.momentum) / ((1 + 2 * sgd.momentum) * curved)
    fresh = 1 - sgd.dampening if sgd.momentum else 1.0
    return 2 * (1 + sgd.momentum) / (fresh * curved)


def best_plain(smallest: float, largest: float) -> OptimalStep:
    """Return lr 2 / (smallest + largest), with rate (c - 1) / (c + 1) at both extremes, c = largest / smallest.

    >>> best_plain(1.0, 3.0)
    OptimalStep(lr=0.5, momentum=0.0, rate=0.5)
    """
    return OptimalStep(2 / (smallest + largest), 0.0, (largest - smallest) / (largest + smallest))


def best_heavy_ball(smallest: float, largest: float) -> OptimalStep:
    """Return the heavy ball's optimal momentum, ((√c - 1) / (√c + 1))², its lr and its rate, the root of the momentum.

    With it the rate is the same in every direction, c = largest / smallest. B. T. Polyak,
    Some methods of speeding up the convergence of iteration
    methods (1964).

    >>> best_heavy_ball(1.0, 9.0)
    OptimalStep(lr=0.25, momentum=0.25, rate=0.5)
    """
    low, high = math.sqrt(smallest), math.sqrt(largest)
    rate = (high - low) / (high + low)
    return OptimalStep((2 / (high + low)) ** 2, rate**2, rate)


def rate_of(spectrum: HessianSpectrum, *, lr: float, sgd: SGD) -> float:
    """Return the asymptotic factor per epoch of the error in the slowest direction; above 1 it grows.

    The largest root of r² - T r + D over the directions that are not flat. Needs an exact spectrum.

    Args:
        spectrum: of the cost, in the units of the descent; exact.
        lr: the learning rate.
        sgd: momentum, weight decay and the like.

    Raises:
        OptionError: momentum or dampening outside [0, 1).
    """
    _check(sgd)
    x = lr * (spectrum.eigenvalues[~flat_directions(spectrum)] + sgd.weight_decay)
    m = sgd.momentum
    if sgd.nesterov:
        trace, product = (1 + m) * (1 - x), m * (1 - x)
    else:
        trace, product = 1 + m - (1 - sgd.dampening if m else 1.0) * x, torch.full_like(x, m)
    discriminant = trace**2 - 4 * product
    real = (trace.abs() + discriminant.clamp(min=0).sqrt()) / 2
    return float(torch.where(discriminant >= 0, real, product.clamp(min=0).sqrt()).max())


def flat_directions(spectrum: HessianSpectrum) -> Tensor:
    """Return which eigenvectors z (r,) are flat: z' H z is within rounding of z' diag(H) z, in any units."""
    eigenvalues, z = spectrum.eigenvalues, spectrum.eigenvectors
    if z is None:
        return eigenvalues <= NEGLIGIBLE * eigenvalues[-1]
    alone = (z**2 @ eigenvalues.clamp(min=0)) @ z**2
    return (eigenvalues <= NEGLIGIBLE * alone) | (eigenvalues <= NEGLIGIBLE**2 * eigenvalues[-1])


def direction_of(spectrum: HessianSpectrum, index: int) -> Direction:
    """Return an eigenvector by its columns with the largest components, the first of them positive."""
    eigenvalue = float(spectrum.eigenvalues[index])
    if spectrum.eigenvectors is None:
        return Direction(eigenvalue, (), ())
    z = spectrum.eigenvectors[:, index]
    order = z.abs().argsort(descending=True, stable=True)
    enough = int((z[order].square().cumsum(0) < NAMED_SHARE).sum()) + 1
    order = order[: min(enough, MOST_COLUMNS)]
    loadings = z[order] * z[order[0]].sign()
    return Direction(eigenvalue, tuple(spectrum.names[i] for i in order.tolist()), tuple(loadings.tolist()))


def _check(sgd: SGD) -> None:
    for name, value in (("momentum", sgd.momentum), ("dampening", sgd.dampening if sgd.momentum else 0.0)):
        if not 0 <= value < 1:
            raise OptionError(f"no learning rate converges with {name} {value:g}; choose a {name} from 0 to below 1.")
