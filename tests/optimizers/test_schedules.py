"""Schedules are torch's schedulers, under our option names."""

import pytest
import torch

from slopewise.optimizers.parse import plan_descent
from slopewise.optimizers.schedules import build_scheduler
from slopewise.optimizers.torch_optimizers import build_optimizer


def rates(epochs, costs=None, **options):
    plan = plan_descent(lr=1.0, epochs=epochs, **options)
    theta = torch.zeros(1, requires_grad=True)
    theta.grad = torch.zeros(1)
    optimizer = build_optimizer([theta], plan)
    scheduler, found = build_scheduler(optimizer, plan.schedule, plan.epochs), []
    for epoch in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if costs is not None:
            scheduler.step(costs[epoch])
        elif scheduler is not None:
            scheduler.step()
    return found


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1.0, 1.0, 1.0, 1.0]),
        ({"schedule": "step", "step_size": 2, "gamma": 0.5}, [1.0, 1.0, 0.5, 0.5]),
        ({"schedule": "exponential", "gamma": 0.5}, [1.0, 0.5, 0.25, 0.125]),
        # (1 + cos(pi k / 4)) / 2: four epochs to come down, as t_max was not given
        ({"schedule": "cosine"}, [1.0, 0.853553390593274, 0.5, 0.146446609406726]),
        ({"schedule": "cosine", "t_max": 2, "eta_min": 0.5}, [1.0, 0.75, 0.5, 0.75]),
    ],
)
def test_rates(options, expected):
    assert rates(4, **options) == pytest.approx(expected, rel=1e-14)


def test_plateau_waits_and_has_a_floor():
    options = {"schedule": "plateau", "factor": 0.1, "plateau_patience": 1, "min_lr": 0.05}
    assert rates(7, costs=[3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0], **options) == [1, 1, 1, 1, 0.1, 0.1, 0.05]
    assert rates(3, costs=[1.0, 1.0, 1.0], **(options | {"plateau_patience": 0})) == [1, 1, 0.1]
