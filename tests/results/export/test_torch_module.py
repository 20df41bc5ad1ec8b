"""A module of the user's own written out: the script builds it, and comes to the numbers of the fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import own_modules
import pytest
import torch
from scripts import check_clean, run
from torch import nn

import slopewise
from slopewise.errors import OptionError
from slopewise.results.prediction.scores import predicted

PENGUINS = str(Path(__file__).parents[3] / "examples" / "penguins.csv")
MASS = {"target": "body_mass_g", "features": ["flipper_length_mm", "bill_depth_mm"], "missing": "drop"}
SPECIES = {**MASS, "target": "species"}

LENGTH = {"target": "flipper_length_mm", "features": ["bill_depth_mm"], "missing": "drop", "exposure": "year"}

CASES: dict[str, tuple[nn.Module | None, dict[str, Any]]] = {
    "layers": (nn.Sequential(nn.Linear(2, 4), nn.GELU("tanh"), nn.Linear(4, 1)), {**MASS, "l2": 0.1}),
    "a flat answer": (nn.Sequential(nn.Linear(2, 3), nn.PReLU(), nn.Linear(3, 1), nn.Flatten(0)), {**MASS}),
    "an own class": (own_modules.Bent(), {**MASS, "lr": 0.05}),
    "an own class inside": (nn.Sequential(nn.LayerNorm(2), own_modules.Bent()), {**MASS, "lr": 0.05}),
    "classes, batches, dropout": (
        nn.Sequential(nn.Linear(2, 5, bias=False), nn.ELU(0.5), nn.Dropout(0.2), nn.Linear(5, 2)),
        {**SPECIES, "optimizer": "adam", "batch_size": 50, "test_size": 0.2, "class_weight": "balanced"},
    ),
    "counts": (None, {**LENGTH, "loss": "poisson", "lr": 0.1, "weights": "bill_length_mm"}),
    "counts of a network": (
        nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 1)),
        {**LENGTH, "loss": "negative_binomial", "overdispersion": 0.1, "batch_size": 64, "lr": 0.05},
    ),
    "counts in single precision": (
        None,
        {**LENGTH, "loss": "poisson", "optimizer": "adam", "lr": 0.1, "dtype": "float32"},
    ),
    "gamma": (None, {**MASS, "loss": "gamma", "optimizer": "adam", "lr": 0.1}),
    "huber": (None, {**MASS, "loss": "huber", "delta": 100.0, "lr": 0.5, "l2": 2.0}),
    "absolute": (None, {**MASS, "loss": "absolute", "lr": 10.0, "schedule": "cosine"}),
    "quantile network": (None, {**MASS, "loss": "quantile", "tau": 0.8, "hidden": (3,), "optimizer": "adam"}),
    "single precision": (nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), {**MASS, "dtype": "float32"}),
}


@pytest.fixture(scope="module")
def fits() -> dict[str, Any]:
    torch.manual_seed(3)
    return {name: slopewise.fit(PENGUINS, module=own, epochs=30, **words) for name, (own, words) in CASES.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module")
def answers(fits: dict[str, Any], folder: Path) -> dict[str, str]:
    paths = []
    for name, fit in fits.items():
        paths.append(folder / f"{name}.py".replace(" ", "_").replace(",", ""))
        paths[-1].write_text(fit.code(), encoding="utf-8")
    printed = run(paths)
    return {name: printed[path.stem] for name, path in zip(fits, paths, strict=True)}


@pytest.mark.parametrize("name", list(CASES))
def test_the_script_reproduces_the_fit(name: str, fits: dict[str, Any], answers: dict[str, str]) -> None:
    fit = fits[name]
    printed = dict(line.split(": ", 1) for line in answers[name].splitlines() if line.startswith(("cost", "pred")))
    close = 1e-4 if "single" in name else 1e-9
    assert float(printed["cost"]) == pytest.approx(fit.descent.cost, rel=close)
    first = next(fit.data.train.batches(1))
    answer = predicted(fit.record, first.x, first.offset)
    right = answer.exp()[0].tolist() if fit.class_names else [answer.item()]
    assert json.loads(printed["prediction"]) == pytest.approx(right, rel=close)


def test_the_scripts_are_clean(answers: dict[str, str], folder: Path) -> None:
    check_clean(folder)


def test_a_loaded_fit_writes_the_same(fits: dict[str, Any], tmp_path: Path) -> None:
    for name in ("an own class", "layers"):
        fits[name].save(tmp_path / "a.fit")
        assert slopewise.load(tmp_path / "a.fit", module=CASES[name][0]).code() == fits[name].code()


def _frozen() -> nn.Module:
    module = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    module[0].weight.requires_grad_(False)
    return module


class Local(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


del Local.__init__.__annotations__
exec("class Hidden(Local):\n    pass")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (_frozen(), "frozen parameters"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)), "running numbers"),
        (nn.Sequential(nn.Linear(2, 99), nn.Tanh(), nn.Linear(99, 1)), "too many to write out"),
        (own_modules.Sized(3), "takes arguments"),
        (own_modules.Bent(4), "is not the module that was fitted"),
        (own_modules.Beside(), "uses 'SCALE', which stands beside it"),
        (globals()["Hidden"](), "the source of Hidden is not to be had"),
    ],
)
def test_what_a_script_cannot_know_is_refused(module: nn.Module, sentence: str) -> None:
    fit = slopewise.fit(PENGUINS, **MASS, module=module, epochs=1)
    with pytest.raises(OptionError, match=sentence):
        fit.code()
