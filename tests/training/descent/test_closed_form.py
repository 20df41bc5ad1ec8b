"""The closed form against a plain PyTorch loop over the rows, and against itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from problems import moments_of
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan, Schedule, Stopping
from slopewise.optimizers.schedules import build_scheduler
from slopewise.solution import History
from slopewise.training.descent.closed_form import descend_closed_form, state_at
from slopewise.training.descent.stopping import first_stop
from slopewise.training.moments.quadratic import Quadratic, quadratic_of
from slopewise.training.moments.standardize import standardization

EPOCHS = 2000

RELATIVE = 1e-10
"""What is promised. Of a parameter: relative to the largest value it has had so far, since it may pass through zero."""

ROUNDING = 1e-14
"""What the loop itself does not know. Residuals carry the rounding of y and of the largest eta so far, and so do the
costs and the gradients that are formed from them: this part of that size. It matters where a cost has come down to
nearly nothing, and where one direction diverges over another whose numbers it does not touch but for rounding."""

SGDS: dict[str, dict[str, object]] = {
    "plain": {},
    "decay": {"weight_decay": 0.05},
    "momentum": {"momentum": 0.9},
    "dampened": {"momentum": 0.8, "dampening": 0.3},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "momentum and decay": {"momentum": 0.5, "weight_decay": 0.1},
    "nesterov and decay": {"momentum": 0.7, "nesterov": True, "weight_decay": 0.02},
    "dampened and decay": {"momentum": 0.95, "dampening": 0.5, "weight_decay": 0.3},
}

SCHEDULES = {
    "constant": Schedule(),
    "step": Schedule("step", {"step_size": 150, "gamma": 0.7}),
    "exponential": Schedule("exponential", {"gamma": 0.998}),
    "cosine": Schedule("cosine", {"t_max": 2000, "eta_min": 0.0}),
    "waves": Schedule("cosine", {"t_max": 300, "eta_min": 0.0}),
}


@dataclass(frozen=True)
class Arrays:
    """Rows in the units of the descent: u (n, p) with the ones in front where there is an intercept, y (n,), w (n,)."""

    u: Tensor
    y: Tensor
    w: Tensor
    ridge: Tensor
    quadratic: Quadratic
    start: Tensor

    @property
    def steepest(self) -> float:
        return float(torch.linalg.eigvalsh(self.quadratic.hessian)[-1])


def weighted_arrays(
    seed: int,
    *,
    n: int = 30,
    q: int = 3,
    weights: bool,
    l2: float,
    intercept: bool,
    standardize: bool,
    spread: float = 1,
) -> Arrays:
    """Return a random problem, whose columns' sizes differ by up to 10**spread."""
    g = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=g, dtype=torch.float64)

    x = (normal(n, q) + normal(q)) * 10 ** (spread * (torch.rand(q, generator=g, dtype=torch.float64) - 0.5))
    y = x @ (normal(q) / x.std(0)) + normal(n) + 2
    w = torch.rand(n, generator=g, dtype=torch.float64) + 0.1 if weights else torch.ones(n, dtype=torch.float64)
    mean, y_mean = w @ x / w.sum(), w @ y / w.sum()
    xc, yc = x - mean, y - y_mean
    moments = moments_of(n, float(w.sum()), mean, y_mean, xc.T @ (w[:, None] * xc), xc.T @ (w * yc), yc @ (w * yc))
    units = standardization(moments, standardize=standardize, intercept=intercept)
    u = (x - units.mean) / units.scale
    ridge = l2 / units.scale**2
    if intercept:
        u, ridge = torch.cat([torch.ones(n, 1, dtype=torch.float64), u], 1), torch.cat([torch.zeros(1), ridge])
    # Rows for the penalty below those of the table: the exact answer without forming u'u.
    root = w.sqrt()
    tall = torch.cat([root[:, None] * u, torch.diag(ridge.sqrt())])
    optimum = torch.linalg.lstsq(tall, torch.cat([root * y, torch.zeros(len(ridge))])[:, None]).solution[:, 0]
    rss = w @ (y - u @ optimum) ** 2
    quadratic = quadratic_of(moments, units, l2=l2, optimum=optimum, rss=rss)
    return Arrays(u, y, w, ridge, quadratic, normal(u.shape[1]))


