"""torch.optim.SGD on a quadratic: in each eigendirection, a linear recurrence of three numbers.

Along an eigenvector with eigenvalue mu (weight decay included) the recurrence is independent of the other directions.
With g̃ the gradient that the optimizer receives, everything is proportional to g̃ at the start, so three numbers suffice:

    p_t = g̃_t / g̃_0                the relative gradient,          p_0 = 1
    v_t = buffer_t / g̃_0           torch's momentum buffer,        v_0 = dampening / momentum
    q_t = (w_0 - w_t) / g̃_0        the relative displacement,      q_0 = 0

    v' = momentum v + (1 - dampening) p
    u  = v', or p + momentum v' with Nesterov's rule
    q' = q + lr u
    p' = p - lr mu u

In its first step torch sets the buffer to the gradient itself; v_0 is the value for which the general rule gives
the same. So m epochs are the m-th power of one 3 x 3 matrix, and all epochs cost a logarithm of matrix products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

UNDERFLOW = 1e-140
"""Smaller values are set to zero: their squares underflow, and arithmetic below 1e-308 is 100 times slower."""


@dataclass(frozen=True, slots=True)
class SGD:
    """torch.optim.SGD without its lr. Without momentum, torch ignores dampening and nesterov."""

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    @property
    def weights(self) -> tuple[float, float]:
        """Weights of p and of v in the step u."""
        fresh = 1 - self.dampening if self.momentum else 1.0
        if self.nesterov:
            return 1 + self.momentum * fresh, self.momentum**2
        return fresh, self.momentum


@dataclass(frozen=True, slots=True)
class Trajectory:
    """q, p and v, each (rows, d): one row for each requested epoch, one column for each direction."""

    q: Tensor
    p: Tensor
    v: Tensor

    def state(self, row: int) -> Tensor:
        """Return (q, p, v) of one row, (d, 3)."""
        return torch.stack([self.q[row], self.p[row], self.v[row]], dim=1)


def sgd_of(options: Mapping[str, object]) -> SGD:
    """Return torch.optim.SGD's keyword arguments, without lr, as an SGD.

    >>> sgd_of({"lr": 0.1, "momentum": 0.9})
    SGD(momentum=0.9, dampening=0.0, nesterov=False, weight_decay=0.0)
    """
    return SGD(
        momentum=float(options.get("momentum", 0.0)),  # type: ignore[arg-type]
        dampening=float(options.get("dampening", 0.0)),  # type: ignore[arg-type]
        nesterov=bool(options.get("nesterov", False)),
        weight_decay=float(options.get("weight_decay", 0.0)),  # type: ignore[arg-type]
    )


def first_state(mu: Tensor, sgd: SGD) -> Tensor:
    """Return (q, p, v) at the start, (d, 3)."""
    q, p = torch.zeros_like(mu), torch.ones_like(mu)
    return torch.stack([q, p, p * (sgd.dampening / sgd.momentum if sgd.momentum else 0.0)], dim=1)


def one_epoch(*, mu: Tensor, lr: float, sgd: SGD) -> Tensor:
    """Return the matrix (d, 3, 3) of one update of (q, p, v) in directions of curvature mu (d,).

    Args:
        mu: eigenvalues (d,), weight decay included.
        lr: the learning rate.
        sgd: momentum, dampening and Nesterov's rule.
    """
    of_p, of_v = sgd.weights
    fresh = 1 - sgd.dampening if sgd.momentum else 0.0
    matrix = mu.new_zeros(len(mu), 3, 3)
    matrix[:, 0, 0] = 1
    matrix[:, 0, 1], matrix[:, 0, 2] = lr * of_p, lr * of_v
    matrix[:, 1, 1], matrix[:, 1, 2] = 1 - lr * mu * of_p, -lr * mu * of_v
    matrix[:, 2, 1], matrix[:, 2, 2] = fresh, sgd.momentum
    return matrix


def trajectory(step: Tensor, state: Tensor, rows: int) -> Trajectory:
    """Return the states after 0, 1, …, rows - 1 applications of one matrix, by repeated doubling.

    Args:
        step: (d, 3, 3), the matrix from one row to the next: that of one epoch, or a power of it.
        state: (d, 3), row 0.
        rows: how many.
    """
    states = state.new_empty(len(state), 3, rows)
    states[:, :, 0] = state
    known = 1
    while known < rows:
        more = min(known, rows - known)
        states[:, :, known : known + more] = hardshrink(step @ states[:, :, :more], UNDERFLOW)
        step = hardshrink(step @ step, UNDERFLOW)
        known += more
    return Trajectory(states[:, 0].T, states[:, 1].T, states[:, 2].T)


def advance(step: Tensor, state: Tensor, epochs: int) -> Tensor:
    """Return the state (d, 3) after `epochs` applications of one matrix, in about log2(epochs) products.

    Args:
        step: (d, 3, 3), the matrix of one epoch.
        state: (q, p, v) before, (d, 3).
        epochs: 0 or more.
    """
    while epochs:
        if epochs % 2:
            state = hardshrink(step @ state[:, :, None], UNDERFLOW)[:, :, 0]
        step = hardshrink(step @ step, UNDERFLOW)
        epochs //= 2
    return state


def scan(*, mu: Tensor, lr: Tensor, sgd: SGD, state: Tensor) -> Trajectory:
    """Return the t + 1 states of t epochs whose learning rates lr (t,) differ.

    1. The matrices of (p, v), epoch by epoch. 2. All their products with the start, by pairing neighbours
    (Blelloch, Prefix Sums and Their Applications, 1990). 3. q, the sum of the steps.

    Args:
        mu: eigenvalues (d,), weight decay included.
        lr: learning rates (t,), one for each epoch.
        sgd: momentum, dampening and Nesterov's rule.
        state: (q, p, v) at the start, (d, 3).
    """
    of_p, of_v = sgd.weights
    x = lr[:, None] * mu
    if not sgd.momentum:
        p = torch.cat([state[None, :, 1], hardshrink(state[:, 1] * (1 - x).cumprod(0), UNDERFLOW)])
        return Trajectory(_displacements(lr, p[:-1], state), p, torch.zeros_like(p))
    # 1.
    step = x.new_empty(2, 2, *x.shape)
    step[0, 0], step[0, 1] = 1 - of_p * x, -of_v * x
    step[1, 0], step[1, 1] = 1 - sgd.dampening, sgd.momentum
    # 2.
    p, v = _prefix(step, state[:, 1:].T)
    # 3.
    return Trajectory(_displacements(lr, of_p * p[:-1] + of_v * v[:-1], state), p, v)


def _displacements(lr: Tensor, u: Tensor, state: Tensor) -> Tensor:
    return state[:, 0] + torch.cat([torch.zeros_like(u[:1]), (lr[:, None] * u).cumsum(0)])


def _prefix(step: Tensor, first: Tensor) -> Tensor:
    """Return states (2, t + 1, d) for matrices step (2, 2, t, d) and the first state (2, d)."""
    t = step.shape[2]
    states = first.new_empty(2, t + 1, first.shape[1])
    if t == 1:
        states[:, 0] = first
    else:
        states[:, 0::2] = _prefix(_pairs(step), first)[:, : t // 2 + 1]
    states[:, 1::2] = _applied(step[:, :, 0::2], states[:, 0:t:2])
    return states


def _pairs(step: Tensor) -> Tensor:
    """Return the products of matrices 1 and 0, 3 and 2, …."""
    t = step.shape[2]
    late, early = step[:, :, 1::2], step[:, :, 0 : 2 * (t // 2) : 2]
    product = torch.empty_like(late)
    for i in range(2):
        for j in range(2):
            torch.mul(late[i, 0], early[0, j], out=product[i, j]).addcmul_(late[i, 1], early[1, j])
    return hardshrink(product, UNDERFLOW)


def _applied(step: Tensor, states: Tensor) -> Tensor:
    result = torch.empty_like(states)
    for i in range(2):
        torch.mul(step[i, 0], states[0], out=result[i]).addcmul_(step[i, 1], states[1])
    return hardshrink(result, UNDERFLOW)
