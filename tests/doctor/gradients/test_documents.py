"""D1 to D3 of the seed documents. Where none of our functions is involved, plain PyTorch shows the figure."""

from __future__ import annotations

import pytest
import torch

from slopewise.doctor.gradients.gradients import gradients, partial_derivatives

# D1 Derivatives


def test_the_central_difference_of_a_square() -> None:
    assert repr(gradients(lambda x: x**2, 3.0, h=1e-4).difference.item()) == "6.000000000012662"
    # the same in bare Python
    assert ((3 + 1e-4) ** 2 - (3 - 1e-4) ** 2) / (2 * 1e-4) == 6.000000000012662


def test_two_variables() -> None:
    found = gradients(lambda x, y: 2 * x + 3 * x * y + y**3, (1.0, 2.0))
    assert found.names == ("x", "y")
    assert found.autograd.tolist() == [8.0, 15.0]
    assert found.difference.tolist() == pytest.approx([8.0, 15.0], abs=2e-8)  # h² = 1e-8 in y


@pytest.mark.parametrize(("x", "y"), [(1.0, 2.0), (-2.0, 0.5), (0.0, 0.0)])
def test_the_partial_derivative_in_y(x: float, y: float) -> None:
    assert partial_derivatives(lambda x, y: 2 * x + 3 * x * y + y**3, (x, y)) == (2 + 3 * y, 3 * x + 3 * y**2)


@pytest.mark.parametrize("at", [0.5, 1.0, 2.0])
def test_sums_are_derived_term_by_term(at: float) -> None:
    polynomial = gradients(lambda x: 3 * x**2 + torch.exp(x) + 7, at, hand=lambda x: 6 * x + torch.exp(x))
    logarithm = gradients(lambda x: torch.log(x) + 1 / x, at, hand=lambda x: 1 / x - 1 / x**2)
    assert polynomial.diagnosis == logarithm.diagnosis == ("",)


def test_the_chain_rule() -> None:
    # e^-x through t = -x: de^t/dt · dt/dx
    x = torch.tensor(1.5, dtype=torch.float64)
    (outer,) = partial_derivatives(torch.exp, -x)
    (inner,) = partial_derivatives(lambda x: -x, x)
    assert (outer * inner,) == pytest.approx(partial_derivatives(lambda x: torch.exp(-x), x), rel=1e-15)


def test_autograd() -> None:
    assert partial_derivatives(lambda w: 2 * w**2 + 5, 2.0) == (8.0,)
    w = torch.tensor(2.0, requires_grad=True)
    (2 * w**2 + 5).backward()
    assert w.grad is not None
    assert w.grad.item() == 8.0


def test_gradients_add_up_where_nobody_clears_them() -> None:
    w = torch.tensor(2.0, requires_grad=True)
    seen = []
    for _ in range(21):
        (2 * w).backward()
        assert w.grad is not None
        seen.append(w.grad.item())
    assert seen == [2.0 * k for k in range(1, 22)]
    assert (seen[0], seen[-1]) == (2.0, 42.0)


def test_a_seed_repeats_its_numbers() -> None:
    generator = torch.Generator()
    pairs = {}
    for seed in (3, 5):
        generator.manual_seed(seed)
        pairs[seed] = [torch.rand(1, generator=generator).item() for _ in range(2)]
    assert [round(value, 4) for value in pairs[3]] == [0.0043, 0.1056]
    assert [round(value, 4) for value in pairs[5]] == [0.8303, 0.1261]
    generator.manual_seed(3)
    assert [torch.rand(1, generator=generator).item() for _ in range(2)] == pairs[3]


# D2 Matrices


def test_matrices() -> None:
    square = torch.tensor([[1, 2], [3, 4]])
    assert (square + torch.eye(2, dtype=torch.int64)).tolist() == [[2, 2], [3, 5]]
    assert (square @ torch.tensor([[1, 0, 0], [0, 1, 0]])).tolist() == [[1, 2, 0], [3, 4, 0]]
    product = torch.tensor([[1, 2, 3], [4, 5, 6]]) @ torch.tensor([[7, 8], [9, 10], [11, 12]])
    assert product[0, 0].item() == 58
    assert product.tolist() == [[58, 64], [139, 154]]


def test_the_bias_is_added_to_every_row() -> None:
    X, W, b = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0], [10.0]]), torch.tensor([0.5])
    assert (X @ W + b).tolist() == [[21.5], [43.5]]


# D3 What a cost is

HOURS = torch.tensor([2.0, 3.0, 4.0, 5.0], dtype=torch.float64)
# 42 stands in the place of 44 in one table of the documents; their errors, 210 and 52.5 are those of 44
ACTUAL = torch.tensor([25.0, 50.0, 44.0, 61.0], dtype=torch.float64)


def test_errors_cancel_and_squares_do_not() -> None:
    predicted = 13 * HOURS + 1
    assert predicted.tolist() == [27, 40, 53, 66]
    errors = ACTUAL - predicted
    assert errors.tolist() == [-2, 10, -9, -5]
    assert errors.sum().abs().item() == 6.0
    assert (errors**2).sum().item() == 210.0
    assert (errors**2).mean().item() == 52.5
    with_42 = torch.tensor([25.0, 50.0, 42.0, 61.0], dtype=torch.float64) - predicted
    assert (with_42.tolist(), (with_42**2).mean().item()) == ([-2, 10, -11, -5], 62.5)


def test_the_cost_over_w_is_a_parabola() -> None:
    W = torch.linspace(0.0, 30.0, 31, dtype=torch.float64)
    costs = ((W[:, None] * HOURS - ACTUAL) ** 2).mean(1)
    second = costs.diff().diff()
    # the second difference of a parabola is constant: 2 · mean(x²) = 2 · 54 / 4
    assert second.tolist() == pytest.approx([27.0] * len(second))
    # downhill on one side, uphill on the other
    lowest = int(costs.argmin())
    assert bool((costs.diff()[:lowest] < 0).all()) and bool((costs.diff()[lowest:] > 0).all())
