"""What every finished fit holds, and the verbs that every one of them has."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

from slopewise.data.design import Design
from slopewise.data.design_source import DesignSource
from slopewise.data.learn import check_columns
from slopewise.data.open import as_table
from slopewise.data.source import Source
from slopewise.engine.default import default_engine
from slopewise.engine.engine import Engine
from slopewise.errors import DataError, OptionError
from slopewise.results.data_handles import DataHandles
from slopewise.results.prediction import frames

if TYPE_CHECKING:
    import pyarrow as pa

    from slopewise.results.export.data_origin import Origin
    from slopewise.results.metrics.classification import ClassMetrics
    from slopewise.results.metrics.regression import Metrics
    from slopewise.solution import Status

Of = Literal["observation", "mean"]
"""What an interval is to hold: one new observation, or the mean of many."""

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
    rows: DataHandles | None = None
    known_train: M | None = None
    known_test: M | None = None
    findings: tuple[dict[str, Any], ...] = ()
    origin: Origin | None = None

    # What a fit tells of itself.

    @property
    @abstractmethod
    def status(self) -> Status:
        """How the solver ended."""

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
        """Return the metrics on another table, which must hold the target too.

        Args:
            table: anything that `slopewise.fit` takes.
            table_name: which table of a database file.
            threshold: of two classes, the probability from which the second is predicted; the likelier one by default.

        Raises:
            ColumnError: a column that was trained with is missing.
            DataError: no rows; a missing or infinite value; a level or class never seen in training.
            OptionError: threshold is no probability, or there are not two classes.
        """
        from slopewise.results.prediction.predict_classes import check_threshold

        check_threshold(threshold, self.classes, self.design.target)
        rows = as_table(table, table_name)
        check_columns(self.design, rows, with_target=True)
        metrics = self.measure(default_engine(), DesignSource(rows, self.design), threshold)
        if metrics.n == 0:
            raise DataError(f"{rows.label} has no rows to evaluate on; give one with complete rows.")
        return metrics

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to one safetensors file; of a user's own module its tensors, never its code.

        Raises:
            StoreError: the file cannot be written; nothing is left half-written.
        """
        from slopewise.results.storage.fit_file import save

        save(self, path)

    @abstractmethod
    def summary(self) -> str:
        """Return the fit in plain text, at most 80 columns wide."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain JSON values, None for what is not a finite number."""

    def to_json(self) -> str:
        """Return the fit as one JSON object, null for what is not a finite number."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    @abstractmethod
    def predict(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Any:
        """Return predictions for rows, in the library that the rows came in.

        Columns: `prediction`; of classes also `p(class)` for each of them; with an interval `low` and `high` (of each
        class). A pandas, Polars or Arrow frame gives one of its kind (pandas keeps the index), a dict a dict of arrays,
        a matrix an array or tensor (n,) or (n, 3), of classes the classes alone; a path or query an Arrow table. Under
        missing='drop', a row with a missing feature has no prediction.

        Args:
            rows: anything that `slopewise.fit` takes; a target is not needed.
            interval: probability, such as 0.95, that each interval is to hold; None for no interval.
            of: what the interval of a number is to hold: one new "observation", or the "mean" of many such rows.
            threshold: of two classes, the probability from which the second is predicted; the likelier one by default.
            table_name: which table of a database file.

        Raises:
            ColumnError: a column that was trained with is missing.
            DataError: a missing value under missing='error', an infinite one, a level never seen in training.
            OptionError: interval or threshold is not a share, or one of the options is not for this kind of fit.
            FitError: an interval, and the fit has no standard errors.
        """

    @abstractmethod
    def predict_table(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Iterator[pa.Table]:
        """Yield the features used and the predictions as Arrow tables of one schema, a chunk of rows at a time.

        Numbers are float64, booleans boolean, categories strings, all null where missing. A prediction's column takes
        an underscore where a feature has its name. Arguments and errors are those of `predict`; one table without rows
        is yielded where there are none.
        """

    @property
    def history(self) -> Any:
        """Every recorded epoch of the descent, as a frame of the library that was fitted.

        Raises:
            OptionError: the fit was solved without a descent and has no epochs.
        """
        return frames.frame_of(self.history_columns(), self.library)

    def history_table(self) -> pa.Table:
        """Return `history` as an Arrow table, whatever library was fitted."""
        return frames.frame_of(self.history_columns(), "pyarrow")

    def history_columns(self) -> dict[str, Any]:
        """Return `history` column by column; OptionError where there was no descent."""
        raise self._without_epochs()

    def at(self, epoch: int) -> Self:
        """Return the fit as it stood after `epoch` epochs.

        Raises:
            OptionError: there was no descent, there is no such epoch, or its state is not known.
        """
        raise self._without_epochs()

    def _without_epochs(self) -> OptionError:
        return OptionError(
            f"this fit was solved by {self.solver}, without a descent, and has no epochs; fit with solver='gd' to "
            "go down by steps."
        )

    @abstractmethod
    def code(self, style: str = "plain") -> str:
        """Return plain PyTorch that reproduces the fit, with no slopewise in it.

        Args:
            style: `plain`, with tensors or an nn.Sequential, or `class`, with an nn.Module.

        Raises:
            OptionError: the training rows are neither one plain CSV file nor few enough to be written out.
        """

    @abstractmethod
    def coefficient_columns(self) -> dict[str, list[Any]]:
        """Return the coefficient table column by column."""

    @abstractmethod
    def measure(self, engine: Engine, source: Source, threshold: float | None = None) -> M:
        """Return the metrics on the rows of a source; threshold: of two classes, None for the likelier one."""
