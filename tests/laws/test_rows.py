"""What rows mean does not depend on how they come: source, batches, engine, or a row repeated instead of weighted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog import ENGINES, KINDS, Kind

import slopewise
from slopewise.errors import OptionError

N = 60
kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The columns of test_options.py, rounded so that text holds them exactly, and whole weights."""
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=N).round(3), rng.normal(size=N).round(3)
    score = a + 0.5 * b + rng.normal(size=N)
    return pd.DataFrame(
        {
            "a": a,
            "b": 3 * b + 10,
            "y": (2 + a - b + 0.3 * rng.normal(size=N)).round(3),
            "two": np.where(score > 0, "yes", "no"),
            "three": np.array(["low", "mid", "top"])[np.digitize(score + rng.normal(size=N), [-0.7, 0.7])],
            "count": rng.poisson(np.exp(0.5 + 0.3 * a) * rng.gamma(1.0, 1.0, N)).astype(float),
            "cost": (rng.gamma(2.0, np.exp(0.5 * a)) + 0.01).round(3),
            "hours": rng.uniform(0.5, 2, N).round(3),
            "twice": rng.integers(1, 4, N).astype(float),
        }
    ).round(3)


@pytest.fixture(scope="module")
def fits(table: pd.DataFrame) -> dict[str, Any]:
    return {kind.name: fit(table, kind) for kind in KINDS}


def fit(rows: Any, kind: Kind, **more: Any) -> Any:
    return slopewise.fit(rows, features=["a", "b"], **{**kind.options, **more})


def assert_same(found: Any, wanted: Any, rtol: float) -> None:
    """Parameters, costs and predictions agree; of a fit with standard errors, these too."""
    size = float(wanted.theta.abs().max())
    np.testing.assert_allclose(found.theta.numpy(), wanted.theta.numpy(), rtol=rtol, atol=rtol * size)
    errors = [each.record.covariance for each in (found, wanted)]
    if None not in errors:
        first, second = (each.raw.diagonal().sqrt().numpy() for each in errors)
        np.testing.assert_allclose(first, second, rtol=100 * rtol)


def scalars(values: Any) -> dict[str, float]:
    return {name: v for name, v in dataclasses.asdict(values).items() if isinstance(v, int | float)}


def csv(rows: pd.DataFrame, folder: Path) -> str:
    rows.to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def two_csv_files(rows: pd.DataFrame, folder: Path) -> str:
    for number, part in enumerate((rows[:23], rows[23:])):
        part.to_csv(folder / f"part{number}.csv", index=False)
    return str(folder / "part*.csv")


def parquet(rows: pd.DataFrame, folder: Path) -> str:
    pq.write_table(pa.Table.from_pandas(rows), folder / "t.parquet", row_group_size=17)
    return str(folder / "t.parquet")


def json_lines(rows: pd.DataFrame, folder: Path) -> str:
    rows.to_json(folder / "t.jsonl", orient="records", lines=True)
    return str(folder / "t.jsonl")


def database(rows: pd.DataFrame, folder: Path) -> str:
    with duckdb.connect(str(folder / "t.duckdb")) as connection:
        connection.register("given", rows)
        connection.execute("create table t as select * from given")
    return str(folder / "t.duckdb")


SOURCES: list[Callable[[pd.DataFrame, Path], Any]] = [
    lambda rows, folder: pl.from_pandas(rows),
    lambda rows, folder: pa.Table.from_pandas(rows),
    lambda rows, folder: {name: rows[name].tolist() for name in rows},
    csv,
    two_csv_files,
    parquet,
    json_lines,
    database,
]
NAMES = ["polars", "arrow", "dict", "csv", "two csv files", "parquet", "json lines", "duckdb"]


@kinds
@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_every_source_gives_the_same_fit(
    source: Callable[[pd.DataFrame, Path], Any], kind: Kind, fits: dict[str, Any], table: pd.DataFrame, tmp_path: Path
) -> None:
    rows = source(table, tmp_path)
    named = {"table_name": "t"} if source is database else {}
    assert_same(fit(rows, kind, **named), fits[kind.name], 1e-9)


@kinds
def test_the_size_of_a_batch_that_is_read_changes_nothing(
    kind: Kind, fits: dict[str, Any], table: pd.DataFrame, tmp_path: Path
) -> None:
    assert_same(fit(table, kind, batch_rows=7), fits[kind.name], 1e-9)
    assert_same(fit(csv(table, tmp_path), kind, batch_rows=7), fits[kind.name], 1e-9)


