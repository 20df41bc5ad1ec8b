"""fit() and load(): wires the stages, computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from slopewise.data.designed import Designed
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table, library_of, with_weights
from slopewise.data.split import Split
from slopewise.engine.local import BLOCK_ROWS, LocalEngine
from slopewise.errors import DataError, OptionError, check_choice
from slopewise.losses.penalty import L2
from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.conclude import check_inference, conclude
from slopewise.results.fit import Fit
from slopewise.training.choose import SOLVERS, choose
from slopewise.training.moments import read_moments
from slopewise.types import Observer


def fit(
    table: Any,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    weights: Any = None,
    table_name: str | None = None,
    intercept: bool = True,
    missing: str = "error",
    test_size: float | None = None,
    seed: int = 0,
    l2: float = 0.0,
    errors: str = "classical",
    level: float = 0.95,
    solver: str = "auto",
    block_rows: int = BLOCK_ROWS,
    observer: Observer | None = None,
) -> Fit:
    """Fit a linear model to a table.

    Minimises Σ w (y - b - W x)² + l2 Σ W², exactly.

    Args:
        table: a path to CSV, TSV, Parquet, JSON lines (gzipped too), DuckDB or SQLite, a glob, or a SELECT over such
            files; a pandas, Polars or PyArrow frame; a dict of columns; a NumPy array or torch tensor (n, q), columns
            x1 … xq; or a pair (X, y).
        target: the column to predict; may be left out for a pair (X, y), where it is y.
        features: the columns to predict from; all others when left out. Numbers and booleans go in as they
            are, text as categories against the first level in sorted order.
        weights: the name of a column of weights; beside a pair of matrices, the weights (n,) themselves.
        table_name: which table of a database file.
        intercept: whether the line may miss the origin.
        missing: "error", "drop" the row, or "mean" (of the training rows; the commonest level of a category).
        test_size: share of the rows to hold out, chosen by seed and row number alone.
        seed: which rows are held out.
        l2: penalty on squared coefficients in raw units, as ridge regression's alpha; never on the intercept.
        errors: "classical", or robust "hc0", "hc1", "hc2", "hc3".
        level: of the confidence intervals.
        solver: "auto", "cholesky" or "qr".
        block_rows: rows per batch; bounds the memory for tables that are read from disk.
        observer: told how a long read is getting on.

    Returns:
        The fit: `summary()`, `coefficients`, `predict(rows)`, `save(path)` and more.

    Raises:
        OptionError: an argument makes no sense.
        ColumnError: a column is not in the table.
        DataError: the table cannot be read, or a value in it cannot be used.
        FitError: the data were read and determine no answer.

    >>> import slopewise
    >>> points = {"hours": [1.0, 2.0, 3.0], "points": [4.0, 5.0, 6.0]}
    >>> slopewise.fit(points, target="points").predict({"hours": [4.0]})["prediction"].round(6)
    array([7.])
    """
    check_choice("solver", solver, SOLVERS)
    check_inference(errors, level)
    _check_numbers(l2, block_rows)
    if isinstance(features, str):
        raise OptionError(f"features is the text {features!r}; give a list of column names.")
    split = Split(test_size or 0.0, seed)
    rows = as_table(table, table_name)
    if weights is not None and not isinstance(weights, str):
        rows, weights = with_weights(rows, weights), "weights"
    design = learn_design(
        rows,
        target=_target_of(table, target),
        features=features,
        weights=weights,
        intercept=intercept,
        missing=missing,
        split=split,
    )
    train = Designed(rows, design, split, "train")
    engine = LocalEngine(block_rows, observer)
    problem = Problem(train, Linear(intercept), Squared(), L2(l2), design.names, intercept)
    choice = choose(problem, read_moments(problem, engine), solver)
    return conclude(
        problem=problem,
        solution=choice.solver.solve(problem, engine),
        design=design,
        solver=choice.solver.name,
        reason=choice.reason,
        engine=engine,
        errors=errors,
        level=level,
        test=Designed(rows, design, split, "test") if split.test_size else None,
        library=library_of(table),
    )


def load(path: str | PathLike[str]) -> Fit:
    """Return a fit that `Fit.save` wrote; no code in the file is ever run.

    Raises:
        StoreError: the file is missing, damaged, not a fit, or made by a newer slopewise.
    """
    return Fit.load(path)


def _target_of(table: Any, target: str | None) -> str:
    if target is not None:
        return target
    if isinstance(table, tuple):
        return "y"
    raise DataError("no target was named; say which column to predict with target='…'.")


def _check_numbers(l2: float, block_rows: int) -> None:
    if not 0 <= l2 < float("inf"):
        raise OptionError(f"l2 is {l2}; give a finite number, zero or above.")
    if block_rows < 1:
        raise OptionError(f"block_rows is {block_rows}; give at least 1.")
