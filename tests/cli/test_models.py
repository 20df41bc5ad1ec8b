"""Descents, classes and networks from the command line, as the README shows them."""

import csv
import io
import json
import math
import random
import subprocess
import sys

import pytest

LESSON = ("hours_points.csv", "--target", "points", "--lr", "0.01", "--epochs", "200", "--raw")


@pytest.fixture
def lesson(call, examples, tmp_path):
    path = tmp_path / "lesson.safetensors"
    done = call("fit", examples / LESSON[0], *LESSON[1:], "--out", path, "--json")
    assert done.code == 0, done.err
    return path, json.loads(done.out)


def test_a_descent_is_fitted_and_its_history_printed(call, lesson):
    path, found = lesson
    assert found["solver"] == "gd_closed_form" and found["descent"]["epochs"] == 200
    assert "unscaled-columns" not in {finding["code"] for finding in found["findings"]}
    assert "not-converged" in {finding["code"] for finding in found["findings"]}
    rows = list(csv.DictReader(io.StringIO(call("history", path, "--every", "80").out)))
    assert [int(row["epoch"]) for row in rows] == [0, 80, 160, 200]
    assert float(rows[0]["cost"]) == pytest.approx(18.666666, abs=1e-6)


@pytest.mark.parametrize("style", ["plain", "class"])
def test_the_code_of_a_descent_gives_its_numbers(call, lesson, tmp_path, style):
    path, found = lesson
    script = tmp_path / "train.py"
    script.write_text(call("code", path, "--style", style).out)
    assert "slopewise" not in script.read_text()
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    printed = dict(line.split(": ") for line in done.stdout.splitlines() if ": " in line)
    estimates = {c["name"]: c["estimate"] for c in found["coefficients"]}
    assert float(printed["hours"]) == pytest.approx(estimates["hours"], rel=1e-10)
    assert float(printed["b"]) == pytest.approx(estimates["(intercept)"], rel=1e-9)


def test_check_reports_the_limit_before_the_first_step(call, examples):
    done = call("check", examples / "hours_points.csv", "--target", "points", "--raw", "--lr", "0.01")
    assert done.code == 0 and "0.180295" in done.out
    plain = json.loads(call("check", examples / "quizzes.csv", "--target", "final", "--json").out)
    assert plain["raw"]["largest_stable_lr"] == pytest.approx(4.6182e-5, rel=1e-4)


def test_an_lr_beyond_the_limit_is_refused_with_the_limit(call, examples):
    arguments = ("fit", examples / "hours_points.csv", "--target", "points", "--raw", "--lr", "0.2", "--epochs", "50")
    done = call(*arguments)
    assert done.code == 1 and "lr 0.2 is beyond 0.180295" in done.err and "--allow-divergence" in done.err
    assert call(*arguments, "--allow-divergence").code == 0


def test_two_classes_with_odds_ratios(call, examples, tmp_path):
    path = tmp_path / "sex.safetensors"
    done = call(
        "fit", examples / "penguins.csv", "--target", "sex", "--model", "logistic", "--missing", "drop", "--out", path
    )
    assert done.code == 0 and "Logistic regression of sex" in done.out and "odds ratio" in done.out
    predicted = list(
        csv.DictReader(io.StringIO(call("predict", path, examples / "penguins.csv", "--threshold", "0.9").out))
    )
    assert len(predicted) == 344 and {row["prediction"] for row in predicted} == {"female", "male", ""}
    evaluated = call("evaluate", path, examples / "penguins.csv")
    assert "Confusion of the evaluated rows" in evaluated.out
    assert json.loads(call("evaluate", path, examples / "penguins.csv", "--json").out)["auc"] > 0.97
    assert call("show", path).out == done.out


