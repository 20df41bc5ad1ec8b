"""What a word of a descent may be: one small check each, all raising OptionError in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real

from slopewise.errors import OptionError

Check = Callable[[str, object], object]


def finite(word: str, value: object) -> float:
    """Return a finite number."""
    return _number(word, value, "a finite number", lambda number: True)


def positive(word: str, value: object) -> float:
    """Return a finite number above 0."""
    return _number(word, value, "a positive finite number", lambda number: number > 0)


def not_negative(word: str, value: object) -> float:
    """Return a finite number of at least 0."""
    return _number(word, value, "a finite number of at least 0", lambda number: number >= 0)


def share(word: str, value: object) -> float:
    """Return a number in [0, 1)."""
    return _number(word, value, "a number from 0 to below 1", lambda number: 0 <= number < 1)


def unit(word: str, value: object) -> float:
    """Return a number in [0, 1]."""
    return _number(word, value, "a number from 0 to 1", lambda number: 0 <= number <= 1)


def shrinking(word: str, value: object) -> float:
    """Return a number in (0, 1), by which something is multiplied to become smaller."""
    return _number(word, value, "a number between 0 and 1", lambda number: 0 < number < 1)


def count(word: str, value: object) -> int:
    """Return a whole number of at least 1."""
    return _whole(word, value, 1)


def whole(word: str, value: object) -> int:
    """Return a whole number of at least 0."""
    return _whole(word, value, 0)


def flag(word: str, value: object) -> bool:
    """Return True or False."""
    if not isinstance(value, bool):
        raise OptionError(f"{word} must be True or False, not {value!r}.")
    return value


def pair(word: str, value: object) -> tuple[float, float]:
    """Return two numbers in [0, 1)."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise OptionError(f"{word} must be two numbers from 0 to below 1, such as (0.9, 0.999), not {value!r}.")
    return share(word, value[0]), share(word, value[1])


def _number(word: str, value: object, kind: str, fits: Callable[[float], bool]) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or not fits(float(value)):
        raise OptionError(f"{word} must be {kind}, not {value!r}.")
    return float(value)


def _whole(word: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{word} must be a whole number of at least {least}, not {value!r}.")
    return int(value)