@kinds
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
def test_every_engine_gives_the_same_fit(engine: Any, kind: Kind, fits: dict[str, Any], table: pd.DataFrame) -> None:
    assert_same(fit(table, kind, engine=engine), fits[kind.name], 1e-9)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "batch_size" not in kind.options], ids=str)
def test_a_weight_is_a_repeated_row(kind: Kind, table: pd.DataFrame) -> None:
    repeated = table.loc[table.index.repeat(table["twice"].astype(int))].reset_index(drop=True)
    weighted = fit(table, kind, weights="twice")
    plain = fit(repeated, kind)
    size = float(plain.theta.abs().max())
    np.testing.assert_allclose(weighted.theta.numpy(), plain.theta.numpy(), rtol=1e-7, atol=1e-7 * size)


@kinds
@pytest.mark.parametrize("streamed", [False, True], ids=["in memory", "streamed"])
def test_a_row_of_weight_zero_is_no_row(kind: Kind, streamed: bool, table: pd.DataFrame, tmp_path: Path) -> None:
    """As R's lm and glm: it counts in no n, is no class, and may even be impossible."""
    rng = np.random.default_rng(3)
    rows = table.assign(w=rng.uniform(0.5, 2, N).round(3))
    ghosts = rows.sample(25, random_state=1).assign(w=0.0, a=1e6, y=-1e9, three="ghost", hours=-1.0)
    ghosts["two"] = "yes" if streamed else "ghost"  # a CSV of yes and no alone holds booleans
    order = np.argsort(np.r_[np.arange(N), rng.uniform(0, N, 25)], kind="stable")
    both = pd.concat([rows, ghosts], ignore_index=True).iloc[order].reset_index(drop=True)
    more = {"weights": "w", **({"batch_rows": 7} if streamed else {})}
    with_ghosts = fit(csv(both, tmp_path) if streamed else both, kind, **more)
    without = fit(csv(rows, tmp_path) if streamed else rows, kind, **more)
    assert_same(with_ghosts, without, 1e-9)
    assert (with_ghosts.n, with_ghosts.class_names) == (without.n, without.class_names) == (N, without.class_names)
    assert with_ghosts.n_weightless == 25 and "25 of weight 0" in with_ghosts.summary()
    for found, wanted in ((with_ghosts.train, without.train), (with_ghosts.stats, without.stats)):
        if wanted is not None:
            assert scalars(found) == pytest.approx(scalars(wanted), rel=1e-7, nan_ok=True)


@pytest.mark.parametrize("cov_type", ["hc0", "hc1", "hc2", "hc3", "hac", "cluster"])
def test_a_row_of_weight_zero_is_no_row_in_robust_errors(cov_type: str, table: pd.DataFrame) -> None:
    rows = table.assign(w=1.0, firm=np.arange(N) % 12)
    ghosts = rows.iloc[10:30].assign(w=0.0, y=99.0, firm=77)
    both = pd.concat([rows[:20], ghosts, rows[20:]], ignore_index=True)
    more = {"weights": "w", "cov_type": cov_type, **({"cluster": "firm"} if cov_type == "cluster" else {})}
    assert_same(fit(both, KINDS[0], **more), fit(rows, KINDS[0], **more), 1e-9)


def test_what_is_no_engine_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match="engine is a str; give an Engine"):
        fit(table, KINDS[0], engine="cuda")
    with pytest.raises(OptionError, match="an engine has batch_rows of its own"):
        fit(table, KINDS[0], engine=ENGINES[0], batch_rows=5)


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1e3, 1e12])
@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not {"l1", "l2", "firth"} & set(kind.options)], ids=lambda kind: kind.name
)
def test_tiny_and_huge_weights_are_as_good_as_others(kind: Kind, factor: float, table: pd.DataFrame) -> None:
    """Without a penalty only the ratios of weights decide on the estimates."""
    w = np.random.default_rng(3).uniform(0.9, 2, N)
    found, wanted = (fit(table.assign(w=w * by), kind, weights="w") for by in (factor, 1.0))
    size = float(wanted.theta.abs().max())
    rtol = 0.02 if kind.name == "huber" and factor != 1.0 else 1e-9  # a weighted median repeats rows of weight > 1
    np.testing.assert_allclose(found.theta.numpy(), wanted.theta.numpy(), rtol=rtol, atol=rtol * size)
