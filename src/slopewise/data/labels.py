"""Labels of columns as text: a frame may have numbers, or several levels, where slopewise has names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from numbers import Number
from typing import Any

from slopewise.errors import DataError


def is_label(value: Any) -> bool:
    """Return whether this may be the label of one column: text, a number, or a tuple of such levels.

    >>> is_label("height"), is_label(2021), is_label(("height", "mean")), is_label(["height"])
    (True, True, True, False)
    """
    if isinstance(value, tuple):
        return bool(value) and all(is_label(level) for level in value)
    return isinstance(value, str | Number) or getattr(value, "ndim", None) == 0


def text_name(label: Any) -> str:
    """Return the name of a column as text; the levels of a name joined with "_", empty ones left out.

    Args:
        label: as the frame has it: text, a number, a tuple of levels.

    >>> text_name(2019), text_name(("height", "mean")), text_name(("height", ""))
    ('2019', 'height_mean', 'height')
    """
    if isinstance(label, tuple):
        return "_".join(str(level) for level in label if str(level) != "")
    return label if type(label) is str else str(label)


def text_names(labels: Iterable[Any]) -> list[str]:
    """Return the names of all columns as text.

    Args:
        labels: as the frame has them.

    Raises:
        DataError: two of them are the same text.
    """
    labels = list(labels)
    names = [text_name(label) for label in labels]
    for name, count in Counter(names).items():
        if count > 1:
            same = [label for label, text in zip(labels, names, strict=True) if text == name]
            written = f" ({', '.join(map(repr, same))})" if any(label != name for label in same) else ""
            raise DataError(
                f"{count} columns of the table have the name {name!r}{written}; rename all but one, for columns are "
                "told apart by their names."
            )
    return names
