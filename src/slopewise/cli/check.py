"""`slopewise check`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from slopewise.cli.descending import descending
from slopewise.cli.options import ANSWER, DATA, AsJson, Features, Table, TableName, Target, Weights, number, split_names
from slopewise.cli.printing import put
from slopewise.cli.progress import watching


@descending
def check(
    *,
    table: Table,
    target: Target,
    features: Features = None,
    weights: Weights = None,
    table_name: TableName = None,
    missing: Annotated[
        Literal["error", "drop", "mean"],
        typer.Option(help="Missing values: refuse, drop the row, or fill in the mean.", rich_help_panel=DATA),
    ] = "error",
    no_intercept: Annotated[
        bool, typer.Option("--no-intercept", help="Go through the origin.", rich_help_panel=ANSWER)
    ] = False,
    l2: Annotated[
        float,
        typer.Option(parser=number, metavar="STRENGTH", help="Penalty on coefficients.", rich_help_panel=ANSWER),
    ] = 0.0,
    json: AsJson = False,
    words: dict[str, Any],
) -> None:
    """Say how far a step may go on this table, how long a descent takes and what to change, before it starts."""
    from slopewise import api

    with watching(quiet=json) as observer:
        report = api.check(
            table,
            target=target,
            features=split_names("--features", features),
            weights=weights,
            table_name=table_name,
            missing=missing,
            intercept=not no_intercept,
            l2=l2,
            observer=observer,
            **words,
        )
    put(report.to_json() if json else str(report))
