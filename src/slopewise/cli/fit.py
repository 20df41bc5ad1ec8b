"""`slopewise fit`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from slopewise.atomic_file import check_writable
from slopewise.cli.descent_options import DESCENT, STOPPING, takes_descent_options
from slopewise.cli.options import (
    ANSWER,
    DATA,
    NETWORK,
    OUTPUT,
    Activation,
    AsJson,
    ClassWeight,
    Features,
    Hidden,
    Missing,
    ModelWord,
    NoIntercept,
    Ridge,
    Seed,
    Table,
    TableName,
    Target,
    Task,
    Weights,
    number,
    split_names,
    whole_number,
)
from slopewise.cli.printing import findings_of, print_result, print_status
from slopewise.cli.progress import progress_callback


@takes_descent_options
def fit(
    *,
    table: Table,
    target: Target,
    features: Features = None,
    weights: Weights = None,
    table_name: TableName = None,
    missing: Missing = "error",
    test_size: Annotated[
        float | None,
        typer.Option(
            parser=number,
            metavar="SHARE",
            help="Share of the rows held out to test on.",
            rich_help_panel=DATA,
        ),
    ] = None,
    validation_size: Annotated[
        float | None,
        typer.Option(parser=number, metavar="SHARE", help="Share of the rows to stop early by.", rich_help_panel=DATA),
    ] = None,
    seed: Seed = 0,
    no_intercept: NoIntercept = False,
    model: ModelWord = "auto",
    task: Task = "auto",
    l2: Ridge = 0.0,
    l1: Annotated[
        float,
        typer.Option(
            parser=number, metavar="STRENGTH", help="Penalty on absolute coefficients.", rich_help_panel=ANSWER
        ),
    ] = 0.0,
    firth: Annotated[
        bool, typer.Option("--firth", help="Firth's penalty, for separated classes.", rich_help_panel=ANSWER)
    ] = False,
    class_weight: ClassWeight = None,
    cov_type: Annotated[
        Literal["nonrobust", "hc0", "hc1", "hc2", "hc3"] | None,
        typer.Option(help="Standard errors: classical, or robust to unequal scatter.", rich_help_panel=ANSWER),
    ] = None,
    confidence_level: Annotated[
        float | None,
        typer.Option(
            parser=number,
            metavar="LEVEL",
            help="Confidence level of the intervals, 0.95 by default.",
            rich_help_panel=ANSWER,
        ),
    ] = None,
    solver: Annotated[
        Literal[
            "auto",
            "cholesky",
            "qr",
            "newton",
            "lbfgs",
            "coordinate_descent",
            "firth",
            "gd",
            "gd_closed_form",
            "gd_moments",
            "gd_loop",
        ],
        typer.Option(help="How to solve; auto says what it chose and why.", rich_help_panel=ANSWER),
    ] = "auto",
    hidden: Hidden = None,
    activation: Activation = None,
    dropout: Annotated[
        float | None,
        typer.Option(parser=number, metavar="SHARE", help="Hidden values left out.", rich_help_panel=NETWORK),
    ] = None,
    n_init: Annotated[
        int | None,
        typer.Option(parser=whole_number, metavar="N", help="Train N at once, keep the best.", rich_help_panel=NETWORK),
    ] = None,
    warm_start: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Start from a saved fit of the same columns.", rich_help_panel=ANSWER),
    ] = None,
    early_stopping: Annotated[
        bool,
        typer.Option("--early-stopping", help="Stop when the validation cost stands still.", rich_help_panel=STOPPING),
    ] = False,
    allow_divergence: Annotated[
        bool,
        typer.Option(
            "--allow-divergence", help="Go down even beyond the largest stable rate.", rich_help_panel=DESCENT
        ),
    ] = False,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Keep the state of a long descent there.", rich_help_panel=DESCENT),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint.", rich_help_panel=DESCENT)
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Save the fit, as a .safetensors file.", rich_help_panel=OUTPUT),
    ] = None,
    json: AsJson = False,
    words: dict[str, Any],
) -> None:
    """Fit a model to a table and print what was found."""
    names = split_names("--features", features)
    if out is not None:
        check_writable(out)  # before the read, which may take an hour

    from slopewise import api

    options: dict[str, Any] = {
        "target": target,
        "features": names,
        "weights": weights,
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
        "confidence_level": confidence_level,
        "solver": solver,
        "allow_divergence": allow_divergence,
        "checkpoint": checkpoint,
        "resume": resume,
        **words,
    }
    with progress_callback(quiet=json) as callback:
        found = api.fit(table, model=model, task=task, callback=callback, **options)
        # still watched: the metrics of train and test rows are read when first asked for
        if out is not None:
            found.save(out)
        text = found.to_json() if json else "\n".join([found.summary(), *findings_of(found)])
    print_result(text)
    if out is not None:
        print_status(f"saved to {out}")
