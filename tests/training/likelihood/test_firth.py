"""Firth's penalty against figures by hand and the penalised likelihood itself."""

import math

import numpy as np
import pytest
import torch
from problems import problem_of, random_classes

from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError
from slopewise.losses.penalty import L2
from slopewise.training.likelihood.firth import Firth

ENGINE = LocalEngine()


def test_three_against_three() -> None:
    # With one 0/1 column Firth's answer adds half a row to each cell: odds (3.5 / 0.5) and its inverse.
    found = Firth().solve(problem_of([[0], [0], [0], [1], [1], [1]], [0, 0, 0, 1, 1, 1]), ENGINE)
    by_hand = torch.tensor([-math.log(7), 2 * math.log(7)], dtype=torch.float64)
    torch.testing.assert_close(found.theta, by_hand, rtol=1e-9, atol=0)
    assert found.theta.tolist() == pytest.approx([-1.9459101, 3.8918203], abs=5e-8)


def test_it_is_the_top_of_the_penalised_likelihood() -> None:
    x, y = random_classes(1, n=60, q=2, k=2)
    x = (x - x.mean(0)) / x.std(0)
    found = Firth().solve(problem_of(x, y), ENGINE)
    ones = torch.from_numpy(np.column_stack([np.ones(60), x]))
    target = torch.from_numpy(y)

    def penalised(theta: torch.Tensor) -> torch.Tensor:
        eta = ones @ theta
        p = torch.sigmoid(eta)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(eta, target, reduction="sum")
        return loss - torch.logdet(ones.T @ (ones * (p * (1 - p))[:, None])) / 2

    theta = found.theta.clone().requires_grad_()
    value = penalised(theta)
    value.backward()
    assert float(theta.grad.abs().max()) < 1e-7
    assert found.loss + found.penalty == pytest.approx(float(value.detach()), rel=1e-12)


def test_one_row_batches_give_the_same() -> None:
    x, y = random_classes(2, n=80, q=2, k=2)
    w = np.random.default_rng(0).random(80) + 0.5
    a, b = (Firth().solve(problem_of(x, y, w=w), engine) for engine in (ENGINE, LocalEngine(1)))
    torch.testing.assert_close(a.theta, b.theta, rtol=1e-8, atol=0)


def test_it_is_for_two_classes_alone() -> None:
    with pytest.raises(FitError, match="was given 3 classes and l2=0"):
        Firth().solve(problem_of([[1], [2], [3]], [0, 1, 2]), ENGINE)
    with pytest.raises(FitError, match="no other penalty"):
        Firth().solve(problem_of([[1], [2], [3]], [0, 1, 0], penalty=L2(1.0)), ENGINE)
