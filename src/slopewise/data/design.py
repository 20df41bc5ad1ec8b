"""The design: how columns become x, y and w, learned on the training rows and then applied unchanged.

The design owns the coding of categories, what happens to missing values, and whether there is an
intercept. It is saved with the fit and applied to new rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopewise.data.clusters import cluster_numbers
from slopewise.data.counted_rows import weights_of
from slopewise.data.reading import Reading
from slopewise.data.source import Chunk, by_column
from slopewise.data.target_classes import class_numbers, codes_of, recode
from slopewise.data.unseen_levels import Unseen, without_unseen
from slopewise.errors import DataError
from slopewise.types import INTERCEPT, Batch, Kind

MISSING = ("error", "drop", "mean")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the table that the model uses.

    A category has its `levels`, sorted; the first is the reference. `fill` replaces a missing value
    under missing='mean': the training mean of a number, the most frequent level of a category.
    `full` gives the reference a column too, where there is no intercept that stands for it. `absent` levels are in the
    table and in no training row that counts: rows held out, of weight 0, or dropped for a missing value.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    fill: float | str | None = None
    full: bool = False
    absent: tuple[str, ...] = ()

    @property
    def coded(self) -> tuple[str, ...]:
        """The levels that have a column of x."""
        return self.levels if self.full else self.levels[1:]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of x of this feature: itself, or its indicators.

        >>> Feature("sex", "category", levels=("female", "male")).columns
        ('sex[male]',)
        """
        if self.kind == "category":
            return tuple(f"{self.name}[{level}]" for level in self.coded)
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Design:
    """The mapping of a table to x (n, q), y (n,) and w (n,).

    Where the target is one of several classes, `target_levels` names them, sorted, and y is the number of the class;
    for a target of numbers there are none; `target_absent` are classes without a training row that counts. The column
    `offset`, and the logarithm of the column `exposure`, are added to eta, with no coefficient of their own; unseen
    rows must have them too. Rows of one value of `cluster` are correlated. `matrix_columns`
    is how many columns the matrix had, None of a table with names. `reading` says how
    the values are written, of the training rows and of any others.
    """

    features: tuple[Feature, ...]
    target: str
    weights: str | None = None
    intercept: bool = True
    missing: str = "error"
    target_kind: Kind = "number"
    target_levels: tuple[str, ...] = ()
    offset: str | None = None
    exposure: str | None = None
    cluster: str | None = None
    cluster_kind: Kind = "number"
    matrix_columns: int | None = None
    target_absent: tuple[str, ...] = ()
    reading: Reading = Reading()

    @property
    def x_names(self) -> tuple[str, ...]:
        """Names of the q columns of x."""
        return tuple(name for feature in self.features for name in feature.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the p parameters of a linear model on this design."""
        return ((INTERCEPT,) if self.intercept else ()) + self.x_names

    @property
    def numeric(self) -> tuple[str, ...]:
        """Features that enter x unchanged: numbers and booleans."""
        return tuple(feature.name for feature in self.features if feature.kind != "category")

    @property
    def fill_row(self) -> Tensor:
        """Replacement (q,) of a missing value in each column of x, under missing='mean'."""
        fills: list[float] = []
        for feature in self.features:
            if feature.kind == "category":
                fills += [float(level == feature.fill) for level in feature.coded]
            else:
                fills.append(float(feature.fill or 0.0))
        return torch.tensor(fills, dtype=torch.float64)

    def used(self, with_target: bool = True) -> tuple[str, ...]:
        """Return the columns that are read: features; target, weights, clusters if asked for; offset, exposure."""
        extra = (self.target, *(name for name in (self.weights, self.cluster) if name)) if with_target else ()
        added = (name for name in (self.offset, self.exposure) if name)
        return tuple(dict.fromkeys((*(feature.name for feature in self.features), *extra, *added)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> Design:
        """Return the design from the values of `to_dict`."""
        lists = {"levels", "absent"}
        made: list[dict[str, Any]] = [
            {name: tuple(value) if name in lists else value for name, value in f.items()} for f in stored["features"]
        ]
        classes = {name: tuple(stored.get(name, ())) for name in ("target_levels", "target_absent")}
        said: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in stored.get("reading", {}).items()
        }
        features = tuple(Feature(**values) for values in made)
        return Design(**{**stored, **classes, "features": features, "reading": Reading(**said)})


def make_batch(
    design: Design, chunk: Chunk, *, keep: np.ndarray | None, with_target: bool, drop: bool, held_out: bool = False
) -> Batch:
    """Return the batch that a design makes of a chunk of rows. A row of weight zero is no row.

    Args:
        design: the learned design.
        chunk: n rows.
        keep: mask (n,) of the rows wanted, None for all.
        with_target: also read target and weights.
        drop: leave out rows with a missing value where the design drops or fills them; otherwise they stay, as NaN.
        held_out: leave out rows of a level or class that the training rows do not have, too.

    Raises:
        DataError: a level that the training rows do not have; a negative weight; an exposure that is not positive.
    """
    y = w = groups = None
    weightless = 0
    if with_target and design.weights:
        w, keep, weightless = weights_of(design.weights, chunk, keep)
    x, unseen = _features(design, chunk)
    if with_target:
        y, unknown = _target(design, chunk)
        unseen += unknown
    added = _added(design, chunk, keep)
    if with_target and design.cluster:
        groups = cluster_numbers(chunk, design.cluster, design.cluster_kind, keep)
    drop = drop and design.missing != "error"
    if unseen:
        keep = without_unseen(unseen, chunk, keep, held_out, _complete(design, x, y, w, *added) if drop else None)
    if keep is not None:
        mask = torch.from_numpy(keep)
        x = x[mask]
        added = tuple(column[mask] for column in added)
        y, w, groups = (None if column is None else column[mask] for column in (y, w, groups))
    if design.missing == "error":
        return Batch(x, y, w, offset=_total(added), groups=groups, weightless=weightless)
    counts = _missing_counts(design, x, y, w, *added)
    if design.missing == "mean":
        x = torch.where(x.isnan(), design.fill_row, x)
    batch = Batch(x, y, w, missing=counts, offset=_total(added), groups=groups, weightless=weightless)
    return _drop_missing(batch) if drop else batch


def _target(design: Design, chunk: Chunk) -> tuple[Tensor, list[Unseen]]:
    """Return y (n,), the numbers themselves or the class of each row, NaN where missing; and rows of other classes."""
    if not design.target_levels:
        return chunk.numbers((design.target,))[:, 0], []
    codes = codes_of(chunk, design.target, design.target_kind)
    numbers, unknown = class_numbers(codes, design.target_levels)
    if not unknown.any():
        return numbers, []
    return numbers, [Unseen(f"target {design.target!r}", "class", codes, design.target_levels, unknown)]


def _complete(design: Design, x: Tensor, *others: Tensor | None) -> np.ndarray:
    """Return the mask (n,) of the rows that no missing value drops."""
    good = torch.ones(len(x), dtype=torch.bool) if design.missing == "mean" else ~x.isnan().any(1)
    for column in others:
        if column is not None:
            good &= ~column.isnan()
    return good.numpy()


def _added(design: Design, chunk: Chunk, keep: np.ndarray | None) -> tuple[Tensor, ...]:
    """Return offset (n,) and log exposure (n,), those of them that the design has."""
    columns = []
    if design.offset:
        columns.append(chunk.numbers((design.offset,))[:, 0])
    if design.exposure:
        exposure = chunk.numbers((design.exposure,))[:, 0]
        wrong = exposure <= 0 if keep is None else (exposure <= 0) & torch.from_numpy(keep)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            raise DataError(
                f"exposure column {design.exposure!r} is {float(exposure[row]):g} in row {chunk.start + row + 1}; "
                "exposures must be positive, for their logarithm is added."
            )
        columns.append(exposure.log())
    return tuple(columns)


def _total(added: tuple[Tensor, ...]) -> Tensor | None:
    """Return the sum of the columns (n,), None of none."""
    return None if not added else added[0] if len(added) == 1 else added[0] + added[1]


def _missing_counts(design: Design, x: Tensor, *others: Tensor | None) -> tuple[int, ...]:
    """Return how many values are missing in each used column: features, target, weights, offset, exposure."""
    per_column = x.isnan().sum(0).tolist()
    counts, at = [], 0
    for feature in design.features:
        counts.append(per_column[at])
        at += len(feature.columns)
    return (*counts, *(int(column.isnan().sum()) for column in others if column is not None))


def _drop_missing(batch: Batch) -> Batch:
    """Return the rows without a missing value."""
    columns = {name: getattr(batch, name) for name in ("y", "w", "offset", "groups")}
    good = ~batch.x.isnan().any(1)
    for column in columns.values():
        if column is not None and column.is_floating_point():
            good &= ~column.isnan()
    dropped = len(good) - int(good.sum())
    if not dropped:
        return batch
    left: dict[str, Any] = {name: None if column is None else column[good] for name, column in columns.items()}
    return replace(batch, x=batch.x[good], dropped=dropped, **left)


def _features(design: Design, chunk: Chunk) -> tuple[Tensor, list[Unseen]]:
    """Return x (n, q), without categories the chunk's own memory, not copied; and the rows of unknown levels."""
    numeric = design.numeric
    numbers = chunk.numbers(numeric) if numeric else torch.empty(len(chunk), 0, dtype=torch.float64)
    if len(numeric) == len(design.features):
        return numbers, []
    x = by_column(len(chunk), len(design.x_names))
    unseen: list[Unseen] = []
    column = number = 0
    for feature in design.features:
        width = len(feature.columns)
        if feature.kind == "category":
            found = chunk.codes(feature.name)
            codes = recode(found, feature.levels)
            x[:, column : column + width] = _indicators(feature, codes)
            unknown = codes == len(feature.levels)
            if unknown.any():
                unseen.append(Unseen(f"column {feature.name!r}", "level", found, feature.levels, unknown))
        else:
            x[:, column] = numbers[:, number]
            number += 1
        column += width
    return x, unseen


def _indicators(feature: Feature, codes: np.ndarray) -> Tensor:
    """Return the 0/1 columns (n, coded levels) of codes (n,); a missing value is NaN in each."""
    tensor = torch.from_numpy(codes)
    coded = torch.arange(0 if feature.full else 1, len(feature.levels))
    columns = (tensor[:, None] == coded).to(torch.float64)
    columns[tensor < 0] = torch.nan
    return columns
