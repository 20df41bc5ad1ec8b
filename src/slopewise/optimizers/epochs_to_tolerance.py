"""How many epochs a descent will need, known before the first one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.sgd_recurrence import SGD, advance, first_state, one_epoch, trajectory
from slopewise.optimizers.stability import HessianSpectrum, flat_directions, largest_lr

NEAR = 65536
"""Epochs looked at one by one where the gap may swing; further out only crawling directions are left: none swings."""

FIRST = 1024
"""Epochs of the first look; each further one takes four times as many."""

NEVER = 2**62
"""Beyond any epoch that could be waited for."""


def epochs_to(
    spectrum: HessianSpectrum, *, start: Tensor, optimum: Tensor, lr: float, tolerance: float, sgd: SGD | None = None
) -> int | None:
    """Return the first epoch whose cost gap is at most `tolerance` times that of the start, None if there is none.

    gap_t = ½ Σ lambda e_t², e_t = p_t e_0 in each direction, p_t = (1 - lr lambda)^t for plain descent. That falls from
    epoch to epoch, so bisection finds the very epoch. With momentum the gap may swing: the first NEAR epochs
    are looked at one by one, and bisected after that. Weight decay pulls elsewhere than to the optimum: the
    gap left there may be above the tolerance for good.

    Args:
        spectrum: exact, with eigenvectors.
        start: (p,) in the units of the descent.
        optimum: (p,) in the same.
        lr: constant.
        tolerance: in (0, 1), as the `gap` of early stopping.
        sgd: the optimizer, plain if not given.

    Raises:
        OptionError: tolerance or lr out of range, or a curvature that is not known well enough.
    """
    _check(spectrum, lr, tolerance)
    sgd = sgd or SGD()
    if not bool((~flat_directions(spectrum)).any()):
        return 0
    if lr >= largest_lr(float(spectrum.eigenvalues[-1]), sgd):
        return None
    weight, dying, left, mu = _parts(spectrum, start, optimum, sgd)
    # In units of the gap at the start, whatever the units of the table.
    first = float(weight @ (dying + left) ** 2)
    if first == 0:
        return 0
    if sgd == SGD():
        return _bisect(_plain(weight * dying**2 / first, lr * mu, tolerance), 0)

    def gap(p: Tensor) -> Tensor:
        return (p * dying + left) ** 2 @ (weight / first)

    step, state = one_epoch(mu=mu, lr=lr, sgd=sgd), first_state(mu, sgd)
    start_read, rows, here = 0, FIRST, state
    while start_read < NEAR:
        road = trajectory(step, here, rows)
        reached = gap(road.p) <= tolerance
        if bool(reached.any()):
            return start_read + int(reached.to(torch.uint8).argmax())
        # The last row is looked at again as the first of the next look.
        start_read, rows, here = start_read + rows - 1, 4 * rows, road.state(rows - 1)
    if float(gap(torch.zeros_like(mu))) > tolerance:
        return None
    return _bisect(lambda epoch: float(gap(advance(step, state, epoch)[:, 1])) <= tolerance, start_read)


def _plain(gaps: Tensor, x: Tensor, tolerance: float) -> Callable[[int], bool]:
    """Return whether Σ gaps (1 - x)^(2 epoch) is at most the tolerance, as a function of the epoch (from 1 on)."""
    shrinks = 2 * torch.where(x < 1, torch.log1p(-x), (x - 1).log())
    return lambda epoch: float(gaps @ torch.exp(epoch * shrinks)) <= tolerance


def _parts(
    spectrum: HessianSpectrum, start: Tensor, optimum: Tensor, sgd: SGD
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return per direction that is not flat: lambda / 2, the error that dies away, the one that stays, and mu."""
    assert spectrum.eigenvectors is not None
    curved = ~flat_directions(spectrum)
    z, eigenvalues = spectrum.eigenvectors[:, curved], spectrum.eigenvalues[curved]
    mu = eigenvalues + sgd.weight_decay
    left = -sgd.weight_decay * (optimum @ z) / mu
    return eigenvalues / 2, (start - optimum) @ z - left, left, mu


def _bisect(reached: Callable[[int], bool], before: int) -> int | None:
    """Return the first epoch that has reached: `before` has not, and once reached is for good."""
    after = max(2 * before, 1)
    while not reached(after):
        before, after = after, 2 * after
        if after > NEVER:
            return None
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if reached(middle) else (middle, after)
    return after


def _check(spectrum: HessianSpectrum, lr: float, tolerance: float) -> None:
    if not spectrum.exact or spectrum.eigenvectors is None:
        raise OptionError("the epochs needed are known only where every eigenvector of the curvature is.")
    if not lr > 0:
        raise OptionError(f"lr must be a positive number, not {lr!r}.")
    if not 0 < tolerance < 1:
        raise OptionError(f"tolerance must be between 0 and 1, not {tolerance!r}.")
