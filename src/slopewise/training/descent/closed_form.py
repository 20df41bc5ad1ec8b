"""Full-batch SGD on squared loss in closed form: every epoch from the moments, without a pass over the rows.

On a quadratic cost the descent separates along the eigenvectors of the Hessian into linear recurrences of three numbers
(optimizers/sgd_recurrence.py). With eigenpairs (lambda, z), decay d = weight_decay and mu = lambda + d, along each z:

    g̃_0 = z·(hessian theta_0 - linear + d theta_0)        the optimizer's first gradient
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
from slopewise.training.descent.history import check_all_rows, recorded, spacing, stop_within
from slopewise.training.descent.stopping import StoppingRules
from slopewise.training.moments.quadratic import Quadratic
from slopewise.training.moments.spectrum import spectrum_of

BLOCK = 16384
"""Epochs computed at a time, so that a sparse history of a long descent needs little memory."""

NOISE = 1e-12
"""A difference smaller than this part of the numbers that it was formed from is rounding."""


@dataclass(frozen=True, slots=True)
class SpectralDescent:
    """A descent decomposed along the eigenvectors of its Hessian.

    start (p,); directions (p, p), the eigenvectors as columns; and for each of them (p,): mu, zero where the gradient
    is zero; initial_gradient g̃_0; the gradient of the cost is share p_t - pull; weight is ½ / lambda, zero where the
    cost is flat. floor () is the cost that no direction can lower. sgd: momentum, weight decay and the like.
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

    1. Decompose the descent along the eigenvectors. 2. Compute the recorded epochs only, or all of them where a
    stopping rule needs their costs or the learning rate changes. 3. Cut where the rule first holds. 4. Concatenate.

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
    for epoch, states in _blocks(spectral, plan, every):
        if plan.stopping.is_active:
            gradient = _gradients(spectral, states)
            # 3.
            stop = stop_within(rules, epoch, _costs(spectral, gradient), gradient.norm(dim=1))
        kept = recorded(epoch, plan, stop)
        if not bool(kept.all()):
            epoch, states = epoch[kept], Trajectory(states.q[kept], states.p[kept], states.v[kept])
        parts.append(_history(spectral, plan, epoch, states))
        if stop is not None:
            break
    # 4.
    return _joined(parts, quadratic)


def state_at(quadratic: Quadratic, plan: DescentPlan, start: Tensor, epoch: int) -> History:
    """Return one row of the history, that of `epoch`.

    With a constant learning rate it takes log2(epoch) small matrix products; stopping rules and the planned number of
    epochs are ignored.

    Args:
        quadratic: the cost in the units of the descent.
        plan: as of `descend_closed_form`.
        start: (p,) in the units of the descent.
        epoch: 0 is the start.

    Raises:
        OptionError: there is no closed form for this descent, or the epoch is negative.
    """
    _check(plan)
    if epoch < 0:
        raise OptionError(f"there is no epoch {epoch}; give 0, the start, or more.")
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
    """Return the descent from `start`, decomposed along the eigenvectors of the Hessian.

    Args:
        quadratic: the cost.
        start: (p,), in the units of the descent.
        sgd: momentum, weight decay and the like.
    """
    spectrum = spectrum_of(quadratic.hessian)
    eigenvalues, z, decay = spectrum.eigenvalues, spectrum.eigenvectors, sgd.weight_decay
    gradient = (quadratic.hessian @ start - quadratic.linear) @ z
    initial_gradient = gradient + decay * (start @ z)
    mu = eigenvalues + decay
    weight = torch.where(spectrum.flat, 0.0, 0.5 / eigenvalues)
    return SpectralDescent(
        start=start,
        directions=z,
        mu=torch.where(initial_gradient == 0, 0.0, mu),
        initial_gradient=initial_gradient,
        share=initial_gradient * eigenvalues / mu if decay else initial_gradient,
        pull=decay * (quadratic.linear @ z) / mu if decay else torch.zeros_like(initial_gradient),
        weight=weight,
        floor=quadratic.lowest + _out_of_reach(quadratic, start, gradient.square() @ weight),
        sgd=sgd,
    )


def _out_of_reach(quadratic: Quadratic, start: Tensor, gap: Tensor) -> Tensor:
    """Return the cost at the start less lowest + gap: its part in directions that are flat to rounding."""
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
    """Yield (epochs (r,), their states) in steps of `every` from 0, and then the last epoch."""
    state = first_state(spectral.mu, spectral.sgd)
    constant = plan.schedule.name == "constant"
    once = one_epoch(mu=spectral.mu, lr=plan.lr, sgd=spectral.sgd)
    step = torch.linalg.matrix_power(once, every) if every > 1 else once
    epochs = torch.arange(0, plan.epochs + 1, every)
    for epoch in torch.split(epochs, BLOCK):
        if constant:
            states = trajectory(step, state, len(epoch) + 1)
        else:
            rates = learning_rates(plan.schedule, plan.lr, epoch)
            states = scan(mu=spectral.mu, lr=rates, sgd=spectral.sgd, state=state)
        yield epoch, Trajectory(states.q[:-1], states.p[:-1], states.v[:-1])
        state = states.state(-1)
    if int(epochs[-1]) < plan.epochs:
        yield torch.tensor([plan.epochs]), _row(advance(once, first_state(spectral.mu, spectral.sgd), plan.epochs))


def _row(state: Tensor) -> Trajectory:
    return Trajectory(state[None, :, 0], state[None, :, 1], state[None, :, 2])


def _history(spectral: SpectralDescent, plan: DescentPlan, epoch: Tensor, states: Trajectory) -> History:
    gradient = _gradients(spectral, states)
    z = spectral.directions
    return History(
        epoch=epoch,
        cost=_costs(spectral, gradient),
        parameters=spectral.start - states.q @ (z * spectral.initial_gradient).T,
        gradient=gradient @ z.T,
        lr=learning_rates(plan.schedule, plan.lr, epoch),
    )


def _gradients(spectral: SpectralDescent, states: Trajectory) -> Tensor:
    """Return the gradients (r, p) of the cost along the eigenvectors."""
    return states.p * spectral.share - spectral.pull


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
