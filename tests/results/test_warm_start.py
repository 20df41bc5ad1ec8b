"""A fit that starts from another begins exactly where that one ended, whatever units either works in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import slopewise
from slopewise.cli.main import main
from slopewise.errors import OptionError, StoreError

PENGUINS = str(Path(__file__).parents[2] / "examples" / "penguins.csv")
SEX = {"target": "sex", "features": ["flipper_length_mm", "bill_depth_mm"], "missing": "drop"}
SPECIES = {"target": "species", "features": ["bill_length_mm", "flipper_length_mm"], "missing": "drop"}
MASS = {"target": "body_mass_g", "features": ["flipper_length_mm", "sex"], "missing": "drop"}


def table(rows: slice) -> Any:
    import pandas as pd

    return pd.read_csv(PENGUINS).iloc[rows]


@pytest.mark.parametrize("options", [{}, {"standardize": False, "lr": 1e-9}, {"dtype": "float32"}])
@pytest.mark.parametrize(
    "question",
    [
        {**MASS, "hidden": (4, 3), "activation": "tanh"},
        {**SPECIES, "hidden": (4,)},
        {**SEX, "model": "logistic"},
        {**SPECIES, "model": "softmax"},
        {**MASS, "hidden": ()},
    ],
)
def test_a_descent_begins_with_the_answers_of_the_fit(question: dict[str, Any], options: dict[str, Any]) -> None:
    earlier = slopewise.fit(table(slice(0, 300)), epochs=30, **{"lr": 0.05, **question})
    rows = table(slice(40, 344)).dropna(subset=["sex"])
    warm = slopewise.fit(rows, epochs=1, **question, **options, warm_start=earlier)
    before, at_start = earlier.predict(rows), warm.at(0).predict(rows)
    close = 1e-4 if "dtype" in options else 1e-9
    for name in before.columns:
        if name == "prediction" and earlier.class_names:
            assert (before[name] == at_start[name]).all()
        else:
            assert np.allclose(before[name], at_start[name], rtol=close, atol=close)
    assert warm.to_dict()["descent"]["init"] == "fit"


def test_a_line_begins_where_the_exact_fit_is_and_stays() -> None:
    exact = slopewise.fit(PENGUINS, **MASS)
    for options in ({}, {"standardize": False}):
        fit = slopewise.fit(PENGUINS, **MASS, epochs=3, warm_start=exact, **options)
        assert torch.allclose(fit.at(0).theta, exact.theta, rtol=1e-9)
        assert float(fit.descent.history.cost[-1]) == pytest.approx(float(exact.solution.loss) / exact.n, rel=1e-12)


def test_newton_starts_from_a_descent_and_a_descent_from_newton(tmp_path: Path) -> None:
    exact = slopewise.fit(PENGUINS, **SPECIES)
    unfinished = slopewise.fit(PENGUINS, **SPECIES, epochs=300)
    again = slopewise.fit(PENGUINS, **SPECIES, warm_start=unfinished)
    assert torch.allclose(again.theta, exact.theta, rtol=1e-7) and again.solution.passes < exact.solution.passes
    exact.save(tmp_path / "exact.fit")
    descended = slopewise.fit(PENGUINS, **SPECIES, epochs=2, warm_start=tmp_path / "exact.fit")
    assert descended.descent.history.cost[0] == pytest.approx(exact.solution.loss / exact.n, rel=1e-12)
    assert float(descended.descent.norms[0]) < 1e-6


def test_the_script_writes_the_start_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    earlier = slopewise.fit(PENGUINS, **MASS, hidden=(3,), epochs=20, lr=0.1)
    warm = slopewise.fit(PENGUINS, **MASS, hidden=(3,), epochs=20, lr=0.1, warm_start=earlier)
    warm.save(tmp_path / "warm.fit")
    assert slopewise.load(tmp_path / "warm.fit").code() == warm.code()
    before = torch.get_default_dtype()
    try:
        exec(compile(warm.code(), "script", "exec"), {"__name__": "script"})
    finally:
        torch.set_default_dtype(before)
    cost = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cost: ")]
    assert float(cost[0].removeprefix("cost: ")) == pytest.approx(warm.descent.cost, rel=1e-9)


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["slopewise", "fit", PENGUINS, "--target", "body_mass_g", "--features", "flipper_length_mm,sex"]
    arguments += ["--missing", "drop", "--hidden", "3", "--lr", "0.1", "--epochs"]
    for rest in (["50", "--out", "a.fit"], ["1", "--warm-start", "a.fit", "--out", "b.fit"]):
        monkeypatch.setattr("sys.argv", [*arguments, *rest])
        try:
            assert not main()
        except SystemExit as end:
            assert not end.code
    first, second = slopewise.load("a.fit"), slopewise.load("b.fit")
    assert second.descent.history.cost[0] == pytest.approx(float(first.descent.history.cost[-1]), rel=1e-9)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({**MASS}, "least squares is solved without"),
        ({**MASS, "epochs": 1, "init": "zeros"}, "leave one of them out"),
        ({**MASS, "features": ["sex"], "epochs": 1}, "start from a fit of the same"),
        ({**MASS, "hidden": (5,), "epochs": 1}, "same layers"),
        ({**MASS, "hidden": (3,), "epochs": 1, "activation": "tanh"}, "3-1 with relu.*3-1 with tanh"),
        ({**MASS, "hidden": (3,), "epochs": 1, "n_init": 2}, "leave one of them out"),
        ({**MASS, "module": nn.Linear(2, 1), "epochs": 1}, "starts from the parameters it comes with"),
        ({**MASS, "epochs": 1}, "has no coefficients"),
    ],
)
def test_bad_starts(options: dict[str, Any], sentence: str) -> None:
    start = slopewise.fit(PENGUINS, **MASS, hidden=(3,), epochs=1)
    with pytest.raises(OptionError, match=sentence):
        slopewise.fit(PENGUINS, **options, warm_start=start)


def test_no_fit_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="warm_start is a int; give a fit"):
        slopewise.fit(PENGUINS, **SEX, warm_start=5)
    with pytest.raises(StoreError, match="there is no file"):
        slopewise.fit(PENGUINS, **SEX, warm_start=str(tmp_path / "nothing.fit"))
    line = slopewise.fit(PENGUINS, **MASS)
    with pytest.raises(OptionError, match="same layers"):
        slopewise.fit(PENGUINS, **MASS, hidden=(3,), epochs=1, warm_start=line)
