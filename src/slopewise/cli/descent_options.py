"""Options of gradient descent and early stopping, shared by the commands that have them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from slopewise.cli.options import number, whole_number

DESCENT, STOPPING = "Gradient descent", "Early stopping"


def numbers(text: str) -> tuple[float, ...]:
    """Return the numbers in `1,0.5,2`.

    >>> numbers("1,0.5,2")
    (1.0, 0.5, 2.0)
    """
    return tuple(number(part.strip()) for part in text.split(","))


def history_interval(text: str) -> int:
    """Return the epochs between two recorded ones: 1 for `all`, 0 for `last`, or the whole number itself.

    Raises:
        ValueError: it is none of these.

    >>> history_interval("all"), history_interval("100")
    (1, 100)
    """
    if text in ("all", "last"):
        return 1 if text == "all" else 0
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither all, nor last, nor a whole number.") from None


def initialization(text: str) -> Any:
    """Return the name of an initialization, or the initial parameters where the text is numbers."""
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


OPTIONS: dict[str, Any] = {
    "optimizer": _option(str, "--optimizer", "sgd, adam, adamw, rmsprop or adagrad.", metavar="NAME"),
    "lr": _rate("--lr", "Learning rate; chosen from the data by default."),
    "momentum": _rate("--momentum", "Of sgd and rmsprop."),
    "dampening": _rate("--dampening", "Of sgd."),
    "nesterov": _option(bool, "--nesterov", "Nesterov's momentum."),
    "weight_decay": _rate("--weight-decay", "L2 penalty of the optimizer, as in torch."),
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
    "threshold": _rate("--threshold", "Least improvement for the schedule plateau."),
    "min_lr": _rate("--min-lr", "Lowest rate of the schedule plateau."),
    "epochs": _count("--epochs", "Number of epochs, at most."),
    "batch_size": _count("--batch-size", "Rows at each step; all by default."),
    "init": _option(
        Any, "--init", "zeros, ones, uniform, normal, torch or values 0,1,…", parser=initialization, metavar="HOW"
    ),
    "raw": _option(bool, "--raw", "Do not standardise the columns."),
    "history_every": _option(
        int, "--history-every", "Epochs recorded: all, every N-th, or last.", parser=history_interval, metavar="WHICH"
    ),
    "dtype": _option(str, "--dtype", "float64 or float32.", metavar="NAME"),
    "monitor": _option(str, "--monitor", "Cost to monitor: train or validation.", panel=STOPPING, metavar="COST"),
    "patience": _count("--patience", "Epochs without an improvement before stopping.", panel=STOPPING),
    "min_delta": _rate("--min-delta", "Least decrease that counts as an improvement.", panel=STOPPING),
    "gap_tol": _rate("--gap-tol", "Stop at this share of the initial gap to the lowest cost.", panel=STOPPING),
    "grad_tol": _rate("--grad-tol", "Stop at this norm of the gradient.", panel=STOPPING),
}


def takes_descent_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with OPTIONS added, which passes those given on as the dict `descent_options`.

    Args:
        command: with a keyword argument `descent_options`.
    """

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        options = {name: arguments.pop(name) for name in OPTIONS}
        raw = options.pop("raw")
        given = {name: value for name, value in options.items() if value is not None and value is not False}
        command(**arguments, descent_options=given | ({"standardize": False} if raw else {}))

    own = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]
    parameters = [parameter for name, parameter in own.parameters.items() if name != "descent_options"] + added
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
