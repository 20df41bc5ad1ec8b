"""Full-batch descent by any optimizer of torch.optim, on the moments instead of on the rows.

    loop.py                                   moment_descent.py
    cost = loss(model(x), y)                  cost = quadratic(theta)
    cost.backward()                           theta.grad = hessian theta - linear

The gradient over all rows of a linear model with squared loss is hessian theta - linear, so torch's own Adam takes the
steps that it would take on the rows; an epoch costs p² operations however many rows there are.

Adam and RMSprop divide a gradient by its own recent size. Once that size is rounding error, so is the step, and two
computations that sum in another order differ there: near the optimum, by about the learning rate at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.schedules import build_scheduler
from slopewise.optimizers.torch_optimizers import build_optimizer
from slopewise.solution import History
from slopewise.training.descent.history import check_all_rows, recorded, stop_within
from slopewise.training.descent.stopping import StoppingRules
from slopewise.training.moments.quadratic import Quadratic, cost_at, gradient_at

BLOCK = 1024
"""Epochs between two checks of the stopping rules: up to so many are computed in vain."""


@dataclass(slots=True)
class RecordedEpochs:
    """Blocks of recorded epochs: epoch (r,), parameters (r, p) and learning rate (r,) of each."""

    epoch: list[Tensor] = field(default_factory=list)
    parameters: list[Tensor] = field(default_factory=list)
    lr: list[Tensor] = field(default_factory=list)


def descend_moments(quadratic: Quadratic, plan: DescentPlan, start: Tensor) -> History:
    """Return the history of full-batch descent with the planned optimizer, schedule and stopping rules.

    1. Step torch's optimizer through a block of epochs. 2. Compute the costs of the whole block at once. 3. Keep the
    recorded epochs, up to the first at which a stopping rule holds.

    Args:
        quadratic: the cost in the units of the descent.
        plan: any optimizer and schedule, all rows at each step.
        start: (p,) in the units of the descent.

    Raises:
        OptionError: mini-batches, or a rule on the cost of validation rows.
    """
    check_all_rows(plan)
    theta = torch.nn.Parameter(start.clone())
    optimizer = build_optimizer([theta], plan)
    scheduler = build_scheduler(optimizer, plan.schedule, plan.epochs)
    rules, kept = StoppingRules(plan.stopping, float(quadratic.lowest)), RecordedEpochs()
    for epoch in torch.split(torch.arange(plan.epochs + 1), BLOCK):
        # 1.
        parameters, rates = start.new_empty(len(epoch), len(start)), start.new_empty(len(epoch))
        for row in range(len(epoch)):
            parameters[row] = theta.detach()
            rates[row] = optimizer.param_groups[0]["lr"]
            theta.grad = gradient_at(quadratic, theta.detach())
            optimizer.step()
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(float(cost_at(quadratic, parameters[row])))
            elif scheduler is not None:
                scheduler.step()
        # 2.
        stop = None
        if plan.stopping.is_active:
            norms = gradient_at(quadratic, parameters).norm(dim=1)
            stop = stop_within(rules, epoch, cost_at(quadratic, parameters), norms)
        # 3.
        rows = recorded(epoch, plan, stop)
        kept.epoch.append(epoch[rows])
        kept.parameters.append(parameters[rows])
        kept.lr.append(rates[rows])
        if stop is not None:
            break
    return _history(quadratic, kept)


def _history(quadratic: Quadratic, kept: RecordedEpochs) -> History:
    parameters = torch.cat(kept.parameters)
    return History(
        epoch=torch.cat(kept.epoch),
        cost=cost_at(quadratic, parameters),
        parameters=parameters,
        gradient=gradient_at(quadratic, parameters),
        lr=torch.cat(kept.lr),
        optimum=quadratic.optimum,
        lowest=quadratic.lowest,
    )
