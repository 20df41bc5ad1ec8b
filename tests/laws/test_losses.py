"""What every loss must obey."""

from __future__ import annotations

import pytest
import torch
from catalog import LOSSES, LossEntry
from torch import Tensor

from slopewise.errors import DataError

ROWS = 64

# Central differences with step h err by h² / 6 of the third derivative and by eps / h of the value.
STEP, NEAR = 1e-5, 1e-8

every = pytest.mark.parametrize("entry", LOSSES, ids=str)


def rows(entry: LossEntry, dtype: torch.dtype = torch.float64, size: float = 2.0) -> tuple[Tensor, Tensor]:
    make = torch.Generator().manual_seed(3)
    loss = entry.loss
    shape = (ROWS,) if loss.outputs == 1 else (ROWS, loss.outputs)
    eta = size * torch.randn(shape, generator=make, dtype=torch.float64)
    if entry.target == "class":
        y = torch.randint(0, loss.classes, (ROWS,), generator=make).to(torch.float64)
    elif entry.target == "count":
        y = torch.randint(0, 5, (ROWS,), generator=make).to(torch.float64)
    else:
        y = torch.randn(ROWS, generator=make, dtype=torch.float64)
    return eta.to(dtype), y.to(dtype)


def differences(function: object, eta: Tensor) -> Tensor:
    """Return d function / d eta by central differences, one output of eta after the other, last."""
    columns = []
    for j in range(eta.shape[1] if eta.ndim == 2 else 1):
        step = torch.zeros_like(eta)
        step[(slice(None), j) if eta.ndim == 2 else slice(None)] = STEP
        columns.append((function(eta + step) - function(eta - step)) / (2 * STEP))
    return torch.stack(columns, dim=-1) if eta.ndim == 2 else columns[0]


@every
def test_the_slope_is_that_of_the_value(entry: LossEntry) -> None:
    eta, y = rows(entry)
    torch.testing.assert_close(
        entry.loss.gradient(eta, y), differences(lambda e: entry.loss.value(e, y), eta), rtol=NEAR, atol=NEAR
    )


@every
def test_the_curvature_is_that_of_the_slope(entry: LossEntry) -> None:
    eta, y = rows(entry)
    torch.testing.assert_close(
        entry.loss.hessian(eta, y), differences(lambda e: entry.loss.gradient(e, y), eta), rtol=NEAR, atol=NEAR
    )


@every
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("size", [2.0, 50.0])
def test_it_is_torchs_own(entry: LossEntry, dtype: torch.dtype, near: float, size: float) -> None:
    eta, y = rows(entry, dtype, size if entry.target == "class" else 2.0)
    torch.testing.assert_close(entry.loss.value(eta, y), entry.torchs(eta, y), rtol=near, atol=near)


@every
def test_autograd_gives_the_slope(entry: LossEntry) -> None:
    eta, y = rows(entry)
    eta.requires_grad_()
    entry.loss.value(eta, y).sum().backward()
    torch.testing.assert_close(eta.grad, entry.loss.gradient(eta.detach(), y), rtol=1e-12, atol=1e-12)


@every
def test_rows_do_not_touch_each_other(entry: LossEntry) -> None:
    eta, y = rows(entry)
    for verb in (entry.loss.value, entry.loss.gradient, entry.loss.hessian):
        whole = verb(eta, y)
        single = torch.cat([verb(eta[i : i + 1], y[i : i + 1]) for i in range(ROWS)])
        torch.testing.assert_close(single, whole, rtol=1e-14, atol=1e-14)


@every
def test_unequal_shapes_are_refused(entry: LossEntry) -> None:
    eta, y = rows(entry)
    wrong = eta[:, None] if eta.ndim == 1 else eta[:, :1]
    for verb in (entry.loss.value, entry.loss.gradient, entry.loss.hessian):
        with pytest.raises(DataError, match="do not fit targets of shape"):
            verb(wrong, y)


@every
def test_far_out_nothing_overflows(entry: LossEntry) -> None:
    eta, y = rows(entry)
    # exp(1000), the mean that a count's eta of 1000 claims, is beyond float64 itself.
    far = (500 if entry.target == "count" else 1000) * eta.sign()
    for verb in (entry.loss.value, entry.loss.gradient, entry.loss.hessian):
        assert bool(verb(far, y).isfinite().all())


@every
def test_nan_shows_up(entry: LossEntry) -> None:
    eta, y = rows(entry)
    assert bool(entry.loss.value(torch.full_like(eta, torch.nan), y).isnan().all())


@every
def test_probabilities_sum_to_one(entry: LossEntry) -> None:
    eta, y = rows(entry, size=20.0)
    if entry.target != "class":
        assert entry.loss.inverse_link(eta).shape == y.shape
        return
    chances = entry.loss.inverse_link(eta)
    assert chances.shape == (ROWS, entry.loss.classes)
    torch.testing.assert_close(chances.sum(1), torch.ones(ROWS, dtype=eta.dtype), rtol=0, atol=1e-14)
