"""By hand, and that two classes of softmax are the logistic loss."""

import math

import torch

from slopewise.losses.logistic import Logistic
from slopewise.losses.softmax import Softmax


def test_equal_odds_cost_ln_2() -> None:
    eta, y = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert float(Logistic().value(eta, y)) == math.log(2)
    assert float(Logistic().gradient(eta, y)) == -0.5
    assert float(Logistic().hessian(eta, y)) == 0.25


def test_three_equal_classes_cost_ln_3() -> None:
    eta, y = torch.zeros(1, 2, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert float(Softmax(3).value(eta, y)) == math.log(3)
    third = 1 / 3
    torch.testing.assert_close(Softmax(3).gradient(eta, y), torch.tensor([[third, third]], dtype=torch.float64))
    by_hand = [[third - third**2, -(third**2)], [-(third**2), third - third**2]]
    torch.testing.assert_close(Softmax(3).hessian(eta, y)[0], torch.tensor(by_hand, dtype=torch.float64))


def test_two_classes_are_the_logistic_loss() -> None:
    eta = torch.linspace(-30, 30, 25, dtype=torch.float64)
    y = (torch.arange(25) % 2).to(torch.float64)
    two, logistic = Softmax(2, (2.0, 3.0)), Logistic((2.0, 3.0))
    torch.testing.assert_close(two.value(eta[:, None], y), logistic.value(eta, y), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(two.gradient(eta[:, None], y)[:, 0], logistic.gradient(eta, y), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(two.hessian(eta[:, None], y)[:, 0, 0], logistic.hessian(eta, y), rtol=1e-9, atol=1e-13)