def plain_loop(rows: Arrays, plan: DescentPlan) -> tuple[Tensor, Tensor, Tensor]:
    """Return costs (r,), parameters (r, p) and learning rates (r,) as anybody would write it in PyTorch.

    It goes on while the squares of the parameters are far enough from the largest number.
    """
    theta = rows.start.clone().requires_grad_()
    optimizer = torch.optim.SGD([theta], **plan.options, foreach=False)
    scheduler = build_scheduler(optimizer, plan.schedule, plan.epochs)
    costs, states, rates = [], [], []
    share = rows.w / rows.w.sum()
    for _ in range(plan.epochs + 1):
        cost = share @ (rows.u @ theta - rows.y) ** 2 + rows.ridge @ theta**2 / rows.w.sum()
        optimizer.zero_grad()
        cost.backward()
        if not cost.item() < 1e290:
            break
        costs.append(cost.detach())
        states.append(theta.detach().clone())
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return torch.stack(costs), torch.stack(states), torch.tensor(rates, dtype=torch.float64)


def assert_same_descent(history: History, rows: Arrays, plan: DescentPlan) -> int:
    """Compare every epoch while the loop's numbers are finite, and return how many epochs that is."""
    costs, states, rates = plain_loop(rows, plan)
    finite = len(costs)
    of_y = float((rows.w @ rows.y**2 / rows.w.sum()).sqrt())
    unknown = ROUNDING * (of_y + costs.cummax(0).values.sqrt())
    of_u = (rows.w @ rows.u**2 / rows.w.sum()).sqrt()
    steps = torch.cat([torch.zeros(1), (rates * unknown).cumsum(0)[:-1]])
    allowed = RELATIVE * states.abs().cummax(0).values + 2 * steps[:, None] * of_u
    apart = (history.parameters[:finite] - states).abs() / allowed
    assert float(apart.max()) <= 1, divmod(int(apart.argmax()), apart.shape[1])
    allowed = RELATIVE * costs + 2 * unknown * costs.sqrt() + unknown**2
    apart = (history.cost[:finite] - costs).abs() / allowed
    assert float(apart.max()) <= 1, (int(apart.argmax()), float(costs[apart.argmax()]))
    torch.testing.assert_close(history.lr[:finite], rates, rtol=1e-10, atol=1e-12 * plan.lr)
    return finite


def planned(rows: Arrays, share: float, options: dict[str, object], **rest: object) -> DescentPlan:
    """Return a descent whose lr is a share of 2 / lambda_max."""
    return DescentPlan(options={"lr": share * 2 / rows.steepest, **options}, epochs=EPOCHS, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SGDS)
@pytest.mark.parametrize("share", [0.3, 4.0], ids=["stable", "diverging"])
def test_every_epoch_is_that_of_the_loop(kind: str, share: float) -> None:
    rows = weighted_arrays(
        hash_of(kind), weights=share < 1, l2=3.0 * (share < 1), intercept=True, standardize=share < 1
    )
    plan = planned(rows, share, SGDS[kind])
    finite = assert_same_descent(descend_closed_form(rows.quadratic, plan, rows.start), rows, plan)
    assert (finite == EPOCHS + 1) == (share < 1)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "constant"])
@pytest.mark.parametrize("kind", ["plain", "nesterov and decay"])
def test_every_epoch_is_that_of_the_loop_under_a_schedule(name: str, kind: str) -> None:
    rows = weighted_arrays(hash_of(name + kind), weights=True, l2=0.0, intercept=True, standardize=False)
    plan = planned(rows, 0.4, SGDS[kind], schedule=SCHEDULES[name])
    assert_same_descent(descend_closed_form(rows.quadratic, plan, rows.start), rows, plan)


@settings(max_examples=16, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    seed=st.integers(0, 10**6),
    q=st.integers(1, 6),
    kind=st.sampled_from(sorted(SGDS)),
    # No waves: having converged to rounding, the loop would grow nothing but rounding in a next wave beyond the limit.
    schedule=st.sampled_from(["constant", "step", "exponential", "cosine"]),
    share=st.sampled_from([0.001, 0.1, 0.5, 0.9, 0.999, 1.001, 1.5, 10.0]),
    weights=st.booleans(),
    l2=st.sampled_from([0.0, 0.1, 10.0]),
    intercept=st.booleans(),
    standardize=st.booleans(),
    spread=st.sampled_from([0.0, 2.0, 6.0]),
)
def test_every_epoch_of_random_problems_is_that_of_the_loop(
    seed: int,
    q: int,
    kind: str,
    schedule: str,
    share: float,
    weights: bool,
    l2: float,
    intercept: bool,
    standardize: bool,
    spread: float,
) -> None:
    rows = weighted_arrays(
        seed, q=q, weights=weights, l2=l2, intercept=intercept, standardize=standardize, spread=spread
    )
    plan = planned(rows, share, SGDS[kind], schedule=SCHEDULES[schedule])
    assert_same_descent(descend_closed_form(rows.quadratic, plan, rows.start), rows, plan)


