"""The largest eigenvalue from products alone."""

from __future__ import annotations

import pytest
import torch

from slopewise.errors import OptionError
from slopewise.optimizers.lanczos import TOLERANCE, largest_eigenvalue


@pytest.mark.parametrize("size", [1, 2, 10, 300])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_that_of_the_whole_matrix(size: int, seed: int) -> None:
    a = torch.randn(size, size, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    hessian = a + a.T
    exact = torch.linalg.eigvalsh(hessian)
    assert largest_eigenvalue(lambda v: hessian @ v, size, seed) == pytest.approx(
        float(exact[-1]), abs=2 * TOLERANCE * float(exact.abs().max())
    )


def test_products_are_few_where_one_direction_stands_out() -> None:
    calls = 0

    def product(v: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return torch.linspace(0, 1, len(v), dtype=torch.float64).index_fill(0, torch.tensor([3]), 5.0) * v

    assert largest_eigenvalue(product, 10_000) == pytest.approx(5.0, rel=1e-6)
    assert calls < 20


def test_a_network_s_hessian_without_writing_it_down() -> None:
    g = torch.Generator().manual_seed(2)
    x, y = (torch.randn(20, size, generator=g, dtype=torch.float64) for size in (3, 1))
    start = torch.randn(3 * 4 + 4, generator=g, dtype=torch.float64)

    def cost(theta: torch.Tensor) -> torch.Tensor:
        return (torch.tanh(x @ theta[:12].view(3, 4)) @ theta[12:, None] - y).square().mean()

    def product(v: torch.Tensor) -> torch.Tensor:
        return torch.autograd.functional.vhp(cost, start, v)[1]

    exact = torch.linalg.eigvalsh(torch.autograd.functional.hessian(cost, start))
    assert largest_eigenvalue(product, len(start)) == pytest.approx(float(exact[-1]), rel=1e-6)


def test_the_same_seed_gives_the_same_number() -> None:
    hessian = torch.diag(torch.arange(50.0, dtype=torch.float64))
    first, again = (largest_eigenvalue(lambda v: hessian @ v, 50, 3, most=5) for _ in range(2))
    assert first == again < 49.0


def test_a_hessian_of_zeros() -> None:
    assert largest_eigenvalue(lambda v: 0 * v, 4) == 0.0


def test_refused() -> None:
    with pytest.raises(OptionError, match="size must be at least 1, not 0"):
        largest_eigenvalue(lambda v: v, 0)
    with pytest.raises(OptionError, match="the hessian is not finite at this point"):
        largest_eigenvalue(lambda v: v * torch.nan, 3)
