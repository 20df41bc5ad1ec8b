"""L1 and elastic net against scikit-learn."""

import numpy as np
import pytest
import torch
from catalog import ThroughLocal
from problems import problem_of, random_classes
from sklearn.linear_model import ElasticNet as LinearNet
from sklearn.linear_model import LogisticRegression

from slopewise.engine.local import LocalEngine
from slopewise.losses.penalty import ElasticNet
from slopewise.losses.squared import Squared
from slopewise.training.likelihood.coordinate_descent import lowest
from slopewise.training.likelihood.proximal_newton import CoordinateDescent
from slopewise.training.moments.moments import read_moments

ENGINE = LocalEngine()


def standard(classes: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = random_classes(6, n=400, q=6, k=classes)
    return (x - x.mean(0)) / x.std(0) * [1, 2, 0.5, 1, 1, 3] + 1, y


@pytest.mark.parametrize(("alpha", "ratio"), [(0.3, 1.0), (0.3, 0.5), (0.01, 0.9)])
def test_linear(alpha: float, ratio: float) -> None:
    x, _ = standard(2)
    n = len(x)
    y = x @ [1, 0, 2, 0, 0, 0.1] + np.random.default_rng(0).normal(size=n) + 50
    penalty = ElasticNet(n * alpha * (1 - ratio), 2 * n * alpha * ratio)
    found = CoordinateDescent().solve(problem_of(x, y, loss=Squared(), penalty=penalty), ENGINE)
    peer = LinearNet(alpha=alpha, l1_ratio=ratio, tol=1e-12, max_iter=100_000).fit(x, y)
    np.testing.assert_allclose(found.theta[1:].numpy(), peer.coef_, rtol=1e-6, atol=1e-9)
    assert float(found.theta[0]) == pytest.approx(peer.intercept_, rel=1e-8)
    assert found.passes == 1


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("l1", "l2"), [(20.0, 0.0), (10.0, 5.0)])
def test_classes(classes: int, l1: float, l2: float) -> None:
    x, y = standard(classes)
    found = CoordinateDescent().solve(problem_of(x, y, penalty=ElasticNet(l2, l1)), ENGINE)
    whole = l1 + 2 * l2
    peer = LogisticRegression(solver="saga", C=1 / whole, l1_ratio=l1 / whole, tol=1e-11, max_iter=100_000).fit(x, y)
    coefficients = peer.coef_[0] if classes == 2 else (peer.coef_[1:] - peer.coef_[0]).T
    np.testing.assert_allclose(found.theta[1:].numpy(), coefficients, rtol=1e-6, atol=1e-6)
    assert np.array_equal(found.theta[1:].numpy() == 0, np.abs(coefficients) < 1e-9)


def test_a_penalty_large_enough_leaves_the_intercept_alone() -> None:
    x, y = standard(2)
    found = CoordinateDescent().solve(problem_of(x, y, penalty=ElasticNet(0.0, 1e4)), ENGINE)
    assert not found.theta[1:].any()
    assert found.loss == pytest.approx(found.null_loss, rel=1e-12)


def test_the_minimum_by_hand() -> None:
    # One coordinate: ½ 2 c² - 3 c + |c| is lowest at (3 - 1) / 2; with 4 |c| it is lowest at 0.
    two, three = torch.tensor([[2.0]], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    assert lowest(two, three, torch.ones_like(three), zero).tolist() == [1.0]
    assert lowest(two, three, 4 * torch.ones_like(three), zero).tolist() == [0.0]


def test_least_squares_reads_no_rows_where_the_moments_are_known() -> None:
    make = np.random.default_rng(4)
    x = make.normal(size=(50, 3))
    problem = problem_of(x, x @ [1.0, 0.0, -2.0] + make.normal(size=50), loss=Squared(), penalty=ElasticNet(0.0, 3.0))
    moments = read_moments(problem, LocalEngine())

    class Unread(ThroughLocal):
        def reduce(self, *given: object) -> None:
            raise AssertionError("the rows were read")

    found = CoordinateDescent().solve(problem, Unread(), moments=moments)
    assert found.theta.equal(CoordinateDescent().solve(problem, LocalEngine()).theta)
