"""The largest eigenvalue of a cost's Hessian: against the Hessian written down, and the step that it allows."""

import math

import pytest
import torch

from slopewise.losses.logistic import Logistic
from slopewise.losses.squared import Squared
from slopewise.models.mlp import MLP
from slopewise.optimizers.sgd_recurrence import SGD
from slopewise.optimizers.sharpness import hessian_times, sharpness

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(40, 3, dtype=torch.float64, generator=GENERATOR)
Y = (X[:, 0] * X[:, 1] > 0).double()


def mean_cost(model, loss, rows=slice(None)):
    x, y = X[rows], Y[rows]
    return lambda theta: loss.value(model.forward(theta, x)[:, 0], y).sum() / len(Y)


def test_a_quadratic_has_the_limit_2_over_lambda_everywhere():
    """R1: largest eigenvalue 11.092940, largest stable lr 0.180295."""
    x, y = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64), torch.tensor([2.0, 4.0, 6.0], dtype=torch.float64)
    line = MLP(1, (), 1)
    states = torch.randn(3, 2, dtype=torch.float64, generator=GENERATOR)
    for state in states:
        found = sharpness([lambda theta: Squared().value(line.forward(theta, x)[:, 0], y).mean()], state)
        assert found.eigenvalue == pytest.approx(11.092940, rel=1e-7)
        assert found.lr == pytest.approx(0.180295, abs=1e-6)


def test_random_quadratic_against_its_eigenvalues():
    root = torch.randn(30, 30, dtype=torch.float64, generator=GENERATOR)
    hessian = root + root.T  # of both signs: the largest is wanted, not the largest in size
    found = sharpness([lambda theta: theta @ hessian @ theta / 2], torch.zeros(30, dtype=torch.float64))
    assert found.eigenvalue == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu", "silu", "relu"])
@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=["squared", "logistic"])
def test_a_network_against_the_hessian_written_down(activation, loss):
    model = MLP(3, (5,), 1, activation)
    cost, theta = mean_cost(model, loss), model.init("xavier", 3)
    hessian = torch.autograd.functional.hessian(cost, theta)
    vector = torch.randn(len(theta), dtype=torch.float64, generator=GENERATOR)
    torch.testing.assert_close(hessian_times([cost], theta)(vector), hessian @ vector, rtol=1e-10, atol=1e-12)
    assert sharpness([cost], theta).eigenvalue == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-5)


def test_blocks_of_rows_add_up():
    model = MLP(3, (5,), 1, "tanh")
    theta = model.init()
    blocks = [mean_cost(model, Logistic(), slice(start, start + 15)) for start in (0, 15, 30)]
    whole = sharpness([mean_cost(model, Logistic())], theta)
    assert sharpness(blocks, theta).eigenvalue == pytest.approx(whole.eigenvalue, rel=1e-9)


def test_momentum_allows_more_and_a_plane_anything():
    theta = torch.ones(2, dtype=torch.float64)
    assert sharpness([lambda t: 2 * (t**2).sum()], theta, sgd=SGD(momentum=0.9)).lr == pytest.approx(2 * 1.9 / 4)
    assert sharpness([lambda t: 3 * t.sum()], theta).lr == math.inf


def test_the_limit_divides_falling_from_rising():
    model = MLP(3, (), 1)
    cost, start = mean_cost(model, Squared()), model.init("zeros")
    limit = sharpness([cost], start).lr
    for share, grows in ((0.99, False), (1.01, True)):
        place = start
        for _ in range(1000):
            place = place.requires_grad_()
            (gradient,) = torch.autograd.grad(cost(place), place)
            place = (place - share * limit * gradient).detach()
        assert bool(cost(place) > cost(start)) is grows
