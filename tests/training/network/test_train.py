"""Training of networks: the set-up before the first epoch, one network, and many."""

import math

import numpy as np
import pytest
import torch
from problems import problem_of, random_classes

from slopewise.engine.local import LocalEngine
from slopewise.errors import OptionError
from slopewise.losses.null_model import null_model_cost
from slopewise.losses.penalty import L2
from slopewise.losses.squared import Squared
from slopewise.models.mlp import MLP
from slopewise.optimizers.parse import plan_descent
from slopewise.problem import Problem
from slopewise.training.likelihood.newton import Newton
from slopewise.training.moments.moments import read_moments
from slopewise.training.moments.standardize import standardization
from slopewise.training.network.decay import penalty_of, ridge_of
from slopewise.training.network.prepare import prepare_network
from slopewise.training.network.sharpness import measured_rows
from slopewise.training.network.train import train_multiple, train_one

ENGINE = LocalEngine()
MAKE = np.random.default_rng(3)
X = MAKE.normal(size=(60, 2)) * [1.0, 50.0] + [0.0, 300.0]
Y = 4000 + 800 * np.tanh(X[:, 0]) + 3 * X[:, 1]


def setup_of(problem, model, **options):
    plan = plan_descent(**({"init": "torch"} | options))
    problem = Problem(problem.source, model, problem.loss, problem.penalty, problem.names, True)
    moments = read_moments(problem, ENGINE)
    start = model.init(plan.init, plan.seed)
    is_linear = not model.hidden
    return problem, prepare_network(problem, ENGINE, moments=moments, plan=plan, start=start, is_linear=is_linear)


def numbers(hidden=(5,), **options):
    return setup_of(problem_of(X, Y, loss=Squared()), MLP(2, hidden, 1, "tanh"), **options)


def test_a_target_is_standardised_and_its_costs_reported_in_its_own_units():
    problem, setup = numbers(epochs=60, lr=0.1)
    assert float(setup.rows[1].mean()) == pytest.approx(0, abs=1e-12)
    assert setup.y_scale == pytest.approx(Y.std()) and setup.unit == pytest.approx(Y.var())
    found = train_one(problem, setup)
    with torch.no_grad():
        answers = found.module(setup.rows[0]) * setup.y_scale + setup.y_mean
    mean_squared = float((answers - torch.from_numpy(Y)).square().mean())
    history = found.descended.history
    assert float(history.cost[-1]) == pytest.approx(mean_squared, rel=1e-12)
    assert f"{mean_squared:.6g}" in found.descended.evidence
    assert float(history.cost[0]) > 0.3 * Y.var() > 10 * float(history.cost[-1])


def test_the_gradient_is_that_of_the_cost_in_the_same_units():
    problem, setup = numbers(epochs=1, lr=1e-6)
    history = train_one(problem, setup).descended.history
    gradient = history.gradient[0]
    fell = float(history.cost[0] - history.cost[1])
    assert fell == pytest.approx(1e-6 * float(gradient @ gradient) / setup.unit, rel=1e-4)


def test_rules_of_stopping_compare_costs_in_the_units_of_the_table():
    problem, setup = numbers(epochs=500, lr=0.1, patience=5, min_delta=100.0)
    found = train_one(problem, setup).descended
    costs = found.history.cost
    assert 5 < found.epochs < 500
    assert float(costs[-7] - costs[-6]) > 10 and float(costs[-6] - costs[-1]) < 100


def test_raw_units_leave_columns_and_target_alone():
    _, setup = numbers(epochs=1, standardize=False, lr=1e-9)
    assert (setup.y_mean, setup.y_scale) == (0.0, 1.0)
    assert torch.equal(setup.rows[0], torch.from_numpy(X)) and torch.equal(setup.rows[1], torch.from_numpy(Y))


def test_without_an_lr_half_the_largest_stable_one_at_the_start_is_taken():
    problem, setup = numbers(hidden=(), epochs=3)
    u = torch.cat([torch.ones(60, 1, dtype=torch.float64), setup.rows[0]], dim=1)
    exact = 2 / float(torch.linalg.eigvalsh(2 * u.T @ u / 60)[-1])
    assert setup.largest_lr == pytest.approx(exact) and setup.plan.lr == pytest.approx(exact / 2)
    _, network = numbers(epochs=3)
    assert network.plan.lr == pytest.approx(network.largest_lr / 2) and math.isfinite(network.largest_lr)
    _, adam = numbers(epochs=3, optimizer="adam")
    assert adam.plan.lr == 1e-3 and math.isnan(adam.largest_lr)


