"""The minimum of a quadratic with an L1 penalty, where several classes make its Hessian singular."""

from __future__ import annotations

import pytest
import torch

from slopewise.training.likelihood.coordinate_descent import lowest


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("strength", [0.02, 0.3, 3.0])
def test_no_coordinate_can_move_downhill(seed: int, strength: float) -> None:
    """Three classes with coefficients of their own: adding one number to all three changes only what the sizes cost."""
    g = torch.Generator().manual_seed(seed)
    q, k = 4, 3
    across = torch.eye(k, dtype=torch.float64) - 1 / k
    x = torch.randn(40, q, generator=g, dtype=torch.float64)
    hessian = torch.kron(across, x.T @ x / 40)
    linear = hessian @ torch.randn(q * k, generator=g, dtype=torch.float64)
    l1 = torch.full((q * k,), strength, dtype=torch.float64)
    c = lowest(hessian, linear, l1, torch.zeros(q * k, dtype=torch.float64))
    pull = linear - hessian @ c
    zero = c == 0
    assert bool((pull[zero].abs() <= strength * (1 + 1e-8)).all())
    assert torch.allclose(pull[~zero], strength * c[~zero].sign(), rtol=1e-6, atol=1e-8)
    # of three signs, an odd number cannot cancel: the middle one is zero
    assert bool((c.reshape(k, q) == 0).any(0).all())
