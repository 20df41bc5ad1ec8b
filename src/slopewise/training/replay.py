"""The same descent in closed form: every epoch of full-batch SGD from the moments, without one pass over the rows.

On a quadratic cost each eigendirection of the hessian goes its own way, a linear recurrence of three numbers
(optimizers/recurrence.py). With eigenpairs (lambda, z), decay d = weight_decay and mu = lambda + d, along each z:

    g̃_0 = z·(hessian theta_0 - linear + d theta_0)        the slope that the optimizer sees first
    theta_t = theta_0 - Σ z q_t g̃_0
    g_t = (lambda p_t g̃_0 - d z·linear) / mu               the gradient of the cost
    cost_t = lowest + ½ Σ g_t² / lambda

The cost is a sum of squares on top of the lowest cost: however close to it, no digit is lost by subtraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.descent import Descent
from slopewise.optimizers.rates import learning_rates
from slopewise.optimizers.recurrence import SGD, Road, first_state, jump, march, one_epoch, scan, sgd_of
from slopewise.solution import History
from slopewise.training.quadratic import Quadratic
from slopewise.training.recorded import check_all_rows, recorded, spacing, stop_within
from slopewise.training.spectrum import spectrum_of
from slopewise.training.stopping import Rules

BLOCK = 16384
"""Epochs worked on at a time, so that a sparse record of a long descent needs little memory."""

NOISE = 1e-12
"""A gap smaller than this part of the numbers that it was formed from is their rounding."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A descent taken apart along the eigenvectors of its hessian.

    start (p,); directions (p, p), one in each column; and for each (p,): mu, zero where there is no slope and so no way
    to go; slope g̃_0; the gradient of the cost is share p_t - pull; weight is ½ / lambda, zero where the cost is flat.
    floor () is the cost that no direction can lower.
    """

    start: Tensor
    directions: Tensor
    mu: Tensor
    slope: Tensor
    share: Tensor
    pull: Tensor
    weight: Tensor
    floor: Tensor
    sgd: SGD


def descend_replay(quadratic: Quadratic, descent: Descent, start: Tensor) -> History:
    """Return the history that full-batch torch.optim.SGD would make, from its closed form.

    1. Take the descent apart. 2. March through the recorded epochs only, or through all of them where a stopping
    rule looks at the costs or the learning rate changes. 3. Cut where the rule first holds. 4. Put together.

    Args:
        quadratic: the cost in the units of the descent.
        descent: optimizer sgd, all rows at each step, any schedule but plateau.
        start: (p,) in the units of the descent.

    Raises:
        OptionError: there is no closed form for this optimizer, batch size or schedule.
    """
    # 1.
    _check(descent)
    replayed = take_apart(quadratic, start, sgd_of(descent.options))
    every = 1 if descent.stopping.looks or descent.schedule.name != "constant" else spacing(descent)
    rules = Rules(descent.stopping, float(quadratic.lowest))
    # 2.
    parts: list[History] = []
    stop = None
    for epoch, road in _blocks(replayed, descent, every):
        if descent.stopping.looks:
            gradient = _gradients(replayed, road)
            # 3.
            stop = stop_within(rules, epoch, _costs(replayed, gradient), gradient.norm(dim=1))
        kept = recorded(epoch, descent, stop)
        if not bool(kept.all()):
            epoch, road = epoch[kept], Road(road.q[kept], road.p[kept], road.v[kept])
        parts.append(_history(replayed, descent, epoch, road))
        if stop is not None:
            break
    # 4.
    return _joined(parts, quadratic)


def state_at(quadratic: Quadratic, descent: Descent, start: Tensor, epoch: int) -> History:
    """Return one row of the history, that of `epoch`.

    With a constant learning rate it takes log2(epoch) small products, whatever the number of epochs; stopping rules
    and the planned number of epochs are not looked at.

    Raises:
        OptionError: there is no closed form for this descent, or the epoch is negative.
    """
    _check(descent)
    if epoch < 0:
        raise OptionError(f"epoch {epoch} does not exist; the start is epoch 0.")
    replayed = take_apart(quadratic, start, sgd_of(descent.options))
    state = first_state(replayed.mu, replayed.sgd)
    if descent.schedule.name == "constant":
        state = jump(one_epoch(mu=replayed.mu, lr=descent.lr, sgd=replayed.sgd), state, epoch)
    else:
        for begin in range(0, epoch, BLOCK):
            rates = learning_rates(descent.schedule, descent.lr, torch.arange(begin, min(begin + BLOCK, epoch)))
            state = scan(mu=replayed.mu, lr=rates, sgd=replayed.sgd, state=state).state(-1)
    return _joined([_history(replayed, descent, torch.tensor([epoch]), _row(state))], quadratic)


def take_apart(quadratic: Quadratic, start: Tensor, sgd: SGD) -> Replayed:
    """Return the descent from `start` (p,) along the eigenvectors of the hessian."""
    spectrum = spectrum_of(quadratic.hessian)
    curvature, z, decay = spectrum.eigenvalues, spectrum.eigenvectors, sgd.weight_decay
    gradient = (quadratic.hessian @ start - quadratic.linear) @ z
    slope = gradient + decay * (start @ z)
    mu = curvature + decay
    weight = torch.where(spectrum.flat, 0.0, 0.5 / curvature)
    return Replayed(
        start=start,
        directions=z,
        mu=torch.where(slope == 0, 0.0, mu),
        slope=slope,
        share=slope * curvature / mu if decay else slope,
        pull=decay * (quadratic.linear @ z) / mu if decay else torch.zeros_like(slope),
        weight=weight,
        floor=quadratic.lowest + _out_of_reach(quadratic, start, gradient.square() @ weight),
        sgd=sgd,
    )


def _out_of_reach(quadratic: Quadratic, start: Tensor, gap: Tensor) -> Tensor:
    """Return what the cost at the start has beyond lowest + gap: it lies in directions that are flat to rounding."""
    parts = torch.stack(
        [
            quadratic.constant,
            -(quadratic.linear @ start),
            0.5 * (start @ quadratic.hessian @ start),
            -quadratic.lowest,
            -gap,
        ]
    )
    beyond = parts.sum()
    return beyond if float(beyond) > NOISE * float(parts.abs().sum()) else torch.zeros_like(beyond)


def _check(descent: Descent) -> None:
    if descent.optimizer != "sgd":
        raise OptionError(f"there is no closed form for optimizer {descent.optimizer!r}, only for 'sgd'.")
    check_all_rows(descent)
    learning_rates(descent.schedule, descent.lr, torch.arange(1))


def _blocks(replayed: Replayed, descent: Descent, every: int) -> Iterator[tuple[Tensor, Road]]:
    """Yield (epochs (r,), their states), from 0 by `every`, and the last epoch wherever it falls."""
    state = first_state(replayed.mu, replayed.sgd)
    constant = descent.schedule.name == "constant"
    once = one_epoch(mu=replayed.mu, lr=descent.lr, sgd=replayed.sgd)
    step = torch.linalg.matrix_power(once, every) if every > 1 else once
    epochs = torch.arange(0, descent.epochs + 1, every)
    for epoch in torch.split(epochs, BLOCK):
        if constant:
            road = march(step, state, len(epoch) + 1)
        else:
            rates = learning_rates(descent.schedule, descent.lr, epoch)
            road = scan(mu=replayed.mu, lr=rates, sgd=replayed.sgd, state=state)
        yield epoch, Road(road.q[:-1], road.p[:-1], road.v[:-1])
        state = road.state(-1)
    if int(epochs[-1]) < descent.epochs:
        yield torch.tensor([descent.epochs]), _row(jump(once, first_state(replayed.mu, replayed.sgd), descent.epochs))


def _row(state: Tensor) -> Road:
    return Road(state[None, :, 0], state[None, :, 1], state[None, :, 2])


def _history(replayed: Replayed, descent: Descent, epoch: Tensor, road: Road) -> History:
    gradient = _gradients(replayed, road)
    z = replayed.directions
    return History(
        epoch=epoch,
        cost=_costs(replayed, gradient),
        parameters=replayed.start - road.q @ (z * replayed.slope).T,
        gradient=gradient @ z.T,
        lr=learning_rates(descent.schedule, descent.lr, epoch),
    )


def _gradients(replayed: Replayed, road: Road) -> Tensor:
    """Return the gradients (r, p) of the cost along the eigenvectors."""
    return road.p * replayed.share - replayed.pull


def _costs(replayed: Replayed, gradient: Tensor) -> Tensor:
    return replayed.floor + gradient.square() @ replayed.weight


def _joined(parts: list[History], quadratic: Quadratic) -> History:
    return History(
        epoch=torch.cat([part.epoch for part in parts]),
        cost=torch.cat([part.cost for part in parts]),
        parameters=torch.cat([part.parameters for part in parts]),
        gradient=torch.cat([part.gradient for part in parts]),
        lr=torch.cat([part.lr for part in parts]),
        optimum=quadratic.optimum,
        lowest=quadratic.lowest,
    )
