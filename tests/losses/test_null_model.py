"""The cost of the null model, against formulas and against a fine search."""

import math

import pytest
import torch

from slopewise.errors import DataError
from slopewise.losses.absolute import Absolute
from slopewise.losses.huber import Huber
from slopewise.losses.logistic import Logistic
from slopewise.losses.null_model import null_model_cost
from slopewise.losses.poisson import Poisson
from slopewise.losses.softmax import Softmax
from slopewise.losses.squared import Squared

Y = torch.tensor([0.0, 1.0, 1.0, 2.0, 3.0, 9.0, 4.0], dtype=torch.float64)
W = torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("loss", [Squared(), Poisson(), Huber(), Absolute()], ids=lambda loss: loss.name)
def test_numbers(loss):
    etas = torch.linspace(-5, 10, 15001, dtype=torch.float64)
    searched = min(float(loss.value(eta.expand(7), Y).mean()) for eta in etas)
    # the search is off by its own step of 1e-3 at most
    assert null_model_cost(loss, Y) == pytest.approx(searched, abs=2e-3)
    assert null_model_cost(loss, Y) <= searched + 1e-12


def test_weighted_squares_cost_their_variance():
    mean = (W * Y).sum() / W.sum()
    assert null_model_cost(Squared(), Y, W) == pytest.approx(float((W * (Y - mean) ** 2).sum() / W.sum()), rel=1e-12)


def test_classes_cost_their_entropy():
    assert null_model_cost(Logistic(), torch.tensor([0.0, 1.0])) == pytest.approx(math.log(2), rel=1e-7)
    y = torch.tensor([0.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    assert null_model_cost(Softmax(3), y) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4), rel=1e-12)
    # weights (1, 2, 2) make the three classes one size: 6 ln 3 over 4 rows
    assert null_model_cost(Softmax(3, (1.0, 2.0, 2.0)), y) == pytest.approx(1.5 * math.log(3), rel=1e-12)


def test_one_class_costs_nothing_and_no_rows_are_refused():
    assert null_model_cost(Logistic(), torch.ones(3, dtype=torch.float64)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(DataError, match="the cost of the null model needs at least one row"):
        null_model_cost(Squared(), Y[:0])
