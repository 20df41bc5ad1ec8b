from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from slopewise.doctor.after_training import after, gap_left
from slopewise.doctor.before_training import before, refuse
from slopewise.doctor.finding import Finding, lines
from slopewise.doctor.recommend import above, below, changes, epochs_for
from slopewise.errors import FitError
from slopewise.optimizers.epochs_to_tolerance import epochs_to
from slopewise.optimizers.parse import plan_descent
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.stability import HessianSpectrum, Limits
from slopewise.solution import DescentRecord, Solution, Status
from slopewise.training.descent.closed_form import descend_closed_form
from slopewise.training.moments.quadratic import cost_at, gradient_at
from slopewise.training.moments.spectrum import spectrum_of
from slopewise.training.moments.standardize import standardization

Lesson = Any


def raw(**options: object) -> DescentPlan:
    return plan_descent(standardize=False, **options)


def examine_before(lesson: Lesson, plan: DescentPlan) -> tuple[Finding, ...]:
    standard = None if plan.standardize else lesson.limits(plan_descent(lr=plan.lr))
    return before(plan, lesson.limits(plan), standard=standard)


def descend(lesson: Lesson, plan: DescentPlan, status: Status = Status.UNFINISHED) -> Solution:
    quadratic, start = lesson.quadratic(plan), torch.zeros(len(lesson.names) + 1, dtype=torch.float64)
    history = descend_closed_form(quadratic, plan, start)
    last = int(history.epoch[-1])
    record = DescentRecord(
        plan=plan,
        units=standardization(lesson.moments, standardize=plan.standardize, intercept=True),
        start=start,
        history=history,
        epochs=last,
        best_epoch=last,
        norms=history.gradient.norm(dim=1),
        largest_lr=lesson.limits(plan).lr,
        cost=float(history.cost[-1]),
    )
    return Solution(history.parameters[-1], status, descent=record)


def as_if_by(plan: DescentPlan, solution: Solution) -> Solution:
    """The same descent, recorded as that of another plan."""
    return replace(solution, descent=replace(solution.descent, plan=plan))


def examine_after(lesson: Lesson, plan: DescentPlan, status: Status = Status.UNFINISHED) -> tuple[Finding, ...]:
    standard = lesson.limits(plan_descent(lr=plan.lr))
    return after(descend(lesson, plan, status), lesson.limits(plan), standard=standard)


def steps_until(lesson: Lesson, plan: DescentPlan, tolerance: float) -> int:
    """Count the steps of torch.optim.SGD until the gap is `tolerance` of the first."""
    quadratic = lesson.quadratic(plan)
    theta = torch.nn.Parameter(torch.zeros(len(lesson.names) + 1, dtype=torch.float64))
    optimizer = torch.optim.SGD([theta], **plan.options)  # type: ignore[arg-type]
    gap = first = float(cost_at(quadratic, theta.detach()) - quadratic.lowest)
    steps = 0
    while gap > tolerance * first:
        theta.grad = gradient_at(quadratic, theta.detach())
        optimizer.step()
        steps += 1
        gap = float(cost_at(quadratic, theta.detach()) - quadratic.lowest)
    return steps


def test_a_learning_rate_beyond_the_limit_is_found_and_refused(hours: Lesson) -> None:
    plan = raw(lr=0.2, epochs=100)
    (found,) = examine_before(hours, plan)
    # R1 of the seed documents: the largest stable lr is 0.180295
    assert (found.code, found.severity, found.fix) == ("lr-beyond-limit", "error", "lr=0.176")
    assert found.number.words == "1.109 times the limit, 0.180295"
    assert "0.92 hours + 0.40 (intercept)" in found.cause
    with pytest.raises(FitError) as caught:
        refuse(plan, hours.limits(plan))
    assert str(caught.value) == (
        "lr 0.2 is beyond 0.180295, from which on gradient descent diverges; take lr=0.176, or "
        "allow_divergence=True to run it nevertheless."
    )
    refuse(plan, hours.limits(plan), allow_divergence=True)


