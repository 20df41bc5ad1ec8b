"""The loop against twenty lines of plain PyTorch, and everything that can end it."""

import math

import pytest
import torch
from torch import nn

from slopewise.data.memory import matrix_table
from slopewise.engine.gather import gather
from slopewise.engine.local import one_torch_thread
from slopewise.errors import DataError, FitError, OptionError
from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.optimizers.parse import plan_descent
from slopewise.optimizers.torch_optimizers import OPTIMIZERS
from slopewise.solution import Standardization, Status
from slopewise.training.descent.minibatches import SHUFFLED_ROWS, batches_of, permutation, weighted_arrays
from slopewise.training.descent.objective import ridge
from slopewise.training.descent.runner import run_loop
from slopewise.training.descent.start import initial_parameters
from slopewise.types import Batch

DOUBLE = torch.float64


def problem(n=60, q=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, q, generator=draw, dtype=DOUBLE)
    y = x @ torch.arange(1.0, q + 1, dtype=DOUBLE) + 2 + 0.3 * torch.randn(n, generator=draw, dtype=DOUBLE)
    return x, y, 0.5 + torch.rand(n, generator=draw, dtype=DOUBLE)


def descend(x, y, w=None, module=None, **rest):
    options = {key: rest.pop(key) for key in list(rest) if key not in RUN}
    module = Linear().module(torch.zeros(x.shape[1] + 1, dtype=x.dtype)) if module is None else module
    plan = plan_descent(**{"lr": 0.1, "epochs": 50, **options})
    return run_loop(x=x, y=y, w=w, module=module, loss=rest.pop("loss", Squared().value), plan=plan, **rest)


RUN = ("penalty", "callback", "validation", "checkpoint", "optimum", "lowest", "gradients", "loss")


def plain(x, y, w, l2, epochs, size, make, seed=0, schedule=None):
    """Costs over all rows before each epoch and after the last, and theta at the end."""
    bias, weight = torch.zeros((), dtype=DOUBLE), torch.zeros(x.shape[1], dtype=DOUBLE)
    bias.requires_grad_()
    weight.requires_grad_()
    optimizer = make([bias, weight])
    scheduler = None if schedule is None else schedule(optimizer)

    def cost_of(rows):
        losses = (x[rows] @ weight + bias - y[rows]) ** 2
        return (w[rows] * losses).sum() / len(rows) * len(w) / w.sum() + l2 * (weight**2).sum() / w.sum()

    everything, costs = torch.arange(len(y)), []
    for epoch in range(epochs):
        costs.append(cost_of(everything).item())
        order = everything if size is None else permutation(len(y), seed, epoch)
        for rows in order.split(size or len(y)):
            optimizer.zero_grad()
            cost_of(rows).backward()
            optimizer.step()
        if scheduler is not None:
            scheduler.step()
    costs.append(cost_of(everything).item())
    return costs, torch.cat([bias.detach()[None], weight.detach()])


@pytest.mark.parametrize("size", [None, 7, 60])
@pytest.mark.parametrize(
    ("options", "make"),
    [
        ({"momentum": 0.9, "nesterov": True}, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True)),
        ({"optimizer": "adam"}, lambda p: torch.optim.Adam(p, lr=0.01)),
        ({"optimizer": "rmsprop", "alpha": 0.9}, lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9)),
    ],
)
def test_parity_with_a_plain_loop(size, options, make):
    x, y, w = problem()
    costs, theta = plain(x, y, w, 0.7, 40, size, make)
    penalty = ridge(0.7, torch.ones(3, dtype=DOUBLE), float(w.sum()))
    fit = descend(x, y, w, penalty=penalty, lr=0.01, epochs=40, batch_size=size, **options)
    # 1e-10: forty epochs of sums in another order
    assert torch.allclose(fit.theta, theta, rtol=1e-10, atol=0)
    assert fit.history.cost.tolist() == pytest.approx(costs, rel=1e-10)
    assert fit.history.parameters[-1].tolist() == fit.theta.tolist()


