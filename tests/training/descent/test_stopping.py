"""One rule, applied epoch by epoch or to whole curves; and what counts as diverging."""

import math

import pytest
import torch

from slopewise.errors import OptionError
from slopewise.optimizers.plan import Stopping
from slopewise.training.descent.stopping import (
    MIN_INCREASES,
    DivergenceDetector,
    StoppingRules,
    check_stopping,
    divergence_limit,
    find_stop,
    first_stop,
    has_converged,
    swing,
)


def by_definition(stopping, cost, norm, lowest, validation):
    """The rules once more, in their plainest words."""
    monitored = validation if stopping.monitor == "validation" else cost
    best, since = math.inf, 0
    for k in range(len(cost)):
        if stopping.gap_tol is not None and cost[k] - lowest <= stopping.gap_tol * (cost[0] - lowest):
            return k
        if stopping.grad_tol is not None and norm[k] <= stopping.grad_tol:
            return k
        if monitored[k] < best - stopping.min_delta:
            best, since = monitored[k], k
        if stopping.patience is not None and k - since >= stopping.patience:
            return k
    return None


@pytest.mark.parametrize("seed", range(60))
def test_whole_curves_and_single_epochs_agree(seed):
    draw = torch.Generator().manual_seed(seed)
    t = 200
    fall = torch.exp(-torch.arange(t) / 40)
    cost = 1 + fall + 0.05 * torch.rand(t, generator=draw)
    validation = 2 + fall + 0.2 * torch.rand(t, generator=draw)
    norm = fall * torch.rand(t, generator=draw)
    stopping = Stopping(
        monitor=("train", "validation")[seed % 2],
        patience=(None, 3, 10)[seed % 3],
        min_delta=(0.0, 0.01)[seed % 4 // 2],
        gap_tol=(None, 0.05)[seed % 5 % 2],
        grad_tol=(None, 0.01)[seed % 7 % 2],
    )
    found = first_stop(stopping, cost, norm, 1.0, validation)
    rules = StoppingRules(stopping, 1.0)
    stops = (k for k in range(t) if rules.stops(k, float(cost[k]), float(norm[k]), float(validation[k])) is not None)
    expected = by_definition(stopping, cost.tolist(), norm.tolist(), 1.0, validation.tolist())
    assert found == expected
    assert (next(stops, None) if stopping.is_active else None) == expected


def test_the_reason_is_given():
    cost, norm = torch.tensor([8.0, 4.0, 2.0, 2.0, 2.0]), torch.tensor([4.0, 2.0, 1.0, 1.0, 1.0])
    assert find_stop(Stopping(patience=2), cost, norm, None) == (
        4, "the training cost did not improve on 2 of epoch 2 for 2 epochs")  # fmt: skip
    assert find_stop(Stopping(gap_tol=0.5), cost, norm, 1.0) == (
        1, "the gap to the lowest cost fell to 0.5 of its initial value at epoch 1")  # fmt: skip
    assert find_stop(Stopping(grad_tol=1.0), cost, norm, None) == (2, "the gradient's norm fell to 1 at epoch 2")
    assert find_stop(Stopping(), cost, norm, None) is None


def test_rules_without_what_they_need():
    with pytest.raises(OptionError, match="gap_tol needs the lowest cost, which is known only for a linear model"):
        check_stopping(Stopping(gap_tol=0.1), lowest=None, validation=None)
    with pytest.raises(OptionError, match="monitor='validation' needs validation rows; hold some out"):
        check_stopping(Stopping(monitor="validation", patience=1), lowest=None, validation=None)


def costs_of_a_quadratic(x, momentum, epochs):
    """Heavy ball on w²/2 from w = 1 with lr * curvature = x."""
    w, v, found = 1.0, 0.0, []
    for _ in range(epochs):
        found.append(w * w)
        v = momentum * v + w
        w -= x * v
    return found


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99, 0.999])
def test_a_stable_descent_never_fires_and_an_unstable_one_does(momentum):
    limit = 2 * (1 + momentum)
    double_root = (1 + math.sqrt(momentum)) ** 2
    for x in (0.01, 0.5, 1.0, 0.99 * limit, double_root * (1 - 1e-9)):
        costs = costs_of_a_quadratic(x, momentum, 5000)
        assert max(costs) <= swing(momentum) * (1 + 1e-6)
        divergence = DivergenceDetector(divergence_limit(start=1.0, nothing=0.0, options={"momentum": momentum}))
        assert not any(divergence.diverges(cost) for cost in costs)
    divergence = DivergenceDetector(divergence_limit(start=1.0, nothing=0.0, options={"momentum": momentum}))
    assert any(divergence.diverges(cost) for cost in costs_of_a_quadratic(1.05 * limit, momentum, 20000))


def test_swing_is_reached():
    """The bound is the worst case itself, not a loose one: at the double root the cost comes within 2 % of it."""
    assert swing(0.0) == 1.0
    worst = max(costs_of_a_quadratic((1 + math.sqrt(0.99)) ** 2, 0.99, 1000))
    assert worst == pytest.approx(swing(0.99), rel=0.02)


def test_a_high_cost_that_does_not_rise_is_no_divergence():
    divergence = DivergenceDetector(limit=10.0)
    assert not any(divergence.diverges(cost) for cost in [1.0, *[1e6] * 50])
    divergence = DivergenceDetector(limit=10.0)
    assert [divergence.diverges(1e6 + k) for k in range(MIN_INCREASES + 1)] == [False] * MIN_INCREASES + [True]
    assert DivergenceDetector(limit=10.0).diverges(math.nan)
    assert DivergenceDetector(limit=math.inf).diverges(math.nan)
    assert DivergenceDetector(limit=math.inf).diverges(math.inf)


def test_has_converged():
    still = DivergenceDetector(1.0).recent
    assert has_converged(start=10.0, cost=1 + 1e-10, lowest=1.0, recent=still, epsilon=2e-16)
    assert not has_converged(start=10.0, cost=1 + 1e-8, lowest=1.0, recent=still, epsilon=2e-16)
    assert has_converged(start=10.0, cost=1 + 1e-7, lowest=1.0, recent=still, epsilon=1e-7)
    still.extend([1.0] * (MIN_INCREASES + 1))
    assert has_converged(start=10.0, cost=1.0, lowest=None, recent=still, epsilon=2e-16)
