"""fit(), check() and load(): wires the stages, computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from slopewise.api.linear import fit_exactly
from slopewise.api.posed import Posed, pose
from slopewise.api.words import DescentWords, choose_words
from slopewise.data.split import Split
from slopewise.engine.local import BLOCK_ROWS, LocalEngine
from slopewise.errors import OptionError
from slopewise.results.conclude import check_inference
from slopewise.results.fit import Fit
from slopewise.types import Observer

if TYPE_CHECKING:
    from slopewise.doctor.examine import Report
    from slopewise.training.checkpoint import Checkpoint

# What a plain line does not need is imported where it is needed: the shell waits for every import.

__all__ = ["DescentWords", "Fit", "check", "fit", "load", "metrics_json", "metrics_text"]


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
    model: str = "auto",
    task: str = "auto",
    l2: float = 0.0,
    l1: float = 0.0,
    firth: bool = False,
    class_weight: str | None = None,
    errors: str = "classical",
    level: float = 0.95,
    solver: str = "auto",
    hidden: Sequence[int] | str | None = None,
    activation: str | None = None,
    dropout: float | None = None,
    starts: int | None = None,
    module: Any = None,
    warm_start: Any = None,
    early_stop: bool = False,
    anyway: bool = False,
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = False,
    block_rows: int = BLOCK_ROWS,
    observer: Observer | None = None,
    **words: Unpack[DescentWords],
) -> Any:
    """Fit a model to a table: a line for numbers, classes by their likelihood, or a small network.

    A line minimises Σ w (y - b - W x)² + l2 Σ W² + l1 Σ |W|, exactly, or by gradient descent where a word about
    descending is said; classes minimise Σ w · -log P(class) with the same penalties.

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
        model: "auto" takes linear for numbers, logistic for two classes and softmax for more, classes being text,
            booleans and numbers that are all 0 or 1; or "linear", "logistic", "softmax", "mlp".
        task: "regression" or "classification" where the target could be either.
        l2: penalty on squared coefficients in raw units, as ridge regression's alpha; never on the intercept.
        l1: penalty on absolute coefficients, likewise.
        firth: Firth's penalised likelihood, for two classes that are separated.
        class_weight: "balanced" lets every class count alike.
        errors: "classical", or robust "hc0", "hc1", and for lines "hc2", "hc3".
        level: of the confidence intervals.
        solver: "auto"; "cholesky" or "qr" (exact lines); "newton", "lbfgs", "coordinate" or "firth"; "descent" (the
            fastest road down), or that road by name: "replay", "moments" or "loop".
        hidden: sizes of a network's hidden layers, (64, 64) or "64,64".
        activation: of a network: sigmoid, tanh, relu, gelu, silu or identity.
        dropout: share of a network's hidden values left out at each training step.
        starts: train that many networks at once and keep the best.
        module: your own torch.nn.Module from x (n, q) to as many outputs as the loss asks for.
        warm_start: a fit of the same columns and classes to start from, or the path of one: for classes by their
            likelihood and for any descent.
        early_stop: stop when the cost of the validation rows no longer improves.
        anyway: go down even with a learning rate beyond the largest stable one.
        checkpoint: a folder to keep the state of a long descent in.
        resume: go on from the checkpoint.
        block_rows: rows per batch; bounds the memory for tables that are read from disk.
        observer: told how a long read or descent is getting on.
        words: see `DescentWords`: optimizer, lr, momentum, epochs, batch_size, init, standardize, record, …

    Returns:
        `Fit`, `Classifier` or `NetworkFit`: `summary()`, `coefficients`, `predict(rows)`, `save(path)` and more; of a
        descent also `history` and `at(epoch)`.

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
    check_inference(errors, level)
    _check_numbers(l2=l2, l1=l1, block_rows=block_rows)
    chosen = choose_words(
        model=model,
        task=task,
        solver=solver,
        early_stop=early_stop,
        asked=checkpoint is not None or resume or anyway,
        said=words,
        network={
            "hidden": hidden,
            "activation": activation,
            "dropout": dropout,
            "starts": starts,
            "module": module,
        },
    )
    if warm_start is not None and "init" in chosen.said:
        raise OptionError("warm_start and init both say where the descent begins; leave one of them out.")
    start = load(warm_start) if isinstance(warm_start, str | PathLike) else warm_start
    posed = pose(
        table,
        target=target,
        features=features,
        weights=weights,
        table_name=table_name,
        intercept=intercept,
        missing=missing,
        split=Split(test_size or 0.0, seed, validation_size or 0.0),
        classes=True if firth else chosen.classes,
        engine=LocalEngine(block_rows, observer),
    )
    classes = bool(posed.design.target_levels)
    if l1 and chosen.descends:
        raise OptionError("l1 has corners, where a gradient descent never stops; leave out the words about a descent.")
    kept = _checkpoint(checkpoint, resume, posed)
    if chosen.model == "mlp" or (classes and chosen.descends):
        from slopewise.api.classes import loss_of, model_of
        from slopewise.api.network import fit_by_loop

        if anyway:
            raise OptionError("anyway is for a line: no step of classes or of a network is refused; leave it out.")
        if classes:
            model_of(posed, chosen.model)
        return fit_by_loop(
            posed,
            chosen,
            loss=loss_of(posed, class_weight) if classes else None,
            seed=seed,
            l2=l2,
            checkpoint=kept,
            observer=observer,
            start=start,
        )
    if classes:
        from slopewise.api.classes import fit_classes

        return fit_classes(
            posed,
            model=chosen.model,
            l2=l2,
            l1=l1,
            firth=firth,
            class_weight=class_weight,
            errors=errors,
            level=level,
            solver=chosen.solver,
            start=start,
        )
    _refuse_class_weight(posed, class_weight)
    if not chosen.descends:
        if start is not None:
            raise OptionError("a line is solved at once and needs no warm_start; leave it out, or ask for a descent.")
        return fit_exactly(posed, l2=l2, l1=l1, errors=errors, level=level, solver=chosen.solver)
    from slopewise.api.descent import fit_by_descent

    return fit_by_descent(
        posed,
        chosen.plan(seed),
        l2=l2,
        errors=errors,
        level=level,
        solver=chosen.solver,
        anyway=anyway,
        checkpoint=kept,
        observer=observer,
        start=start,
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
    model: str = "auto",
    task: str = "auto",
    l2: float = 0.0,
    class_weight: str | None = None,
    hidden: Sequence[int] | str | None = None,
    activation: str | None = None,
    module: Any = None,
    seed: int = 0,
    block_rows: int = BLOCK_ROWS,
    observer: Observer | None = None,
    **words: Unpack[DescentWords],
) -> Report:
    """Say what a descent on this table would meet, before the first step.

    The rows are read once, and the first thousands of them again where the model is not a line.

    Arguments are those of `fit`. The report holds the limits of the step in raw and in standardised columns, side by
    side, and the findings; printed, it is a page of text. Of a line the limits are exact; of classes they hold wherever
    the descent goes; of a network they are those at its start.

    Raises:
        OptionError, ColumnError, DataError: as `fit`.
        FitError: there is one class only.
    """
    _check_numbers(l2=l2, l1=0.0, block_rows=block_rows)
    chosen = choose_words(
        model=model,
        task=task,
        solver="descent",
        early_stop=False,
        asked=False,
        said=words,
        network={"hidden": hidden, "activation": activation, "module": module},
    )
    posed = pose(
        table,
        target=target,
        features=features,
        weights=weights,
        table_name=table_name,
        intercept=intercept,
        missing=missing,
        split=Split(0.0, seed),
        classes=chosen.classes,
        engine=LocalEngine(block_rows, observer),
    )
    classes = bool(posed.design.target_levels)
    if chosen.model == "mlp" or classes:
        from slopewise.api.classes import loss_of, model_of
        from slopewise.api.network import report_on_curve

        if classes:
            model_of(posed, chosen.model)
        return report_on_curve(posed, chosen, loss=loss_of(posed, class_weight) if classes else None, seed=seed, l2=l2)
    _refuse_class_weight(posed, class_weight)
    from slopewise.api.descent import report_on

    return report_on(posed, chosen.plan(seed), l2)


