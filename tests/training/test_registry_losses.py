"""Which solver a loss gets, and which it refuses."""

import numpy as np
import pytest
import torch
from problems import problem_of

from slopewise.engine.local import LocalEngine
from slopewise.errors import OptionError
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.registry import REGISTRY, make_loss
from slopewise.training.likelihood.interior_point import InteriorPoint
from slopewise.training.likelihood.newton import Newton
from slopewise.training.likelihood.robust import RobustNewton
from slopewise.training.registry import select_solver

X, Y = np.arange(12.0).reshape(6, 2) ** 2, np.array([1.0, 2, 0, 1, 2, 1])


def chosen(name: str, wanted: str = "auto", *, l1: float = 0.0):
    penalty = ElasticNet(0.0, l1) if l1 else L2()
    return select_solver(problem_of(X, Y, loss=make_loss(name), penalty=penalty), wanted=wanted).make()


def test_every_loss_gets_its_own() -> None:
    assert isinstance(chosen("poisson"), Newton)
    assert isinstance(chosen("huber"), RobustNewton)
    assert isinstance(chosen("quantile"), InteriorPoint)
    assert isinstance(chosen("absolute"), InteriorPoint)
    assert chosen("poisson", l1=1.0).name == "coordinate_descent"


def test_a_solver_that_cannot_is_refused_with_those_that_can() -> None:
    with pytest.raises(OptionError, match="solver 'firth' cannot be used here: it is for two classes"):
        chosen("poisson", "firth")
    with pytest.raises(OptionError, match="solver 'newton' cannot be used here: the quantile loss has no second deriv"):
        chosen("quantile", "newton")
    with pytest.raises(OptionError, match="solver 'interior_point' cannot be used here: it is for quantiles"):
        chosen("poisson", "interior_point")
    with pytest.raises(OptionError, match="solver 'lbfgs' cannot be used here: it does not estimate the scale; give d"):
        chosen("huber", "lbfgs")
    with pytest.raises(OptionError, match="solver 'coordinate_descent' .*loss 'huber' is solved by newton, lbfgs, gd"):
        chosen("huber", l1=2.0)
    problem = problem_of(X, Y, loss=make_loss("absolute"))
    with pytest.raises(OptionError, match="'interior_point' always starts from least squares; leave warm_start out"):
        InteriorPoint().solve(problem, LocalEngine(), warm=torch.ones(3))


@pytest.mark.parametrize("name", [name for name, entry in REGISTRY.items() if "newton" in entry.solvers])
def test_more_parameters_than_can_be_factored_get_gradients_only(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(6, 501))
    loss = make_loss(name, {p.name: 1.0 for p in REGISTRY[name].parameters}, n_classes=3)
    assert select_solver(problem_of(x, np.abs(Y), loss=loss)).name == "lbfgs"
