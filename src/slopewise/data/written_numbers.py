"""Numbers written as text: their value where it is certain, and what else a text looks like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from slopewise.data.reading import Reading

SPACES = "\u00a0\u202f\u2009"
"""Spaces that do not break a line, which separate thousands."""

_SIGN = r"[+\-\u2212]?"
_EXPONENT = r"(?:[eE][+\-\u2212]?[0-9]+)?"
_PLAIN = re.compile(rf"{_SIGN}(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}")
_NO_NUMBER = re.compile(r"[+\-\u2212]?(?:inf|infinity|nan)", re.IGNORECASE)
_CODE = re.compile(r"0[0-9]+")
_BARE = frozenset("0123456789+-.eE")

_CURRENCY = r"(?:[$€£¥₩₹₽₺₪฿¢]|US\$|USD|EUR|GBP|JPY|KRW|CHF|Fr\.?|kr\.?|Rs\.?|R\$)"
_DIGITS = rf"[0-9](?:[0-9]|[.,'’_ {SPACES}](?=[0-9]))*[.,]?|[.,][0-9]+"
_FORMATTED = re.compile(
    rf"(?P<open>\(?)(?:{_SIGN}\s*(?P<currency>{_CURRENCY})?\s*{_SIGN})\s*"
    rf"(?:0[xX][0-9a-fA-F]+|(?P<digits>{_DIGITS}){_EXPONENT})"
    r"(?P<space>\s*)(?P<unit>[^\W\d_]{1,12}[²³]?(?:/[^\W\d_]{1,8}[²³]?)?|[%‰°]\s?[CF]?|[$€£¥₩₹₽₺₪฿¢원円元])?\.?\)?\s*-?"
)
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_DATE = re.compile(
    rf"[12][0-9]{{3}}-(?:0[1-9]|1[0-2])(?:-{_DAY}(?:[T ]{_TIME}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?)?"
    rf"|[12][0-9]{{3}}[/.][01]?[0-9](?:[/.][0-3]?[0-9])?|[0-3]?[0-9][./-][0-3]?[0-9][./-][12][0-9]{{3}}|{_TIME}"
)


def number_of(text: str, reading: Reading, decimal: str = ".") -> float | None:
    """Return the number that a text is with certainty, NaN for a word that means missing; None for anything else.

    A minus sign may be U+2212.

    Args:
        text: of one cell.
        reading: its decimal separator, the separator of thousands, and the words that mean missing.
        decimal: that of the file, where the reading says none.

    >>> number_of("-2e3", Reading()), number_of("1,234", Reading()), number_of("1,234", Reading(thousands=","))
    (-2000.0, None, 1234.0)
    """
    text = text.strip()
    if text in reading.words:
        return float("nan")
    decimal = reading.decimal or decimal
    if reading.thousands:
        joined = _without_thousands(text, reading.thousands, decimal)
        if joined is None:
            return None
        text = joined
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    if _PLAIN.fullmatch(text) or _NO_NUMBER.fullmatch(text):
        return float(text.replace("\u2212", "-"))
    return None


def numbers_of(levels: Sequence[str], reading: Reading, decimal: str = ".") -> np.ndarray:
    """Return the numbers (k,) that texts are, NaN where one is missing or no number.

    Args:
        levels: k texts.
        reading: how they are written.
        decimal: that of the file, where the reading says none.

    Raises:
        ValueError: its argument is the place of the first text that is no number.
    """
    bare = (reading.decimal or decimal) == "." and not reading.thousands and _BARE.issuperset("".join(levels))
    if bare and "" not in levels:
        with suppress(ValueError):  # a lone sign
            return _without(np.array(levels, dtype=np.float64), reading)
    found = [number_of(level, reading, decimal) for level in levels]
    wrong = next((place for place, value in enumerate(found) if value is None), None)
    if wrong is not None:
        raise ValueError(wrong)
    return _without(np.array(found, dtype=np.float64), reading)


def has_points(texts: Sequence[str]) -> bool:
    """Return whether texts are numbers with a point for the decimal separator, which cannot all separate thousands.

    >>> has_points(["90.74", "1.234"]), has_points(["1.234", "5"])
    (True, False)
    """
    clear = any(re.search(r"\.(?![0-9]{3}$)", text.strip()) for text in texts)
    return clear and all(_PLAIN.fullmatch(text.strip()) for text in texts)


def is_code(text: str) -> bool:
    """Return whether digits are those of a code, as a zero before them tells.

    >>> is_code("01234"), is_code("0"), is_code("0.5")
    (True, False, False)
    """
    return _CODE.fullmatch(text.strip()) is not None


def is_date(text: str) -> bool:
    """Return whether a text is a date, a month of a year, or a time of day.

    >>> is_date("2024-03"), is_date("2024-13")
    (True, False)
    """
    return _DATE.fullmatch(text.strip()) is not None


def unit_of(text: str) -> str | None:
    """Return what stands around the digits of a written number, empty for none; None of other text.

    >>> unit_of("12 kg"), unit_of("1,234"), unit_of("18-25")
    ('kg', '', None)
    """
    found = _FORMATTED.fullmatch(text.strip())
    if found is None:
        return None
    return (found["currency"] or "") + (found["unit"] or "")


def separators(texts: Sequence[str], decimal: str | None = None) -> tuple[str, str] | None:
    """Return (decimal, thousands) that all texts can be read with; None where there is none, or a comma could be both.

    Args:
        texts: of numbers.
        decimal: the decimal separator, where it is known.

    >>> separators(["1,5", "2,25"]), separators(["1.234,5"]), separators(["1,234"])
    ((',', ''), (',', '.'), None)
    """
    pairs = [(",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (".", "_")]
    fits = [
        pair
        for pair in pairs
        if decimal in (None, pair[0])
        and all(number_of(text, Reading(decimal=pair[0], thousands=pair[1])) is not None for text in texts)
    ]
    return fits[0] if fits and fits[:2] != pairs[:2] else None


def _without(values: np.ndarray, reading: Reading) -> np.ndarray:
    return np.where(np.isin(values, reading.missing_numbers), np.nan, values) if reading.missing_numbers else values


def _without_thousands(text: str, mark: str, decimal: str) -> str | None:
    """Return the text without its separators of thousands; None where they do not stand before three digits."""
    marks = rf"[ {SPACES}]" if mark == " " else "['’]" if mark == "'" else re.escape(mark)
    if not re.search(marks, text):
        return text
    grouped = rf"{_SIGN}[0-9]{{1,3}}(?:{marks}[0-9]{{3}})+(?:{re.escape(decimal)}[0-9]*)?{_EXPONENT}"
    return re.sub(marks, "", text) if re.fullmatch(grouped, text) else None
