"""What is known of classes and networks before the first step, against what the fit then meets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import slopewise
from slopewise.doctor.separable import separating_hyperplane
from slopewise.errors import DataError, FitError, OptionError

PENGUINS = str(Path(__file__).parents[2] / "examples" / "penguins.csv")
SEX = {"target": "sex", "features": ["flipper_length_mm", "bill_depth_mm"], "missing": "drop"}
SPECIES = {"target": "species", "features": ["flipper_length_mm", "bill_length_mm"], "missing": "drop"}
MASS = {"target": "body_mass_g", "features": ["flipper_length_mm", "sex"], "missing": "drop"}


def codes(report: Any) -> list[str]:
    return [finding.code for finding in report.findings]


def test_the_limit_of_classes_is_that_of_the_largest_hessian() -> None:
    import pandas as pd

    report = slopewise.check(PENGUINS, **SEX)
    table = pd.read_csv(PENGUINS).dropna(subset=[*SEX["features"], "sex"])
    x = torch.tensor(table[SEX["features"]].to_numpy())
    for limits, u in ((report.raw, x), (report.standard, (x - x.mean(0)) / x.std(0, correction=0))):
        whole = torch.cat([torch.ones(len(u), 1, dtype=torch.float64), u], dim=1)
        exact = float(torch.linalg.eigvalsh(whole.T @ whole / (4 * len(u)))[-1])
        assert limits.largest == pytest.approx(exact, rel=1e-10) and limits.lr == pytest.approx(2 / exact)
    assert (report.class_names, sum(report.counts)) == (("female", "male"), report.n)
    assert report.plan.lr == pytest.approx(report.standard.lr / 2)


CASES: dict[str, dict[str, Any]] = {
    "two classes": SEX,
    "three classes, a penalty": {**SPECIES, "l2": 3.0},
    "weights, balanced": {**SEX, "weights": "year", "class_weight": "balanced"},
    "raw columns": {**SEX, "standardize": False},
    "momentum": {**SEX, "momentum": 0.8},
    "a network": {**MASS, "hidden": (5, 4), "optimizer": "sgd"},
    "a network of classes, raw": {**SPECIES, "hidden": (4,), "standardize": False, "seed": 3},
    "a network with weights": {
        **MASS,
        "hidden": (3,),
        "weights": "year",
        "l2": 0.5,
        "activation": "tanh",
        "optimizer": "sgd",
    },
}


@pytest.mark.parametrize("case", list(CASES))
def test_the_limit_is_what_the_fit_then_meets(case: str) -> None:
    options = CASES[case]
    report = slopewise.check(PENGUINS, **options)
    fit = slopewise.fit(PENGUINS, epochs=2, solver="gd_loop", **options)
    assert report.limits.lr == pytest.approx(fit.descent.largest_lr, rel=1e-6)
    assert report.plan.lr == pytest.approx(fit.descent.plan.lr, rel=1e-6)
    assert report.n == fit.n


def test_a_module_of_ones_own_is_examined() -> None:
    report = slopewise.check(PENGUINS, **MASS, module=nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)))
    assert np.isfinite(report.standard.lr) and "at the start" in report.holds


def test_the_page_and_the_json() -> None:
    report = slopewise.check(PENGUINS, **SPECIES, lr=9.0)
    page = str(report)
    assert max(map(len, page.splitlines())) <= 80
    for text in ("Softmax regression", "Adelie 151, Chinstrap 68, Gentoo 123", "for all parameters", "lr="):
        assert text in page
    assert "never arrives" not in page and "condition number" not in page
    assert "lr-beyond-limit" in codes(report)
    plain = json.loads(report.to_json())
    assert plain["model"] == "Softmax regression" and plain["counts"] == [151, 68, 123]
    assert plain["raw"]["best_lr"] is None and plain["limits_hold"].startswith("for all parameters")
    line = json.loads(slopewise.check(PENGUINS, **MASS).to_json())
    assert line["model"] == "linear" and line["limits_hold"] == "for all parameters"


def test_a_network_without_hidden_layers_is_a_line() -> None:
    report = slopewise.check(PENGUINS, **MASS, model="mlp", hidden=(), optimizer="sgd")
    assert report.model == "Linear regression" and report.holds.startswith(
        "for all parameters: the Hessian of the loss"
    )


def test_adam_has_no_limit_to_be_beyond() -> None:
    report = slopewise.check(PENGUINS, **SEX, optimizer="adam", lr=100.0)
    assert "lr-beyond-limit" not in codes(report)
    assert slopewise.check(PENGUINS, **SEX, optimizer="adam").plan.lr == 1e-3


def test_separated_and_rare_classes_are_named() -> None:
    apart = {"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "y": ["a", "a", "b", "b", "c", "c"]}
    assert "separated" not in codes(slopewise.check({**apart, "y": ["a", "b", "a", "b", "a", "b"]}, target="y"))
    two = {"x": apart["x"], "y": ["a", "a", "a", "b", "b", "b"]}
    (found,) = slopewise.check(two, target="y").findings
    assert found.code == "separated" and "firth=True" in found.fix
    assert "separated" not in codes(slopewise.check(two, target="y", l2=1.0))
    draw = np.random.default_rng(0)
    rare = {"x": draw.normal(size=200), "y": ["yes"] * 9 + ["no"] * 191}
    (found,) = slopewise.check(rare, target="y").findings
    assert found.code == "class-imbalance" and "9 of 200" in found.number.words


def three_clouds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    y = np.arange(60) % 3
    return draw.normal(size=(60, 2)) + 2.2 * np.array([[0, 0], [2, 0], [0, 2]])[y] * (0.5 + seed / 4), y


def test_several_classes_are_separable_exactly_where_newton_finds_them_so() -> None:
    kinds = set()
    for seed in range(8):
        x, y = three_clouds(seed)
        apart = separating_hyperplane(torch.from_numpy(x), torch.from_numpy(y.astype(float))).separable
        kinds.add(apart)
        table = {"x1": x[:, 0], "x2": x[:, 1], "y": np.array(["a", "b", "c"])[y]}
        try:
            fitted = slopewise.fit(table, target="y")
        except FitError as error:
            # two of the three may be apart although the third overlaps: then the classes are separated in part
            assert ("separated in part" not in str(error)) == apart
        else:
            assert not apart and fitted.theta.isfinite().all()
    assert kinds == {True, False}


@pytest.mark.parametrize(
    ("table", "options", "error", "sentence"),
    [
        ({"x": [1.0, 2.0], "y": ["a", "a"]}, {}, DataError, "a"),
        ({"x": [1.0, 2.0], "y": ["a", "b"]}, {"intercept": False}, OptionError, "keeps its biases"),
        ({"x": [1.0, 2.0], "y": ["a", "b"]}, {"class_weight": "unfair"}, OptionError, "'unfair' is not known"),
        ({"x": [1.0, 2.0], "y": [1.0, 5.0]}, {"class_weight": "balanced"}, OptionError, "is for classes"),
        ({"x": [1.0, 2.0, 3.0], "y": ["a", "b", "c"]}, {"model": "logistic"}, OptionError, "choose 'softmax'"),
        ({"x": [1.0, 2.0], "y": [1.0, 5.0]}, {"hidden": (0,)}, OptionError, "0"),
        ({"x": [1.0, 2.0], "y": ["a", "b"]}, {"model": "linear"}, DataError, "text"),
    ],
)
def test_bad_input(table: Any, options: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        slopewise.check(table, target="y", **options)


def test_allow_divergence_is_refused_where_no_lr_is() -> None:
    with pytest.raises(OptionError, match="allow_divergence is for a line"):
        slopewise.fit(PENGUINS, **SEX, lr=100.0, allow_divergence=True)
