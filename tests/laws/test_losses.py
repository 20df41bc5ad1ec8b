"""What every loss must obey."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from catalog import LOSSES, LossEntry
from torch import Tensor

from slopewise.errors import DataError
from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import Robust
from slopewise.losses.null_model import null_model_cost

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
        y = torch.randint(0, loss.n_classes, (ROWS,), generator=make).to(torch.float64)
    elif entry.target == "count":
        y = torch.randint(0, 5, (ROWS,), generator=make).to(torch.float64)
    elif entry.target == "positive":
        y = 0.1 + 5 * torch.rand(ROWS, generator=make, dtype=torch.float64)
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
def test_the_gradient_is_that_of_the_value(entry: LossEntry) -> None:
    eta, y = rows(entry)
    torch.testing.assert_close(
        entry.loss.gradient(eta, y), differences(lambda e: entry.loss.value(e, y), eta), rtol=NEAR, atol=NEAR
    )


@every
def test_the_hessian_is_that_of_the_gradient(entry: LossEntry) -> None:
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
def test_autograd_gives_the_gradient(entry: LossEntry) -> None:
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
    far = (500 if entry.target in ("count", "positive") else 1000) * eta.sign()
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
    assert chances.shape == (ROWS, entry.loss.n_classes)
    torch.testing.assert_close(chances.sum(1), torch.ones(ROWS, dtype=eta.dtype), rtol=0, atol=1e-14)


@every
def test_no_hessian_is_beyond_its_bound(entry: LossEntry) -> None:
    eta, y = rows(entry, size=3.0)
    hessian = entry.loss.hessian(eta, y)
    largest = torch.linalg.eigvalsh(hessian)[:, -1] if hessian.ndim == 3 else hessian
    assert bool((largest >= 0).all())
    if entry.loss.max_hessian is not None:
        assert float(largest.max()) <= entry.loss.max_hessian * (1 + 1e-12)


@every
@pytest.mark.parametrize("weighted", [False, True])
def test_no_other_eta_costs_less_than_the_null_model(entry: LossEntry, weighted: bool) -> None:
    _, y = rows(entry)
    w = torch.rand(ROWS, generator=torch.Generator().manual_seed(4), dtype=torch.float64) if weighted else None
    null = entry.loss.null_eta(y, w)
    assert null.shape == (() if entry.loss.outputs == 1 else (entry.loss.outputs,))
    lowest = null_model_cost(entry.loss, y, w)
    for step in (-0.5, -1e-3, 1e-3, 0.5):
        for j in range(entry.loss.outputs):
            eta = null.clone().reshape(-1)
            eta[j] += step
            values = entry.loss.value(eta.reshape(null.shape).expand(ROWS, *null.shape), y)
            assert float(values.mean() if w is None else w @ values / w.sum()) >= lowest - 1e-12


@every
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_its_text_is_plain_pytorch(entry: LossEntry, reduction: str) -> None:
    eta, y = rows(entry)
    columns = eta[:, None] if eta.ndim == 1 else eta
    names = {"torch": torch, "H": columns, "Y": y[:, None], **entry.loss.torch_constants()}
    *lines, expression = entry.loss.torch_lines(reduction)
    exec("\n".join(lines), names)
    found = eval(expression, names)
    plain = replace(entry.loss, class_weights=None) if hasattr(entry.loss, "class_weights") else entry.loss
    wanted = plain.value(eta, y)
    torch.testing.assert_close(found, wanted.mean() if reduction == "mean" else wanted[:, None])


@every
def test_its_prediction_as_text_is_the_inverse_link(entry: LossEntry) -> None:
    eta, _ = rows(entry)
    columns = eta[:, None] if eta.ndim == 1 else eta
    found = eval(entry.loss.torch_prediction(), {"torch": torch, "H": columns})
    torch.testing.assert_close(found, entry.loss.inverse_link(eta).reshape(found.shape))


robust = pytest.mark.parametrize("entry", [e for e in LOSSES if isinstance(e.loss, Robust)], ids=str)


@robust
def test_its_irls_weight_as_text_is_that_of_the_loss(entry: LossEntry) -> None:
    eta, y = rows(entry)
    eta[0] = y[0]
    names = {"torch": torch, "H": eta[:, None], "Y": y[:, None], **entry.loss.torch_constants()}
    assert isinstance(entry.loss, Robust)
    torch.testing.assert_close(eval(entry.loss.torch_irls_weight(), names)[:, 0], entry.loss.irls_weight(eta, y))


@every
def test_it_knows_the_targets_it_takes(entry: LossEntry) -> None:
    _, y = rows(entry)
    missing = torch.tensor([torch.nan], dtype=torch.float64)
    assert entry.loss.check_target(torch.cat([y, missing])) is None  # what is missing is found elsewhere
    wrong = entry.loss.check_target(torch.cat([y, torch.tensor([-2.0, -3.0])]))
    assert wrong is None if entry.target == "number" else "the target holds -2, and " in wrong
    zero = entry.loss.check_target(torch.zeros(1))
    assert (zero is not None) == (entry.target == "positive")


likelihoods = pytest.mark.parametrize("entry", [e for e in LOSSES if isinstance(e.loss, LogLink)], ids=str)


@likelihoods
def test_the_log_density_and_the_deviance_are_those_of_the_value(entry: LossEntry) -> None:
    eta, y = rows(entry)
    mu = eta.exp()
    by_value = entry.loss.value(eta, y) - entry.loss.value(torch.zeros_like(eta), y)
    one = torch.ones_like(mu)
    by_density = entry.loss.log_density(one, y, 1.0) - entry.loss.log_density(mu, y, 1.0)
    torch.testing.assert_close(by_density, by_value, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close((entry.loss.deviance(mu, y) - entry.loss.deviance(one, y)) / 2, by_value)
    torch.testing.assert_close(entry.loss.deviance(y.clamp(min=1e-300), y), torch.zeros_like(y), rtol=0, atol=1e-12)
    affine = (entry.loss.value(eta, 2 * y + 1) - entry.loss.value(eta, y)) - entry.loss.value(eta, y + 1)
    torch.testing.assert_close(affine, -entry.loss.value(eta, 0 * y), rtol=1e-10, atol=1e-10)


@likelihoods
def test_the_expected_hessian_is_the_hessian_at_the_mean(entry: LossEntry) -> None:
    eta, y = rows(entry)
    expected = entry.loss.expected_hessian(eta)  # every Hessian is affine in y, so its mean is that at y = mu
    torch.testing.assert_close(expected, entry.loss.hessian(eta, eta.exp()), rtol=1e-12, atol=1e-12)
    if entry.loss.canonical:
        torch.testing.assert_close(expected, entry.loss.hessian(eta, y), rtol=1e-12, atol=1e-12)
