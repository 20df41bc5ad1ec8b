"""Arguments and options that several commands share."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from slopewise.errors import OptionError
from slopewise.losses.registry import REGISTRY
from slopewise.training.registry import CHOICES

DATA, MODEL, NETWORK, OUTPUT = "Data", "Model and inference", "Network", "Output"

Table = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="CSV, Parquet or JSON-lines file or glob, DuckDB or SQLite file, or a SQL query.",
        show_default=False,
    ),
]
TableName = Annotated[
    str | None,
    typer.Option("--table", metavar="NAME", help="Table inside a DuckDB or SQLite file.", rich_help_panel=DATA),
]
Target = Annotated[str, typer.Option(help="Column to predict.", show_default=False)]
Features = Annotated[
    str | None,
    typer.Option(metavar="A,B,C", help="Columns to predict from; all others by default.", rich_help_panel=DATA),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="A,B,C", help="Columns to leave out, where no features are named.", rich_help_panel=DATA),
]
Categories = Annotated[
    list[str] | None,
    typer.Option("--category", metavar="A,B,C", help="Columns that are categories.", rich_help_panel=DATA),
]
Numbers = Annotated[
    list[str] | None,
    typer.Option("--number", metavar="A,B,C", help="Columns of text that are numbers.", rich_help_panel=DATA),
]
NaValues = Annotated[
    list[str] | None,
    typer.Option(metavar="-,?,n/a", help="Words for missing, in place of NA, NaN, null, …", rich_help_panel=DATA),
]
Decimal = Annotated[
    str | None, typer.Option(metavar=",", help="Decimal separator of numbers in text.", rich_help_panel=DATA)
]
Thousands = Annotated[
    str | None, typer.Option(metavar=".", help="Separator of thousands in them.", rich_help_panel=DATA)
]
Weights = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of row weights.", rich_help_panel=DATA)]
Saved = Annotated[str, typer.Argument(metavar="FILE", help="A fit saved by slopewise fit --out.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=OUTPUT)]


def reading_options(
    *,
    exclude: list[str] | None,
    categories: list[str] | None,
    numbers: list[str] | None,
    na_values: list[str] | None,
    decimal: str | None,
    thousands: str | None,
) -> dict[str, Any]:
    """Return the options about how the table is read, by their names in Python.

    Args:
        exclude: as given, each a,b,c.
        categories: likewise.
        numbers: likewise.
        na_values: likewise.
        decimal: as given.
        thousands: as given.

    Raises:
        OptionError: an empty name.
    """
    return {
        "exclude": all_names("--exclude", exclude),
        "categories": all_names("--category", categories),
        "numbers": all_names("--number", numbers),
        "na_values": words(na_values),
        "decimal": decimal,
        "thousands": thousands,
    }


def split_names(option: str, text: str | None) -> list[str] | None:
    """Return the names in `a,b,c`; a name that contains a comma is quoted, as in CSV.

    Raises:
        OptionError: an empty name.

    >>> split_names("--features", 'area,"price, net"')
    ['area', 'price, net']
    """
    if text is None:
        return None
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or "" in names:
        raise OptionError(f"{option} got {text!r}, which has an empty name in it; write names as a,b,c.")
    return names


def all_names(option: str, texts: list[str] | None) -> list[str] | None:
    """Return the names in every `a,b,c` of an option that may be given more than once.

    Raises:
        OptionError: an empty name.

    >>> all_names("--category", ["zip,year", "code"])
    ['zip', 'year', 'code']
    """
    return [name for text in texts for name in split_names(option, text) or ()] if texts else None


def words(texts: list[str] | None) -> list[str] | None:
    """Return the words in every `a,b,c` of --na-values; an empty one is a word too.

    >>> words(["-,?", "n/a"])
    ['-', '?', 'n/a']
    """
    return [word for text in texts for word in next(csv.reader([text]), [""])] if texts else None


def number(text: str) -> float:
    """Return the number in `text`; typer adds the option's name to the error.

    Raises:
        ValueError: it is no number.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number.") from None


def whole_number(text: str) -> int:
    """Return the whole number in `text`.

    Raises:
        ValueError: it is no whole number.
    """
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number.") from None


Threshold = Annotated[
    float | None,
    typer.Option(
        parser=number,
        metavar="SHARE",
        help="Probability from which the second of two classes is predicted.",
        rich_help_panel=MODEL,
    ),
]
Missing = Annotated[
    Literal["error", "drop", "mean"],
    typer.Option(help="Missing values: raise an error, drop the row, or impute the mean.", rich_help_panel=DATA),
]
NoIntercept = Annotated[bool, typer.Option("--no-intercept", help="Fit without an intercept.", rich_help_panel=MODEL)]
ModelName = Annotated[
    Literal["auto", "linear", "logistic", "softmax", "mlp"],
    typer.Option(help="auto chooses by the target.", rich_help_panel=MODEL),
]
Task = Annotated[
    Literal["auto", "regression", "classification"],
    typer.Option(help="Task, where the target allows both.", rich_help_panel=MODEL),
]
Ridge = Annotated[
    float,
    typer.Option(
        parser=number,
        metavar="STRENGTH",
        help="L2 penalty on the coefficients, not on the intercept.",
        rich_help_panel=MODEL,
    ),
]
if TYPE_CHECKING:
    SolverName = str
    LossName = str
else:
    SolverName = Literal[CHOICES]
    LossName = Literal[tuple(REGISTRY)]
Loss = Annotated[
    LossName | None,
    typer.Option(help="What is minimised; by default squared for numbers.", rich_help_panel=MODEL),
]
Tau = Annotated[
    float | None,
    typer.Option(parser=number, metavar="SHARE", help="Of --loss quantile: which one.", rich_help_panel=MODEL),
]
Delta = Annotated[
    float | None,
    typer.Option(
        parser=number,
        metavar="NUMBER",
        help="Of --loss huber: residual from which it is linear; estimated by default.",
        rich_help_panel=MODEL,
    ),
]
Overdispersion = Annotated[
    float | None,
    typer.Option(
        parser=number,
        metavar="ALPHA",
        help="Of --loss negative_binomial: variance mean + alpha mean²; estimated by default.",
        rich_help_panel=MODEL,
    ),
]
Offset = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column added to the linear predictor.", rich_help_panel=DATA),
]
Exposure = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column whose logarithm is added to it.", rich_help_panel=DATA),
]
Solver = Annotated[
    SolverName, typer.Option(help="Solver; auto reports its choice and the reason.", rich_help_panel=MODEL)
]
ClassWeight = Annotated[
    str | None,
    typer.Option(metavar="balanced", help="Weight classes inversely to their frequency.", rich_help_panel=MODEL),
]
Hidden = Annotated[
    str | None, typer.Option(metavar="64,64", help="Sizes of the hidden layers.", rich_help_panel=NETWORK)
]
Activation = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="sigmoid, tanh, relu, gelu, silu or identity.", rich_help_panel=NETWORK),
]
Seed = Annotated[
    int,
    typer.Option(
        parser=whole_number, metavar="N", help="Seed of the split and of all random numbers.", rich_help_panel=DATA
    ),
]