def test_counts_with_an_exposure_by_gradient_descent(call, tmp_path):
    make = random.Random(0)
    table, path = tmp_path / "t.csv", tmp_path / "t.safetensors"
    with table.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["x", "hours", "y"])
        for _ in range(200):
            x, hours = make.gauss(0, 1), make.uniform(0.5, 20)
            lines.writerow([x, hours, sum(make.random() < 0.02 * math.exp(0.5 * x) for _ in range(round(50 * hours)))])
    words = ("fit", table, "--target", "y", "--loss", "poisson", "--exposure", "hours", "--json")
    exact, descended = (
        json.loads(call(*words, *more).out)
        for more in ((), ("--optimizer", "adam", "--lr", "0.05", "--schedule", "cosine", "--out", path))
    )
    assert (exact["solver"], descended["solver"]) == ("newton", "gd_loop")
    assert descended["reason"] == "the plain loop: only squared loss has a closed form, and the loss is poisson"
    for one, other in zip(descended["coefficients"], exact["coefficients"], strict=True):
        assert one["estimate"] == pytest.approx(other["estimate"], rel=1e-6)
    assert "log exposure hours is added to the linear predictor" in call("show", path).out
    predicted = list(csv.DictReader(io.StringIO(call("predict", path, table).out)))
    assert len(predicted) == 200
    metrics = json.loads(call("evaluate", path, table, "--json").out)
    assert metrics["rmse"] == pytest.approx(descended["train"]["rmse"], rel=1e-12)
    checked = call("check", *words[1:-1])
    assert checked.code == 0 and "largest stable lr" in checked.out
    done = call("fit", table, "--target", "y", "--exposure", "hours", "--optimizer", "adam")
    assert done.code == 2 and "offset and exposure are for counts and positive targets, and loss 'squared'" in done.err
    network = call(*words[:-1], "--model", "mlp", "--hidden", "3", "--optimizer", "adam", "--epochs", "50")
    assert network.code == 0 and "the descent of a network has no closed form" in network.out


def test_separated_classes_exit_1_with_what_to_do(call, examples):
    done = call("fit", examples / "study_pass.csv", "--target", "result")
    assert done.code == 1 and "perfectly separated: 'hours' alone does it" in done.err and "set l2" in done.err
    assert call("fit", examples / "study_pass.csv", "--target", "result", "--firth").code == 0


def test_a_network_with_many_starts(call, examples, tmp_path):
    path = tmp_path / "xor.safetensors"
    arguments = (
        "--model",
        "mlp",
        "--hidden",
        "3",
        "--activation",
        "sigmoid",
        "--lr",
        "1",
        "--epochs",
        "3000",
        "--n-init",
        "8",
    )
    done = call("fit", examples / "xor.csv", "--target", "y", *arguments, "--out", path)
    assert done.code == 0, done.err
    assert "2-3-1, sigmoid" in done.out and "of 8 starts solved it" in done.out
    predicted = list(csv.DictReader(io.StringIO(call("predict", path, examples / "xor.csv").out)))
    assert [row["prediction"] for row in predicted] == ["0", "1", "1", "0"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--hidden", "0"), 2, "hidden"),
        (("--hidden", "many"), 2, "many"),
        (("--hidden", "3", "--activation", "sigmod"), 2, "Did you mean 'sigmoid'"),
        (("--hidden", "3", "--solver", "newton"), 2, "without hidden layers"),
        (("--hidden", "3", "--n-init", "0"), 2, "--n-init is 0"),
        (("--hidden", "3", "--model", "linear"), 2, "is for a network"),
        (("--solver", "gd_closed_form", "--task", "classification"), 2, "there is no gd_closed_form of this descent"),
        (("--resume",), 2, "--resume needs the folder"),
        (("--early-stopping",), 2, "validation"),
    ],
)
def test_invalid_arguments_are_refused(call, examples, arguments, code, sentence):
    done = call("fit", examples / "xor.csv", "--target", "y", *arguments)
    assert done.code == code and sentence in done.err and done.err.count("\n") == 1