def test_schedule_in_the_loop():
    x, y, w = problem()

    def make(p):
        return torch.optim.SGD(p, lr=0.1)

    def schedule(o):
        return torch.optim.lr_scheduler.ExponentialLR(o, 0.9)

    costs, _ = plain(x, y, w, 0.0, 20, 7, make, schedule=schedule)
    fit = descend(x, y, w, epochs=20, batch_size=7, schedule="exponential", gamma=0.9)
    assert fit.history.cost.tolist() == pytest.approx(costs, rel=1e-10)
    assert fit.history.lr.tolist() == pytest.approx([0.1 * 0.9**k for k in range(21)])
    fit = descend(x, y, epochs=60, schedule="plateau", plateau_patience=0, threshold=0.5)
    assert fit.history.lr[-1] < 0.1


@pytest.mark.parametrize("size", [None, 16])
def test_gradient_of_a_row_is_that_of_its_cost(size):
    x, y, w = problem()
    history = descend(x, y, w, epochs=5, batch_size=size).history
    ones = torch.cat([torch.ones(60, 1, dtype=DOUBLE), x], 1)
    for theta, gradient in zip(history.parameters, history.gradient, strict=True):
        expected = 2 * ones.T @ (w * (ones @ theta - y)) / w.sum()
        assert torch.allclose(gradient, expected, rtol=1e-10, atol=1e-12)


def test_recording_less_changes_nothing_else():
    x, y, _ = problem()
    for size in (None, 16):
        whole = descend(x, y, epochs=25, batch_size=size)
        for history_every, rows in ((10, [0, 10, 20, 25]), (0, [0, 25])):
            some = descend(x, y, epochs=25, batch_size=size, history_every=history_every)
            assert some.history.epoch.tolist() == rows
            assert torch.equal(some.history.cost, whole.history.cost[rows])
            assert torch.equal(some.history.parameters, whole.history.parameters[rows])
            assert torch.equal(some.theta, whole.theta)


def test_any_module_and_dtype():
    x, y, _ = problem()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1), nn.Flatten(0))
    before = torch.get_rng_state()
    fit = descend(x.float(), y.float(), module=network, lr=0.05, epochs=200, optimizer="adam", history_every=20)
    assert torch.equal(torch.get_rng_state(), before)
    assert fit.history.parameters.shape == (11, 41)
    assert fit.history.cost[-1] < 0.1 * fit.history.cost[0]
    # measured without dropout, of the state in the row
    assert ((network(x.float()) - y.float()) ** 2).mean().item() == pytest.approx(fit.history.cost[-1].item(), rel=1e-5)


def parts_of(module):
    return torch.cat([part.detach().reshape(-1) for part in module.parameters() if part.requires_grad])


def by_parameters(x, y, module, epochs, size, optimizer):
    """Parameters after a plain loop in which torch's optimizer is given them one by one."""
    whole = torch.arange(len(y))
    with torch.random.fork_rng(devices=[]), one_torch_thread():  # batch norm: two threads add in another order
        torch.manual_seed(0)
        for epoch in range(epochs):
            for rows in permutation(len(y), 0, epoch).split(size) if size else [whole]:
                optimizer.zero_grad()
                Squared().value(module(x[rows]), y[rows]).mean().backward()
                optimizer.step()
    return parts_of(module)


def chain():
    """A chain with a layer used twice, a frozen part, buffers, and layers that draw."""
    torch.manual_seed(0)
    twice, frozen = nn.Linear(7, 7), nn.Linear(7, 5)
    frozen.weight.requires_grad = False
    first = nn.Sequential(nn.Linear(3, 7, bias=False), nn.BatchNorm1d(7), nn.Tanh())
    rest = twice, nn.Dropout(0.2), twice, nn.PReLU(), frozen, nn.Linear(5, 1), nn.Flatten(0)
    return nn.Sequential(first, *rest).double()


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("adam", {"amsgrad": True, "weight_decay": 0.01}),
        ("adamw", {"weight_decay": 0.1}),
        ("rmsprop", {"momentum": 0.5, "centered": True, "weight_decay": 0.01}),
        ("adagrad", {"lr_decay": 0.01, "weight_decay": 0.01}),
    ],
)
def test_a_chain_stepped_as_one_parameter_is_stepped_as_torch_steps_many(size, name, options):
    x, y, _ = problem()
    ours, theirs = chain(), chain()
    named = OPTIMIZERS[name]
    moving = [part for part in theirs.parameters() if part.requires_grad]
    theta = by_parameters(x, y, theirs, 20, size, named.make(moving, lr=0.01, **options, **named.how))
    fit = descend(x, y, module=ours, optimizer=name, lr=0.01, epochs=20, batch_size=size, **options)
    if named.how.get("fused"):  # a fused kernel rounds the last few numbers of a parameter unlike those before them
        assert torch.allclose(fit.theta, theta, rtol=1e-11, atol=1e-13)
    else:
        assert torch.equal(fit.theta, theta)
        assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))
    assert torch.equal(parts_of(ours), fit.theta)


