"""How a table is read: what the user says of its columns and of the way its values are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from slopewise.errors import ColumnError, OptionError, nearest, quoted

# The values that pandas reads as missing, those common in practice.
MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A")
THOUSANDS = (",", ".", " ", "'", "_")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of how values are written; a fit keeps it, so that new rows are read alike.

    categories: columns whose values are levels, as they are written. numbers: columns of text that hold numbers.
    na_values: the words that mean missing, None for MISSING_WORDS in CSV files and numbers; an empty text always does.
    decimal: the decimal separator of numbers written as text, None for that of the file. thousands: the separator of
    thousands in them, empty for none. points: columns of numbers whose decimal separator is a point all the same.
    """

    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    na_values: tuple[str, ...] | None = None
    decimal: str | None = None
    thousands: str = ""
    points: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words that mean missing where a file holds nothing but text, and in numbers."""
        return MISSING_WORDS if self.na_values is None else ("", *self.na_values)

    @property
    def missing_levels(self) -> tuple[str, ...]:
        """The words that mean missing in a column of categories whose file has a way to say so itself."""
        return ("", *(self.na_values or ()))

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The numbers that mean missing, such as -9999."""
        found = []
        for word in self.na_values or ():
            try:
                found.append(float(word))
            except ValueError:
                continue
        return tuple(found)

    def with_numbers(self, names: Sequence[str], points: Sequence[str]) -> Reading:
        """Return the reading with more columns of numbers.

        Args:
            names: of the columns.
            points: those of them whose decimal separator is a point, whatever that of the file is.
        """
        numbers = tuple(dict.fromkeys((*self.numbers, *names)))
        return replace(self, numbers=numbers, points=tuple(dict.fromkeys((*self.points, *points))))

    def of(self, name: str) -> Reading:
        """Return the reading of one column.

        Args:
            name: of the column.
        """
        return replace(self, decimal=".", thousands="") if name in self.points else self


def reading_of(
    *, categories: Any = None, numbers: Any = None, na_values: Any = None, decimal: Any = None, thousands: Any = None
) -> Reading:
    """Return the reading that options say, None where they say nothing.

    Args:
        categories: names of columns, or one name.
        numbers: likewise.
        na_values: words, or one.
        decimal: "," or ".".
        thousands: one of THOUSANDS.

    Raises:
        OptionError: a value that is none of these, a column in both lists, or one mark for two purposes.

    >>> reading_of(thousands=".").decimal
    ','
    """
    named = {
        "categories": _texts("categories", categories) or (),
        "numbers": _texts("numbers", numbers) or (),
        "na_values": _texts("na_values", na_values),
    }
    both = [name for name in named["categories"] or () if name in (named["numbers"] or ())]
    if both:
        raise OptionError(f"{quoted(both)} is named in categories and in numbers; leave it out of one of them.")
    if decimal is not None and not (isinstance(decimal, str) and decimal in (",", ".")):
        raise OptionError(f"decimal is {decimal!r}; give ',' or '.'.")
    if thousands is not None and not (isinstance(thousands, str) and thousands in ("", *THOUSANDS)):
        raise OptionError(f"thousands is {thousands!r}; give one of {quoted(THOUSANDS)}.")
    if thousands and thousands == decimal:
        raise OptionError(f"decimal and thousands are both {decimal!r}; one mark cannot be both.")
    if thousands == "." and decimal is None:
        decimal = ","
    return Reading(
        named["categories"] or (), named["numbers"] or (), named["na_values"], decimal, thousands=thousands or ""
    )


def check_names(reading: Reading, names: Sequence[str], used: Sequence[str], label: str) -> None:
    """Raise unless the columns of a reading are in the table, and of use.

    Args:
        reading: of the options.
        names: the table's columns.
        used: those that the model uses.
        label: of the table.

    Raises:
        ColumnError: there is no such column.
        OptionError: the model does not use it.
    """
    for option, columns in (("categories", reading.categories), ("numbers", reading.numbers)):
        for column in columns:
            if column not in names:
                raise ColumnError(f"{option} {column!r} is not a column of {label}.{nearest(column, names)}")
            if column not in used:
                raise OptionError(f"{option} names {column!r}, which this model does not use; leave it out.")


def _texts(option: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise OptionError(f"{option} is {value!r}; give a list of texts.")
    return tuple(value)
