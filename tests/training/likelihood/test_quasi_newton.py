"""Quasi-Newton steps from the optimum of a sample to near that of all rows."""

import torch

from slopewise.training.likelihood.quasi_newton import corrected, quasi_newton
from slopewise.training.likelihood.score import Derivatives

HESSIAN = torch.tensor([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]], dtype=torch.float64)
OPTIMUM = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)


def quadratic(c: torch.Tensor) -> Derivatives:
    away = c - OPTIMUM
    return Derivatives(float(away @ HESSIAN @ away) / 2, HESSIAN @ away, torch.zeros(3, 3, dtype=torch.float64), 0)


def test_a_hessian_that_is_a_little_off_is_enough() -> None:
    nothing = torch.zeros(3, 3, dtype=torch.float64)
    start = OPTIMUM + torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
    off = torch.linalg.inv(HESSIAN + 0.1 * torch.ones_like(HESSIAN))
    near = quasi_newton(quadratic, start, off, nothing, stale=1e-6)
    assert near.passes <= 5
    torch.testing.assert_close(near.c, OPTIMUM, rtol=1e-5, atol=0)


def test_a_hessian_that_does_not_help_is_given_up() -> None:
    nothing = torch.zeros(3, 3, dtype=torch.float64)
    near = quasi_newton(
        quadratic, torch.zeros_like(OPTIMUM), 0.01 * torch.eye(3, dtype=torch.float64), nothing, stale=1e-6
    )
    assert near.quadratic_rate == float("inf")


def test_the_correction_keeps_what_it_was_shown() -> None:
    step = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    b = corrected(torch.eye(3, dtype=torch.float64), step, HESSIAN @ step)
    torch.testing.assert_close(b @ (HESSIAN @ step), step, rtol=1e-14, atol=0)
    assert torch.equal(corrected(b, step, -step), b)
