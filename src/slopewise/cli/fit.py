"""`slopewise fit`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from slopewise.cli.descent_options import DESCENT, STOPPING, takes_descent_options
from slopewise.cli.options import (
    DATA,
    MODEL,
    NETWORK,
    OUTPUT,
    Activation,
    AsJson,
    Categories,
    ClassWeight,
    Decimal,
    Delta,
    Exclude,
    Exposure,
    Features,
    Hidden,
    Loss,
    Missing,
    ModelName,
    NaValues,
    NoIntercept,
    Numbers,
    Offset,
    Overdispersion,
    Ridge,
    Seed,
    Solver,
    Table,
    TableName,
    Target,
    Task,
    Tau,
    Thousands,
    Weights,
    number,
    reading_options,
    split_names,
    whole_number,
)
from slopewise.cli.printing import findings_of, print_result, print_status
from slopewise.cli.progress import progress_callback
from slopewise.cli.write import check_output


@takes_descent_options
def fit(
    *,
    table: Table,
    target: Target,
    features: Features = None,
    exclude: Exclude = None,
    categories: Categories = None,
    numbers: Numbers = None,
    na_values: NaValues = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    weights: Weights = None,
    offset: Offset = None,
    exposure: Exposure = None,
    table_name: TableName = None,
    missing: Missing = "error",
    test_size: Annotated[
        float | None,
        typer.Option(
            parser=number,
            metavar="SHARE",
            help="Share of the rows held out for testing.",
            rich_help_panel=DATA,
        ),
    ] = None,
    validation_size: Annotated[
        float | None,
        typer.Option(
            parser=number, metavar="SHARE", help="Share of the rows held out for early stopping.", rich_help_panel=DATA
        ),
    ] = None,
    seed: Seed = 0,
    no_intercept: NoIntercept = False,
    model: ModelName = "auto",
    task: Task = "auto",
    loss: Loss = None,
    tau: Tau = None,
    delta: Delta = None,
    overdispersion: Overdispersion = None,
    l2: Ridge = 0.0,
    l1: Annotated[
        float,
        typer.Option(parser=number, metavar="STRENGTH", help="L1 penalty on the coefficients.", rich_help_panel=MODEL),
    ] = 0.0,
    firth: Annotated[
        bool,
        typer.Option("--firth", help="Firth's penalised likelihood, for separated classes.", rich_help_panel=MODEL),
    ] = False,
    class_weight: ClassWeight = None,
    cov_type: Annotated[
        Literal["nonrobust", "hc0", "hc1", "hc2", "hc3", "cluster", "cr0", "hac"] | None,
        typer.Option(
            help="Standard errors: nonrobust, or robust; hac is Newey-West, for rows in order.", rich_help_panel=MODEL
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of clusters, whose rows are correlated.", rich_help_panel=MODEL),
    ] = None,
    lags: Annotated[
        int | None,
        typer.Option(
            parser=whole_number,
            metavar="N",
            help="Of --cov-type hac: how many lags; chosen by the number of rows by default.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    confidence_level: Annotated[
        float | None,
        typer.Option(
            parser=number,
            metavar="LEVEL",
            help="Confidence level of the intervals, 0.95 by default.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    solver: Solver = "auto",
    hidden: Hidden = None,
    activation: Activation = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            parser=number, metavar="SHARE", help="Dropout probability of the hidden layers.", rich_help_panel=NETWORK
        ),
    ] = None,
    n_init: Annotated[
        int | None,
        typer.Option(
            parser=whole_number,
            metavar="N",
            help="Train from N initializations, keep the best.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    warm_start: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Start from a saved fit of the same columns.", rich_help_panel=MODEL),
    ] = None,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping", help="Stop when the validation cost no longer improves.", rich_help_panel=STOPPING
        ),
    ] = False,
    allow_divergence: Annotated[
        bool,
        typer.Option(
            "--allow-divergence", help="Run even above the largest stable learning rate.", rich_help_panel=DESCENT
        ),
    ] = False,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder for checkpoints of the training state.", rich_help_panel=DESCENT),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from the checkpoint.", rich_help_panel=DESCENT)
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Save the fit, as a .safetensors file.", rich_help_panel=OUTPUT),
    ] = None,
    json: AsJson = False,
    descent_options: dict[str, Any],
) -> None:
    """Fit a model to a table and print its summary."""
    names = split_names("--features", features)
    if out is not None:
        check_output(out, table)  # before the read, which may take an hour

    from slopewise import api

    options: dict[str, Any] = {
        "target": target,
        "features": names,
        **reading_options(
            exclude=exclude,
            categories=categories,
            numbers=numbers,
            na_values=na_values,
            decimal=decimal,
            thousands=thousands,
        ),
        "weights": weights,
        "offset": offset,
        "exposure": exposure,
        "loss": loss,
        "tau": tau,
        "delta": delta,
        "overdispersion": overdispersion,
        "table_name": table_name,
        "intercept": not no_intercept,
        "missing": missing,
        "test_size": test_size,
        "validation_size": validation_size,
        "seed": seed,
        "l2": l2,
        "l1": l1,
        "firth": firth,
        "class_weight": class_weight,
        "hidden": hidden,
        "activation": activation,
        "dropout": dropout,
        "n_init": n_init,
        "warm_start": warm_start,
        "early_stopping": early_stopping,
        "cov_type": cov_type,
        "cluster": cluster,
        "lags": lags,
        "confidence_level": confidence_level,
        "solver": solver,
        "allow_divergence": allow_divergence,
        "checkpoint": checkpoint,
        "resume": resume,
        **descent_options,
    }
    with progress_callback(quiet=json) as callback:
        result = api.fit(table, model=model, task=task, callback=callback, **options)
        # inside the callback's block: the metrics of train and test rows are computed when first used
        if out is not None:
            result.save(out)
        text = result.to_json() if json else "\n".join([result.summary(), *findings_of(result)])
    print_result(text)
    if out is not None:
        print_status(f"saved to {out}")
