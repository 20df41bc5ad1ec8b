"""Numbers and names as columns of plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len

from slopewise.wording import visible


def shorten(text: str, most: int) -> str:
    """Return the text in at most `most` columns, with … in the middle where it was longer; no line breaks."""
    text = " ".join(visible(text).split())
    if cell_len(text) <= most:
        return text
    head, tail = "", ""
    while cell_len(head) + cell_len(text[len(head)]) <= most // 2:
        head += text[len(head)]
    while cell_len(tail) + cell_len(text[-len(tail) - 1]) <= most - 1 - cell_len(head):
        tail = text[-len(tail) - 1] + tail
    return f"{head}…{tail}"


def pad(text: str, to: int) -> str:
    """Return the text with spaces behind it up to `to` columns."""
    return text + " " * (to - cell_len(text))


def wrap(text: str, most: int, first: str, rest: str) -> list[str]:
    """Return the words of a text in lines of at most `most` columns.

    Args:
        text: one paragraph; longer words are shortened.
        most: columns of a line.
        first: indent of the first line.
        rest: indent of the others.
    """
    lines = [first]
    for word in (shorten(word, most - len(rest)) for word in text.split()):
        fresh = lines[-1] in (first, rest)
        if not fresh and cell_len(lines[-1]) + 1 + cell_len(word) > most:
            lines.append(rest)
            fresh = True
        lines[-1] += word if fresh else f" {word}"
    return lines


def figure(value: float, digits: int = 5) -> str:
    """Return a number to `digits` significant digits: plain from 0.001 to a million, else with an exponent."""
    if math.isnan(value):
        return "-"
    if math.isinf(value) or value == 0:
        return f"{value + 0:.0f}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    if -3 <= digits - 1 - decimals < 6:
        return f"{value:.{max(decimals, 0)}f}"
    return f"{value:.{digits - 1}e}"


def tail(value: float) -> str:
    """Return a p-value to three decimals."""
    if math.isnan(value):
        return "-"
    return "<0.001" if value < 0.0005 else f"{value:.3f}"


def align(values: Sequence[float], digits: int, most: int) -> list[str]:
    """Return numbers as texts of one width, decimal points below each other.

    Plain where that takes at most `most` columns and every value is worth it, all with exponents otherwise.

    Args:
        values: the numbers.
        digits: significant ones.
        most: columns of a plain number at most.
    """
    plain = _on_point([figure(value, digits) for value in values])
    if plain and (len(plain[0]) > most or any("e" in text for text in plain)):
        return _to_right([f"{v:.{digits - 1}e}" if math.isfinite(v) else figure(v) for v in values])
    return plain


def _on_point(texts: Sequence[str]) -> list[str]:
    behind = [len(text) - text.find(".") if "." in text else 0 for text in texts]
    most = max(behind, default=0)
    return _to_right([text + " " * (most - k) for text, k in zip(texts, behind, strict=True)])


def _to_right(texts: Sequence[str]) -> list[str]:
    widest = max((len(text) for text in texts), default=0)
    return [text.rjust(widest) for text in texts]
