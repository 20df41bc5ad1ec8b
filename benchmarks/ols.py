"""Least squares with full inference, beside its peers and its physical limits.

    python benchmarks/ols.py [memory] [parquet] [csv] [start]

memory: 2M x 20 float64 in memory. parquet: 5M x 21 (and 20M x 21 for the memory bound). csv: 1M x 21. start: what
the shell waits for. Files are made once under the system's temporary folder.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import report, side_by_side, verdict

FOLDER = Path(tempfile.gettempdir()) / "slopewise-bench"
COLUMNS = 20


def memory() -> None:
    import numpy as np
    import statsmodels.api as sm
    import torch
    from sklearn.linear_model import LinearRegression, Ridge

    import slopewise

    generator = np.random.default_rng(0)
    x = generator.standard_normal((2_000_000, COLUMNS))
    y = x @ generator.standard_normal(COLUMNS) + generator.standard_normal(len(x))
    shared = torch.from_numpy(x)

    def ours() -> object:
        fit = slopewise.fit((x, y))
        return fit.inferred, fit.stats

    def ours_with_metrics() -> object:
        fit = slopewise.fit((x, y))
        return fit.inferred, fit.stats, fit.train

    def peer_statsmodels() -> object:
        found = sm.OLS(y, sm.add_constant(x)).fit()
        return found.bse, found.pvalues, found.conf_int(), found.aic

    quick = side_by_side(
        {
            "slopewise, full inference": ours,
            "slopewise, and the mean absolute error": ours_with_metrics,
            "bare X.T @ X in torch": lambda: shared.T @ shared,
            "scikit-learn Ridge(cholesky), no inference": lambda: Ridge(alpha=1e-9, solver="cholesky").fit(x, y),
        }
    )
    slow = side_by_side(
        {
            "slopewise, full inference": ours,
            "scikit-learn LinearRegression, no inference": lambda: LinearRegression().fit(x, y),
            "statsmodels OLS": peer_statsmodels,
        }
    )
    ours_name = "slopewise, full inference"
    report("Least squares, 2M x 20 float64 in memory", quick, ours_name)
    report("the slow ones, with ours beside again", slow, ours_name)
    mine, again = quick[ours_name], slow[ours_name]
    linear, models = slow["scikit-learn LinearRegression, no inference"], slow["statsmodels OLS"]
    verdict("LinearRegression / ours", linear / again, 25, at_least=True)
    verdict("Ridge / ours", quick["scikit-learn Ridge(cholesky), no inference"] / mine, 4, at_least=True)
    verdict("statsmodels / ours", models / again, 40, at_least=True)
    verdict("ours / bare product", mine / quick["bare X.T @ X in torch"], 2, at_least=False)


def parquet() -> None:
    import duckdb

    import slopewise

    path = _parquet(5_000_000)
    connection = duckdb.connect()

    def scan() -> int:
        reader = connection.sql(f"select * from '{path}'").to_arrow_reader(122_880)
        return sum(batch.num_rows for batch in reader)

    def sums() -> object:
        names = [f"x{j}" for j in range(COLUMNS)] + ["y"]
        return connection.execute(f"select {', '.join(f'sum({n})' for n in names)} from '{path}'").fetchall()

    ours = "slopewise, one read, full inference"
    seconds = side_by_side(
        {
            ours: lambda: slopewise.fit(str(path), target="y").inferred,
            "DuckDB scan, handed over as Arrow": scan,
            "DuckDB sum of every column, nothing handed over": sums,
        }
    )
    report("Least squares, Parquet 5M x 21", seconds, ours)
    verdict("ours / DuckDB scan", seconds[ours] / seconds["DuckDB scan, handed over as Arrow"], 1.25, at_least=False)
    small, large = _peak(path), _peak(_parquet(20_000_000))
    print(f"  peak memory: 5M rows {small:.0f} MB, 20M rows {large:.0f} MB")
    verdict("peak memory, GB", large / 1000, 1.5, at_least=False)
    verdict("peak at 20M / peak at 5M", large / small, 1.1, at_least=False)


def csv() -> None:
    import duckdb

    import slopewise

    path = FOLDER / "1M.csv"
    if not path.exists():
        duckdb.execute(f"copy (select * from '{_parquet(5_000_000)}' limit 1000000) to '{path}'")
    connection = duckdb.connect()

    def read() -> int:
        reader = connection.sql(f"select * from read_csv('{path}')").to_arrow_reader(122_880)
        return sum(batch.num_rows for batch in reader)

    ours = "slopewise, one read, full inference"
    seconds = side_by_side({ours: lambda: slopewise.fit(str(path), target="y").inferred, "DuckDB read": read})
    report("Least squares, CSV 1M x 21", seconds, ours)
    verdict("ours / DuckDB read", seconds[ours] / seconds["DuckDB read"], 1.3, at_least=False)


def start() -> None:
    table = FOLDER / "100.csv"
    FOLDER.mkdir(exist_ok=True)
    table.write_text("x,y\n" + "".join(f"{i},{2 * i + i % 7}\n" for i in range(100)))

    def run(*words: str) -> None:
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)

    seconds = side_by_side(
        {
            "import torch": lambda: run("-c", "import torch"),
            "slopewise --help": lambda: run("-m", "slopewise", "--help"),
            "slopewise fit of 100 rows": lambda: run("-m", "slopewise", "fit", str(table), "--target", "y"),
        },
        rounds=7,
    )
    report("From the shell", seconds, "import torch")
    share = seconds["slopewise --help"] / seconds["import torch"]
    verdict("--help / import torch (0.25 s of 0.8 s)", share, 0.3125, at_least=False)
    verdict("fit / import torch", seconds["slopewise fit of 100 rows"] / seconds["import torch"], 1.6, at_least=False)


def _parquet(rows: int) -> Path:
    import duckdb

    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{rows}.parquet"
    if not path.exists():
        normal = "sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())"
        columns = ", ".join(f"{normal} as x{j}" for j in range(COLUMNS))
        total = " + ".join(f"x{j}" for j in range(COLUMNS))
        duckdb.execute(
            f"copy (select *, {total} + {normal} as y from (select {columns} from range({rows}))) to '{path}'"
        )
    return path


def _peak(path: Path) -> float:
    """Return the peak memory in MB of a process that fits the file.

    VmHWM and not ru_maxrss, which a child takes over from the process that it was forked from.
    """
    code = (
        "import slopewise, sys; slopewise.fit(sys.argv[1], target='y').inferred; "
        "print(next(int(line.split()[1]) / 1000 for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["memory", "parquet", "csv", "start"]
    began = time.perf_counter()
    for name in chosen:
        {"memory": memory, "parquet": parquet, "csv": csv, "start": start}[name]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{time.perf_counter() - began:.0f} s, peak {peak:.1f} GB")
