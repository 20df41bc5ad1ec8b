"""Many networks at once against each of them alone, in plain torch."""

import math
import signal
import threading

import pytest
import torch
from torch import nn

from slopewise.engine.local import one_torch_thread
from slopewise.errors import FitError, OptionError
from slopewise.losses.logistic import Logistic
from slopewise.losses.null_model import null_model_cost
from slopewise.losses.softmax import Softmax
from slopewise.losses.squared import Squared
from slopewise.models.mlp import MLP
from slopewise.optimizers.parse import plan_descent
from slopewise.optimizers.schedules import build_scheduler
from slopewise.optimizers.torch_optimizers import build_optimizer
from slopewise.training.descent.minibatches import batches_of
from slopewise.training.network.batched import descend_batched, groups_of
from slopewise.training.network.multistart import start_seed, train_multistart
from slopewise.training.network.plateaus import plateaus_of

INPUTS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
XOR = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
XOR_ROWS = (INPUTS, XOR, None)
NETWORK = MLP(2, (3,), 1, "sigmoid")

GENERATOR = torch.Generator().manual_seed(1)
X = torch.randn(50, 3, dtype=torch.float64, generator=GENERATOR)
W = torch.rand(50, dtype=torch.float64, generator=GENERATOR) + 0.1
W = W / W.mean()
CASES = {
    "squared": (Squared(), X[:, 0] * X[:, 1], 1),
    "logistic": (Logistic(), (X[:, 0] * X[:, 1] > 0).double(), 1),
    "softmax": (Softmax(3), (X[:, 0] > 0).double() + (X[:, 1] > 0).double(), 2),
}


def alone(model, loss, rows, plan, seed):
    """One network in plain torch: its own module, its own optimizer."""
    module = model.module(model.init(plan.init, seed))
    optimizer = build_optimizer(module.parameters(), plan)
    scheduler = build_scheduler(optimizer, plan.schedule, plan.epochs)
    for epoch in range(plan.epochs):
        for x, y, w in batches_of(rows, plan.batch_size, plan.seed)(epoch):
            optimizer.zero_grad()
            losses = loss.value(module(x), y)
            (losses if w is None else w * losses).mean().backward()
            optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return nn.utils.parameters_to_vector(module.parameters()).detach()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("options", "w"),
    [
        ({"lr": 0.1}, W),
        ({"lr": 0.05, "momentum": 0.9, "nesterov": True, "batch_size": 16}, None),
        ({"optimizer": "adam", "lr": 0.01, "batch_size": 20, "schedule": "step", "step_size": 5}, W),
        ({"optimizer": "rmsprop", "lr": 0.01}, None),
    ],
    ids=["sgd", "nesterov", "adam", "rmsprop"],
)
def test_each_start_is_the_network_trained_alone(case, options, w):
    loss, y, outputs = CASES[case]
    model, rows = MLP(3, (5, 4), outputs, "tanh"), (X, y, w)
    plan = plan_descent(epochs=20, init="torch", seed=7, **options)
    found = train_multistart(model, loss.value, rows, plan, n_init=5, null_cost=1.0)
    for start in (0, 4):
        with one_torch_thread():
            expected = alone(model, loss, rows, plan, start_seed(7, start))
        # batched products round in another order; 20 to 80 steps let that grow a little
        torch.testing.assert_close(found.parameters[start], expected, rtol=1e-9, atol=1e-10)


def test_start_0_has_the_runs_own_seed_and_neighbouring_runs_share_none():
    assert start_seed(3, 0) == 3
    assert not {start_seed(0, i) for i in range(4000)} & {start_seed(1, i) for i in range(4000)}


def test_repeats_by_seed_and_in_any_grouping():
    plan = plan_descent(epochs=40, lr=1.0, init="torch")
    first, again, grouped = (
        train_multistart(NETWORK, Logistic().value, XOR_ROWS, plan, n_init=12, null_cost=math.log(2), memory=memory)
        for memory in (512e6, 512e6, 1.0)
    )
    assert torch.equal(first.parameters, again.parameters)
    torch.testing.assert_close(grouped.parameters, first.parameters, rtol=1e-10, atol=1e-12)
    assert grouped.best == first.best and torch.equal(grouped.epoch, first.epoch)