def test_a_schedule_may_come_back_below_the_limit(hours: Lesson) -> None:
    plan = raw(lr=0.2, epochs=100, schedule="exponential", gamma=0.9)
    refuse(plan, hours.limits(plan))
    (found,) = examine_before(hours, plan)
    assert (found.code, found.severity) == ("lr-beyond-limit", "warning")
    assert found.what == "lr 0.2 is too large for this data until the schedule lowers it"


def test_momentum_has_its_own_limit_and_advice(hours: Lesson) -> None:
    (found,) = examine_before(hours, raw(lr=0.5, momentum=0.9, epochs=10))
    # 2 (1 + 0.9) / 11.092940 = 0.342560; nine tenths of it
    assert found.number.words == "1.460 times the limit, 0.34256"
    assert found.fix == "lr=0.308"


@pytest.mark.parametrize(
    "options", [{"lr": 0.2}, {"lr": 0.5, "momentum": 0.9}, {"lr": 0.3, "momentum": 0.9, "nesterov": True}]
)
def test_the_advised_learning_rate_converges(hours: Lesson, options: dict[str, Any]) -> None:
    (found,) = examine_before(hours, raw(**options))
    lr = float(found.fix.split("=")[-1])
    assert steps_until(hours, raw(**{**options, "lr": lr}), 1e-6) < 500


def test_other_optimizers_have_no_limit(hours: Lesson) -> None:
    plan = raw(optimizer="adam", lr=5.0)
    assert before(plan, hours.limits(raw(lr=0.1))) == ()
    refuse(plan, hours.limits(raw(lr=0.1)))


def test_a_slow_direction_is_named_with_the_epochs_it_takes(quizzes: Lesson) -> None:
    (found,) = examine_before(quizzes, raw(lr=1e-5, epochs=20))
    assert (found.code, found.severity) == ("slow-direction", "warning")
    # log(1e-6) / (2 log(1 - 1e-5 · 0.026377)), the smallest eigenvalue being that of R5 in the seed documents
    assert found.number.value == pytest.approx(2.6188e7, rel=1e-4)
    assert found.number.words.startswith("up to 26,188,703 epochs until 1e-06 of the distance")
    assert "the curvature along 1.00 (intercept) is small; condition number 1.642e+06" in found.cause
    assert found.fix.startswith("leave out standardize=False, with lr=0.351: standardised columns")


def test_known_epochs_are_reported(hours: Lesson) -> None:
    plan = raw(lr=0.01, epochs=100)
    quadratic = hours.quadratic(plan)
    spectrum = spectrum_of(quadratic.hessian)
    hessian_spectrum = HessianSpectrum(
        spectrum.eigenvalues, spectrum.eigenvectors, ("(intercept)", "hours"), exact=True
    )
    start = torch.zeros(2, dtype=torch.float64)
    needed = epochs_to(hessian_spectrum, start=start, optimum=quadratic.optimum, lr=0.01, tolerance=1e-6)
    (found,) = before(plan, hours.limits(plan), needed=needed)
    assert found.number.value == needed == steps_until(hours, plan, 1e-6)
    assert not found.number.words.startswith("up to")


def test_enough_epochs_are_no_finding(hours: Lesson) -> None:
    assert examine_before(hours, raw(lr=0.01, epochs=3000)) == ()
    assert examine_before(hours, raw(lr=0.01, epochs=10, batch_size=2)) == ()
    assert (
        before(
            raw(lr=0.01, epochs=10), Limits(largest=11.0, lr=0.18, momentum=0.9, plain=0.18, heavy=0.3, nesterov=0.1)
        )
        == ()
    )


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("table", ["hours", "quizzes"])
def test_every_change_takes_about_the_epochs_it_promises(
    table: str, standardize: bool, request: pytest.FixtureRequest
) -> None:
    lesson = request.getfixturevalue(table)
    plan = plan_descent(lr=1e-5, epochs=20, standardize=standardize)
    for change in changes(plan, lesson.limits(plan), lesson.limits(plan_descent(lr=0.1)), 1e-6):
        if change.epochs > 20_000:
            continue
        options = {word: float(value) for word, value in re.findall(r"\b(lr|momentum)=([\d.e-]*\d)", change.option)}
        changed = plan_descent(**options, standardize=standardize or "standardize" in change.option)
        # the bound of plain descent holds; two equal roots of momentum add a factor that grows with the epochs
        assert steps_until(lesson, changed, 1e-6) <= change.epochs * (2 if "momentum" in options else 1)


