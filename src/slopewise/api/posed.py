"""A question put to a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from slopewise.data.design import Design
from slopewise.data.designed import Designed
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table, library_of, with_weights
from slopewise.data.split import Split
from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError, OptionError


@dataclass(frozen=True, slots=True)
class Posed:
    """The design learned from a table, its training rows, what sums over them, and whose frames come out."""

    design: Design
    train: Designed
    engine: LocalEngine
    library: str

    def part(self, name: str) -> Designed | None:
        """Return the rows held out as `test` or `validation`, None where none were."""
        split = self.train.split
        share = split.test_size if name == "test" else split.validation_size
        return replace(self.train, part=name) if share else None


def pose(
    table: Any,
    *,
    target: str | None,
    features: Sequence[str] | None,
    weights: Any,
    table_name: str | None,
    intercept: bool,
    missing: str,
    split: Split,
    classes: bool | None,
    engine: LocalEngine,
) -> Posed:
    """Return the question; arguments are those of `slopewise.fit`.

    Raises:
        OptionError, ColumnError, DataError: as `slopewise.fit`.
    """
    if isinstance(features, str):
        raise OptionError(f"features is the text {features!r}; give a list of column names.")
    rows = as_table(table, table_name)
    if weights is not None and not isinstance(weights, str):
        rows, weights = with_weights(rows, weights), "weights"
    design = learn_design(
        rows,
        target=_target_of(table, target),
        features=features,
        weights=weights,
        intercept=intercept,
        missing=missing,
        split=split,
        classes=classes,
    )
    return Posed(design, Designed(rows, design, split, "train"), engine, library_of(table))


def _target_of(table: Any, target: str | None) -> str:
    if target is not None:
        return target
    if isinstance(table, tuple):
        return "y"
    raise DataError("no target was named; say which column to predict with target='…'.")
