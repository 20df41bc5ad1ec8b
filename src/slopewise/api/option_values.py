"""Values of options as plain Python: numbers of NumPy, torch and decimal, words in any case; else one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from os import PathLike
from typing import Any

from slopewise.errors import OptionError

NUMBERS = ("l2", "l1", "tau", "delta", "overdispersion", "test_size", "validation_size", "confidence_level", "dropout")
WHOLE_NUMBERS = ("seed", "batch_rows", "lags", "n_init")
FLAGS = ("intercept", "firth", "early_stopping", "allow_divergence", "resume")
WORDS = ("missing", "loss", "class_weight", "activation", "cov_type", "solver", "optimizer", "schedule", "monitor")
PATHS = ("checkpoint",)

MOST = 2**63 - 1
"""Largest whole number that torch takes."""

DESCENT = (
    *("lr", "momentum", "dampening", "nesterov", "weight_decay", "betas", "eps", "amsgrad", "alpha", "centered"),
    *("lr_decay", "step_size", "gamma", "t_max", "eta_min", "factor", "plateau_patience", "threshold", "min_lr"),
    *("epochs", "batch_size", "init", "standardize", "history_every", "patience", "min_delta", "gap_tol", "grad_tol"),
)
"""Options that `optimizers/parse.py` checks itself, once they are plain."""


def plain_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with every value that means a number, a flag or a word as plain Python.

    Args:
        given: as the caller gave them, without those that are None.

    Raises:
        OptionError: a value of a type that the option cannot be.

    >>> plain_values({"l2": Decimal("0.5"), "activation": "ReLU"})
    {'l2': 0.5, 'activation': 'relu'}
    """
    return {name: CHECKS[name](name, value) if name in CHECKS else value for name, value in given.items()}


def word(name: str, value: Any) -> str:
    """Return a word in lower case.

    Args:
        name: of the option, for the message.
        value: its value.

    Raises:
        OptionError: it is not text.
    """
    if not isinstance(value, str):
        raise OptionError(f"{name} is {shown(value)}, expected a word; give one in quotes.")
    return str(value).strip().lower()


def plain(value: Any) -> Any:
    """Return an array or tensor as the number or the list in it, a Decimal or fraction as a float, others unchanged."""
    if isinstance(value, Decimal | Fraction):
        return float(value)
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    return value


def shown(value: Any) -> str:
    """Return a value for a message, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(name: str, value: Any) -> float | int:
    found = plain(value)
    if isinstance(found, bool) or not isinstance(found, Real):
        raise OptionError(f"{name} is {shown(value)}; give a number.")
    return int(found) if isinstance(found, Integral) and abs(int(found)) <= MOST else float(found)


def _whole(name: str, value: Any) -> int:
    found = plain(value)
    if isinstance(found, bool) or not isinstance(found, Integral) or abs(int(found)) > MOST:
        least = 0 if name in ("seed", "lags") else 1
        raise OptionError(f"{name} is {shown(value)}; give a whole number of at least {least}.")
    return int(found)


def _flag(name: str, value: Any) -> bool:
    found = plain(value)
    if not isinstance(found, bool):
        raise OptionError(f"{name} must be True or False, not {shown(value)}.")
    return found


def _hidden(name: str, value: Any) -> str | tuple[Any, ...]:
    found = plain(value)
    if isinstance(found, str):
        return found
    sizes = tuple(map(plain, found)) if isinstance(found, Iterable) else (found,)
    return tuple(size if isinstance(size, bool) or not isinstance(size, Integral) else int(size) for size in sizes)


def _dtype(name: str, value: Any) -> str:
    if isinstance(value, type) and value.__module__ == "numpy":
        return value.__name__
    return str(value).strip().lower().removeprefix("torch.")


def _path(name: str, value: Any) -> str | PathLike[str]:
    if isinstance(value, str | PathLike) and "\0" not in str(value):
        try:
            os.fsencode(value)
        except UnicodeEncodeError:
            pass
        else:
            return value
    raise OptionError(f"{name} is {shown(value)}; give the path of a folder.")


def _callback(name: str, value: Any) -> Any:
    lacking = [each for each in ("rows", "note", "epochs") if not callable(getattr(value, each, None))]
    if lacking:
        raise OptionError(f"{name} is a {type(value).__name__} without the method {lacking[0]}; see slopewise.types.")
    return value


def _descent(name: str, value: Any) -> Any:
    found = plain(value)
    return [plain(each) for each in found] if isinstance(found, list | tuple) else found


CHECKS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(NUMBERS, _number),
    **dict.fromkeys(WHOLE_NUMBERS, _whole),
    **dict.fromkeys(FLAGS, _flag),
    **dict.fromkeys(WORDS, word),
    **dict.fromkeys(PATHS, _path),
    **dict.fromkeys(DESCENT, _descent),
    "hidden": _hidden,
    "dtype": _dtype,
    "callback": _callback,
}
