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
from slopewise.optimizers.learning_rates import learning_rates
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import (
    SGD,
    Trajectory,
    advance,
    first_state,
    one_epoch,
    scan,
    sgd_of,
    trajectory,
)
from slopewise.solution import History
from slopewise.training.descent.recorded import check_all_rows, recorded, spacing, stop_within
from slopewise.training.descent.stopping import StoppingRules
from slopewise.training.moments.quadratic import Quadratic
from slopewise.training.moments.spectrum import spectrum_of

BLOCK = 16384
"""Epochs worked on at a time, so that a sparse record of a long descent needs little memory."""

NOISE = 1e-12
"""A gap smaller than this part of the numbers that it was formed from is their rounding."""


@dataclass(frozen=True, slots=True)
class SpectralDescent:
    """A descent taken apart along the eigenvectors of its hessian.

    start (p,); directions (p, p), one in each column; and for each (p,): mu, zero where there is no slope and so no way
    to go; slope g̃_0; the gradient of the cost is share p_t - pull; weight is ½ / lambda, zero where the cost is flat.
    floor () is the cost that no direction can lower.
    """

    start: Tensor
    directions: Tensor
    mu: Tensor
    initial_gradient: Tensor
    share: Tensor
    pull: Tensor
    weight: Tensor
    floor: Tensor
    sgd: SGD


def descend_closed_form(quadratic: Quadratic, plan: DescentPlan, start: Tensor) -> History:
    """Return the history that full-batch torch.optim.SGD would make, from its closed form.

    1. Take the descent apart. 2. March through the recorded epochs only, or through all of them where a stopping
    rule looks at the costs or the learning rate changes. 3. Cut where the rule first holds. 4. Put together.

    Args:
        quadratic: the cost in the units of the descent.
        plan: optimizer sgd, all rows at each step, any schedule but plateau.
        start: (p,) in the units of the descent.

    Raises:
        OptionError: there is no closed form for this optimizer, batch size or schedule.
    """
    # 1.
    _check(plan)
    spectral = decompose(quadratic, start, sgd_of(plan.options))
    every = 1 if plan.stopping.is_active or plan.schedule.name != "constant" else spacing(plan)
    rules = StoppingRules(plan.stopping, float(quadratic.lowest))
    # 2.
    parts: list[History] = []
    stop = None
    for epoch, road in _blocks(spectral, plan, every):
        if plan.stopping.is_active:
            gradient = _gradients(spectral, road)
            # 3.
            stop = stop_within(rules, epoch, _costs(spectral, gradient), gradient.norm(dim=1))
        kept = recorded(epoch, plan, stop)
        if not bool(kept.all()):
            epoch, road = epoch[kept], Trajectory(road.q[kept], road.p[kept], road.v[kept])
        parts.append(_history(spectral, plan, epoch, road))
        if stop is not None:
            break
    # 4.
    return _joined(parts, quadratic)


def state_at(quadratic: Quadratic, plan: DescentPlan, start: Tensor, epoch: int) -> History:
    """Return one row of the history, that of `epoch`.

    With a constant learning rate it takes log2(epoch) small products, whatever the number of epochs; stopping rules
    and the planned number of epochs are not looked at.

    Raises:
        OptionError: there is no closed form for this descent, or the epoch is negative.
    """
    _check(plan)
    if epoch < 0:
        raise OptionError(f"epoch {epoch} does not exist; the start is epoch 0.")
    spectral = decompose(quadratic, start, sgd_of(plan.options))
    state = first_state(spectral.mu, spectral.sgd)
    if plan.schedule.name == "constant":
        state = advance(one_epoch(mu=spectral.mu, lr=plan.lr, sgd=spectral.sgd), state, epoch)
    else:
        for start_read in range(0, epoch, BLOCK):
            rates = learning_rates(plan.schedule, plan.lr, torch.arange(start_read, min(start_read + BLOCK, epoch)))
            state = scan(mu=spectral.mu, lr=rates, sgd=spectral.sgd, state=state).state(-1)
    return _joined([_history(spectral, plan, torch.tensor([epoch]), _row(state))], quadratic)


def decompose(quadratic: Quadratic, start: Tensor, sgd: SGD) -> SpectralDescent:
    """Return the descent from `start` (p,) along the eigenvectors of the hessian."""
    spectrum = spectrum_of(quadratic.hessian)
    curvature, z, decay = spectrum.eigenvalues, spectrum.eigenvectors, sgd.weight_decay
    gradient = (quadratic.hessian @ start - quadratic.linear) @ z
    initial_gradient = gradient + decay * (start @ z)
    mu = curvature + decay
    weight = torch.where(spectrum.flat, 0.0, 0.5 / curvature)
    return SpectralDescent(
        start=start,
        directions=z,
        mu=torch.where(initial_gradient == 0, 0.0, mu),
        initial_gradient=initial_gradient,
        share=initial_gradient * curvature / mu if decay else initial_gradient,
        pull=decay * (quadratic.linear @ z) / mu if decay else torch.zeros_like(initial_gradient),
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


def _check(plan: DescentPlan) -> None:
    if plan.optimizer != "sgd":
        raise OptionError(f"there is no closed form for optimizer {plan.optimizer!r}, only for 'sgd'.")
    check_all_rows(plan)
    learning_rates(plan.schedule, plan.lr, torch.arange(1))


def _blocks(spectral: SpectralDescent, plan: DescentPlan, every: int) -> Iterator[tuple[Tensor, Trajectory]]:
    """Yield (epochs (r,), their states), from 0 by `every`, and the last epoch wherever it falls."""
    state = first_state(spectral.mu, spectral.sgd)
    constant = plan.schedule.name == "constant"
    once = one_epoch(mu=spectral.mu, lr=plan.lr, sgd=spectral.sgd)
    step = torch.linalg.matrix_power(once, every) if every > 1 else once
    epochs = torch.arange(0, plan.epochs + 1, every)
    for epoch in torch.split(epochs, BLOCK):
        if constant:
            road = trajectory(step, state, len(epoch) + 1)
        else:
            rates = learning_rates(plan.schedule, plan.lr, epoch)
            road = scan(mu=spectral.mu, lr=rates, sgd=spectral.sgd, state=state)
        yield epoch, Trajectory(road.q[:-1], road.p[:-1], road.v[:-1])
        state = road.state(-1)
    if int(epochs[-1]) < plan.epochs:
        yield torch.tensor([plan.epochs]), _row(advance(once, first_state(spectral.mu, spectral.sgd), plan.epochs))


def _row(state: Tensor) -> Trajectory:
    return Trajectory(state[None, :, 0], state[None, :, 1], state[None, :, 2])


def _history(spectral: SpectralDescent, plan: DescentPlan, epoch: Tensor, road: Trajectory) -> History:
    gradient = _gradients(spectral, road)
    z = spectral.directions
    return History(
        epoch=epoch,
        cost=_costs(spectral, gradient),
        parameters=spectral.start - road.q @ (z * spectral.initial_gradient).T,
        gradient=gradient @ z.T,
        lr=learning_rates(plan.schedule, plan.lr, epoch),
    )


def _gradients(spectral: SpectralDescent, road: Trajectory) -> Tensor:
    """Return the gradients (r, p) of the cost along the eigenvectors."""
    return road.p * spectral.share - spectral.pull


def _costs(spectral: SpectralDescent, gradient: Tensor) -> Tensor:
    return spectral.floor + gradient.square() @ spectral.weight


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
