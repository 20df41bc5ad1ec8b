"""Every way slopewise can refuse, as one tree.

    SlopewiseError
    ├── DataError        (ValueError)   the table or one of its values cannot be used
    ├── ColumnError      (KeyError)     a column that was asked for is not there
    ├── OptionError      (ValueError)   an argument's value makes no sense; the command line exits 2
    ├── FitError         (ArithmeticError)  the data were read but no answer exists
    └── StoreError       (OSError)      a saved fit cannot be written or read

Each message is one sentence or two: what happened, what was received, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SlopewiseError(Exception):
    """Base of every error raised on purpose by slopewise."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class DataError(SlopewiseError, ValueError):
    """The table, or one of its values, cannot be used."""


class ColumnError(SlopewiseError, KeyError):
    """A column that was asked for is not in the table."""


class OptionError(SlopewiseError, ValueError):
    """An argument's value makes no sense, whatever the data."""


class FitError(SlopewiseError, ArithmeticError):
    """The data were read, and no answer exists for the question asked."""


class StoreError(SlopewiseError, OSError):
    """A saved fit cannot be written or read."""


def quoted(names: Iterable[object], most: int = 8) -> str:
    """Return `'a', 'b', 'c'`, cut after `most` names with the number left out."""
    listed = [repr(str(name)) for name in names]
    if len(listed) <= most:
        return ", ".join(listed)
    return ", ".join(listed[:most]) + f" and {len(listed) - most} more"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the closest known word, or the known words themselves."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if not close:
        folded = {name.lower(): name for name in known}
        close = [folded[hit] for hit in difflib.get_close_matches(word.lower(), list(folded), n=3, cutoff=0.5)]
    if close:
        return f" Did you mean {' or '.join(repr(name) for name in close)}?"
    return f" Known: {quoted(known)}."


def check_choice(option: str, value: str, known: Iterable[str]) -> str:
    """Return `value` if it is one of `known`; otherwise raise OptionError with the nearest word."""
    known = list(known)
    if value not in known:
        raise OptionError(f"{option} {value!r} is not known.{nearest(str(value), known)}")
    return value
