"""Learning rates known ahead against torch's own schedulers."""

from __future__ import annotations

import pytest
import torch

from slopewise.errors import OptionError
from slopewise.optimizers.learning_rates import KNOWN_AHEAD, learning_rates
from slopewise.optimizers.plan import DescentPlan, Schedule
from slopewise.optimizers.schedules import SCHEDULES, build_scheduler
from slopewise.optimizers.torch_optimizers import build_optimizer


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(),
        Schedule("step", {"step_size": 30, "gamma": 0.1}),
        Schedule("step", {"step_size": 1, "gamma": 0.99}),
        Schedule("exponential", {"gamma": 0.97}),
        Schedule("cosine", {"t_max": 50, "eta_min": 0.001}),
        Schedule("cosine", {"t_max": 173, "eta_min": 0.0}),
        Schedule("cosine", {"t_max": 1, "eta_min": 0.0}),
    ],
    ids=str,
)
def test_every_rate_is_that_of_torch(schedule: Schedule) -> None:
    plan = DescentPlan(options={"lr": 0.3}, schedule=schedule, epochs=500)
    theta = torch.nn.Parameter(torch.zeros(1))
    theta.grad = torch.zeros(1)
    optimizer = build_optimizer([theta], plan)
    scheduler = build_scheduler(optimizer, schedule, plan.epochs)
    rates = []
    for _ in range(plan.epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    # torch multiplies the last rate on and on; the rounding of 500 products, relative to the first rate.
    found = learning_rates(schedule, 0.3, torch.arange(plan.epochs))
    assert found.tolist() == pytest.approx(rates, rel=1e-12, abs=1e-14)
    assert learning_rates(schedule, 0.3, torch.tensor([77])).tolist() == pytest.approx(
        [rates[77]], rel=1e-12, abs=1e-14
    )


def test_every_schedule_is_known_ahead_or_waits_for_the_cost() -> None:
    assert {name for name, named in SCHEDULES.items() if not named.by_cost} == set(KNOWN_AHEAD)
    with pytest.raises(
        OptionError, match="'plateau' depends on the cost, so its learning rates are not known beforehand"
    ):
        learning_rates(Schedule("plateau"), 0.1, torch.arange(3))