def line(y: tuple[float, ...] = (2.0, 4.0, 6.0)) -> Quadratic:
    """Return the cost of a line through hours 1, 2, 3."""
    x, target = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    u = torch.stack([torch.ones_like(x), x], 1)
    optimum = torch.linalg.lstsq(u, target[:, None]).solution[:, 0]
    lowest = (target - u @ optimum).square().mean()
    return Quadratic(2 / 3 * u.T @ u, 2 / 3 * u.T @ target, target.square().mean(), optimum, lowest)


def test_the_descent_of_the_first_document() -> None:
    history = descend_closed_form(
        line(), DescentPlan(options={"lr": 0.01}, epochs=2000), torch.zeros(2, dtype=torch.float64)
    )
    assert float(history.cost[0]) == pytest.approx(18.666666, abs=1e-6)
    assert history.gradient[0].tolist() == pytest.approx([-8.0, -18.666668], abs=2e-6)
    assert history.parameters[1].tolist() == pytest.approx([0.08, 0.186667], abs=1e-6)
    assert history.parameters[1000].tolist() == pytest.approx([0.066418, 1.970783], abs=1e-6)
    assert float(history.cost[1000]) == pytest.approx(6.328e-4, abs=1e-7)
    assert history.parameters[2000].tolist() == pytest.approx([0.005985, 1.997367], abs=1e-6)
    # The document's own loop runs in float32: four digits of so small a cost.
    assert float(history.cost[2000]) == pytest.approx(5.1377e-6, rel=1e-4)
    assert float(history.parameters[2000] @ torch.tensor([1.0, 4.0], dtype=torch.float64)) == pytest.approx(
        7.99545, abs=1e-5
    )


def test_the_descent_of_its_variant() -> None:
    quadratic, start = line((4.0, 5.0, 6.0)), torch.zeros(2, dtype=torch.float64)
    last = state_at(quadratic, DescentPlan(options={"lr": 0.01}), start, 1000)
    assert last.parameters[0].tolist() == pytest.approx([2.806733, 1.085018], abs=1e-6)
    assert float(last.cost) == pytest.approx(0.0053584, abs=1e-7)


def test_gradients_are_those_of_the_cost() -> None:
    rows = weighted_arrays(7, weights=True, l2=2.0, intercept=True, standardize=False)
    history = descend_closed_form(rows.quadratic, planned(rows, 0.2, SGDS["nesterov and decay"]), rows.start)
    theta = history.parameters[10].clone().requires_grad_()
    cost = (rows.w @ (rows.u @ theta - rows.y) ** 2 + rows.ridge @ theta**2) / rows.w.sum()
    (gradient,) = torch.autograd.grad(cost, theta)
    torch.testing.assert_close(history.gradient[10], gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ["plain", "nesterov and decay"])
@pytest.mark.parametrize("history_every", [0, 1, 7, 5000])
def test_a_sparse_history_keeps_the_same_rows(name: str, kind: str, history_every: int) -> None:
    rows = weighted_arrays(3, weights=False, l2=0.0, intercept=True, standardize=True)
    whole = planned(rows, 0.3, SGDS[kind], schedule=SCHEDULES[name])
    every, some = (
        descend_closed_form(rows.quadratic, plan, rows.start)
        for plan in (whole, replace(whole, history_every=history_every))
    )
    expected = sorted({0, EPOCHS, *range(0, EPOCHS + 1, history_every or EPOCHS)})
    assert some.epoch.tolist() == expected
    for field in ("cost", "parameters", "gradient", "lr"):
        torch.testing.assert_close(getattr(some, field), getattr(every, field)[expected], rtol=1e-11, atol=1e-13)


