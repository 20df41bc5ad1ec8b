"""A table as training data: its design, its training rows, and what sums over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from slopewise.api.options import ResolvedOptions
from slopewise.data.design import Design
from slopewise.data.design_source import DesignSource
from slopewise.data.labels import is_label, text_name
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table, library_of, with_weights
from slopewise.data.read_as import read_as
from slopewise.data.reading import reading_of
from slopewise.data.split import Split
from slopewise.engine.default import default_engine
from slopewise.engine.engine import Engine
from slopewise.errors import DataError, OptionError
from slopewise.results.record import DataHandles

READING = ("categories", "numbers", "na_values", "decimal", "thousands")
"""Options that say how the table is written."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The design learned from a table, its training rows, what sums over them, and whose frames come out."""

    design: Design
    train: DesignSource
    engine: Engine
    library: str

    @property
    def is_classification(self) -> bool:
        """Whether the target is one of several classes."""
        return bool(self.design.target_levels)

    @property
    def handles(self) -> DataHandles:
        """The rows that a fit can still read."""
        return DataHandles(self.engine, self.train, self.part("test"), self.part("validation"))

    def part(self, name: str) -> DesignSource | None:
        """Return the rows held out as `test` or `validation`, None where none were."""
        split = self.train.split
        share = split.test_size if name == "test" else split.validation_size
        return replace(self.train, part=name) if share else None


def prepare_data(table: Any, options: ResolvedOptions) -> TrainingData:
    """Return a table as training data.

    Raises:
        OptionError, ColumnError, DataError: as `slopewise.fit`.
    """
    weights = options["weights"]
    named = {role: _column_of(role, options[role]) for role in ("target", "offset", "exposure", "cluster")}
    features = _names_of("features", options["features"])
    exclude = _names_of("exclude", [options["exclude"]] if isinstance(options["exclude"], str) else options["exclude"])
    if exclude is not None and features is not None:
        raise OptionError("features and exclude both say which columns to predict from; leave one of them out.")
    split = Split(options["test_size"] or 0.0, options["seed"], options["validation_size"] or 0.0)
    reading = reading_of(**{name: options[name] for name in READING})
    rows = as_table(table, options["table_name"], reading)
    listed = isinstance(weights, tuple) and not any(isinstance(each, str) for each in weights)
    if weights is None or (is_label(weights) and not listed):
        weights = _column_of("weights", weights)
    else:
        rows, weights = with_weights(rows, weights, table), "weights"
    design = learn_design(
        rows,
        target=_target_of(table, named["target"]),
        features=features,
        weights=weights,
        offset=named["offset"],
        exposure=named["exposure"],
        cluster=named["cluster"],
        intercept=options["intercept"],
        missing=options["missing"],
        split=split,
        is_classification=options.is_classification,
        exclude=exclude,
        reading=reading,
    )
    source = DesignSource(read_as(rows, design.reading), design, split, "train")
    return TrainingData(design, source, _engine(options), library_of(table))


def without_validation(data: TrainingData) -> TrainingData:
    """Return the same data with no rows held out for early stopping."""
    split = replace(data.train.split, validation_size=0.0)
    return replace(data, train=replace(data.train, split=split))


def _column_of(role: str, label: Any) -> str | None:
    """Return the name of a column as text: 2021 and ("height", "mean") are the columns of those labels."""
    if label is None or is_label(label):
        return None if label is None else text_name(label)
    raise OptionError(f"{role} is a {type(label).__name__}, expected the name of one column; give that.")


def _names_of(option: str, features: Any) -> list[str] | None:
    """Return the names of columns as text, those of a set in alphabetical order."""
    if features is None:
        return None
    if isinstance(features, str):
        raise OptionError(f"{option} is the text {features!r}; give a list of column names.")
    try:
        labels = [label.item() if hasattr(label, "item") else label for label in features]
    except TypeError as error:
        raise OptionError(f"{option} is {features!r}; give a list of column names.") from error
    for label in labels:
        if not is_label(label):
            raise OptionError(f"{option} holds a {type(label).__name__}; give a list of column names.")
    names = [text_name(label) for label in labels]
    return sorted(names) if isinstance(features, set | frozenset) else names


def _engine(options: ResolvedOptions) -> Engine:
    """Return the engine that was given, or this machine's."""
    engine = options["engine"]
    if engine is None:
        return default_engine(options["batch_rows"], options["callback"])
    if not isinstance(engine, Engine):
        raise OptionError(
            f"engine is a {type(engine).__name__}; give an Engine, an object of slopewise.engine.engine.Engine."
        )
    for name in ("batch_rows", "callback"):
        if name in options.said:
            raise OptionError(f"an engine has {name} of its own; give {name} to it, or leave one of them out.")
    return engine


def _target_of(table: Any, target: str | None) -> str:
    if target is not None:
        return target
    if isinstance(table, tuple):
        return "y"
    raise DataError("no target was named; give the column to predict with target='COLUMN'.")
