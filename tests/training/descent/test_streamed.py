"""A descent on rows that are read anew in every epoch: the run of rows in memory, wherever both exist."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from catalog import ENGINES
from torch import nn

import slopewise
from slopewise.api import dataset
from slopewise.engine import stream
from slopewise.engine.default import default_engine
from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError, StoreError

N = 900
NUMBER = {"target": "y", "lr": 0.05}
TWO = {"target": "two", "lr": 0.2}
THREE = {"target": "three", "lr": 0.2}
COUNT = {"target": "count", "loss": "poisson", "optimizer": "adam", "lr": 0.05, "exposure": "hours"}

RUNS: dict[str, dict[str, Any]] = {
    "line": NUMBER,
    "line with weights and l2": {**NUMBER, "weights": "w", "l2": 3.0},
    "line in raw units by adam": {**NUMBER, "standardize": False, "optimizer": "adam"},
    "line in float32": {**NUMBER, "dtype": "float32"},
    "line, few epochs kept": {**NUMBER, "history_every": 2, "momentum": 0.9},
    "line with a schedule": {**NUMBER, "schedule": "plateau", "plateau_patience": 0},
    "line, monitored": {**NUMBER, "validation_size": 0.3, "patience": 1, "monitor": "validation"},
    "logistic": TWO,
    "softmax with weights and l2": {**THREE, "weights": "w", "l2": 1.0},
    "network": {**NUMBER, "hidden": (4,), "optimizer": "adam", "lr": 0.01},
    "network, monitored": {**NUMBER, "hidden": (4,), "validation_size": 0.3, "patience": 1, "monitor": "validation"},
    "network of classes": {**TWO, "hidden": (4,), "weights": "w"},
    "network in float32": {**NUMBER, "hidden": (4,), "dtype": "float32"},
    "counts": {**NUMBER, "target": "count", "loss": "poisson"},
    "counts with exposure": COUNT,
    "counts with offset and weights, watched": {
        **COUNT,
        "exposure": None,
        "offset": "w",
        "weights": "hours",
        "validation_size": 0.3,
        "patience": 1,
        "monitor": "validation",
    },
    "network of counts": {**COUNT, "model": "mlp", "hidden": (4,), "weights": "w", "optimizer": "sgd", "lr": 0.01},
    "network of counts in float32": {**COUNT, "model": "mlp", "hidden": (4,), "dtype": "float32"},
}


class RecordingCallback:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def rows(self, done: int, total: int | None) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epochs(self, done: int, total: int, cost: float) -> None: ...


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One table in one file, and in five."""
    folder = tmp_path_factory.mktemp("streamed")
    make = np.random.default_rng(1)
    a, b = make.normal(size=N) * 3 + 10, make.normal(size=N)
    score = (a - 10) / 3 + b + make.logistic(size=N)
    table = pa.table(
        {
            "a": a,
            "b": b,
            "y": 2 * a - b + make.normal(size=N),
            "two": (score > 0).astype(int),
            "three": np.digitize(score, [-1, 1]).astype(str),
            "w": make.uniform(0.5, 2, N),
            "hours": (hours := make.uniform(0.2, 4, N)),
            "count": make.poisson(hours * np.exp(score / 4)).astype(float),
        }
    )
    pq.write_table(table, folder / "one.parquet", row_group_size=250)
    (folder / "five").mkdir()
    for number, (start, stop) in enumerate(((0, 10), (10, 400), (400, 401), (401, 700), (700, N))):
        pq.write_table(table.slice(start, stop - start), folder / "five" / f"{number}.parquet", row_group_size=77)
    return {"one": str(folder / "one.parquet"), "five": str(folder / "five")}


