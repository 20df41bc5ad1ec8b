"""Sizes of the hidden layers: parsed from text, and checked."""

from __future__ import annotations

from collections.abc import Sequence

from slopewise.errors import OptionError

MOST_UNITS = 10**7
"""Most units of a layer: its parameters would take more memory than a machine has long before."""


def hidden_sizes(text: str) -> tuple[int, ...]:
    """Return the layer sizes in a text such as `64,64`; the empty text is no hidden layer.

    Raises:
        OptionError: a part is not a whole number above zero.

    >>> hidden_sizes("64, 32")
    (64, 32)
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.removeprefix("-").isdigit() for part in parts):
        raise OptionError(f"hidden is {text!r}; give whole numbers with commas between, such as 64,64.")
    sizes = tuple(int(part) for part in parts)
    check_sizes(sizes)
    return sizes


def check_sizes(hidden: Sequence[object]) -> None:
    """Raise OptionError unless every size is a whole number above zero."""
    for size in hidden:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise OptionError(f"hidden holds {size!r}; give whole numbers above zero, such as 64,64.")
        if size > MOST_UNITS:
            raise OptionError(f"hidden holds {size:,}; give at most {MOST_UNITS:,} units, such as 64,64.")
