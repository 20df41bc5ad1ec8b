"""`slopewise fit`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from slopewise.cli.descending import DESCENT, STOPPING, descending
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
from slopewise.cli.printing import findings_of, put, tell
from slopewise.cli.progress import watching
from slopewise.saving import check_place


@descending
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
    errors: Annotated[
        Literal["classical", "hc0", "hc1", "hc2", "hc3"] | None,
        typer.Option(help="Standard errors: classical, or robust to unequal scatter.", rich_help_panel=ANSWER),
    ] = None,
    level: Annotated[
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
            "auto", "cholesky", "qr", "newton", "lbfgs", "coordinate", "firth", "descent", "replay", "moments", "loop"
        ],
        typer.Option(help="How to solve; auto says what it chose and why.", rich_help_panel=ANSWER),
    ] = "auto",
    hidden: Hidden = None,
    activation: Activation = None,
    dropout: Annotated[
        float | None,
        typer.Option(parser=number, metavar="SHARE", help="Hidden values left out.", rich_help_panel=NETWORK),
    ] = None,
    starts: Annotated[
        int | None,
        typer.Option(parser=whole_number, metavar="N", help="Train N at once, keep the best.", rich_help_panel=NETWORK),
    ] = None,
    warm_start: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Start from a saved fit of the same columns.", rich_help_panel=ANSWER),
    ] = None,
    early_stop: Annotated[
        bool,
        typer.Option("--early-stop", help="Stop when the validation cost stands still.", rich_help_panel=STOPPING),
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Go down even beyond the largest stable rate.", rich_help_panel=DESCENT)
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
        check_place(out)  # before the read, which may take an hour

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
        "starts": starts,
        "warm_start": warm_start,
        "early_stop": early_stop,
        "errors": errors,
        "level": level,
        "solver": solver,
        "anyway": anyway,
        "checkpoint": checkpoint,
        "resume": resume,
        **words,
    }
    with watching(quiet=json) as observer:
        found = api.fit(table, model=model, task=task, observer=observer, **options)
        # still watched: the metrics of train and test rows are read when first asked for
        if out is not None:
            found.save(out)
        text = found.to_json() if json else "\n".join([found.summary(), *findings_of(found)])
    put(text)
    if out is not None:
        tell(f"saved to {out}")
