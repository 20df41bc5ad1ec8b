"""How sections are laid out: labelled paragraphs, tables, and blocks beside each other, 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from slopewise.results.report.text import pad, shorten, wrap

WIDTH = 80
RULE = "-" * WIDTH
NAME_WIDTH = 32
LEFT = 40
SPARE_GOES_TO = (0, 1, 2, 4, 3, 6, 5)
"""Which of the columns of a coefficient table gets a second space before it first, where there is room."""


def labelled(text: str, label: str) -> list[str]:
    """Return a text in lines, its label before the first."""
    return wrap(text, WIDTH, label.ljust(8), " " * 8)


def side_by_side(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Return two blocks of lines next to each other."""
    length = max(len(left), len(right))
    left = [*left, *[""] * (length - len(left))]
    right = [*right, *[""] * (len(left) - len(right))]
    return [pad(one, LEFT) + other for one, other in zip(left, right, strict=True)]


def table(parameters: Sequence[str], columns: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Return a table with a row per parameter, spread over the width where there is room."""
    widths = [max(len(head), *map(len, texts)) for head, texts in columns]
    names = [shorten(name, min(NAME_WIDTH, WIDTH - sum(widths) - len(widths))) for name in parameters]
    first = max(map(cell_len, names))
    spare = WIDTH - first - sum(widths) - len(widths)
    gaps = [1 + (rank < spare) for rank in SPARE_GOES_TO[: len(columns)]]
    cells = zip(*([head, *texts] for head, texts in columns), strict=True)
    return [
        pad(name, first) + "".join(" " * gap + cell.rjust(w) for gap, cell, w in zip(gaps, row, widths, strict=True))
        for name, row in zip(["", *names], cells, strict=True)
    ]
