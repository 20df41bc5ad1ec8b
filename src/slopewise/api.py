"""fit(), check() and load(): wires the stages, computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, TypedDict, Unpack

from slopewise.data.design import Design
from slopewise.data.designed import Designed
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table, library_of, with_weights
from slopewise.data.split import Split
from slopewise.doctor.descent import refuse
from slopewise.doctor.examine import Report, examine, look_back
from slopewise.doctor.finding import Finding
from slopewise.engine.local import BLOCK_ROWS, LocalEngine
from slopewise.errors import DataError, FitError, OptionError, check_choice
from slopewise.losses.penalty import L2
from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.optimizers.descent import Descent
from slopewise.optimizers.plan import plan_descent
from slopewise.problem import Problem
from slopewise.results.conclude import check_inference, conclude, conclude_descent
from slopewise.results.fit import Fit
from slopewise.solution import Moments, Solution
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.choose import SOLVERS, choose
from slopewise.training.down import go_down, survey
from slopewise.training.moments import read_moments
from slopewise.training.roads import ROADS
from slopewise.types import Observer

__all__ = ["DescentWords", "Fit", "Posed", "check", "fit", "load"]


class DescentWords(TypedDict, total=False):
    """What may be said about going down; the words are torch.optim's own. Any of them chooses a descent."""

    optimizer: str | None
    lr: float | None
    momentum: float | None
    dampening: float | None
    nesterov: bool | None
    weight_decay: float | None
    betas: tuple[float, float] | None
    eps: float | None
    amsgrad: bool | None
    alpha: float | None
    centered: bool | None
    lr_decay: float | None
    schedule: str | None
    step_size: int | None
    gamma: float | None
    t_max: int | None
    eta_min: float | None
    factor: float | None
    plateau_patience: int | None
    threshold: float | None
    min_lr: float | None
    epochs: int | None
    batch_size: int | None
    init: str | Sequence[float] | None
    standardize: bool | None
    record: int | None
    dtype: str | None
    watch: str | None
    patience: int | None
    min_delta: float | None
    gap: float | None
    gradient: float | None


@dataclass(frozen=True, slots=True)
class Posed:
    """A question put to a table: the design learned from it, its training rows and what was held out."""

    design: Design
    train: Designed
    problem: Problem

    def part(self, name: str) -> Designed | None:
        """Return the rows held out as `name`, None where none were."""
        split = self.train.split
        share = split.test_size if name == "test" else split.validation_size
        return replace(self.train, part=name) if share else None

    def held_out(self, name: str) -> Problem | None:
        """Return the same question put to the rows held out as `name`."""
        rows = self.part(name)
        return None if rows is None else replace(self.problem, source=rows)


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
    validation_size: float | None = None,
    seed: int = 0,
    l2: float = 0.0,
    errors: str = "classical",
    level: float = 0.95,
    solver: str = "auto",
    anyway: bool = False,
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = False,
    block_rows: int = BLOCK_ROWS,
    observer: Observer | None = None,
    **words: Unpack[DescentWords],
) -> Fit:
    """Fit a linear model to a table.

    Minimises Σ w (y - b - W x)² + l2 Σ W²: exactly, or by gradient descent where a word about descending is said.

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
        validation_size: share of the rows to hold out for early stopping, beside the test rows.
        seed: which rows are held out, how rows are shuffled and where a random start lies.
        l2: penalty on squared coefficients in raw units, as ridge regression's alpha; never on the intercept.
        errors: "classical", or robust "hc0", "hc1", "hc2", "hc3".
        level: of the confidence intervals.
        solver: "auto", "cholesky" or "qr" (exact); "descent" (the fastest road down), or that road by name: "replay"
            (closed form), "moments" (any optimizer, without the rows) or "loop" (the plain loop).
        anyway: go down even with a learning rate beyond the largest stable one.
        checkpoint: a folder to keep the state of a long descent in.
        resume: go on from the checkpoint.
        block_rows: rows per batch; bounds the memory for tables that are read from disk.
        observer: told how a long read or descent is getting on.
        words: see `DescentWords`: optimizer, lr, momentum, epochs, batch_size, init, standardize, record, …

    Returns:
        The fit: `summary()`, `coefficients`, `predict(rows)`, `save(path)` and more; of a descent also
        `history` and `at(epoch)`.

    Raises:
        OptionError: an argument makes no sense.
        ColumnError: a column is not in the table.
        DataError: the table cannot be read, or a value in it cannot be used.
        FitError: the data were read and determine no answer; or the learning rate is beyond the limit.
        StoreError: a checkpoint cannot be written or resumed.

    >>> import slopewise
    >>> points = {"hours": [1.0, 2.0, 3.0], "points": [4.0, 5.0, 6.0]}
    >>> slopewise.fit(points, target="points").predict({"hours": [4.0]})["prediction"].round(6)
    array([7.])
    """
    check_choice("solver", solver, (*SOLVERS, *ROADS))
    check_inference(errors, level)
    _check_numbers(l2, block_rows)
    descent = _plan(solver, seed, words, checkpoint is not None or bool(resume) or anyway)
    split = Split(test_size or 0.0, seed, validation_size or 0.0)
    posed = _pose(table, target, features, weights, table_name, intercept, missing, split, l2)
    engine = LocalEngine(block_rows, observer)
    moments = read_moments(posed.problem, engine)
    concluded: dict[str, Any] = {
        "problem": posed.problem,
        "design": posed.design,
        "engine": engine,
        "errors": errors,
        "level": level,
        "test": posed.part("test"),
        "library": library_of(table),
    }
    if descent is None:
        choice = choose(posed.problem, moments, solver)
        solution = choice.solver.solve(posed.problem, engine)
        found = conclude(solution=solution, solver=choice.solver.name, reason=choice.reason, **concluded)
        return replace(found, findings=_plain(look_back(posed.problem, moments)))
    exact = _exact(posed.problem, engine, moments)
    ground = survey(posed.problem, moments, exact, descent)
    refuse(ground.descent, ground.limits, anyway=anyway)
    descended, road, reason = go_down(
        posed.problem,
        engine,
        ground=ground,
        moments=moments,
        wanted="descent" if solver == "auto" else solver,
        observer=observer,
        checkpoint=_checkpoint(checkpoint, resume, posed.design),
        validation=posed.held_out("validation"),
    )
    findings = look_back(posed.problem, moments, ground, descended)
    return conclude_descent(
        ground=ground,
        descended=descended,
        exact=exact,
        moments=moments,
        road=road,
        reason=reason,
        findings=_plain(findings),
        **concluded,
    )