def load(path: str | PathLike[str], module: Any = None) -> Any:
    """Return a saved fit, of whatever kind it is; no code in the file is ever run.

    Args:
        path: of the file.
        module: the nn.Module of your own that was fitted, if it was one: its code is not in the file.

    Raises:
        StoreError: the file is missing, damaged, not a fit, made by a newer slopewise, or needs a module.
    """
    from slopewise.results.store import load as load_file

    return load_file(path, module)


def metrics_json(metrics: Any) -> str:
    """Return metrics as one JSON object, null for what is not a finite number."""
    from slopewise.results.measured import measured_json

    return measured_json(metrics)


def metrics_text(metrics: Any, found: Any) -> str:
    """Return metrics as lines: a name and a value; of classes also the confusion matrix."""
    from slopewise.results.measured import measured_lines

    return "\n".join(measured_lines(metrics, getattr(found, "classes", ())))


def _checkpoint(folder: str | PathLike[str] | None, resume: bool, posed: Posed) -> Checkpoint | None:
    if folder is None:
        if resume:
            raise OptionError("resume needs the folder of the checkpoint; give checkpoint='…' too.")
        return None
    from slopewise.training.checkpoint import Checkpoint

    return Checkpoint(Path(folder), resume=resume, about=posed.design.to_dict())


def _refuse_class_weight(posed: Posed, class_weight: str | None) -> None:
    if class_weight is not None:
        raise OptionError(f"class_weight is for classes, and target {posed.design.target!r} is a number; leave it out.")


def _check_numbers(*, l2: float, l1: float, block_rows: int) -> None:
    for name, value in (("l2", l2), ("l1", l1)):
        if not 0 <= value < float("inf"):
            raise OptionError(f"{name} is {value}; give a finite number, zero or above.")
    if block_rows < 1:
        raise OptionError(f"block_rows is {block_rows}; give at least 1.")