def test_xor_many_starts():
    """C4, and what is asked of many starts: how many solve it, where the others stop, the best one's parameters."""
    plan = plan_descent(epochs=2000, lr=1.0, init="torch")
    null_cost = null_model_cost(Logistic(), XOR)
    found = train_multistart(NETWORK, Logistic().value, XOR_ROWS, plan, n_init=256, null_cost=null_cost)
    assert int(found.solved.sum()) > 200
    stopped = 256 - int(found.solved.sum())
    assert sum(plateau.count for plateau in found.plateaus) == stopped
    assert found.costs.shape == (101, 256) and found.epoch[-1] == 2000
    assert torch.equal(found.costs[-1], found.cost)
    best = torch.sigmoid(NETWORK.forward(found.parameters[found.best], INPUTS))[:, 0]
    assert bool((best.round() == XOR).all()) and float(found.cost.min()) == float(found.cost[found.best])
    assert found.lines()[0].endswith("starts solved it: cost at most 0.1 of the 0.6931 that the null model costs")
    assert f"seed {start_seed(0, found.best)}" in found.lines()[-1]


def test_xor_by_two_layers_from_seeds_0_to_3():
    first = torch.stack([NETWORK.init("torch", seed) for seed in range(4)])
    plan = plan_descent(epochs=10_000, lr=1.0)
    found = descend_batched(NETWORK.forward, Logistic().value, XOR_ROWS, plan, first)
    assert float(found.cost.max()) < 0.0015
    outputs = torch.sigmoid(NETWORK.forward(found.parameters, INPUTS))[..., 0]
    assert float((outputs - XOR).abs().max()) < 0.0015


def test_xor_one_layer_stays_at_ln_2_from_every_start():
    plan = plan_descent(epochs=2000, lr=1.0, init="torch")
    found = train_multistart(
        MLP(2, (), 1), Logistic().value, XOR_ROWS, plan, n_init=16, null_cost=null_model_cost(Logistic(), XOR)
    )
    assert not bool(found.solved.any())
    assert [str(plateau) for plateau in found.plateaus] == ["16 starts at cost 0.6931, no better than the null model"]


def test_ridge_is_added_to_the_mean_loss():
    model, (loss, y, _) = MLP(3, (), 1), CASES["squared"]
    ridge = torch.tensor([0.5, 0.5, 0.5, 0.0], dtype=torch.float64)
    plan = plan_descent(epochs=2000, lr=0.1, init="torch")
    found = train_multistart(model, loss.value, (X, y, None), plan, n_init=2, null_cost=1.0, ridge=ridge)
    design = torch.cat([X, torch.ones(50, 1, dtype=torch.float64)], dim=1)
    exact = torch.linalg.solve(design.T @ design / 50 + torch.diag(ridge), design.T @ y / 50)
    torch.testing.assert_close(found.parameters, exact.expand(2, 4), rtol=1e-9, atol=1e-12)
    expected = (design @ exact - y).square().mean() + ridge @ exact**2
    assert float(found.cost[0]) == pytest.approx(float(expected), rel=1e-12)


def test_a_start_that_diverges_disturbs_no_other():
    model, (loss, y, _) = MLP(3, (4,), 1, "relu"), CASES["squared"]
    first = torch.stack([model.init("torch", 0), model.init("torch", 1)])
    first[1] *= 1e100
    plan = plan_descent(epochs=50, lr=0.05)
    both = descend_batched(model.forward, loss.value, (X, y, None), plan, first)
    one = descend_batched(model.forward, loss.value, (X, y, None), plan, first[:1])
    assert not bool(both.cost[1].isfinite())
    torch.testing.assert_close(both.parameters[0], one.parameters[0], rtol=1e-12, atol=1e-14)


