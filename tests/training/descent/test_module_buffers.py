"""The buffers of a module, which are no parameters, belong to the epoch whose state is kept."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from slopewise.losses.squared import Squared
from slopewise.optimizers.parse import plan_descent
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.descent.objective import whole_cost
from slopewise.training.descent.runner import run_loop


def rows(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, None]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=g, dtype=torch.float64)
    return x, (x[:, 0] + torch.randn(n, generator=g, dtype=torch.float64)), None


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0)).double()


def test_an_early_stop_keeps_the_buffers_of_its_epoch() -> None:
    x, y, _ = rows(40, 1)
    held_out = rows(30, 2)
    own = module()
    plan = plan_descent(lr=0.3, epochs=300, batch_size=10, monitor="validation", patience=10)
    found = run_loop(x=x, y=y, module=own, loss=Squared().value, plan=plan, validation=held_out)
    assert found.best_epoch < found.epochs
    recorded = float(found.history.validation[int((found.history.epoch == found.best_epoch).nonzero()[0])])
    assert whole_cost(own, held_out, Squared().value, None, with_gradient=False) == pytest.approx(recorded, rel=1e-12)


def test_they_survive_a_crash(tmp_path: Path) -> None:
    x, y, _ = rows(40, 1)
    held_out = rows(30, 2)
    plan = plan_descent(lr=0.3, epochs=60, batch_size=10, monitor="validation", patience=40)
    whole = module()
    run_loop(x=x, y=y, module=whole, loss=Squared().value, plan=plan, validation=held_out)
    short = plan_descent(lr=0.3, epochs=30, batch_size=10, monitor="validation", patience=40)
    run_loop(
        x=x, y=y, module=module(), loss=Squared().value, plan=short, validation=held_out,
        checkpoint=Checkpoint(tmp_path, every=0.0),
    )  # fmt: skip
    again = module()
    run_loop(
        x=x, y=y, module=again, loss=Squared().value, plan=plan, validation=held_out,
        checkpoint=Checkpoint(tmp_path, resume=True),
    )  # fmt: skip
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert copy.deepcopy(again)(x).shape == (40,)
