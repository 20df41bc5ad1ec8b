"""Gradient descent with an offset or an exposure: beside Newton's method, a loop by hand, and other runs of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import slopewise
from slopewise.errors import DataError, OptionError, StoreError
from slopewise.losses.null_model import null_model_cost
from slopewise.losses.offset import row_loss, target_of
from slopewise.losses.poisson import Poisson
from slopewise.losses.registry import make_loss
from slopewise.models.mlp import MLP
from slopewise.optimizers.parse import plan_descent
from slopewise.training.descent.runner import run_loop
from slopewise.training.network.multistart import start_seed, train_multistart

N = 200


def rows(seed: int = 0, n: int = N) -> dict[str, np.ndarray]:
    make = np.random.default_rng(seed)
    a, b, hours = make.normal(size=n) * 20 + 100, make.normal(size=n), make.uniform(0.2, 4.0, n)
    mean = hours * np.exp(0.3 + 0.02 * (a - 100) - 0.3 * b)
    return {
        "a": a,
        "b": b,
        "hours": hours,
        "log_hours": np.log(hours),
        "shift": make.normal(size=n),
        "w": make.integers(1, 4, n).astype(float),
        "count": make.poisson(mean).astype(float),
        "excess": make.negative_binomial(2, 1 / (1 + mean / 2)).astype(float),
        "cost": make.gamma(2.0, mean / 2),
    }


ROWS = rows()
LOSSES: dict[str, dict[str, Any]] = {
    "poisson": {"target": "count", "loss": "poisson"},
    "negative_binomial": {"target": "excess", "loss": "negative_binomial", "overdispersion": 0.5},
    "gamma": {"target": "cost", "loss": "gamma"},
}
OFFSETS: dict[str, dict[str, Any]] = {
    "exposure": {"exposure": "hours"},
    "offset and weights": {"offset": "log_hours", "weights": "w"},
    "both": {"offset": "shift", "exposure": "hours"},
}
COUNTS = {**LOSSES["poisson"], "exposure": "hours"}
ADAM = {"optimizer": "adam", "lr": 0.05, "epochs": 30}
KINDS: dict[str, dict[str, Any]] = {
    "all rows": {},
    "sgd": {"optimizer": "sgd", "lr": None},
    "mini-batches": {"batch_size": 32},
    "raw columns in float32": {"standardize": False, "lr": 1e-4, "dtype": "float32"},
    "network": {"model": "mlp", "hidden": (3,)},
    "several networks": {"model": "mlp", "hidden": (3,), "n_init": 3, "batch_size": 64},
}


def fit(table: Any = ROWS, **options: Any) -> Any:
    return slopewise.fit(table, features=["a", "b"], **options)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("loss", LOSSES)
def test_it_arrives_where_newton_does(loss: str, offset: str) -> None:
    words = {**LOSSES[loss], **OFFSETS[offset]}
    exact = fit(**words, solver="newton")
    found = fit(**words, optimizer="adam", lr=0.05, schedule="cosine", epochs=1200, history_every="last")
    np.testing.assert_allclose(found.coefficient_columns()["estimate"], exact.theta.numpy(), rtol=1e-6)
    assert found.descent.null_cost == pytest.approx(
        exact.solution.null_loss / exact.solution.rows.weight, rel=1e-12, abs=1e-12
    )
    assert found.descent.cost == pytest.approx(exact.solution.loss / exact.solution.rows.weight, rel=1e-9)
    assert "is added to the linear predictor" in found.summary()
    new = {name: column[:7] for name, column in ROWS.items()}
    np.testing.assert_allclose(found.predict(new)["prediction"], exact.predict(new)["prediction"], rtol=1e-6)
    assert found.train.rmse == pytest.approx(exact.train.rmse, rel=1e-6)
    assert found.evaluate(ROWS).rmse == pytest.approx(found.train.rmse, rel=1e-12)


def test_the_run_is_that_of_a_loop_written_by_hand() -> None:
    a, b, offset, y, w = (torch.tensor(ROWS[name]) for name in ("a", "b", "log_hours", "count", "w"))
    w = w / w.mean()
    x = torch.stack([a, b], dim=1)
    x = x - (w @ x) / N
    x = x / (w @ x**2 / N).sqrt()
    weight, bias = torch.zeros(2, dtype=x.dtype, requires_grad=True), torch.zeros(1, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.SGD([weight, bias], lr=0.1)
    costs = []
    for _ in range(30):
        losses = nn.functional.poisson_nll_loss(x @ weight + bias + offset, y, reduction="none")
        cost = (w * losses).mean()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    found = fit(**LOSSES["poisson"], offset="log_hours", weights="w", optimizer="sgd", lr=0.1, epochs=30)
    history = found.descent.history
    torch.testing.assert_close(history.cost[:30], torch.tensor(costs, dtype=torch.float64), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(history.parameters[-1], torch.cat([weight, bias]).detach(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_an_offset_of_zero_changes_nothing(kind: str) -> None:
    words = {**ADAM, **LOSSES["poisson"], **KINDS[kind]}
    table = {**ROWS, "one": np.ones(N)}
    plain = fit(table, **words)
    found = fit(table, **words, exposure="one")
    assert torch.equal(found.theta, plain.theta)
    assert torch.equal(found.descent.history.cost, plain.descent.history.cost)
    rtol = 1e-5 if "float32" in kind else 1e-12
    assert found.descent.null_cost == pytest.approx(plain.descent.null_cost, rel=rtol, abs=rtol)
    assert found.descent.largest_lr == pytest.approx(plain.descent.largest_lr, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("kind", ["all rows", "sgd", "mini-batches", "network"])
def test_one_number_added_everywhere_is_one_added_to_the_last_bias(kind: str) -> None:
    words = {**ADAM, **LOSSES["poisson"], "model": "mlp", "hidden": (), **KINDS[kind]}
    start = np.random.default_rng(3).normal(size=13 if words["hidden"] else 3) * 0.3
    raised = start.copy()
    raised[-1] += math.log(3)
    one = fit({**ROWS, "longer": 3 * ROWS["hours"]}, **words, exposure="longer", init=tuple(start))
    other = fit(**words, exposure="hours", init=tuple(raised))
    expected = other.theta.clone()
    expected[-1] -= math.log(3)
    torch.testing.assert_close(one.theta, expected, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(one.descent.history.cost, other.descent.history.cost, rtol=1e-9, atol=1e-9)
    assert one.descent.largest_lr == pytest.approx(other.descent.largest_lr, rel=1e-3, nan_ok=True)
    assert one.descent.null_cost == pytest.approx(other.descent.null_cost, rel=1e-12)


@pytest.mark.parametrize("kind", ["all rows", "network", "several networks", "raw columns in float32"])
def test_predictions_differ_by_the_exponential_of_the_offset(kind: str, tmp_path: Path) -> None:
    found = fit(**{**ADAM, **LOSSES["poisson"], **KINDS[kind]}, offset="log_hours")
    found.save(tmp_path / "a.safetensors")
    here = found.predict(ROWS)["prediction"]
    there = slopewise.load(tmp_path / "a.safetensors").predict({**ROWS, "log_hours": ROWS["log_hours"] + 1.5})
    np.testing.assert_allclose(there["prediction"] / here, math.exp(1.5), rtol=1e-14)


@pytest.mark.parametrize("kind", ["all rows", "network"])
def test_a_weight_is_a_repeated_row(kind: str) -> None:
    words = {**ADAM, **COUNTS, **KINDS[kind], "standardize": False, "lr": 1e-3}
    repeated = {name: np.repeat(column, ROWS["w"].astype(int)) for name, column in ROWS.items()}
    found, expected = fit(**words, weights="w"), fit(repeated, **words)
    torch.testing.assert_close(found.theta, expected.theta, rtol=1e-8, atol=1e-10)
    assert found.descent.null_cost == pytest.approx(expected.descent.null_cost, rel=1e-12)
    assert found.descent.cost == pytest.approx(expected.descent.cost, rel=1e-9)


@pytest.mark.parametrize("kind", ["all rows", "mini-batches", "network"])
def test_it_resumes_bit_by_bit_and_on_no_other_offset(kind: str, tmp_path: Path) -> None:
    words = {**ADAM, **COUNTS, **KINDS[kind]}
    whole = fit(**words)
    fit(**{**words, "epochs": 11}, checkpoint=str(tmp_path))
    again = fit(**words, checkpoint=str(tmp_path), resume=True)
    assert torch.equal(again.theta, whole.theta)
    assert torch.equal(again.descent.history.cost, whole.descent.history.cost)
    other = {**ROWS, "hours": ROWS["hours"].copy()}
    other["hours"][-1] *= 2
    with pytest.raises(StoreError, match="belongs to another problem: other rows"):
        fit(other, **words, checkpoint=str(tmp_path), resume=True)


@pytest.mark.parametrize("kind", ["all rows", "mini-batches", "network"])
def test_the_cost_of_validation_rows_has_their_offset(kind: str) -> None:
    found = fit(**{**ADAM, **COUNTS, **KINDS[kind]}, validation_size=0.3, early_stopping=True)
    assert found.validation.n == 60
    mean, y = [], []
    for batch in found.data.validation.batches(N):
        exposure = {"hours": batch.offset.exp().numpy()}
        columns = {name: batch.x[:, j].numpy() for j, name in enumerate("ab")}
        mean += found.predict({**columns, **exposure})["prediction"].tolist()
        y += batch.y.tolist()
    cost = float((np.array(mean) - np.array(y) * np.log(mean)).mean())
    row = int((found.descent.history.epoch == found.descent.best_epoch).nonzero()[0])
    assert float(found.descent.history.validation[row]) == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize("standardize", [True, False])
def test_the_largest_learning_rate_counts_the_offset_in(standardize: bool) -> None:
    """At zeros the Hessian of Poisson's loss is Σ w exposure u u' / Σ w, which the expected counts weigh."""
    x = np.column_stack([np.ones(N), ROWS["a"], ROWS["b"]])
    if standardize:
        mean = (ROWS["w"] @ x[:, 1:]) / ROWS["w"].sum()
        x[:, 1:] = (x[:, 1:] - mean) / np.sqrt(ROWS["w"] @ (x[:, 1:] - mean) ** 2 / ROWS["w"].sum())
    weight = ROWS["w"] * ROWS["hours"] / ROWS["w"].sum()
    largest = np.linalg.eigvalsh(x.T @ (x * weight[:, None]))[-1]
    report = slopewise.check(ROWS, features=["a", "b"], **COUNTS, weights="w", standardize=standardize)
    # the sharpness is measured to a relative error of 1e-4
    assert report.limits.largest == pytest.approx(largest, rel=2e-4)
    found = fit(**COUNTS, weights="w", standardize=standardize, epochs=2)
    assert found.descent.largest_lr == pytest.approx(2 / largest, rel=2e-4)


def test_the_sharpness_of_a_network_is_measured_with_the_offset() -> None:
    words = {**COUNTS, "model": "mlp", "hidden": (3,), "activation": "tanh", "epochs": 20}
    found = fit(**words)
    assert found.descent.sharpness is not None and found.descent.sharpness.eigenvalue.isfinite().all()
    report = slopewise.check(ROWS, features=["a", "b"], **words)
    assert report.limits.largest == pytest.approx(float(found.descent.sharpness.eigenvalue[0]), rel=1e-3)
    assert fit(**words, seed=0).descent.plan.lr == pytest.approx(report.plan.lr, rel=1e-3)
    without = fit(**{**words, "exposure": None})
    assert abs(float(without.descent.sharpness.eigenvalue[0] / found.descent.sharpness.eigenvalue[0]) - 1) > 0.1


def test_each_of_several_networks_is_the_network_trained_alone() -> None:
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(50, 3, dtype=torch.float64, generator=draw)
    y = torch.poisson((x[:, 0] + 1).exp(), generator=draw)
    target, w = target_of(y, x[:, 2] * 2), torch.rand(50, dtype=torch.float64, generator=draw) + 0.1
    w = w / w.mean()
    model, loss = MLP(3, (4,), 1, "tanh"), row_loss(Poisson(), target)
    plan = plan_descent(epochs=20, lr=0.02, init="torch", seed=7, batch_size=16)
    null_cost = null_model_cost(Poisson(), target, w)
    found = train_multistart(model, loss, (x, target, w), plan, n_init=3, null_cost=null_cost)
    for start in range(3):
        module = model.module(model.init("torch", start_seed(7, start)))
        alone = run_loop(x=x, y=target, w=w, module=module, loss=loss, plan=plan)
        torch.testing.assert_close(found.parameters[start], alone.theta, rtol=1e-9, atol=1e-10)
        assert float(found.cost[start]) == pytest.approx(float(alone.history.cost[-1]), rel=1e-9)


@pytest.mark.parametrize("loss", ["poisson", "negative_binomial", "gamma"])
def test_the_null_model_is_the_lowest_of_all(loss: str) -> None:
    draw = torch.Generator().manual_seed(2)
    offset = 3 * torch.randn(40, dtype=torch.float64, generator=draw)
    y = torch.poisson((offset / 2).exp(), generator=draw) + float(loss == "gamma")
    w = torch.rand(40, dtype=torch.float64, generator=draw)
    w[0] = 0
    one = make_loss(loss, {"alpha": 0.7} if loss == "negative_binomial" else {})
    etas = torch.linspace(-6, 6, 12001, dtype=torch.float64)
    costs = torch.stack([w @ one.value(eta + offset, y) / w.sum() for eta in etas])
    lowest = null_model_cost(one, target_of(y, offset), w)
    # the grid misses the optimum by half its step of 1e-3 at most
    assert float(costs.min()) - 1e-4 <= lowest <= float(costs.min()) + 1e-12


def test_a_loss_that_does_not_know_of_the_offset_refuses_the_target() -> None:
    target = target_of(torch.ones(3), torch.zeros(3))
    with pytest.raises(DataError, match="do not fit targets of shape"):
        Poisson().value(torch.zeros(3), target)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"loss": "squared", "target": "b"}, OptionError, "loss 'squared' is for numbers; leave them out"),
        ({"loss": "huber", "delta": 1.0, "target": "b"}, OptionError, "loss 'huber' is for numbers; leave them out"),
        ({"target": "b", "model": "mlp", "hidden": (3,)}, OptionError, "loss 'squared' is for numbers"),
        ({"target": "two"}, OptionError, "loss 'logistic' is for classes; leave them out"),
        ({**LOSSES["poisson"], "exposure": "zero"}, DataError, "exposure column 'zero' is 0 in row 4"),
        ({**LOSSES["poisson"], "offset": "gap"}, DataError, "column 'gap' holds 1 missing value .* the first in row 6"),
        ({**LOSSES["poisson"], "offset": "far"}, DataError, "column 'far' holds 1 infinite value, the first in row 6"),
        ({**LOSSES["poisson"], "offset": "hour"}, slopewise.ColumnError, "offset 'hour' is not a column of"),
    ],
)
@pytest.mark.parametrize("batch_size", [None, 16])
def test_what_cannot_be_is_refused_in_a_sentence(
    options: dict[str, Any], error: type[Exception], sentence: str, batch_size: int | None
) -> None:
    gap, far, zero = (ROWS["hours"].copy() for _ in range(3))
    gap[5], far[5], zero[3] = math.nan, math.inf, 0
    table = {**ROWS, "two": (ROWS["b"] > 0).astype(int), "gap": gap, "far": far, "zero": zero}
    words = {"offset": "log_hours", **options} if "exposure" not in options else options
    with pytest.raises(error, match=sentence):
        slopewise.fit(table, features=["a"], **words, solver="gd", epochs=3, batch_size=batch_size)