def test_all_diverged_is_an_error_with_a_fix():
    loss, y, _ = CASES["squared"]
    plan = plan_descent(epochs=300, lr=50.0, init="torch")
    with pytest.raises(FitError) as caught:
        train_multistart(MLP(3, (4,), 1), loss.value, (X, y, None), plan, n_init=3, null_cost=1.0)
    assert str(caught.value) == "all 3 starts diverged with lr=50; choose a smaller one, such as lr=5."


def test_plateaus_are_grouped_counted_and_described():
    cost = torch.tensor([0.693, 0.3466, float("nan"), 0.694, 0.4774, 0.347])
    earlier = torch.tensor([0.694, 0.3466, 1.0, 0.694, 0.6, 0.347])
    assert [str(plateau) for plateau in plateaus_of(cost, earlier, math.log(2))] == [
        "2 starts at cost 0.3466 to 0.3470",
        "1 start at cost 0.4774, 1 still falling",
        "2 starts at cost 0.6930 to 0.6940, no better than the null model",
        "1 start diverged",
    ]
    assert plateaus_of(cost[:0], cost[:0], 1.0) == ()


def test_plateaus_of_negative_costs():
    cost = torch.tensor([-5.0, -5.02, -6.0, -6.01])
    earlier = torch.tensor([-5.0, -5.02, -5.9, -6.01])
    assert [str(plateau) for plateau in plateaus_of(cost, earlier, -5.01)] == [
        "2 starts at cost -6.0100 to -6.0000, 1 still falling",
        "2 starts at cost -5.0200 to -5.0000, no better than the null model",
    ]


def test_groups_fit_the_memory():
    first = torch.zeros(100, 13, dtype=torch.float64)
    (all_of_them,), workers = groups_of(first, values=24)
    assert len(all_of_them) == 100 and workers == 1
    groups, workers = groups_of(first, values=1_000_000, memory=1e9)
    assert max(map(len, groups)) * workers * 3 * 8e6 <= 1e9 and sum(map(len, groups)) == 100


@pytest.mark.parametrize(
    ("model", "options", "n_init", "sentence"),
    [
        (NETWORK, {"init": "torch"}, 0, "n_init is 0; give the number of networks"),
        (NETWORK, {"init": tuple(range(13))}, 2, "with given initial values all starts would be the same"),
        (NETWORK, {"init": "zeros"}, 2, "each has the same gradient"),
        (NETWORK, {"init": "torch", "schedule": "plateau"}, 2, "schedule 'plateau' depends on one cost"),
        (NETWORK, {"init": "torch", "batch_size": 5}, 2, "batch_size 5 is more than the 4 rows"),
        (MLP(2, (3,), 1, dropout=0.5), {"init": "torch"}, 2, "trains without dropout"),
    ],
)
def test_refusals(model, options, n_init, sentence):
    with pytest.raises(OptionError) as caught:
        train_multistart(
            model, Logistic().value, XOR_ROWS, plan_descent(lr=1.0, epochs=5, **options), n_init=n_init, null_cost=0.7
        )
    assert sentence in str(caught.value)


class Interrupts:
    """Presses Ctrl-C at the first call."""

    def __init__(self):
        self.calls = []

    def epochs(self, done, total, cost):
        self.calls.append((done, total, cost))
        if len(self.calls) == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@pytest.fixture
def interruptible():
    """Let SIGINT interrupt, also where the tests were started by a shell that has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_what_there_is():
    callback = Interrupts()
    plan = plan_descent(epochs=100_000, lr=1.0, init="torch")
    found = train_multistart(
        NETWORK, Logistic().value, XOR_ROWS, plan, n_init=4, null_cost=math.log(2), callback=callback
    )
    assert found.interrupted and 0 < found.epochs < 100_000
    assert bool(found.cost.isfinite().all()) and callback.calls[0][1] == 100_000
