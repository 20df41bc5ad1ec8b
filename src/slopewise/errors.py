"""The exceptions of slopewise, as one tree.

    SlopewiseError
    ├── DataError        (ValueError)   the table or one of its values cannot be used
    ├── ColumnError      (KeyError)     a requested column is not in the table
    ├── OptionError      (ValueError)   an argument's value makes no sense; the command line exits 2
    ├── FitError         (ArithmeticError)  the data were read but no solution exists
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
    """A requested column is not in the table."""


class OptionError(SlopewiseError, ValueError):
    """An argument's value makes no sense, whatever the data."""


class FitError(SlopewiseError, ArithmeticError):
    """The data were read, and the requested fit has no solution."""


class StoreError(SlopewiseError, OSError):
    """A saved fit cannot be written or read."""


def quoted(names: Iterable[object], most: int = 8) -> str:
    """Return `'a', 'b', 'c'`, cut after `most` names with the number left out.

    Args:
        names: the names, in order.
        most: names listed at most.

    >>> quoted(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    listed = [repr(str(name)) for name in names]
    if len(listed) <= most:
        return ", ".join(listed)
    return ", ".join(listed[:most]) + f" and {len(listed) - most} more"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the closest known name, or a list of the known names.

    Args:
        word: the name that is not known.
        known: the names that are.

    >>> nearest("bodymass", ["body_mass_g", "sex"])
    " Did you mean 'body_mass_g'?"
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if not close:
        folded = {name.lower(): name for name in known}
        close = [folded[hit] for hit in difflib.get_close_matches(word.lower(), list(folded), n=3, cutoff=0.5)]
    if close:
        return f" Did you mean {' or '.join(repr(name) for name in close)}?"
    return f" Known: {quoted(known)}."


def check_choice(option: str, value: str, known: Iterable[str]) -> str:
    """Return `value` if it is one of `known`.

    Args:
        option: name of the option, for the message.
        value: its value.
        known: the values it may have.

    Raises:
        OptionError: it is none of them; the message suggests the nearest.

    >>> check_choice("missing", "drop", ("error", "drop", "mean"))
    'drop'
    """
    known = list(known)
    if value not in known:
        raise OptionError(f"{option} {value!r} is not known.{nearest(str(value), known)}")
    return value