def test_the_limit_of_a_logistic_descent_is_that_of_the_largest_hessian():
    x, y = random_classes(0, 80, 3, 2)
    _, setup = setup_of(problem_of(x, y), MLP(3, (), 1), epochs=1)
    u = torch.cat([torch.ones(80, 1, dtype=torch.float64), setup.rows[0]], dim=1)
    assert setup.largest_lr == pytest.approx(2 / float(torch.linalg.eigvalsh(u.T @ u / 320)[-1]))


def test_the_sharpness_of_a_network_is_that_of_its_whole_hessian():
    problem, setup = numbers(hidden=(3,), epochs=1)
    x, y, _ = setup.rows

    def cost(theta):
        return (problem.model.forward(theta, x)[:, 0] - y).square().mean()

    hessian = torch.autograd.functional.hessian(cost, setup.start)
    assert setup.largest_lr == pytest.approx(2 / float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-4)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_classes_without_hidden_layers_converge_to_the_estimates_of_newton_with_the_penalty(k):
    x, y = random_classes(k, 120, 2, k)
    problem = problem_of(x, y, penalty=L2(2.0))
    exact = Newton().solve(problem, ENGINE).theta.reshape(3, k - 1)
    penalised, setup = setup_of(problem, MLP(2, (), k - 1), epochs=4000, grad_tol=1e-9, momentum=0.9)
    found = train_one(penalised, setup).descended
    c = found.theta
    slopes = c[: 2 * (k - 1)].reshape(k - 1, 2) / setup.units.scale
    assert slopes.T.tolist() == [pytest.approx(row, rel=1e-5, abs=1e-9) for row in exact[1:].tolist()]


def test_the_penalty_is_on_weights_alone():
    model = MLP(2, (3,), 1, "tanh")
    theta = torch.arange(13.0, dtype=torch.float64)
    module = model.module(theta)
    ridge = ridge_of(module, 0.5, None)
    (first, _), (last, _) = model.layers(theta)
    assert penalty_of(module, ridge)(module).item() == 0.5 * float((first**2).sum() + (last**2).sum())
    assert penalty_of(module, ridge * 0) is None


def test_many_starts_give_the_best_with_costs_in_the_units_of_the_table():
    problem, setup = numbers(epochs=200, lr=0.1)
    null_cost = null_model_cost(problem.loss, torch.from_numpy(Y))
    found = train_multiple(problem, setup, n_init=6, null_cost=null_cost)
    assert found.starts.null_cost == pytest.approx(Y.var())
    assert float(found.starts.cost.min()) == pytest.approx(float(found.descended.history.cost[-1]))
    alone = train_one(problem, setup).descended
    assert float(found.starts.cost[0]) == pytest.approx(float(alone.history.cost[-1]), rel=1e-8)
    assert torch.equal(found.descended.theta, found.starts.parameters[found.starts.best])


def test_what_many_starts_cannot_do_is_refused():
    problem, setup = numbers(epochs=5, lr=0.1, patience=2)
    with pytest.raises(OptionError, match="early stopping monitors one network"):
        train_multiple(problem, setup, n_init=2, null_cost=1.0)
    x, y = random_classes(1, 60, 2, 3)
    problem, setup = setup_of(problem_of(x, y, penalty=L2(1.0)), MLP(2, (), 2), epochs=5)
    with pytest.raises(OptionError, match="without hidden layers there is one optimum"):
        train_multiple(problem, setup, n_init=2, null_cost=1.0)


def test_a_constant_column_and_a_constant_target_are_left_alone():
    x = np.column_stack([X[:, 0], np.full(60, 7.0)])
    problem, setup = setup_of(problem_of(x, np.full(60, 5.0), loss=Squared()), MLP(2, (2,), 1), epochs=20, lr=0.1)
    assert setup.y_scale == 1.0 and setup.units.scale[1] == 1.0
    assert float(train_one(problem, setup).descended.history.cost[-1]) < 0.1
    assert standardization(read_moments(problem, ENGINE), standardize=True, intercept=True).scale[1] == 1.0


def test_the_sharpness_of_large_networks_is_measured_on_fewer_rows():
    assert measured_rows(13) == measured_rows(16_000) == 4096
    assert measured_rows(100_000) == 2**26 // 100_000 and measured_rows(10**7) == 256
