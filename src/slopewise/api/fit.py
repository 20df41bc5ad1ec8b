"""`slopewise.fit`: from a table and options to a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from slopewise.api.dataset import TrainingData, prepare_data
from slopewise.api.linear import fit_linear
from slopewise.api.load import load
from slopewise.api.modes import in_own_modes
from slopewise.api.option_types import FitOptions
from slopewise.api.options import ResolvedOptions, resolve_options, takes
from slopewise.doctor.absent_levels import absent_levels
from slopewise.errors import OptionError
from slopewise.results.fit import Fit

if TYPE_CHECKING:
    from slopewise.results.record import ClassificationMetrics, RegressionMetrics
    from slopewise.training.descent.checkpoint import Checkpoint

# What a linear model does not need is imported where it is needed: the shell waits for every import.


@overload
def fit(
    table: Any, *, model: Literal["linear"], task: str = ..., **options: Unpack[FitOptions]
) -> Fit[RegressionMetrics]: ...
@overload
def fit(
    table: Any, *, model: Literal["logistic", "softmax"], task: str = ..., **options: Unpack[FitOptions]
) -> Fit[ClassificationMetrics]: ...
@overload
def fit(table: Any, *, model: str = ..., task: str = ..., **options: Unpack[FitOptions]) -> Fit[Any]: ...
@takes(FitOptions)
@in_own_modes
def fit(table: Any, *, model: str = "auto", task: str = "auto", **options: Unpack[FitOptions]) -> Fit[Any]:
    """Fit a model to a table: a line for numbers, classes by their likelihood, or a small network.

    A line minimises Σ w (y - b - W x)² + l2 Σ W² + l1 Σ |W|, exactly, or by gradient descent where an option about
    descending is given; classes minimise Σ w · -log P(class) with the same penalties.

    Args:
        table: a path to CSV, TSV, Parquet, JSON lines (gzipped too), DuckDB or SQLite, a glob, or a SELECT over such
            files; a pandas, Polars or PyArrow frame; a dict of columns; a NumPy array or torch tensor (n, q), columns
            x1 … xq; or a pair (X, y).
        model: "auto" takes linear for numbers, logistic for two classes and softmax for more, classes being text,
            booleans and numbers that are all 0 or 1; or "linear", "logistic", "softmax", "mlp".
        task: "regression" or "classification" where the target could be either.
        target: the column to predict; may be left out for a pair (X, y), where it is y.
        features: the columns to predict from; all others when left out. Numbers and booleans go in as they
            are, text as categories against the first level in sorted order, unless it is numbers with certainty.
        exclude: columns that are left out where no features are named.
        categories: columns that are categories whatever they look like: codes, years, the target's classes.
        numbers: columns of text that are numbers: codes with zeros before them, columns with much text at first.
        na_values: the words for missing, in place of NA, N/A, NaN, null, None and #N/A; an empty text always is.
        decimal: "," or ".", of numbers that are written as text, in files or in columns of text.
        thousands: what separates their thousands: ",", ".", " ", "'" or "_"; with "." the decimal separator is ",".
        weights: the name of a column of weights; beside a pair of matrices, the weights (n,) themselves.
        table_name: which table of a database file.
        offset: a column added to the linear predictor, with losses of counts and positive numbers; `predict` needs it.
        exposure: a column of positive numbers whose logarithm is added likewise.
        loss: squared, huber, absolute, quantile, logistic, softmax, poisson, negative_binomial or gamma (log link).
        tau: which quantile, between 0 and 1; 0.5 is the median.
        delta: residual from which Huber's loss is linear; left out, 1.345 times their normalised MAD.
        overdispersion: alpha of the negative binomial, variance mean + alpha mean²; estimated if left out.
        intercept: whether there is a constant; without one the prediction is 0 where all columns are.
        missing: "error", "drop" the row, or "mean" (of the training rows; the commonest level of a category).
        test_size: share of the rows to hold out, chosen by seed and row number alone.
        validation_size: share of the rows to hold out for early stopping, beside the test rows.
        seed: which rows are held out, how rows are shuffled and where a random start lies.
        l2: penalty on squared coefficients in raw units, as ridge regression's alpha; never on the intercept.
        l1: penalty on absolute coefficients, likewise.
        firth: Firth's penalised likelihood, for two classes that are separated.
        class_weight: "balanced" lets every class count alike.
        cov_type: kind of the standard errors: "nonrobust"; robust to unequal variances, "hc0", "hc1", and for least
            squares "hc2", "hc3"; to correlation within clusters, "cluster" (CR1) and "cr0"; or to autocorrelation of
            rows in order, "hac" (Newey-West with Bartlett weights). Rows are in order as the table gives them, and rows
            that are dropped or held out leave no gap: the rows beside them become neighbours.
        cluster: the column of clusters for those.
        lags: of "hac", rows further apart counting as uncorrelated; left out, floor(4 (n / 100)^(2/9)) of n rows.
        confidence_level: of the confidence intervals.
        solver: "auto"; "cholesky" or "qr" (least squares); "newton", "lbfgs", "coordinate_descent", "firth" or
            "interior_point"; "gd" (gradient descent, the fastest way to compute it), or "gd_closed_form",
            "gd_moments" or "gd_loop".
        hidden: sizes of a network's hidden layers, (64, 64) or "64,64"; (100,) for model="mlp". A network for which no
            option about its training is given is trained by Adam in batches of 32, up to 200 epochs, stopping early on
            a tenth of the rows held out, from 90 training rows on.
        activation: of a network: sigmoid, tanh, relu, gelu, silu or identity.
        dropout: share of a network's hidden values left out at each training step.
        n_init: train that many networks at once and keep the best.
        module: your own torch.nn.Module from x (n, q) to as many outputs as the loss asks for.
        warm_start: a fit of the same columns and classes to start from, or the path of one: for classes by their
            likelihood and for any descent.
        early_stopping: stop when the cost of the validation rows no longer improves.
        allow_divergence: descend even with a learning rate beyond the largest stable one.
        checkpoint: a folder to keep the state of a long descent in.
        resume: go on from the checkpoint.
        batch_rows: rows per batch; bounds the memory for tables that are read from disk.
        callback: told how a long read or descent is getting on.
        engine: reads the rows and sums over them; this machine's by default.
        options: these, and those of a descent, see `DescentOptions`: optimizer, lr, momentum, epochs, batch_size, init,
            standardize, history_every, …

    Returns:
        A fit: `summary()`, `coefficients`, `predict(rows)`, `save(path)` and more; of a descent also `history` and
        `at(epoch)`.

    Raises:
        OptionError: an option makes no sense, or is not one of this kind of fit.
        ColumnError: a column is not in the table.
        DataError: the table cannot be read, or a value in it cannot be used.
        FitError: the data were read and determine no answer; or the learning rate is beyond the limit.
        StoreError: a checkpoint cannot be written or resumed.

    >>> import slopewise
    >>> points = {"hours": [1.0, 2.0, 3.0], "points": [4.0, 5.0, 6.0]}
    >>> slopewise.fit(points, target="points").predict({"hours": [4.0]})["prediction"].round(6)
    array([7.])
    """
    resolved = resolve_options(FitOptions, model=model, task=task, given=options)
    warm_start = resolved["warm_start"]
    if isinstance(warm_start, str | Path):
        warm_start = load(warm_start)
    data = prepare_data(table, resolved)
    if resolved["l1"] and resolved.descends:
        raise OptionError(
            "l1 is not differentiable at 0, where gradient descent never settles; leave out the options of a descent."
        )
    checkpoint = _checkpoint(resolved, data)
    fitted = _wired(data, resolved, warm_start, checkpoint)
    absent = absent_levels(data.design)
    return fitted.with_findings((*fitted.findings, *(each.to_dict() for each in absent))) if absent else fitted


def _wired(data: TrainingData, resolved: ResolvedOptions, warm_start: Any, checkpoint: Checkpoint | None) -> Fit[Any]:
    """Return the fit of the kind that the options ask for."""
    own_loss = resolved["loss"] not in (None, "squared")
    if resolved.model == "mlp" or ((data.is_classification or own_loss) and resolved.descends):
        from slopewise.api.network import fit_network

        return fit_network(data, resolved, warm_start=warm_start, checkpoint=checkpoint)
    if data.is_classification:
        from slopewise.api.classification import fit_classification

        return fit_classification(data, resolved, warm_start=warm_start)
    if own_loss:
        from slopewise.api.loss import fit_loss

        return fit_loss(data, resolved, warm_start=warm_start)
    return fit_linear(data, resolved, warm_start=warm_start, checkpoint=checkpoint)


def _checkpoint(options: ResolvedOptions, data: TrainingData) -> Checkpoint | None:
    if options["checkpoint"] is None:
        return None
    from slopewise.training.descent.checkpoint import Checkpoint

    return Checkpoint(Path(options["checkpoint"]), resume=options["resume"], about=data.design.to_dict())
