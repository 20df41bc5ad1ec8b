"""Detect columns of numbers that were read as text because of a value that is not a number."""

from __future__ import annotations

import numpy as np

from slopewise.data.source import Codes, Table

SAMPLE = 20_480  # Rows inspected: as many as DuckDB's sniffer reads.
FEWEST = 3  # Fewest numbers in a text column for it to be reported.


def text_among_numbers(table: Table, column: str) -> tuple[int, str] | None:
    """Return (row, value) of the first text among the values of a column that is mostly numbers, else None.

    Rows are counted from 1. "Mostly" means that at least half of the values in the first 20480 rows,
    and at least 3, parse as numbers. A column of numbers alone, written as text, gives None.
    """
    if table.schema.kind(column) != "category":
        return None
    suspected = False
    for chunk in table.chunks([column], SAMPLE):
        coded = chunk.codes(column)
        suspected = suspected or _mostly_numbers(coded)
        if not suspected:
            return None
        if (text := _first_text(coded)) is not None:
            row, value = text
            return chunk.start + row + 1, value
    return None


def _mostly_numbers(column: Codes) -> bool:
    codes = column.codes[:SAMPLE]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.levels))
    numeric = int(counts[_numeric_levels(column)].sum())
    return numeric >= FEWEST and 2 * numeric >= int(counts.sum())


def _first_text(column: Codes) -> tuple[int, str] | None:
    # One more entry, counted as numeric, which the code -1 of a missing value indexes.
    numeric = np.append(_numeric_levels(column), True)
    texts = np.flatnonzero(~numeric[column.codes])
    if not texts.size:
        return None
    row = int(texts[0])
    return row, column.levels[column.codes[row]]


def _numeric_levels(column: Codes) -> np.ndarray:
    return np.fromiter((_is_number(level) for level in column.levels), bool, len(column.levels))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