@pytest.mark.parametrize("size", [None, 16])
def test_gradient_of_a_row_of_a_chain(size):
    x, y, _ = problem()
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)).double()
    history = descend(x, y, module=module, epochs=3, batch_size=size, optimizer="adam").history
    for theta, gradient in zip(history.parameters, history.gradient, strict=True):
        nn.utils.vector_to_parameters(theta, module.parameters())
        expected = torch.autograd.grad(nn.functional.mse_loss(module(x), y), list(module.parameters()))
        assert torch.allclose(gradient, torch.cat([part.reshape(-1) for part in expected]), rtol=1e-10, atol=1e-12)


class Moody(nn.Module):
    """Uses one layer always, one at every other pass in training, and one never."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.always, self.sometimes, self.never = (nn.Linear(3, 1, dtype=DOUBLE) for _ in range(3))
        self.passes = 0

    def forward(self, x):
        self.passes += self.training
        eta = self.always(x) + (self.sometimes(x) if self.passes % 2 else 0.0)
        return eta[:, 0]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_parameter_without_a_gradient_is_left_alone(name):
    """As by torch: no decay, no momentum and no count of steps reach it while it has no part in the cost."""
    x, y, _ = problem()
    module, other, options = Moody(), Moody(), {"weight_decay": 0.1, **({"momentum": 0.9} if name == "sgd" else {})}
    before = module.never.weight.detach().clone()
    make, how = OPTIMIZERS[name].make, OPTIMIZERS[name].how
    theta = by_parameters(x, y, other, 20, 16, make(other.parameters(), lr=0.01, **options, **how))
    fit = descend(x, y, module=module, optimizer=name, lr=0.01, epochs=20, batch_size=16, history_every=0, **options)
    assert torch.equal(fit.theta, theta)
    assert torch.equal(module.never.weight, before)


def test_gradients_left_out():
    x, y, _ = problem()
    fit = descend(x, y, batch_size=16, gradients=False)
    assert bool(fit.history.gradient.isnan().all())
    assert torch.equal(fit.theta, descend(x, y, batch_size=16).theta)


def test_two_shapes_never_broadcast():
    x, y, _ = problem()
    with pytest.raises(DataError, match=r"predictions of shape \(60, 1\) do not fit targets of shape \(60,\)"):
        descend(x, y, module=nn.Linear(3, 1).double())


def test_batch_larger_than_the_table():
    x, y, w = problem()
    with pytest.raises(OptionError, match="batch_size 61 is more than the 60 rows; leave it out"):
        descend(x, y, batch_size=61)
    with pytest.raises(DataError, match="the weights add up to 0; give at least one row a weight above 0"):
        descend(x, y, 0 * w)
    with pytest.raises(DataError, match="unequal numbers of rows: x 60, y 59"):
        descend(x, y[:-1])


def test_rows_of_weight_zero_are_not_there():
    x, y, w = problem()
    w[:20] = 0.0
    assert torch.allclose(descend(x, y, w).theta, descend(x[20:], y[20:], w[20:]).theta, rtol=1e-12, atol=0)
    assert bool(descend(x, y, w, batch_size=5).theta.isfinite().all())


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("history_every", [1, 0])
def test_divergence_is_noticed_and_the_last_good_state_kept(size, history_every):
    x, y, _ = problem()
    fit = descend(x, y, lr=5.0, epochs=10_000, batch_size=size, history_every=history_every)
    assert fit.status is Status.DIVERGED
    assert fit.epochs < 300
    assert fit.best_epoch == 0
    assert fit.theta.tolist() == [0.0] * 4
    assert "the cost went from " in fit.evidence and f"by epoch {fit.epochs + 1}" in fit.evidence
    assert fit.advice == "take a smaller learning rate, such as lr=0.5 instead of 5"
    assert bool(fit.history.cost.isfinite().all() and fit.history.parameters.isfinite().all())


def test_momentum_swings_without_alarm():
    """R4 with momentum 0.99 close to its limit: the cost first rises far above the start, then falls."""
    x, y = torch.tensor([[1.0], [2.0], [3.0]], dtype=DOUBLE), torch.tensor([2.0, 4.0, 6.0], dtype=DOUBLE)
    fit = descend(x, y, lr=0.3587, momentum=0.99, epochs=6000)
    assert fit.history.cost.max() > 10 * fit.history.cost[0]
    assert fit.status is not Status.DIVERGED
    assert fit.history.cost[-1] < 1e-6


def test_initial_parameters_whose_cost_is_not_finite():
    with pytest.raises(FitError, match="the cost of the initial parameters is inf, so gradient descent cannot start"):
        descend(torch.full((3, 1), 1e200, dtype=DOUBLE), torch.full((3,), 1e200, dtype=DOUBLE))


class Interrupting:
    """Presses Ctrl-C at the k-th call of the loss."""

    def __init__(self, call):
        self.left = call

    def __call__(self, eta, y):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return Squared().value(eta, y)


@pytest.mark.parametrize("history_every", [1, 7])
def test_ctrl_c_keeps_the_best_state(history_every):
    x, y, _ = problem()
    whole = descend(x, y)
    fit = descend(x, y, loss=Interrupting(22), history_every=history_every)  # one call beforehand, then epoch 0
    assert fit.status is Status.INTERRUPTED
    assert (fit.epochs, fit.best_epoch) == (19, 19)
    assert torch.equal(fit.theta, whole.history.parameters[19])
    assert fit.evidence == "interrupted in epoch 19 of 50"
    assert "start again from this fit (warm_start)" in fit.advice


def test_ctrl_c_before_anything_is_known():
    x, y, _ = problem()
    with pytest.raises(KeyboardInterrupt):
        descend(x, y, loss=Interrupting(2))


def test_early_stopping_keeps_the_best():
    """The validation rows have half the coefficients: a descent from zeros comes past them and goes on."""
    x, y, _ = problem()
    fit = descend(x, y, validation=(x, y / 2, None), monitor="validation", patience=10, lr=0.02)
    assert fit.best_epoch > 0
    assert fit.status is Status.STOPPED
    assert fit.epochs == fit.best_epoch + 10
    assert fit.history.validation[fit.best_epoch] == fit.history.validation.min()
    assert torch.equal(fit.theta, fit.history.parameters[fit.best_epoch])
    assert fit.evidence.startswith("the validation cost did not improve on ")


def test_gap_tol_and_grad_tol_stop_where_they_hold():
    x, y, _ = problem()
    ones = torch.cat([torch.ones(60, 1, dtype=DOUBLE), x], 1)
    optimum = torch.linalg.lstsq(ones, y).solution
    lowest = ((ones @ optimum - y) ** 2).mean()
    for history_every in (1, 1000):
        fit = descend(x, y, epochs=5000, gap_tol=1e-6, lowest=lowest, optimum=optimum, history_every=history_every)
        assert fit.status is Status.STOPPED
        gaps = fit.history.cost - lowest
        assert gaps[-1] <= 1e-6 * gaps[0]
        assert fit.history.epoch[-1] == fit.epochs == fit.best_epoch
        assert fit.history.lowest == lowest
    fit = descend(x, y, epochs=5000, grad_tol=1e-5)
    assert fit.history.gradient[-1].norm() <= 1e-5 < fit.history.gradient[-2].norm()


def test_the_status_without_a_stopping_rule():
    x, y, _ = problem()
    short, long = descend(x, y, epochs=5), descend(x, y, epochs=3000)
    assert short.status is Status.UNFINISHED
    assert short.advice == "raise epochs"
    assert long.status is Status.CONVERGED
    assert long.advice == ""


class RecordingCallback:
    def __init__(self):
        self.notes, self.calls = [], []

    def rows(self, done, total):
        pass

    def note(self, text):
        self.notes.append(text)

    def epochs(self, done, total, cost):
        self.calls.append((done, total, cost))


def test_the_callback_is_not_called_too_often():
    x, y, _ = problem()
    callback = RecordingCallback()
    fit = descend(x, y, epochs=500, callback=callback)
    assert callback.calls[0][:2] == (0, 500)
    assert callback.calls[-1] == (500, 500, fit.history.cost[-1].item())
    assert len(callback.calls) <= 12 + 10 * fit.seconds


def test_shuffles_depend_on_seed_and_epoch_alone():
    assert torch.equal(permutation(100, 3, 5), permutation(100, 3, 5))
    assert not torch.equal(permutation(100, 3, 5), permutation(100, 3, 6))
    # a seed added to the epoch would repeat the neighbour's run
    assert not torch.equal(permutation(100, 3, 5), permutation(100, 4, 4))


@pytest.mark.parametrize("n", [10, SHUFFLED_ROWS + 5])
def test_every_row_comes_once_and_the_last_batch_is_short(n):
    y = torch.arange(n, dtype=DOUBLE)
    rows = weighted_arrays(y[:, None], y, torch.ones(n, dtype=DOUBLE))
    parts = list(batches_of(rows, 4, 0)(2))
    assert [len(part[1]) for part in parts][-1] == n % 4 or n % 4 == 0
    assert {len(part[1]) for part in parts[:-1]} == {4}
    order = torch.cat([part[1] for part in parts])
    assert torch.equal(torch.cat([part[0] for part in parts])[:, 0], order)
    assert torch.equal(order.sort().values, y)
    assert not torch.equal(order, y)


class Arrays:
    """A source of given batches."""

    def __init__(self, batches, in_memory):
        self.given, self.in_memory, self.n_rows, self.x_names = batches, in_memory, None, ("a",)

    def batches(self, size):
        return iter(self.given)

    def first_invalid_value(self):
        return DataError("column 'a' holds 1 missing value")


def test_gather():
    x, y, w = problem()
    whole = gather(Arrays([Batch(x, y, w)], True), 10)
    assert whole.x.data_ptr() == x.data_ptr()
    units = Standardization(torch.ones(3, dtype=DOUBLE), 2 * torch.ones(3, dtype=DOUBLE), True)
    parts = Arrays([Batch(x[:25], y[:25], w[:25]), Batch(x[:0], y[:0], w[:0]), Batch(x[25:], y[25:], w[25:])], False)
    joined = gather(parts, 25, mean=units.mean, scale=units.scale, dtype=torch.float32)
    assert torch.equal(joined.x, ((x - 1) / 2).float())
    assert torch.equal(joined.w, w.float())
    x[3, 0] = math.nan
    with pytest.raises(DataError, match="column 'a' holds 1 missing value"):
        gather(parts, 25)
    with pytest.raises(DataError, match="there are no rows to descend on"):
        gather(Arrays([], False), 25)


def test_a_matrix_is_used_where_it_lies():
    x, y, _ = problem()
    table = matrix_table(x, y)
    assert table.whole.matrix.data_ptr() == x.data_ptr()


def test_initial_parameters():
    names = ("(intercept)", "a", "b")
    assert initial_parameters("ones", names=names, intercept=True).tolist() == [1.0] * 3
    assert initial_parameters((1.0, 2.0, 3.0), names=names, intercept=True).tolist() == [1.0, 2.0, 3.0]
    before = torch.get_rng_state()
    drawn = [initial_parameters("normal", names=names, intercept=True, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    torch.manual_seed(5)
    line = nn.Linear(2, 1)
    theta = initial_parameters("torch", names=names, intercept=True, seed=5, dtype=torch.float32)
    assert theta.tolist() == [line.bias.item(), *line.weight[0].tolist()]
    with pytest.raises(OptionError) as caught:
        initial_parameters((1.0,), names=names, intercept=True)
    assert str(caught.value) == (
        "init has 1 values and the model 3 parameters; give one each, in order: '(intercept)', 'a', 'b'."
    )
    with pytest.raises(OptionError, match="init 'xavier' is not known. Known: 'zeros'"):
        initial_parameters("xavier", names=names, intercept=True)