def fit(path: str, **options: Any) -> Any:
    features = {"features": ["a", "b"]}
    return slopewise.fit(path, **{**features, "epochs": 4, "batch_size": 32, "seed": 3, **options})


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row of a file may be gathered."""
    monkeypatch.setattr(
        dataset, "default_engine", lambda batch_rows, callback: replace(default_engine(batch_rows, callback), memory=0)
    )


def history(fit: Any) -> Any:
    return fit.descent.history


def alike(found: Any, expected: Any, *, rtol: float = 1e-9) -> None:
    close = partial(torch.testing.assert_close, rtol=rtol, atol=rtol)
    close(found.theta, expected.theta)
    assert torch.equal(history(found).epoch, history(expected).epoch)
    close(history(found).cost, history(expected).cost)
    close(history(found).parameters, history(expected).parameters)
    close(history(found).gradient, history(expected).gradient, equal_nan=True)
    close(history(found).lr, history(expected).lr)
    assert found.status is expected.status
    assert found.solver == expected.solver == "gd_loop"
    if history(expected).validation is not None:
        close(history(found).validation, history(expected).validation)
    if expected.descent.null_cost == expected.descent.null_cost:
        assert found.descent.null_cost == pytest.approx(expected.descent.null_cost, rel=rtol)
        assert found.solution.counts == expected.solution.counts


@pytest.mark.parametrize("name", RUNS)
def test_the_run_is_that_of_rows_in_memory(name: str, paths: dict[str, str], request: pytest.FixtureRequest) -> None:
    expected = fit(paths["one"], **RUNS[name])
    request.getfixturevalue("streaming")
    callback = RecordingCallback()
    found = fit(paths["one"], **RUNS[name], callback=callback)
    assert any(note.startswith("streaming ") for note in callback.notes)
    alike(found, expected, rtol=1e-4 if "float32" in name else 1e-9)


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("name", ["line with weights and l2", "network of classes", "counts with exposure"])
def test_from_one_file_or_five_the_run_is_the_same(
    name: str, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BUFFER", 250 * 8 * 4)
    runs = [
        fit(paths[files], **RUNS[name], batch_rows=rows) for files, rows in (("one", 10), ("five", 10), ("five", 65536))
    ]
    for other in runs[1:]:
        # moments are added in other pieces, and with them the units differ in the last digits
        alike(other, runs[0], rtol=1e-11)
    in_memory = fit(paths["one"], **RUNS[name], test_size=None)
    alike(in_memory, runs[0], rtol=1e-11)


@pytest.mark.usefixtures("streaming")
def test_streaming_is_announced(paths: dict[str, str]) -> None:
    callback = RecordingCallback()
    fit(paths["one"], **NUMBER, callback=callback)
    assert callback.notes == [
        "streaming 900 rows in every epoch: in memory they would take 0 MB, and 0 MB are given to them; every recorded "
        "cost takes one read more"
    ]


@pytest.mark.usefixtures("streaming")
def test_many_starts_and_full_batches_are_in_memory_all_the_same(paths: dict[str, str]) -> None:
    callback = RecordingCallback()
    many = fit(paths["one"], **RUNS["network"], n_init=3, callback=callback)
    whole = fit(paths["one"], **{**NUMBER, "hidden": (3,), "batch_size": None}, callback=callback)
    assert many.descent.starts is not None
    assert whole.solver == "gd_loop"
    assert not callback.notes


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("name", ["line", "network of classes", "counts with exposure"])
def test_it_resumes_bit_by_bit(name: str, paths: dict[str, str], tmp_path: Path) -> None:
    whole = fit(paths["one"], **RUNS[name])
    fit(paths["one"], **RUNS[name], checkpoint=str(tmp_path), **{"epochs": 2})
    again = fit(paths["one"], **RUNS[name], checkpoint=str(tmp_path), resume=True)
    assert torch.equal(again.theta, whole.theta)
    assert torch.equal(history(again).cost, history(whole).cost)
    with pytest.raises(StoreError, match="other rows"):
        fit(paths["one"], **RUNS[name], checkpoint=str(tmp_path), resume=True, missing="error", batch_rows=13)


@pytest.mark.usefixtures("streaming")
def test_it_does_not_resume_on_other_offsets(paths: dict[str, str], tmp_path: Path) -> None:
    table = pq.read_table(paths["one"])
    swapped = np.array(table["hours"])
    swapped[[-1, -2]] = swapped[[-2, -1]]  # the sums of the offset alone stay as they are
    other = table.set_column(table.column_names.index("hours"), "hours", pa.array(swapped))
    pq.write_table(other, tmp_path / "other.parquet")
    fit(paths["one"], **COUNT, checkpoint=str(tmp_path / "state"), **{"epochs": 2})
    with pytest.raises(StoreError, match="other rows"):
        fit(str(tmp_path / "other.parquet"), **COUNT, checkpoint=str(tmp_path / "state"), resume=True)


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("column", ["a", "w"])
def test_what_validation_rows_lack_is_named(column: str, paths: dict[str, str], tmp_path: Path) -> None:
    words = {**RUNS["counts with offset and weights, watched"], "seed": 3}
    held_out = fit(paths["one"], **words).data.validation
    row = next(row for row in range(N) if held_out.split.mask("validation", row, 1)[0])
    table = pq.read_table(paths["one"])
    values = np.array(table[column])
    values[row] = np.nan
    table = table.set_column(table.column_names.index(column), column, pa.array(values))
    pq.write_table(table, tmp_path / "lacking.parquet")
    with pytest.raises(DataError, match=f"column '{column}' holds 1 missing value .* in row {row + 1}"):
        fit(str(tmp_path / "lacking.parquet"), **words)


@pytest.mark.usefixtures("streaming")
def test_a_module_that_behaves_otherwise_in_training(paths: dict[str, str]) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.1), nn.Linear(6, 1))
    found = fit(paths["one"], **NUMBER, module=module, epochs=30)
    assert found.train.r2 > 0.9


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
@pytest.mark.parametrize("name", ["line with weights and l2", "network of classes", "network of counts"])
def test_on_every_engine(name: str, engine: Any, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for each in (replace(engine, memory=0), LocalEngine(memory=0)):
        monkeypatch.setattr(dataset, "default_engine", lambda batch_rows, callback, each=each: each)
        runs.append(fit(paths["one"], **RUNS[name], **{"epochs": 2}))
    alike(*runs)
