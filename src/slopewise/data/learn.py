"""Learn a design in one pass over the training rows: columns, levels, means. Numeric columns alone need no pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from slopewise.data.counted_rows import CountedRows, counted_rows, no_row_counts
from slopewise.data.design import MISSING, Design, Feature
from slopewise.data.read_as import read_as
from slopewise.data.reading import Reading, check_names
from slopewise.data.source import Chunk, Table
from slopewise.data.split import Split
from slopewise.data.target_classes import is_classes, learn_classes
from slopewise.data.text_columns import guess_reading
from slopewise.errors import ColumnError, DataError, OptionError, check_choice, nearest, quoted

CHUNK_ROWS = 65536


@dataclass(slots=True)
class _ColumnStatistics:
    """Statistics of the training rows, per column."""

    levels: dict[str, Counter[str]] = field(default_factory=dict)
    absent: dict[str, set[str]] = field(default_factory=dict)
    rows: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def learn_design(
    table: Table,
    *,
    target: str,
    features: Sequence[str] | None,
    weights: str | None,
    intercept: bool,
    missing: str,
    split: Split,
    is_classification: bool | None = False,
    offset: str | None = None,
    exposure: str | None = None,
    cluster: str | None = None,
    exclude: Sequence[str] | None = None,
    reading: Reading | None = None,
) -> Design:
    """Return the design, learned on the training rows, that maps the table to x, y and w.

    Args:
        table: the user's table.
        target: the column to predict.
        features: the columns to predict from; None takes all but target, weights, offset and exposure.
        weights: a column of weights, or None.
        intercept: whether the model has one.
        missing: `error`, `drop` rows, or `mean` (training mean of a number, most frequent level of a category).
        split: which rows are held out; they are not used here.
        is_classification: whether the target is one of several classes; None decides from the data: text, booleans
            and numbers that are all 0 or 1 are classes.
        offset: a column added to the linear predictor, or None.
        cluster: a column whose equal values mark correlated rows, or None.
        exposure: a column of positive numbers whose logarithm is added to it, or None.
        exclude: columns that are no features, where none are named.
        reading: what is said of how values are written; the table was opened with it.

    Raises:
        ColumnError: a column is not in the table.
        OptionError: `exclude` or the reading names a column that has another part, or none.
        DataError: a column's type cannot be used; no training row is left to learn levels from; the target has one
            class only, or is an identifier.
    """
    check_choice("missing", missing, MISSING)
    others = {"weights": weights, "offset": offset, "exposure": exposure}
    if cluster is not None and cluster not in table.schema.names:
        raise ColumnError(
            f"cluster {cluster!r} is not a column of {table.label}.{nearest(cluster, table.schema.names)}"
        )
    chosen = _choose_features(table, target, features, others, cluster, exclude)
    reading = reading or Reading()
    check_names(reading, table.schema.names, (target, *chosen, *filter(None, (*others.values(), cluster))), table.label)
    roles = {name: "column" for name in chosen} | {name: f"{role} column" for role, name in others.items() if name}
    if not is_classification:  # classes keep the text that they are
        roles[target] = "target"
    reading = guess_reading(table, reading, roles)
    table = read_as(table, reading)
    if is_classification is None:
        is_classification = is_classes(table, target)
    if not is_classification:
        _require_numbers(table, target, "target")
    for role, column in others.items():
        if column:
            _require_numbers(table, column, f"{role} column")
    plain = [Feature(name, table.schema.kind(name)) for name in chosen]
    categories = [f.name for f in plain if f.kind == "category"]
    added = [name for name in (target, *others.values()) if name]
    rows = counted_rows(table, split, weights=weights, features=chosen, others=added, missing=missing)
    statistics = _ColumnStatistics()
    if categories or missing == "mean":
        statistics = _collect_statistics(table, plain, rows, means=missing == "mean")
    coded_fully = categories[0] if categories and not intercept else None
    learned = tuple(_learn_feature(f, statistics, missing, full=f.name == coded_fully) for f in plain)
    kind = table.schema.kind(target)
    levels, absent = learn_classes(table, target, rows) if is_classification else ((), ())
    return Design(
        learned,
        target,
        weights,
        intercept,
        missing,
        kind,
        levels,
        offset=offset,
        exposure=exposure,
        cluster=cluster,
        cluster_kind=table.schema.kind(cluster) if cluster else "number",
        matrix_columns=table.matrix_columns,
        target_absent=absent,
        reading=reading,
    )


def read_new(design: Design, table: Table, *, with_target: bool) -> Table:
    """Return new rows, read as the design's training rows were.

    A column of categories is read as the text that a CSV or JSON file holds, whatever its type was guessed to be, and
    text in a column of numbers is read as numbers if that is what it is.

    Args:
        design: the learned design.
        table: of new rows, opened with the design's reading.
        with_target: whether target and weights are read too.

    Raises:
        ColumnError: a column is missing.
        DataError: a column holds text where numbers were learned, or vice versa; a matrix of another width.
    """
    _check_width(design, table)
    kinds = {feature.name: feature.kind for feature in design.features} | {design.target: design.target_kind}
    if design.cluster:
        kinds[design.cluster] = design.cluster_kind
    used = design.used(with_target)
    for name in used:
        if name not in table.schema.names:
            raise ColumnError(
                f"{table.label} has no column {name!r}, which this fit was trained with."
                f"{nearest(name, table.schema.names)}"
            )
    table = table.as_written([name for name in used if kinds.get(name) == "category"])
    numbers = {name: "column" for name in used if kinds.get(name, "number") != "category" and name != design.cluster}
    table = read_as(table, guess_reading(table, design.reading, numbers))
    for name in used:
        now, learned = table.schema.kind(name), kinds.get(name, "number")
        if (now == "category") != (learned == "category"):
            kind_names = {True: "text", False: "numbers"}
            raise DataError(
                f"column {name!r} of {table.label} holds {kind_names[now == 'category']}, but this fit was trained "
                f"with {kind_names[learned == 'category']} there; convert the column."
            )
    return table


def _check_width(design: Design, table: Table) -> None:
    """Raise DataError for a matrix of other columns than were trained with: its columns are known by position alone."""
    width, trained = table.matrix_columns, design.matrix_columns
    if width is None:
        return
    if trained is None:
        wanted = {len(design.features)} if set(design.used(False)) <= set(table.schema.names) else {width}
    else:
        wanted = {trained, trained - (design.target == f"x{trained}")}  # a last column of targets may be left out
    if width not in wanted:
        raise DataError(
            f"{table.label} has {width} column{'s' * (width != 1)} and this fit was trained with {max(wanted)}; give "
            "the same columns, in the same order."
        )


def _choose_features(
    table: Table,
    target: str,
    features: Sequence[str] | None,
    others: Mapping[str, str | None],
    cluster: str | None,
    exclude: Sequence[str] | None,
) -> list[str]:
    names = table.schema.names
    for excluded in exclude or ():
        if excluded not in names:
            raise ColumnError(f"exclude {excluded!r} is not a column of {table.label}.{nearest(excluded, names)}")
        if excluded in (target, cluster, *others.values()):
            raise OptionError(f"exclude names {excluded!r}, which has a part in the model; leave it out there.")
    for role, name in (("target", target), *others.items(), *(("feature", f) for f in features or ())):
        if name is not None and name not in names:
            raise ColumnError(f"{role} {name!r} is not a column of {table.label}.{nearest(name, names)}")
    taken = {target, cluster, *others.values(), *(exclude or ())}
    chosen = [name for name in names if name not in taken] if features is None else list(features)
    if not chosen:
        raise DataError(f"no feature column is left: {table.label} has {quoted(names)}; name at least one feature.")
    repeated = [name for name, count in Counter(chosen).items() if count > 1]
    if repeated:
        raise DataError(f"feature {quoted(repeated)} is named twice; name each feature once.")
    for role in ("offset", "exposure"):
        if others[role] is not None and others[role] in (target, others["weights"], *chosen):
            raise DataError(f"{role} {others[role]!r} has another part in the model too; give it one only.")
    if target in chosen:
        raise DataError(
            f"target {target!r} is also named as a feature, from which it would be predicted exactly; "
            "leave it out of features."
        )
    return chosen


def _require_numbers(table: Table, name: str, role: str) -> None:
    if table.schema.kind(name) != "category":
        return
    for chunk in table.chunks((name,), 1):
        column = chunk.codes(name)
        example = f", {column.levels[column.codes[0]]!r} in row 1" if column.codes[0] >= 0 else ""
        raise DataError(
            f"{role} {name!r} is not numeric: it holds text{example}; name a column of numbers or booleans."
        )
    raise DataError(f"{role} {name!r} is not numeric and {table.label} has no rows.")


def _collect_statistics(
    table: Table, features: Sequence[Feature], rows: CountedRows, *, means: bool
) -> _ColumnStatistics:
    wanted = [f for f in features if f.kind == "category" or means]
    statistics = _ColumnStatistics()
    for chunk in table.chunks(rows.columns([f.name for f in wanted]), CHUNK_ROWS):
        keep = rows.mask(chunk)
        statistics.rows += int(keep.sum())
        for feature in wanted:
            _add_chunk(feature, chunk, keep, statistics)
    if not statistics.rows and rows.weights:
        raise no_row_counts(rows.weights)
    return statistics


def _add_chunk(feature: Feature, chunk: Chunk, keep: np.ndarray, statistics: _ColumnStatistics) -> None:
    if feature.kind == "category":
        column = chunk.codes(feature.name)
        codes = column.codes[keep & (column.codes >= 0)]
        tally = np.bincount(codes, minlength=len(column.levels))
        counter = statistics.levels.setdefault(feature.name, Counter())
        counter.update({level: int(k) for level, k in zip(column.levels, tally, strict=True) if k})
        if not keep.all():
            others = column.codes[~keep & (column.codes >= 0)]
            absent = statistics.absent.setdefault(feature.name, set())
            absent.update(column.levels[code] for code in np.unique(others).tolist())
        return
    values = chunk.numbers((feature.name,))[:, 0].numpy()[keep]
    present = values[~np.isnan(values)]
    statistics.sums[feature.name] = statistics.sums.get(feature.name, 0.0) + float(present.sum())
    statistics.counts[feature.name] = statistics.counts.get(feature.name, 0) + len(present)


def _learn_feature(feature: Feature, statistics: _ColumnStatistics, missing: str, *, full: bool) -> Feature:
    if feature.kind == "category":
        tally = statistics.levels.get(feature.name, Counter())
        levels = tuple(sorted(tally))
        if len(levels) < 2 - full:
            values = f"only the level {levels[0]!r}" if levels else "no value at all"
            raise DataError(
                f"column {feature.name!r} holds {values} in the training rows, so it explains nothing; leave it out."
            )
        fill = max(levels, key=lambda level: tally[level]) if missing == "mean" else None
        absent = tuple(sorted(statistics.absent.get(feature.name, set()) - set(levels)))
        return replace(feature, levels=levels, fill=fill, full=full, absent=absent)
    if missing != "mean":
        return feature
    count = statistics.counts.get(feature.name, 0)
    if not count:
        raise DataError(f"column {feature.name!r} has no value in the training rows to take a mean of; leave it out.")
    return replace(feature, fill=statistics.sums[feature.name] / count)