def check(
    table: Any,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    weights: Any = None,
    table_name: str | None = None,
    intercept: bool = True,
    missing: str = "error",
    l2: float = 0.0,
    seed: int = 0,
    block_rows: int = BLOCK_ROWS,
    observer: Observer | None = None,
    **words: Unpack[DescentWords],
) -> Report:
    """Say what a descent on this table would meet, before the first step; the rows are read once.

    Arguments are those of `fit`. The report holds the limits of the step in raw and in standardised columns, side by
    side, and the findings; printed, it is a page of text.

    Raises:
        OptionError, ColumnError, DataError: as `fit`.
    """
    descent = plan_descent(**{**words, "seed": seed})
    posed = _pose(table, target, features, weights, table_name, intercept, missing, Split(0.0, seed), l2)
    engine = LocalEngine(block_rows, observer)
    moments = read_moments(posed.problem, engine)
    exact = _exact(posed.problem, engine, moments)
    return examine(posed.problem, moments, survey(posed.problem, moments, exact, descent))


def load(path: str | PathLike[str]) -> Fit:
    """Return a fit that `Fit.save` wrote; no code in the file is ever run.

    Raises:
        StoreError: the file is missing, damaged, not a fit, or made by a newer slopewise.
    """
    return Fit.load(path)


def _plain(findings: Sequence[Finding]) -> tuple[dict[str, Any], ...]:
    return tuple(finding.to_dict() for finding in findings)


def _plan(solver: str, seed: int, words: DescentWords, asked: bool) -> Descent | None:
    """Return the plan of a descent if one was asked for, by the solver or by any word about it."""
    said = {word: value for word, value in words.items() if value is not None}
    if solver in ("cholesky", "qr") and said:
        raise OptionError(
            f"solver {solver!r} does not descend, so it takes no {sorted(said)[0]}; leave one of them out."
        )
    if solver in SOLVERS and not said:
        if asked:
            raise OptionError("checkpoint, resume and anyway are for a descent; say solver='descent' too.")
        return None
    return plan_descent(**{**said, "seed": seed})


def _pose(
    table: Any,
    target: str | None,
    features: Sequence[str] | None,
    weights: Any,
    table_name: str | None,
    intercept: bool,
    missing: str,
    split: Split,
    l2: float,
) -> Posed:
    if isinstance(features, str):
        raise OptionError(f"features is the text {features!r}; give a list of column names.")
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
    return Posed(design, train, Problem(train, Linear(intercept), Squared(), L2(l2), design.names, intercept))


def _exact(problem: Problem, engine: LocalEngine, moments: Moments) -> Solution | None:
    """Return the exact solution, None where the columns determine none: a descent goes somewhere all the same."""
    try:
        return choose(problem, moments).solver.solve(problem, engine)
    except FitError:
        return None


def _checkpoint(folder: str | PathLike[str] | None, resume: bool, design: Design) -> Checkpoint | None:
    if folder is None:
        if resume:
            raise OptionError("resume needs the folder of the checkpoint; give checkpoint='…' too.")
        return None
    from pathlib import Path

    return Checkpoint(Path(folder), resume=resume, about=design.to_dict())


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
