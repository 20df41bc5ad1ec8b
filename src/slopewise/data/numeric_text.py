"""Number columns that a stray word turned into text."""

from __future__ import annotations

import numpy as np

from slopewise.data.source import Codes, Table

SAMPLE = 20_480  # Rows that decide: as many as DuckDB's sniffer looks at.
FEWEST = 3  # Numbers met before a text column is suspected at all.


def text_among_numbers(table: Table, column: str) -> tuple[int, str] | None:
    """Return (row, value) of the first word in a text column that is mostly numbers, else None.

    Rows are counted from 1. "Mostly" means that at least half of the values in the first 20480 rows,
    and at least 3, read as numbers. A column of numbers alone, written as text, has no stray word.
    """
    if table.schema.kind(column) != "category":
        return None
    suspected = False
    for chunk in table.chunks([column], SAMPLE):
        coded = chunk.codes(column)
        suspected = suspected or _mostly_numbers(coded)
        if not suspected:
            return None
        if (found := _first_word(coded)) is not None:
            row, value = found
            return chunk.start + row + 1, value
    return None


def _mostly_numbers(column: Codes) -> bool:
    codes = column.codes[:SAMPLE]
    met = np.bincount(codes[codes >= 0], minlength=len(column.levels))
    numeric = int(met[_numeric_levels(column)].sum())
    return numeric >= FEWEST and 2 * numeric >= int(met.sum())


def _first_word(column: Codes) -> tuple[int, str] | None:
    # One more entry, counted as numeric, for the code -1 of a missing value to land on.
    numeric = np.append(_numeric_levels(column), True)
    words = np.flatnonzero(~numeric[column.codes])
    if not words.size:
        return None
    row = int(words[0])
    return row, column.levels[column.codes[row]]


def _numeric_levels(column: Codes) -> np.ndarray:
    return np.fromiter((_is_number(level) for level in column.levels), bool, len(column.levels))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