def test_a_descent_longer_than_a_block_continues_where_the_block_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = weighted_arrays(4, weights=False, l2=0.0, intercept=True, standardize=True)
    for schedule in SCHEDULES.values():
        plan = planned(rows, 0.3, SGDS["momentum"], schedule=schedule)
        whole = descend_closed_form(rows.quadratic, plan, rows.start)
        with monkeypatch.context() as shorter:
            # 2001 rows in blocks of 400 leave a last block of one row.
            shorter.setattr("slopewise.training.descent.closed_form.BLOCK", 400)
            parts = descend_closed_form(rows.quadratic, plan, rows.start)
            last = state_at(rows.quadratic, plan, rows.start, EPOCHS)
        torch.testing.assert_close(parts.parameters, whole.parameters, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(last.parameters[0], whole.parameters[-1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", SGDS)
def test_any_epoch_without_those_before_it(kind: str) -> None:
    rows = weighted_arrays(5, weights=True, l2=0.0, intercept=True, standardize=True)
    plan = planned(rows, 0.3, SGDS[kind])
    history = descend_closed_form(rows.quadratic, plan, rows.start)
    for epoch in (0, 1, 2, 777, EPOCHS):
        row = state_at(rows.quadratic, plan, rows.start, epoch)
        assert row.epoch.tolist() == [epoch]
        for field in ("cost", "parameters", "gradient", "lr"):
            torch.testing.assert_close(getattr(row, field)[0], getattr(history, field)[epoch], rtol=1e-11, atol=1e-13)


def test_the_billionth_epoch_is_the_optimum() -> None:
    rows = weighted_arrays(6, weights=False, l2=0.0, intercept=True, standardize=False)
    row = state_at(rows.quadratic, planned(rows, 0.5, {}), rows.start, 10**9)
    torch.testing.assert_close(row.parameters[0], rows.quadratic.optimum, rtol=1e-10, atol=1e-12)
    assert float(row.cost) == float(rows.quadratic.lowest)


@pytest.mark.parametrize(
    "stopping", [Stopping(gap_tol=1e-6), Stopping(grad_tol=1e-3), Stopping(patience=5, min_delta=1e-4)]
)
@pytest.mark.parametrize("history_every", [1, 100])
def test_a_rule_ends_the_descent_at_the_first_epoch_at_which_it_holds(stopping: Stopping, history_every: int) -> None:
    rows = weighted_arrays(8, weights=False, l2=0.0, intercept=True, standardize=True)
    whole = planned(rows, 0.3, SGDS["momentum"])
    every = descend_closed_form(rows.quadratic, whole, rows.start)
    stop = first_stop(stopping, every.cost, every.gradient.norm(dim=1), float(rows.quadratic.lowest))
    assert stop is not None and 0 < stop < EPOCHS
    cut = descend_closed_form(
        rows.quadratic, replace(whole, stopping=stopping, history_every=history_every), rows.start
    )
    assert cut.epoch.tolist() == sorted({stop, *range(0, stop + 1, history_every)})
    torch.testing.assert_close(cut.cost[-1], every.cost[stop])


def test_a_repeated_column_does_not_disturb_the_others() -> None:
    g = torch.Generator().manual_seed(9)
    x = torch.randn(40, 2, generator=g, dtype=torch.float64)
    u = torch.cat([x, x[:, :1]], 1)
    y = x @ torch.tensor([1.0, -2.0], dtype=torch.float64)
    quadratic = Quadratic(
        u.T @ u / 20,
        u.T @ y / 20,
        y.square().mean(),
        torch.tensor([0.5, -2.0, 0.5], dtype=torch.float64),
        torch.tensor(0.0, dtype=torch.float64),
    )
    start = torch.tensor([3.0, 0.0, 1.0], dtype=torch.float64)
    history = descend_closed_form(quadratic, DescentPlan(options={"lr": 0.3}, epochs=500), start)
    # Both copies have the same gradient, so that their difference stays what it was.
    assert history.parameters[-1].tolist() == pytest.approx([1.5, -2.0, -0.5], abs=1e-12)
    assert float(history.cost[-1]) < 1e-25


def test_a_start_at_the_optimum_stays_there_whatever_the_step() -> None:
    quadratic = line()
    history = descend_closed_form(
        quadratic, DescentPlan(options={"lr": 10.0}, epochs=3000), torch.zeros(2, dtype=torch.float64)
    )
    assert not math.isfinite(float(history.cost[-1]))
    flat = replace(quadratic, hessian=torch.eye(2, dtype=torch.float64), linear=torch.ones(2, dtype=torch.float64))
    still = replace(
        flat, constant=torch.tensor(1.0), optimum=torch.ones(2, dtype=torch.float64), lowest=torch.tensor(0.0)
    )
    history = descend_closed_form(
        still, DescentPlan(options={"lr": 10.0}, epochs=3000), torch.ones(2, dtype=torch.float64)
    )
    assert history.parameters[-1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (DescentPlan(optimizer="adam", options={"lr": 0.1}), "no closed form for optimizer 'adam', only for 'sgd'"),
        (DescentPlan(options={"lr": 0.1}, batch_size=2), "sums over all rows and have no mini-batches"),
        (DescentPlan(options={"lr": 0.1}, schedule=Schedule("plateau")), "schedule 'plateau' depends on the cost"),
        (
            DescentPlan(options={"lr": 0.1}, stopping=Stopping(monitor="validation", patience=3)),
            "have no validation rows",
        ),
    ],
)
def test_what_has_no_closed_form_is_refused_with_the_reason(plan: DescentPlan, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        descend_closed_form(line(), plan, torch.zeros(2, dtype=torch.float64))


def test_an_epoch_before_the_start_is_refused() -> None:
    with pytest.raises(OptionError, match="there is no epoch -1; give 0, the start, or more"):
        state_at(line(), DescentPlan(options={"lr": 0.1}), torch.zeros(2, dtype=torch.float64), -1)


def hash_of(text: str) -> int:
    """Return a seed that is the same in every process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(text)) % 10**6
