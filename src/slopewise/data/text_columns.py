"""What the text columns of a table hold, by their first rows: categories, numbers, or what has to be said first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slopewise.data.read_as import read_as
from slopewise.data.reading import MISSING_WORDS, Reading
from slopewise.data.source import Codes, Table
from slopewise.data.written_numbers import has_points, is_code, is_date, number_of, separators, unit_of
from slopewise.errors import DataError

SAMPLE = 20_480  # Rows inspected: as many as DuckDB's sniffer reads.
FEWEST = 3  # Fewest numbers in a column, some of which are none, for it to be taken for one of numbers.
FEWEST_WITH_UNIT = 3  # Fewest different numbers with a unit: 2WD and 4WD are names.
CURRENCY = frozenset("$€£¥₩₹₽₺₪฿¢%‰°")


def guess_reading(table: Table, reading: Reading, roles: Mapping[str, str]) -> Reading:
    """Return the reading with the text columns in it that are numbers with certainty.

    A column is looked at unless its kind is said or declared. Text of which each value in the first 20480 rows is a
    plain number, such as 1.5 or -2e3, or missing, is numbers.

    Args:
        table: opened with the reading.
        reading: what is said.
        roles: the columns that are used, each with what it is called in messages, such as `target`.

    Raises:
        DataError: a column of numbers that are written in another way, of numbers beside other text, of codes with
            zeros before them, or of dates.
    """
    schema = table.schema
    settled = {*reading.categories, *reading.numbers, *schema.declared}
    texts = [name for name in roles if schema.kind(name) == "category" and name not in settled]
    first = read_as(table, reading).head(texts, SAMPLE) if texts else None
    if first is None:
        return reading
    decimal = reading.decimal or ("," if table.decimal == "," else None)
    columns = {name: _Values.of(first.codes(name), reading, table.decimal) for name in texts}
    points = [name for name, values in columns.items() if decimal == "," and has_points(values.texts)]
    others = [name for name in texts if name not in points]
    numbers = [name for name in others if _is_numbers(name, roles[name], columns[name], decimal)]
    return reading.with_numbers([*points, *numbers], points)


@dataclass(frozen=True, slots=True)
class _Values:
    """The different values of a column that are not missing, in order of their first rows.

    texts; counts, how often each is met; rows, where first, from 0; plain, whether it is a plain number.
    """

    texts: tuple[str, ...]
    counts: np.ndarray
    rows: np.ndarray
    plain: np.ndarray

    @classmethod
    def of(cls, column: Codes, reading: Reading, decimal: str) -> _Values:
        codes, rows, counts = np.unique(column.codes, return_index=True, return_counts=True)
        words = MISSING_WORDS if reading.na_values is None else reading.words
        kept = [i for i in np.argsort(rows) if codes[i] >= 0 and column.levels[codes[i]].strip() not in words]
        texts = tuple(column.levels[codes[i]] for i in kept)
        plain = [number_of(text, reading, decimal) is not None for text in texts]
        return cls(texts, counts[kept], rows[kept], np.array(plain, dtype=bool))

    def share(self, chosen: np.ndarray) -> bool:
        """Return whether the values chosen are all that there are, or at least half of them and three."""
        met = int(self.counts[chosen].sum())
        return bool(chosen.all()) or (met >= FEWEST and 2 * met >= int(self.counts.sum()))


def _is_numbers(name: str, role: str, values: _Values, decimal: str | None) -> bool:
    texts = values.texts
    if not texts:  # as a column of a CSV file without any value
        return True
    dates = np.array([is_date(text) for text in texts]) & ~values.plain
    if dates.any() and values.share(dates | values.plain) and not values.share(values.plain):
        raise _dates(name, role, [text for text, date in zip(texts, dates, strict=True) if date])
    units = [unit_of(text) for text in texts]
    written = np.array([plain or unit is not None for plain, unit in zip(values.plain, units, strict=True)])
    if not values.share(written) or (not values.plain.any() and _are_names([unit or "" for unit in units])):
        return False
    if any(map(is_code, texts)):
        raise _codes(name, role, texts)
    other = np.flatnonzero(~values.plain)
    if not other.size:
        return True
    if written[other].any() and (written.all() or not values.share(values.plain)):
        others = [text for text, plain in zip(texts, values.plain, strict=True) if not plain]
        raise _formatted(name, role, others, decimal)
    raise DataError(
        f"{role} {name!r} is mostly numbers but holds the text {texts[other[0]]!r} in row {values.rows[other[0]] + 1}; "
        f"correct it, give na_values={[texts[other[0]]]!r} with missing='drop' or 'mean' if it means missing, or "
        f"categories=[{name!r}] if these are categories."
    )


def _are_names(units: list[str]) -> bool:
    """Return whether digits with letters are names, such as 1st and 2nd, and no numbers with units."""
    different = {unit for unit in units if not CURRENCY & set(unit)}
    if different <= {""}:
        return False
    return len(units) < FEWEST_WITH_UNIT or 2 * len(different) > len(units)


def _formatted(name: str, role: str, texts: list[str], decimal: str | None) -> DataError:
    plain = all(unit_of(text) == "" for text in texts)
    pair = separators(texts, decimal) if plain else None
    as_category = f"categories=[{name!r}] to take it as categories"
    if pair is not None:
        options = [f"decimal={pair[0]!r}"] * (pair[0] == ",") + [f"thousands={pair[1]!r}"] * bool(pair[1])
        advice = f"give {' with '.join(options)} to read them, or {as_category}"
    elif plain and all("," in text and "." not in text for text in texts):
        advice = f"give thousands=',' or decimal=',' to say what the comma is, or {as_category}"
    else:
        advice = f"turn them into plain numbers first, or give {as_category}"
    return DataError(f"{role} {name!r} holds numbers written as text, {_two(texts)}; {advice}.")


def _codes(name: str, role: str, texts: tuple[str, ...]) -> DataError:
    shown = sorted(texts, key=lambda text: not is_code(text))
    return DataError(
        f"{role} {name!r} holds text of digits, {_two(shown)}, where a zero before them may be part of a code; give "
        f"categories=[{name!r}] to take it as categories, or numbers=[{name!r}] as numbers."
    )


def _dates(name: str, role: str, texts: list[str]) -> DataError:
    return DataError(
        f"{role} {name!r} holds dates or times written as text, {_two(texts)}, which are not numbers; leave it out "
        f"with exclude=[{name!r}], turn it into a number first, for example days since a start date, or give "
        f"categories=[{name!r}] to take it as categories."
    )


def _two(texts: tuple[str, ...] | list[str]) -> str:
    return " and ".join(repr(text if len(text) <= 40 else text[:37] + "...") for text in texts[:2])
