"""What may be said about going down: one table of options that every command with a descent shares."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from slopewise.cli.options import number, whole_number

DESCENT, STOPPING = "Descent", "Stopping early"


def numbers(text: str) -> tuple[float, ...]:
    """Return the numbers in `1,0.5,2`."""
    return tuple(number(part.strip()) for part in text.split(","))


def kept(text: str) -> int:
    """Return which epochs `all`, `last` or a whole number keep, as the number of epochs between two of them."""
    if text in ("all", "last"):
        return 1 if text == "all" else 0
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither all, nor last, nor a whole number.") from None


def start(text: str) -> Any:
    """Return a way to start by name, or the start itself where the text is numbers."""
    try:
        return numbers(text)
    except ValueError:
        return text


def _option(kind: Any, flag: str, help: str, *, panel: str = DESCENT, **more: Any) -> Any:
    return Annotated[kind | None, typer.Option(flag, help=help, rich_help_panel=panel, **more)]


def _rate(flag: str, help: str, *, panel: str = DESCENT) -> Any:
    return _option(float, flag, help, panel=panel, parser=number, metavar="NUMBER")


def _count(flag: str, help: str, *, panel: str = DESCENT) -> Any:
    return _option(int, flag, help, panel=panel, parser=whole_number, metavar="N")


WORDS: dict[str, Any] = {
    "optimizer": _option(str, "--optimizer", "sgd, adam, adamw, rmsprop or adagrad.", metavar="NAME"),
    "lr": _rate("--lr", "Learning rate; the best one for the data by default."),
    "momentum": _rate("--momentum", "Of sgd and rmsprop."),
    "dampening": _rate("--dampening", "Of sgd."),
    "nesterov": _option(bool, "--nesterov", "Nesterov's momentum."),
    "weight_decay": _rate("--weight-decay", "torch's own penalty, in the units of the descent."),
    "betas": _option(Any, "--betas", "Of adam and adamw, as 0.9,0.999.", parser=numbers, metavar="A,B"),
    "eps": _rate("--eps", "Of all optimizers but sgd."),
    "amsgrad": _option(bool, "--amsgrad", "Of adam and adamw."),
    "alpha": _rate("--alpha", "Of rmsprop."),
    "centered": _option(bool, "--centered", "Of rmsprop."),
    "lr_decay": _rate("--lr-decay", "Of adagrad."),
    "schedule": _option(str, "--schedule", "constant, step, exponential, cosine or plateau.", metavar="NAME"),
    "step_size": _count("--step-size", "Epochs between two steps of the schedule step."),
    "gamma": _rate("--gamma", "Factor of the schedules step and exponential."),
    "t_max": _count("--t-max", "Epochs of the schedule cosine."),
    "eta_min": _rate("--eta-min", "Lowest rate of the schedule cosine."),
    "factor": _rate("--factor", "Factor of the schedule plateau."),
    "plateau_patience": _count("--plateau-patience", "Epochs that the schedule plateau waits."),
    "threshold": _rate("--threshold", "What counts as better for the schedule plateau."),
    "min_lr": _rate("--min-lr", "Lowest rate of the schedule plateau."),
    "epochs": _count("--epochs", "How many."),
    "batch_size": _count("--batch-size", "Rows at each step; all by default."),
    "init": _option(Any, "--init", "zeros, ones, uniform, normal, torch or values 0,1,…", parser=start, metavar="HOW"),
    "raw": _option(bool, "--raw", "Descend in the columns as they are, not standardised."),
    "history_every": _option(
        int, "--history-every", "Epochs kept: all, every N-th, or last.", parser=kept, metavar="WHICH"
    ),
    "dtype": _option(str, "--dtype", "float64 or float32.", metavar="NAME"),
    "monitor": _option(str, "--monitor", "train or validation cost.", panel=STOPPING, metavar="COST"),
    "patience": _count("--patience", "Epochs without an improvement.", panel=STOPPING),
    "min_delta": _rate("--min-delta", "What counts as an improvement.", panel=STOPPING),
    "gap_tol": _rate("--gap-tol", "Share of the first distance to the lowest cost.", panel=STOPPING),
    "grad_tol": _rate("--grad-tol", "Norm of the gradient.", panel=STOPPING),
}


def takes_descent_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of WORDS; it receives what was said of them as the dict `words`."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        words = {word: given.pop(word) for word in WORDS}
        raw = words.pop("raw")
        said = {word: value for word, value in words.items() if value is not None and value is not False}
        command(**given, words=said | ({"standardize": False} if raw else {}))

    own = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(word, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for word, kind in WORDS.items()
    ]
    parameters = [parameter for name, parameter in own.parameters.items() if name != "words"] + added
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
