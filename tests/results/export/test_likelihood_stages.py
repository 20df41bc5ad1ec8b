"""Scripts of classes and of L1 penalties: run in a process without slopewise, they come to the numbers of the fit."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from scripts import check_clean, run

import slopewise

PENGUINS = str(Path(__file__).parents[3] / "examples" / "penguins.csv")
SEX = {"target": "sex", "features": ["flipper_length_mm", "bill_depth_mm", "species"], "missing": "drop"}
SPECIES = {"target": "species", "features": ["bill_length_mm", "flipper_length_mm"], "missing": "drop"}
MASS = {"target": "body_mass_g", "features": ["flipper_length_mm", "bill_depth_mm", "sex"], "missing": "drop"}
LENGTH = {"target": "flipper_length_mm", "features": ["bill_depth_mm", "species"], "missing": "drop"}
POINTS = {"x": [0.0, 0.0, 0.0, 1.0, 1.0, 1.0], "y": [0, 0, 0, 1, 1, 1], "o": [0.0, 0.5, 1.0, 0.0, 0.5, 1.0]}

CASES: dict[str, dict[str, Any]] = {
    "logistic": {**SEX},
    "logistic-split": {**SEX, "test_size": 0.25, "seed": 3},
    "logistic-l2": {**SEX, "l2": 2.0},
    "logistic-l1": {**SEX, "l1": 5.0},
    "logistic-elastic": {**SEX, "l1": 2.0, "l2": 3.0},
    "logistic-firth": {**SEX, "firth": True},
    "logistic-lbfgs": {**SEX, "solver": "lbfgs"},
    "logistic-balanced": {**SEX, "class_weight": "balanced", "l2": 1.0},
    "logistic-weighted": {**SEX, "weights": "year", "l2": 1.0},
    "firth-weighted": {**SEX, "weights": "year", "firth": True},
    "elastic-weighted": {**SEX, "weights": "year", "l1": 3.0, "l2": 1.0},
    "logistic-through-zero": {**SEX, "features": ["bill_depth_mm", "bill_length_mm"], "intercept": False},
    "softmax": {**SPECIES},
    "softmax-filled": {**SPECIES, "missing": "mean", "l2": 1.0},
    "softmax-l1": {**SPECIES, "l1": 4.0},
    "softmax-balanced-weighted": {**SPECIES, "class_weight": "balanced", "weights": "year", "l1": 400.0, "l2": 200.0},
    "softmax-lbfgs": {**SPECIES, "l2": 0.5, "solver": "lbfgs"},
    "line-l1": {**MASS, "l1": 2000.0},
    "line-zeros": {**MASS, "l1": 60000.0, "l2": 10.0},
    "line-weighted-l1": {**MASS, "l1": 2000.0, "weights": "year"},
    "line-through-zero-l1": {**MASS, "l1": 2000.0, "intercept": False},
    "huber": {**MASS, "loss": "huber"},
    "huber-delta-l2-weighted": {**MASS, "loss": "huber", "delta": 100.0, "l2": 2.0, "weights": "year"},
    "huber-lbfgs": {**MASS, "loss": "huber", "delta": 300.0, "solver": "lbfgs"},
    "huber-through-zero": {**MASS, "loss": "huber", "delta": 300.0, "intercept": False},
    "absolute": {**MASS, "loss": "absolute"},
    "quantile": {**MASS, "loss": "quantile", "tau": 0.9},
    "quantile-weighted": {**MASS, "loss": "quantile", "tau": 0.25, "weights": "bill_length_mm"},
    "quantile-through-zero": {**MASS, "loss": "quantile", "tau": 1 / 3, "intercept": False},
    "poisson": {**LENGTH, "loss": "poisson"},
    "poisson-exposure": {**LENGTH, "loss": "poisson", "exposure": "year", "offset": "bill_length_mm"},
    "poisson-exposure-weighted": {**LENGTH, "loss": "poisson", "exposure": "year", "weights": "bill_length_mm"},
    "poisson-l2-lbfgs": {**LENGTH, "loss": "poisson", "l2": 3.0, "solver": "lbfgs"},
    "poisson-l1": {**LENGTH, "loss": "poisson", "l1": 30.0},
    "poisson-through-zero": {**LENGTH, "features": ["bill_depth_mm"], "loss": "poisson", "intercept": False},
    "poisson-filled": {**LENGTH, "features": ["bill_depth_mm", "sex"], "missing": "mean", "loss": "poisson"},
    "gamma": {**MASS, "loss": "gamma"},
    "gamma-elastic-weighted": {**MASS, "loss": "gamma", "l1": 0.5, "l2": 0.5, "weights": "year"},
    "gamma-offset": {**LENGTH, "loss": "gamma", "offset": "bill_length_mm"},
    "negative-binomial": {**LENGTH, "loss": "negative_binomial", "overdispersion": 0.02},
    "negative-binomial-estimated": {**MASS, "loss": "negative_binomial"},
    "negative-binomial-l1": {**LENGTH, "loss": "negative_binomial", "overdispersion": 0.02, "l1": 5.0},
    "points-firth": {"target": "y", "features": ["x"], "firth": True},
    "points-l2": {"target": "y", "features": ["x"], "l2": 0.1},
    "points-offset": {"target": "y", "loss": "poisson", "l2": 0.1, "offset": "o"},
}
STYLED = [(name, style) for name in CASES for style in ("plain", "class")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture(scope="module")
def fits() -> dict[str, Any]:
    return {
        name: slopewise.fit(POINTS if name.startswith("points") else PENGUINS, **words) for name, words in CASES.items()
    }


@pytest.fixture(scope="module")
def answers(fits: dict[str, Any], folder: Path) -> dict[str, str]:
    return output_of({f"{name}.{style}": fits[name].code(style) for name, style in STYLED}, folder)


def output_of(scripts: dict[str, str], folder: Path) -> dict[str, str]:
    paths = []
    for name, text in scripts.items():
        paths.append(folder / f"{name}.py")
        paths[-1].write_text(text, encoding="utf-8")
    return run(paths)


def test_the_scripts_are_clean(answers: dict[str, str], folder: Path) -> None:
    check_clean(folder)


def read(text: str) -> tuple[dict[str, float], float, list[float]]:
    """Return the coefficients in the order printed, the cost and the prediction."""
    lines = [line.rpartition(": ") for line in text.splitlines() if not line.startswith("step ")]
    *coefficients, (_, _, cost), (_, _, prediction) = lines
    said = json.loads(prediction)
    found = {name: float(value) for name, _, value in coefficients}
    return found, float(cost), said if isinstance(said, list) else [said]


def coefficients_of(fit: Any) -> dict[str, float]:
    columns = fit.coefficient_columns()
    levels = columns.get("class", [""] * len(columns["name"]))
    several = len(fit.class_names) > 2
    names = ["b" if name == "(intercept)" else name for name in columns["name"]]
    found = zip(levels, names, columns["estimate"], strict=True)
    return {f"{level} {name}" if several else name: estimate for level, name, estimate in found}


@pytest.mark.parametrize(("name", "style"), STYLED)
def test_the_script_comes_to_the_coefficients(name: str, style: str, fits: Any, answers: dict[str, str]) -> None:
    found, _, _ = read(answers[f"{name}.{style}"])
    # the line search of torch's L-BFGS compares costs of 850, whose rounding hides the last eight digits of a step
    near = 1e-5 if name == "poisson-l2-lbfgs" else 1e-6
    assert found == pytest.approx(coefficients_of(fits[name]), rel=near, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("line")])
def test_the_cost_is_the_mean_loss_with_its_penalty(name: str, fits: Any, answers: dict[str, str]) -> None:
    solution = fits[name].solution
    _, cost, _ = read(answers[f"{name}.plain"])
    if "firth" in name:  # the penalty of the script is in standard units, which changes it by a constant
        lower = read(answers[f"{name}.class"])[1]
        assert cost == pytest.approx(lower, rel=1e-12)
        return
    assert cost == pytest.approx((solution.loss + solution.penalty) / solution.moments.weight, rel=1e-9)


@pytest.mark.parametrize("name", list(CASES))
def test_the_prediction_is_that_of_the_first_training_row(name: str, fits: Any, answers: dict[str, str]) -> None:
    fit = fits[name]
    if name.startswith("points"):
        row: Any = {"x": [0.0], "o": [0.0]}
    else:
        with open(PENGUINS, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        keep = fit.data.train.split.mask("train", 0, len(rows))
        rows = [row for i, row in enumerate(rows) if keep is None or keep[i]]
        used = fit.design.used() if fit.design.missing == "drop" else (fit.design.target,)
        first = next(row for row in rows if all(row[name] != "" for name in used))
        kinds = {feature.name: feature.kind for feature in fit.design.features}
        kinds |= {name: "number" for name in (fit.design.offset, fit.design.exposure) if name}
        row = {name: [first[name] if kind == "category" else float(first[name])] for name, kind in kinds.items()}
    said = fit.predict(row)
    right = [said[f"p({level})"][0] for level in fit.class_names] if fit.class_names else [said["prediction"][0]]
    assert read(answers[f"{name}.plain"])[2] == pytest.approx(right, rel=1e-6, abs=1e-12)


def test_an_l1_penalty_gives_exact_zeros(answers: dict[str, str], fits: Any) -> None:
    found, _, _ = read(answers["line-zeros.plain"])
    zeros = {name for name, value in found.items() if value == 0}
    assert zeros == {name for name, value in coefficients_of(fits["line-zeros"]).items() if value == 0} != set()


def test_a_loaded_fit_writes_the_same_script(fits: Any, tmp_path: Path) -> None:
    for name in ("logistic-split", "softmax-balanced-weighted", "points-firth", "line-l1"):
        fits[name].save(tmp_path / "a.safetensors")
        again = slopewise.load(tmp_path / "a.safetensors")
        for style in ("plain", "class"):
            assert again.code(style) == fits[name].code(style)


def test_hostile_names_stay_names(tmp_path: Path, folder: Path) -> None:
    draw = random.Random(5)
    names = ['a"b', "c\\d", 'e"""f', "{g}"]
    levels = ['yes"', "no\\", "{0}"]
    rows = [[draw.gauss(0, 1) for _ in names] for _ in range(120)]
    said = [levels[min(2, max(0, int(1.5 + row[0] + draw.gauss(0, 1))))] for row in rows]
    table = {name: [row[j] for row in rows] for j, name in enumerate(names)} | {"t'arg\"et": said}
    fit = slopewise.fit(table, target="t'arg\"et", l2=1.0)
    with pytest.raises(slopewise.errors.OptionError, match="nor few enough|too many to write out|at most"):
        slopewise.fit({key: value * 2 for key, value in table.items()}, target="t'arg\"et", l2=1.0).code()
    found, _, _ = read(output_of({"hostile": fit.code()}, folder)["hostile"])
    assert found == pytest.approx(coefficients_of(fit), rel=1e-7)


def test_an_unknown_style_is_refused(fits: Any) -> None:
    with pytest.raises(slopewise.errors.OptionError, match="style"):
        fits["logistic"].code("fancy")
