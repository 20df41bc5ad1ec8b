"""torch's optimizers on the moments against the same optimizers on the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan, Schedule, Stopping
from slopewise.optimizers.schedules import build_scheduler
from slopewise.optimizers.torch_optimizers import build_optimizer
from slopewise.training.descent.closed_form import descend_closed_form
from slopewise.training.descent.moment_descent import descend_moments
from slopewise.training.descent.stopping import first_stop
from slopewise.training.moments.quadratic import Quadratic

EPOCHS = 600

PLANS = {
    "adam": DescentPlan("adam", {"lr": 0.05}),
    "adam with decay": DescentPlan("adam", {"lr": 0.002, "betas": (0.8, 0.99), "weight_decay": 0.1}),
    "adamw": DescentPlan("adamw", {"lr": 0.05, "weight_decay": 0.01}, schedule=Schedule("cosine", {"t_max": EPOCHS})),
    "rmsprop": DescentPlan("rmsprop", {"lr": 0.01}, schedule=Schedule("exponential", {"gamma": 0.99})),
    "adagrad": DescentPlan("adagrad", {"lr": 0.5, "lr_decay": 0.01}),
    "sgd": DescentPlan("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "plateau": DescentPlan(
        "sgd",
        {"lr": 0.1, "momentum": 0.9},
        schedule=Schedule("plateau", {"factor": 0.5, "patience": 3, "threshold": 1e-3, "min_lr": 1e-4}),
    ),
}


def rows(seed: int, n: int = 40, q: int = 4) -> tuple[Tensor, Tensor, Tensor, Quadratic, Tensor]:
    """Return u (n, p) with ones in front, y (n,), w (n,), their quadratic and a start."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, q, generator=g, dtype=torch.float64)
    u = torch.cat([torch.ones(n, 1, dtype=torch.float64), x], 1)
    y = x.sum(1) + torch.randn(n, generator=g, dtype=torch.float64)
    w = torch.rand(n, generator=g, dtype=torch.float64) + 0.2
    share = w / w.sum()
    root = share.sqrt()
    optimum = torch.linalg.lstsq(root[:, None] * u, (root * y)[:, None]).solution[:, 0]
    quadratic = Quadratic(
        2 * u.T @ (share[:, None] * u), 2 * u.T @ (share * y), share @ y**2, optimum, share @ (y - u @ optimum) ** 2
    )
    return u, y, share, quadratic, torch.randn(q + 1, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("name", PLANS)
def test_every_epoch_is_that_of_the_loop_over_the_rows(name: str) -> None:
    u, y, share, quadratic, start = rows(1)
    plan = replace(PLANS[name], epochs=EPOCHS)
    theta = start.clone().requires_grad_()
    optimizer = build_optimizer([theta], plan)
    scheduler = build_scheduler(optimizer, plan.schedule, EPOCHS)
    costs, states, rates = [], [], []
    for _ in range(EPOCHS + 1):
        cost = share @ (u @ theta - y) ** 2
        optimizer.zero_grad()
        cost.backward()
        costs.append(cost.item())
        states.append(theta.detach().clone())
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if plan.schedule.name == "plateau":
            scheduler.step(cost.item())
        elif scheduler is not None:
            scheduler.step()
    history = descend_moments(quadratic, plan, start)
    assert history.epoch.tolist() == list(range(EPOCHS + 1))
    torch.testing.assert_close(history.parameters, torch.stack(states), rtol=1e-9, atol=1e-9)
    assert history.cost.tolist() == pytest.approx(costs, rel=1e-9)
    assert history.lr.tolist() == pytest.approx(rates, rel=1e-15)
    if name == "plateau":
        assert len(set(rates)) > 3


def test_sgd_is_the_descent_of_the_closed_form() -> None:
    *_, quadratic, start = rows(2)
    plan = replace(PLANS["sgd"], epochs=EPOCHS)
    stepped, spectral = descend_moments(quadratic, plan, start), descend_closed_form(quadratic, plan, start)
    for field in ("cost", "parameters", "gradient", "lr"):
        torch.testing.assert_close(getattr(stepped, field), getattr(spectral, field), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("history_every", [0, 1, 50])
@pytest.mark.parametrize(
    "stopping", [Stopping(), Stopping(gap_tol=1e-3), Stopping(grad_tol=0.05), Stopping(patience=2)]
)
def test_history_every_and_stopping_rules(
    monkeypatch: pytest.MonkeyPatch, history_every: int, stopping: Stopping
) -> None:
    *_, quadratic, start = rows(3)
    whole = replace(PLANS["adam"], epochs=EPOCHS)
    every = descend_moments(quadratic, whole, start)
    monkeypatch.setattr("slopewise.training.descent.moment_descent.BLOCK", 64)
    some = descend_moments(quadratic, replace(whole, history_every=history_every, stopping=stopping), start)
    stop = first_stop(stopping, every.cost, every.gradient.norm(dim=1), float(quadratic.lowest))
    last = EPOCHS if stop is None else stop
    assert (stop is None) == (not stopping.is_active)
    assert some.epoch.tolist() == sorted({0, last, *range(0, last + 1, history_every or EPOCHS)})
    torch.testing.assert_close(some.parameters, every.parameters[some.epoch], rtol=0, atol=0)


def test_the_start_is_left_as_it_was() -> None:
    *_, quadratic, start = rows(4)
    before = start.clone()
    descend_moments(quadratic, replace(PLANS["adam"], epochs=5), start)
    assert torch.equal(start, before)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (replace(PLANS["adam"], batch_size=4), "sums over all rows and have no mini-batches; leave batch_size out"),
        (
            replace(PLANS["adam"], stopping=Stopping("validation", patience=2)),
            "have no validation rows; set monitor='train'",
        ),
    ],
)
def test_what_needs_single_rows_is_refused(plan: DescentPlan, sentence: str) -> None:
    *_, quadratic, start = rows(5)
    with pytest.raises(OptionError, match=sentence):
        descend_moments(quadratic, plan, start)
