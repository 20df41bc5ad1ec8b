"""What every finished fit holds, and the verbs that all of them share."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from slopewise.data.design import Design
from slopewise.data.designed import Designed
from slopewise.data.learn import check_columns
from slopewise.data.open import as_table
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError
from slopewise.results import frames
from slopewise.results.rows_kept import Rows

if TYPE_CHECKING:
    from slopewise.results.classification import ClassMetrics
    from slopewise.results.metrics import Metrics
    from slopewise.results.script.origin import Origin

M = TypeVar("M", bound="Metrics | ClassMetrics")
"""How good a fit is: of numbers, of classes, or of either."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Fitted(ABC, Generic[M]):
    """A model fitted to a table.

    solver and reason say by which road. l2 is the penalty, library the one whose frames come out. rows is None after
    loading; known_train and known_test then hold what was measured. findings are the doctor's, as plain values;
    origin: where a script finds the training rows, known after loading.
    """

    design: Design
    solver: str
    reason: str
    l2: float = 0.0
    library: str = "pyarrow"
    rows: Rows | None = None
    known_train: M | None = None
    known_test: M | None = None
    findings: tuple[dict[str, Any], ...] = ()
    origin: Origin | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, none where the target is a number; the first is the one that odds are against."""
        return self.design.target_levels

    @property
    def coefficients(self) -> Any:
        """The coefficient table in raw units, as a frame of the library that was fitted."""
        return frames.frame_of(self.coefficient_columns(), self.library)

    @cached_property
    def train(self) -> M:
        """Metrics on the training rows, which are read once more for it when first asked for."""
        if self.known_train is not None:
            return self.known_train
        if self.rows is None:
            raise DataError("this fit keeps no rows to measure on; use evaluate() with a table.")
        return self.measure(self.rows.engine, self.rows.train)

    @cached_property
    def test(self) -> M | None:
        """Metrics on the rows held out, None where none were."""
        if self.known_test is not None or self.rows is None or self.rows.test is None:
            return self.known_test
        return self.measure(self.rows.engine, self.rows.test)

    def evaluate(self, table: Any, table_name: str | None = None, threshold: float | None = None) -> M:
        """Return the metrics on another table (anything that `slopewise.fit` takes), which must hold the target too.

        Raises:
            ColumnError: a column that was trained with is missing.
            DataError: no rows; a missing or infinite value; a level or class never seen in training.
            OptionError: threshold is no probability, or there are not two classes.
        """
        from slopewise.results.predict_classes import check_threshold

        check_threshold(threshold, self.classes)
        rows = as_table(table, table_name)
        check_columns(self.design, rows, with_target=True)
        metrics = self.measure(LocalEngine(), Designed(rows, self.design), threshold)
        if metrics.n == 0:
            raise DataError(f"{rows.label} has no rows to evaluate on; give one with complete rows.")
        return metrics

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to one safetensors file; of a user's own module its tensors, never its code.

        Raises:
            StoreError: the file cannot be written; nothing is left half-written.
        """
        from slopewise.results.store import save

        save(self, path)

    @abstractmethod
    def coefficient_columns(self) -> dict[str, list[Any]]:
        """Return the coefficient table column by column."""

    @abstractmethod
    def measure(self, engine: Engine, source: Source, threshold: float | None = None) -> M:
        """Return the metrics on the rows of a source; threshold: of two classes, None for the likelier one."""
