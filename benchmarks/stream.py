"""Mini-batch descent on rows streamed from Parquet, beside the same descent on rows in memory.

    python benchmarks/stream.py [--rows 20000000] [--memory-rows 2000000] [--batch-size 256 1024 4096] [--epochs 2]

A line of 20 columns by SGD, in standard units, history at start and end alone. Each contender runs in a process of its
own. Rows per second are those of the epochs, from their first mini-batch to the last step; the costs at start and end
and the gathering are left out. Peak memory is that of the whole process, from its first import to the fit. The tables
are made in a temporary folder and removed in the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import verdict

COLUMNS = 20
FILES = 5


def write(folder: Path, rows: int) -> str:
    """Write a table in several files and return their folder."""
    import duckdb

    folder.mkdir()
    normal = "sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())"
    columns = ", ".join(f"{normal} as x{j}" for j in range(COLUMNS))
    total = " + ".join(f"x{j}" for j in range(COLUMNS))
    for number in range(FILES):
        some = f"select {columns} from range({rows // FILES})"
        duckdb.execute(f"copy (select *, {total} + {normal} as y from ({some})) to '{folder}/{number}.parquet'")
    return str(folder)


def contend(path: str, batch_size: int, epochs: int, gather: bool) -> None:
    """Descend, and print what it took as JSON; the contender's own process."""
    from time import perf_counter

    from slopewise.data.design_source import DesignSource
    from slopewise.data.learn import learn_design
    from slopewise.data.open import as_table
    from slopewise.data.split import Split
    from slopewise.engine.local import LocalEngine
    from slopewise.losses.penalty import L2
    from slopewise.losses.squared import Squared
    from slopewise.models.linear import Linear
    from slopewise.optimizers.parse import plan_descent
    from slopewise.optimizers.plan import DescentPlan
    from slopewise.problem import Problem
    from slopewise.training.descent.linear import prepare_descent
    from slopewise.training.descent.minibatches import Arrays
    from slopewise.training.descent.rows import DescentRows, RowsInMemory, StreamedRows
    from slopewise.training.descent.solvers import Loop
    from slopewise.training.moments.moments import read_moments

    split = Split(0.0)
    table = as_table(path, None)
    design = learn_design(table, target="y", features=None, weights=None, intercept=True, missing="error", split=split)
    problem = Problem(DesignSource(table, design), Linear(), Squared(), L2(), design.names, True)
    engine = LocalEngine(memory=float("inf") if gather else 0.0)
    moments = read_moments(problem, engine)

    plan = plan_descent(lr=0.01, epochs=epochs, batch_size=batch_size, history_every="last")
    setup = prepare_descent(problem, moments, None, plan)
    seconds: list[float] = []

    def timed(rows: DescentRows, plan: DescentPlan) -> Callable[[int], Iterator[Arrays]]:
        batches = plain(rows, plan)

        def of_epoch(epoch: int) -> Iterator[Arrays]:
            started = perf_counter()
            yield from batches(epoch)
            seconds.append(perf_counter() - started)

        return of_epoch

    kind = RowsInMemory if gather else StreamedRows
    plain, kind.batches = kind.batches, timed  # type: ignore[method-assign]
    Loop(setup).solve(problem, engine, moments=moments)
    peak = next(
        int(line.split()[1]) / 1e3
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM")
    )
    rates = [moments.n / each for each in seconds]
    print(json.dumps({"rate": statistics.median(rates), "best": max(rates), "peak": peak}))


def run(path: str, batch_size: int, epochs: int, *, gather: bool) -> dict[str, float]:
    words = [sys.executable, __file__, "--contender", path, str(batch_size), str(epochs), str(int(gather))]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(large: str, small: str, size: int, given: argparse.Namespace) -> None:
    streamed, memory = [], []
    for _ in range(given.rounds):
        streamed.append(run(large, size, given.epochs, gather=False))
        memory.append(run(small, size, given.epochs * given.rows // given.memory_rows, gather=True))
    print(f"\nBatches of {size}, {given.epochs} epochs: medians of {given.rounds} rounds in turn")
    for name, rows, found in (("streamed", given.rows, streamed), ("in memory", given.memory_rows, memory)):
        rate, peak = (statistics.median(each[key] for each in found) for key in ("rate", "peak"))
        best = max(each["best"] for each in found)
        print(
            f"  {name:<10} {rows:>12,} rows  {rate / 1e6:6.2f}M rows/s, fastest epoch {best / 1e6:6.2f}M   "
            f"peak {peak:6.0f} MB"
        )
    pairs = [one["rate"] / other["rate"] for one, other in zip(streamed, memory, strict=True)]
    print("  ratios of the rounds: " + ", ".join(f"{ratio:.2f}" for ratio in pairs))
    verdict("rows/s streamed / in memory", statistics.median(pairs), 0.8, at_least=True)
    verdict("peak memory streamed, GB", max(each["peak"] for each in streamed) / 1000, 1.0, at_least=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--memory-rows", type=int, default=2_000_000)
    parser.add_argument("--batch-size", type=int, nargs="+", default=[256, 1024, 4096])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", nargs=4)
    given = parser.parse_args()
    if given.contender:
        path, size, epochs, gather = given.contender
        contend(path, int(size), int(epochs), bool(int(gather)))
        return
    folder = Path(tempfile.mkdtemp(prefix="slopewise-stream-"))
    try:
        large, small = write(folder / "large", given.rows), write(folder / "small", given.memory_rows)
        for size in given.batch_size:
            compare(large, small, size, given)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
