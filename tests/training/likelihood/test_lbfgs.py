"""L-BFGS ends where Newton does."""

import pytest
import torch
from problems import problem_of, random_classes

from slopewise.engine.local import LocalEngine
from slopewise.losses.penalty import L2
from slopewise.solution import Status
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.newton import Newton

ENGINE = LocalEngine()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l2", [0.0, 2.0])
def test_it_ends_where_newton_does(classes: int, l2: float) -> None:
    problem = problem_of(*random_classes(3, n=400, q=4, k=classes), penalty=L2(l2))
    newton, lbfgs = Newton().solve(problem, ENGINE), Lbfgs().solve(problem, ENGINE)
    torch.testing.assert_close(lbfgs.theta, newton.theta, rtol=1e-8, atol=0)
    assert lbfgs.loss == pytest.approx(newton.loss, rel=1e-11)
    assert lbfgs.status is Status.CONVERGED


def test_it_is_the_same_each_time_and_starts_warm() -> None:
    problem = problem_of(*random_classes(4, n=400, q=4, k=3))
    first, again = Lbfgs().solve(problem, ENGINE), Lbfgs().solve(problem, ENGINE)
    assert torch.equal(first.theta, again.theta)
    assert Lbfgs().solve(problem, ENGINE, warm=first.theta).passes < first.passes / 3
