"""Gradient descent through `slopewise.fit` and `slopewise.check`: options, history, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import slopewise
from slopewise.errors import FitError, OptionError
from slopewise.solution import Status

LESSON = {"hours": [1.0, 2.0, 3.0], "points": [2.0, 4.0, 6.0]}
QUIZZES = {
    "quiz1": [73, 93, 89, 96, 73],
    "quiz2": [80, 88, 91, 98, 66],
    "quiz3": [75, 93, 80, 100, 70],
    "final": [152, 185, 180, 196, 142],
}


def lesson(**options):
    return slopewise.fit(LESSON, target="points", **({"lr": 0.01, "epochs": 2000, "standardize": False} | options))


@pytest.mark.parametrize("solver", ["gd", "gd_loop"])
def test_the_first_lesson_to_its_printed_digits(solver):
    fit = lesson(solver=solver)
    history = fit.history_table().to_pydict()
    assert history["cost"][0] == pytest.approx(18.666666, abs=1e-6)
    assert (history["d hours"][0], history["d (intercept)"][0]) == pytest.approx((-18.666668, -8.0), abs=2e-6)
    assert (history["hours"][1], history["(intercept)"][1]) == pytest.approx((0.186667, 0.08), abs=1e-6)
    assert (history["hours"][1000], history["(intercept)"][1000]) == pytest.approx((1.970783, 0.066418), abs=2e-6)
    assert history["cost"][1000] == pytest.approx(6.328e-4, rel=1e-3)
    assert fit.theta.tolist() == pytest.approx([0.005985, 1.997367], abs=2e-6)
    assert history["cost"][2000] == pytest.approx(5.1377e-6, rel=1e-3)
    assert fit.predict({"hours": [4.0]})["prediction"][0] == pytest.approx(7.99545, abs=1e-5)


def test_every_solver_makes_the_same_descent():
    options = {"lr": 1e-5, "momentum": 0.9, "epochs": 300, "standardize": False}
    tables = [
        slopewise.fit(QUIZZES, target="final", solver=solver, **options).history_table().to_pydict()
        for solver in ("gd_closed_form", "gd_moments", "gd_loop")
    ]
    for name, column in tables[0].items():
        for other in tables[1:]:
            assert other[name] == pytest.approx(column, rel=1e-9, abs=1e-9), name


def test_the_chosen_solver_and_its_reason_are_reported():
    assert lesson().solver == "gd_closed_form" and "closed form" in lesson().reason
    adam = lesson(optimizer="adam")
    assert adam.solver == "gd_moments" and "adam has no closed form" in adam.reason
    batches = lesson(batch_size=2, epochs=3)
    assert batches.solver == "gd_loop" and "mini-batches" in batches.reason
    single = lesson(dtype="float32", epochs=3)
    assert single.solver == "gd_loop" and "float32" in single.reason


def test_without_an_lr_the_best_one_for_the_data_is_taken_and_converges():
    fit = slopewise.fit(QUIZZES, target="final", solver="gd")
    assert fit.status is Status.CONVERGED
    exact = slopewise.fit(QUIZZES, target="final")
    assert fit.theta.tolist() == pytest.approx(exact.theta.tolist(), rel=1e-4)
    assert fit.inferred.std_error.tolist() == pytest.approx(exact.inferred.std_error.tolist(), rel=1e-9)


def test_an_unfinished_descent_gives_no_intervals():
    fit = lesson(epochs=10)
    assert fit.status is Status.UNFINISHED
    coefficients = fit.to_dict()["coefficients"]
    assert coefficients[1]["std_error"] is None and coefficients[1]["exact"] == pytest.approx(2.0)
    with pytest.raises(FitError, match="ended away from the exact answer"):
        fit.predict(LESSON, interval=0.95)


def test_a_state_at_any_epoch_recorded_or_not():
    every, sparse = lesson(), lesson(history_every=0)
    assert sparse.history_table().num_rows == 2
    for epoch in (0, 1, 777, 2000):
        theta = every.history_table().slice(epoch, 1)
        expected = [theta["(intercept)"][0].as_py(), theta["hours"][0].as_py()]
        assert every.at(epoch).theta.tolist() == expected
        assert sparse.at(epoch).theta.tolist() == pytest.approx(expected, rel=1e-10, abs=1e-13)
    assert every.at(777).status is Status.ON_THE_WAY and every.at(2000).status is every.status
    assert "a state on the way, not the end of the descent: epoch 777 of 2000" in every.at(777).summary()
    assert every.at(1).predict({"hours": [1.0]})["prediction"][0] == pytest.approx(0.186667 + 0.08, abs=1e-6)
    with pytest.raises(OptionError, match="epoch 2001 does not exist"):
        every.at(2001)
    with pytest.raises(OptionError, match="epoch 7 was not recorded"):
        lesson(history_every=10, optimizer="adam", epochs=20).at(7)
    with pytest.raises(OptionError, match="solved by cholesky, without a descent, and has no epochs"):
        slopewise.fit(LESSON, target="points").at(0)


def test_history_is_a_frame_of_the_library_that_came_in():
    fit = slopewise.fit(pd.DataFrame(QUIZZES), target="final", lr=0.1, epochs=20, history_every=10)
    assert isinstance(fit.history, pd.DataFrame)
    assert fit.history["epoch"].tolist() == [0, 10, 20]
    assert (fit.history["gap"].diff().dropna() < 0).all()
    raw = fit.history[["quiz1", "quiz2", "quiz3"]].iloc[-1].tolist()
    assert raw == pytest.approx(fit.theta[1:].tolist(), rel=1e-12)


def test_gap_and_distance_are_against_the_exact_answer():
    fit = lesson(history_every=1000)
    row = fit.history_table().to_pydict()
    exact = torch.tensor([0.0, 2.0], dtype=torch.float64)
    assert row["distance"][-1] == pytest.approx(float((fit.theta - exact).norm()), rel=1e-9)
    assert row["gap"] == pytest.approx(row["cost"], rel=1e-9)


@pytest.mark.parametrize("solver", ["gd", "gd_loop"])
def test_divergence_is_refused_beforehand_and_survived_when_allowed(solver):
    with pytest.raises(FitError, match=r"lr 0.2 is beyond 0.180295.*allow_divergence=True"):
        lesson(lr=0.2, solver=solver)
    fit = lesson(lr=0.2, solver=solver, allow_divergence=True, init=[0.1, 1.9])
    assert fit.status is Status.DIVERGED
    assert fit.theta.isfinite().all() and "diverged" in {finding["code"] for finding in fit.findings}


def test_rules_stop_the_closed_form_and_the_loop_at_the_same_epoch():
    for rule in ({"gap_tol": 1e-4}, {"grad_tol": 1e-2}, {"patience": 3, "min_delta": 1e-4}):
        a, b = (lesson(solver=solver, **rule) for solver in ("gd_closed_form", "gd_loop"))
        assert a.status is b.status is Status.STOPPED
        assert a.descent.epochs == b.descent.epochs < 2000
        assert a.theta.tolist() == pytest.approx(b.theta.tolist(), rel=1e-9)


def test_the_validation_cost_is_monitored():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 20))
    y = x[:, 0] + rng.standard_normal(60)
    fit = slopewise.fit((x, y), lr=0.05, epochs=3000, validation_size=0.4, monitor="validation", patience=30)
    assert fit.solver == "gd_loop" and fit.status is Status.STOPPED
    validation = fit.history_table()["validation"].to_pylist()
    assert fit.descent.best_epoch == int(np.argmin(validation)) < 3000
    assert fit.n + 24 == 60


def test_weights_l2_and_categories_descend_to_the_exact_answer(examples):
    options = {"target": "body_mass_g", "features": ["flipper_length_mm", "species"], "missing": "drop", "l2": 3.0}
    exact = slopewise.fit(examples / "penguins.csv", weights="bill_length_mm", **options)
    for solver in ("gd_closed_form", "gd_loop"):
        descended = slopewise.fit(
            examples / "penguins.csv", weights="bill_length_mm", solver=solver, epochs=4000, **options
        )
        assert descended.theta.tolist() == pytest.approx(exact.theta.tolist(), rel=1e-5)


def test_collinear_columns_can_be_descended_on():
    x = np.arange(1.0, 7.0)
    table = {"a": x, "b": 2 * x, "y": 3 * x + 1}
    fit = slopewise.fit(table, target="y", solver="gd", epochs=500)
    assert fit.predict(table)["prediction"] == pytest.approx(table["y"], rel=1e-4)
    assert "collinear-pair" in {finding["code"] for finding in fit.findings}
    assert json.loads(fit.to_json())["coefficients"][0]["std_error"] is None


@pytest.mark.parametrize("options", [{}, {"optimizer": "adam", "schedule": "cosine"}, {"batch_size": 2, "seed": 4}])
def test_a_saved_descent_comes_back_whole(options, tmp_path):
    fit = lesson(epochs=50, **options)
    fit.save(tmp_path / "a.safetensors")
    again = slopewise.load(tmp_path / "a.safetensors")
    assert again.history_table().equals(fit.history_table())
    assert again.summary() == fit.summary() and again.to_json() == fit.to_json()
    assert again.at(50).theta.tolist() == fit.at(50).theta.tolist()
    again.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_checkpoint_and_resume_end_where_an_unbroken_run_does(tmp_path):
    options = {"lr": 0.05, "momentum": 0.8, "batch_size": 2, "standardize": True, "checkpoint": tmp_path}
    whole = slopewise.fit(QUIZZES, target="final", **(options | {"checkpoint": tmp_path / "whole"}), epochs=40)
    slopewise.fit(QUIZZES, target="final", **options, epochs=15)
    resumed = slopewise.fit(QUIZZES, target="final", **options, epochs=40, resume=True)
    assert torch.equal(resumed.theta, whole.theta)
    assert resumed.history_table().equals(whole.history_table())


def test_check_reports_the_limits_in_both_units_and_what_to_change():
    report = slopewise.check(QUIZZES, target="final", lr=1e-5, standardize=False)
    assert report.raw.plain == pytest.approx(4.6182e-5, rel=1e-4)
    assert report.raw.condition == pytest.approx(1.642e6, rel=1e-3)
    assert (report.raw.smallest, report.raw.largest) == pytest.approx((0.026377, 43306.907), rel=1e-4)
    codes = [finding.code for finding in report.findings]
    assert "unscaled-columns" in codes and "slow-direction" in codes
    text = str(report)
    assert "4.61820e-05" in text and all(len(line) <= 80 for line in text.splitlines())
    assert json.loads(report.to_json())["raw"]["condition"] == pytest.approx(report.raw.condition)


def test_check_of_the_first_lesson():
    report = slopewise.check(LESSON, target="points", lr=0.01, standardize=False)
    assert report.raw.plain == pytest.approx(0.180295, abs=1e-6)
    assert report.raw.condition == pytest.approx(46.145, abs=1e-3)
    gap = lesson(epochs=report.needed + 1).history_table()["gap"].to_pylist()
    assert gap[report.needed] <= 1e-6 * gap[0] < gap[report.needed - 1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lr": 0.0}, "lr must be a positive finite number, not 0.0"),
        ({"lr": -1.0}, "lr must be a positive finite number"),
        ({"lr": float("nan")}, "lr must be a positive finite number"),
        ({"momentum": 1.0}, "momentum must be a number from 0 to below 1"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"epochs": -5}, "epochs must be a whole number of at least 1"),
        ({"batch_size": 4}, "batch_size 4 is more than the 3 rows"),
        ({"optimizer": "sdg"}, "optimizer 'sdg' is not known. Did you mean 'sgd'"),
        ({"schedule": "cosin"}, "schedule 'cosin' is not known. Did you mean 'cosine'"),
        ({"optimizer": "adam", "momentum": 0.5}, "momentum is not an argument of adam"),
        ({"init": [1.0, 2.0, 3.0]}, "init has 3 values and the model 2 parameters"),
        ({"learning_rate": 0.1}, "there is no option 'learning_rate'"),
        (
            {"solver": "gd_closed_form", "optimizer": "adam"},
            "no gd_closed_form of this descent: adam has no closed form; 'gd_moments'",
        ),
        (
            {"solver": "gd_closed_form", "batch_size": 2},
            "no gd_closed_form of this descent: mini-batches .* 'gd_loop' would be used",
        ),
        ({"solver": "qr"}, "solver 'qr' does not descend"),
        ({"resume": True}, "resume needs the folder of the checkpoint"),
        ({"monitor": "validation", "patience": 3}, "needs validation rows"),
    ],
)
def test_invalid_options_are_refused(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        lesson(**options)
