"""`slopewise check`."""

from __future__ import annotations

from typing import Any

from slopewise.cli.descent_options import takes_descent_options
from slopewise.cli.options import (
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
    Table,
    TableName,
    Target,
    Task,
    Tau,
    Thousands,
    Weights,
    reading_options,
    split_names,
)
from slopewise.cli.printing import print_result
from slopewise.cli.progress import progress_callback


@takes_descent_options
def check(
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
    no_intercept: NoIntercept = False,
    model: ModelName = "auto",
    task: Task = "auto",
    loss: Loss = None,
    tau: Tau = None,
    delta: Delta = None,
    overdispersion: Overdispersion = None,
    l2: Ridge = 0.0,
    class_weight: ClassWeight = None,
    hidden: Hidden = None,
    activation: Activation = None,
    seed: Seed = 0,
    json: AsJson = False,
    descent_options: dict[str, Any],
) -> None:
    """Print the stability limits of gradient descent on a table, the epochs needed and what to change."""
    from slopewise import api

    options: dict[str, Any] = {
        "target": target,
        "features": split_names("--features", features),
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
        "missing": missing,
        "intercept": not no_intercept,
        "l2": l2,
        "class_weight": class_weight,
        "hidden": hidden,
        "activation": activation,
        "seed": seed,
        **descent_options,
    }
    with progress_callback(quiet=json) as callback:
        report = api.check(table, model=model, task=task, callback=callback, **options)
    print_result(report.to_json() if json else str(report))