def test_a_descent_that_arrived_has_no_finding(hours: Lesson) -> None:
    assert examine_after(hours, raw(lr=0.01, epochs=3000)) == ()
    assert examine_after(hours, raw(lr=0.01, epochs=100), Status.CONVERGED) == ()


def test_a_little_longer_is_the_advice_where_it_is_enough(hours: Lesson) -> None:
    plan = raw(lr=0.1, epochs=150)
    (found,) = examine_after(hours, plan)
    assert (found.code, found.severity) == ("not-converged", "warning")
    left = gap_left(descend(hours, plan))
    assert found.number.value == left == pytest.approx(2.82e-6, rel=2e-3)
    assert found.number.words == "2.82e-06 of the distance to the lowest cost is left; 172 epochs would leave 1e-06"
    assert found.fix == "epochs=180"
    assert 150 < steps_until(hours, plan, 1e-6) <= 172


def test_where_waiting_is_hopeless_something_else_is_advised(quizzes: Lesson) -> None:
    (found,) = examine_after(quizzes, raw(lr=1e-5, epochs=20))
    assert found.code == "not-converged"
    assert found.number.value == pytest.approx(5.957091 / 29661.8, rel=0.05)  # nearly all of the cost left is gap
    assert found.fix.startswith("leave out standardize=False, with lr=0.351")


def test_a_tiny_learning_rate_hardly_moves(hours: Lesson) -> None:
    (found,) = examine_after(hours, raw(lr=1e-5, epochs=200))
    assert (found.code, found.fix) == ("hardly-moved", "lr=0.176")
    assert found.number.words == "lr 1e-05 is 5.55e-05 of the limit, 0.180295"
    assert found.number.value == pytest.approx(1e-5 / 0.180295, rel=1e-5)


def test_divergence_is_explained_by_the_limit(hours: Lesson) -> None:
    (found,) = examine_after(hours, raw(lr=0.2, epochs=60), Status.DIVERGED)
    assert (found.code, found.severity, found.fix) == ("diverged", "error", "lr=0.176")
    assert found.cause == "lr 0.2 is 1.109 times the limit, 0.180295"


def test_divergence_without_a_limit_is_answered_by_a_tenth(hours: Lesson) -> None:
    plan = raw(lr=0.2, epochs=60)
    (found,) = after(as_if_by(raw(optimizer="rmsprop", lr=3.0), descend(hours, plan, Status.DIVERGED)))
    assert found.fix == "lr=0.3"


def test_without_a_limit_more_epochs_are_the_advice(quizzes: Lesson) -> None:
    descended = descend(quizzes, raw(lr=1e-5, epochs=20))
    (found,) = after(as_if_by(raw(optimizer="adam", lr=0.1, epochs=20), descended))
    assert (found.code, found.fix) == ("not-converged", "epochs=200")


def test_learning_rates_are_rounded_down_and_momentum_up() -> None:
    assert below(0.180295) == 0.18
    assert below(4.6182e-5) == 4.61e-5
    assert below(0.176) == 0.176
    assert above(0.99688) == 0.9969
    assert above(0.51) == 0.51
    assert epochs_for(0.5, 0.25) == 1
    assert epochs_for(1.0, 0.5) == float("inf")


def test_every_line_fits_a_terminal(hours: Lesson, quizzes: Lesson) -> None:
    examinations: list[Callable[..., tuple[Finding, ...]]] = [examine_before, examine_after]
    found = [
        finding
        for examine in examinations
        for lesson in (hours, quizzes)
        for lr in (1e-7, 1e-5, 1e-2)
        for finding in examine(lesson, raw(lr=lr, epochs=20))
    ]
    assert max(map(len, lines(found))) <= 80
