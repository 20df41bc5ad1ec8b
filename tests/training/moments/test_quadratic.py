"""The cost as a quadratic, and the units of a descent, against sums over the rows."""

from __future__ import annotations

import pytest
import torch
from problems import moments_of
from torch import Tensor

from slopewise.solution import Moments
from slopewise.training.moments.quadratic import cost_at, gradient_at, quadratic_of
from slopewise.training.moments.standardize import standardization, to_raw_scale, to_standard_scale


def table(shift: float = 3.0) -> tuple[Tensor, Tensor, Tensor, Moments]:
    """Return x (n, 3), y (n,), w (n,) and their moments."""
    g = torch.Generator().manual_seed(5)
    x = (torch.randn(25, 3, generator=g, dtype=torch.float64) + shift) * torch.tensor([1.0, 20.0, 0.1])
    y = torch.randn(25, generator=g, dtype=torch.float64) + x[:, 0]
    w = torch.rand(25, generator=g, dtype=torch.float64) + 0.1
    mean, y_mean = w @ x / w.sum(), w @ y / w.sum()
    xc, yc = x - mean, y - y_mean
    return (
        x,
        y,
        w,
        moments_of(25, float(w.sum()), mean, y_mean, xc.T @ (w[:, None] * xc), xc.T @ (w * yc), yc @ (w * yc)),
    )


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("l2", [0.0, 4.0])
def test_cost_and_gradient_are_those_of_the_rows(intercept: bool, standardize: bool, l2: float) -> None:
    x, y, w, moments = table()
    units = standardization(moments, standardize=standardize, intercept=intercept)
    quadratic = quadratic_of(moments, units, l2=l2)
    theta = torch.randn(5, 3 + intercept, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    theta.requires_grad_()
    raw = to_raw_scale(theta, units)
    coef = raw[:, 1:] if intercept else raw
    eta = coef @ x.T + (raw[:, :1] if intercept else 0.0)
    cost = (((eta - y) ** 2) @ w + l2 * coef.square().sum(1)) / w.sum()
    (gradient,) = torch.autograd.grad(cost.sum(), theta)
    torch.testing.assert_close(cost_at(quadratic, theta.detach()), cost.detach(), rtol=1e-11, atol=0)
    torch.testing.assert_close(gradient_at(quadratic, theta.detach()), gradient, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(cost_at(quadratic, theta.detach()[2]), cost.detach()[2], rtol=1e-11, atol=0)
    at_rest = gradient_at(quadratic, quadratic.optimum)
    assert float(at_rest.norm()) < 1e-11 * float(quadratic.linear.norm())


def test_the_cost_near_the_optimum_is_not_lost_by_subtraction() -> None:
    *_, moments = table()
    quadratic = quadratic_of(moments, standardization(moments, standardize=True, intercept=True))
    step = 1e-6 * torch.ones(4, dtype=torch.float64)
    gap = cost_at(quadratic, quadratic.optimum + step) - quadratic.lowest
    assert float(gap) == pytest.approx(float(step @ quadratic.hessian @ step) / 2, rel=1e-3)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_round_trip(intercept: bool, standardize: bool) -> None:
    *_, moments = table()
    units = standardization(moments, standardize=standardize, intercept=intercept)
    theta = torch.arange(1.0, 4.0 + intercept, dtype=torch.float64).expand(2, -1)
    torch.testing.assert_close(to_raw_scale(to_standard_scale(theta, units), units), theta, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(to_standard_scale(to_raw_scale(theta, units), units), theta, rtol=1e-13, atol=1e-13)


def test_a_constant_column_keeps_its_scale() -> None:
    x, y, w, moments = table()
    gram = moments.gram.clone()
    gram[1], gram[:, 1] = 0.0, 0.0
    flat = moments_of(25, moments.weight, moments.mean, moments.y_mean, gram, moments.xy, moments.yy)
    units = standardization(flat, standardize=True, intercept=True)
    assert float(units.scale[1]) == 1.0
    assert float(units.scale[0]) == pytest.approx(float((moments.gram[0, 0] / moments.weight).sqrt()))
