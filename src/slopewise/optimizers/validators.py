"""Validators of the values of options: each returns the checked value or raises OptionError."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real

from slopewise.errors import OptionError

Check = Callable[[str, object], object]


def finite(name: str, value: object) -> float:
    """Return a finite number."""
    return _number(name, value, "a finite number", lambda number: True)


def positive(name: str, value: object) -> float:
    """Return a finite number above 0.

    >>> positive("lr", 1)
    1.0
    """
    return _number(name, value, "a positive finite number", lambda number: number > 0)


def not_negative(name: str, value: object) -> float:
    """Return a finite number of at least 0."""
    return _number(name, value, "a finite number of at least 0", lambda number: number >= 0)


def share(name: str, value: object) -> float:
    """Return a number in [0, 1)."""
    return _number(name, value, "a number from 0 to below 1", lambda number: 0 <= number < 1)


def unit(name: str, value: object) -> float:
    """Return a number in [0, 1]."""
    return _number(name, value, "a number from 0 to 1", lambda number: 0 <= number <= 1)


def shrinking(name: str, value: object) -> float:
    """Return a number in (0, 1), a factor that decreases what it multiplies."""
    return _number(name, value, "a number between 0 and 1", lambda number: 0 < number < 1)


def count(name: str, value: object) -> int:
    """Return a whole number of at least 1."""
    return _whole(name, value, 1)


def whole(name: str, value: object) -> int:
    """Return a whole number of at least 0."""
    return _whole(name, value, 0)


def flag(name: str, value: object) -> bool:
    """Return True or False.

    Raises:
        OptionError: it is neither.
    """
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, not {value!r}.")
    return value


def pair(name: str, value: object) -> tuple[float, float]:
    """Return two numbers in [0, 1).

    Raises:
        OptionError: it is not two such numbers.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise OptionError(f"{name} must be two numbers from 0 to below 1, such as (0.9, 0.999), not {value!r}.")
    return share(name, value[0]), share(name, value[1])


def _number(name: str, value: object, kind: str, fits: Callable[[float], bool]) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or not fits(float(value)):
        raise OptionError(f"{name} must be {kind}, not {value!r}.")
    return float(value)


def _whole(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) < 2**63:
        raise OptionError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)
