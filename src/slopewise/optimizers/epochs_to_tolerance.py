"""Number of epochs that gradient descent needs to a tolerance, computed before the first one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.sgd_recurrence import SGD, advance, first_state, one_epoch, trajectory
from slopewise.optimizers.stability import HessianSpectrum, flat_directions, largest_lr

EXACT_EPOCHS = 65536
"""Epochs computed one by one where the gap may oscillate; later only slow directions are left, which do not."""

FIRST_EPOCHS = 1024
"""Epochs computed at first; each further block has four times as many."""

MOST_EPOCHS = 2**62
"""Epochs beyond which the search ends without a result."""


def epochs_to(
    spectrum: HessianSpectrum, *, start: Tensor, optimum: Tensor, lr: float, tolerance: float, sgd: SGD | None = None
) -> int | None:
    """Return the first epoch whose cost gap is at most `tolerance` times that of the start, None if there is none.

    gap_t = ½ Σ lambda e_t², e_t = p_t e_0 in each direction, p_t = (1 - lr lambda)^t for SGD without momentum. It
    decreases from epoch to epoch, so bisection gives the exact epoch. With momentum the gap may oscillate: the first
    EXACT_EPOCHS epochs are computed one by one, and bisected after that. Weight decay moves the limit away from the
    optimum, where the gap may stay above the tolerance.

    Args:
        spectrum: exact, with eigenvectors.
        start: (p,) in the units of the descent.
        optimum: (p,) in the same units.
        lr: constant.
        tolerance: in (0, 1), as `gap_tol` of early stopping.
        sgd: the optimizer, without momentum by default.

    Raises:
        OptionError: tolerance or lr out of range, or a spectrum without eigenvectors.
    """
    _check(spectrum, lr, tolerance)
    sgd = sgd or SGD()
    if not bool((~flat_directions(spectrum)).any()):
        return 0
    if lr >= largest_lr(float(spectrum.eigenvalues[-1]), sgd):
        return None
    weight, transient, limit, mu = _parts(spectrum, start, optimum, sgd)
    # Relative to the gap at the start, independent of the units of the table.
    first = float(weight @ (transient + limit) ** 2)
    if first == 0:
        return 0
    if sgd == SGD():
        return _bisect(_plain(weight * transient**2 / first, lr * mu, tolerance), 0)

    def gap(p: Tensor) -> Tensor:
        return (p * transient + limit) ** 2 @ (weight / first)

    step, state = one_epoch(mu=mu, lr=lr, sgd=sgd), first_state(mu, sgd)
    epoch, rows, row_state = 0, FIRST_EPOCHS, state
    while epoch < EXACT_EPOCHS:
        path = trajectory(step, row_state, rows)
        reached = gap(path.p) <= tolerance
        if bool(reached.any()):
            return epoch + int(reached.to(torch.uint8).argmax())
        # The last row of a block is the first of the next one.
        epoch, rows, row_state = epoch + rows - 1, 4 * rows, path.state(rows - 1)
    if float(gap(torch.zeros_like(mu))) > tolerance:
        return None
    return _bisect(lambda t: float(gap(advance(step, state, t)[:, 1])) <= tolerance, epoch)


def _plain(gaps: Tensor, x: Tensor, tolerance: float) -> Callable[[int], bool]:
    """Return whether Σ gaps (1 - x)^(2 epoch) is at most the tolerance, as a function of the epoch (from 1 on)."""
    shrinks = 2 * torch.where(x < 1, torch.log1p(-x), (x - 1).log())
    return lambda epoch: float(gaps @ torch.exp(epoch * shrinks)) <= tolerance


def _parts(
    spectrum: HessianSpectrum, start: Tensor, optimum: Tensor, sgd: SGD
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return per direction that is not flat: lambda / 2, the error that decays, the one in the limit, and mu."""
    assert spectrum.eigenvectors is not None
    curved = ~flat_directions(spectrum)
    z, eigenvalues = spectrum.eigenvectors[:, curved], spectrum.eigenvalues[curved]
    mu = eigenvalues + sgd.weight_decay
    limit = -sgd.weight_decay * (optimum @ z) / mu
    return eigenvalues / 2, (start - optimum) @ z - limit, limit, mu


def _bisect(reached: Callable[[int], bool], before: int) -> int | None:
    """Return the first epoch for which `reached` is true: it is false at `before`, and stays true once true."""
    after = max(2 * before, 1)
    while not reached(after):
        before, after = after, 2 * after
        if after > MOST_EPOCHS:
            return None
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if reached(middle) else (middle, after)
    return after


def _check(spectrum: HessianSpectrum, lr: float, tolerance: float) -> None:
    if not spectrum.exact or spectrum.eigenvectors is None:
        raise OptionError("the number of epochs is known only where the spectrum is exact and has eigenvectors.")
    if not lr > 0:
        raise OptionError(f"lr must be a positive number, not {lr!r}.")
    if not 0 < tolerance < 1:
        raise OptionError(f"tolerance must be between 0 and 1, not {tolerance!r}.")
