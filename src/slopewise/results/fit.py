"""The finished fit: every verb. The other files compute."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from slopewise.data.design_source import DesignSource
from slopewise.data.learn import read_new
from slopewise.data.open import as_table
from slopewise.engine.default import default_engine
from slopewise.errors import DataError
from slopewise.results.fitted import Fitted, M
from slopewise.results.metrics.measure import measure
from slopewise.results.prediction import frames, predict
from slopewise.results.prediction.predict import Of

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import nn


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Fitted[M]):
    """A model fitted to a table: everything that `Fitted` tells, and what can be done with it."""

    # How good it is on other rows.

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
        predict.check_threshold(self.record, threshold)
        rows = read_new(self.design, as_table(table, table_name, self.design.reading), with_target=True)
        metrics = measure(self.record, default_engine(), DesignSource(rows, self.design), threshold)
        if metrics.n == 0:
            raise DataError(f"{rows.label} has no rows to evaluate on; give one with complete rows.")
        return cast(M, metrics)

    # Predictions.

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
        class). Classes are of the target's own type: text, numbers or booleans. A pandas, Polars or Arrow frame gives
        one of its kind (pandas keeps the index), a dict or a list of dicts a dict of arrays, a matrix an array or
        tensor (n,) or (n, 3), of classes the classes alone; a path or query an Arrow table. Under missing='drop', a row
        with a missing feature has no prediction.

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
        return predict.predict(self.record, rows, interval=interval, of=of, threshold=threshold, table_name=table_name)

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

        Numbers are float64, booleans boolean, categories strings, classes of the target's type (whole numbers int64),
        all null where missing. A prediction's column takes an underscore where a feature has its name. Arguments and
        errors are those of `predict`; one table without rows is yielded where there are none.
        """
        return predict.predict_table(
            self.record, rows, interval=interval, of=of, threshold=threshold, table_name=table_name
        )

    @cached_property
    def network(self) -> nn.Module:
        """The model as a plain nn.Module in evaluation mode; of a network from and to the units of its descent."""
        import torch

        descent = self.record.descent
        single = descent is not None and descent.plan.dtype == "float32"
        return self.model.module(self.theta.to(torch.float32 if single else torch.float64)).eval()

    # The descent behind it.

    @property
    def history(self) -> Any:
        """Every recorded epoch of the descent, as a frame of the library that was fitted.

        Raises:
            OptionError: the fit was solved without a descent and has no epochs.
        """
        from slopewise.results.at_epoch import history_columns

        return frames.frame_of(history_columns(self.record), self.record.library)

    def history_table(self) -> pa.Table:
        """Return `history` as an Arrow table, whatever library was fitted."""
        from slopewise.results.at_epoch import history_columns

        return frames.frame_of(history_columns(self.record), "pyarrow")

    def at(self, epoch: int) -> Fit[M]:
        """Return the fit as it stood after `epoch` epochs.

        Args:
            epoch: 0, the start, to the last one made; a recorded one, unless the descent is in closed form.

        Raises:
            OptionError: there was no descent, there is no such epoch, or its state is not known.
        """
        from slopewise.results.at_epoch import at_epoch

        return Fit(at_epoch(self.record, epoch), self.data)

    # Text, files and code.

    def summary(self) -> str:
        """Return the fit in plain text, at most 80 columns wide."""
        from slopewise.results.report.sections import summary
        from slopewise.results.report.to_dict import described

        return summary(described(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain JSON values, None for what is not a finite number; see `report.to_dict`."""
        from slopewise.results.report.to_dict import to_dict

        return to_dict(self)

    def to_json(self) -> str:
        """Return the fit as one JSON object, null for what is not a finite number."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def code(self, style: str = "plain") -> str:
        """Return plain PyTorch that reproduces the fit, with no slopewise in it.

        Args:
            style: `plain`, with tensors or an nn.Sequential, or `class`, with an nn.Module.

        Raises:
            OptionError: the training rows are neither one plain CSV file nor few enough to be written out; a start or a
                module that cannot be written out.
        """
        from slopewise.results.export.code import code

        return code(self.record, self.data, style)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to one safetensors file; of a user's own module its tensors, never its code.

        Args:
            path: of the file, which is replaced if it exists.

        Raises:
            StoreError: the file cannot be written; nothing is left half-written.
        """
        from slopewise.results.storage.fit_file import save

        save(self, path)

    def with_findings(self, findings: tuple[dict[str, Any], ...]) -> Fit[M]:
        """Return the fit with these findings.

        Args:
            findings: as plain values, those of `findings`.
        """
        return Fit(replace(self.record, findings=findings), self.data)

    def __repr__(self) -> str:
        return f"Fit({self.design.target!r}, {self.record.model.describe()}, {self.loss} loss, n={self.n})"
