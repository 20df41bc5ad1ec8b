"""The design: how columns become x, y and w, learned on the training rows and then applied unchanged.

The design owns the coding of categories, what happens to missing values, and whether there is an
intercept. It is saved with the fit and applied to new rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopewise.data.clusters import cluster_numbers
from slopewise.data.reading import Reading
from slopewise.data.source import Chunk, by_column
from slopewise.data.target_classes import class_numbers, codes_of, recode
from slopewise.errors import DataError, quoted
from slopewise.types import INTERCEPT, Batch, Kind

MISSING = ("error", "drop", "mean")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the table that the model uses.

    A category has its `levels`, sorted; the first is the reference. `fill` replaces a missing value
    under missing='mean': the training mean of a number, the most frequent level of a category.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    fill: float | str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of x of this feature: itself, or its indicators.

        >>> Feature("sex", "category", levels=("female", "male")).columns
        ('sex[male]',)
        """
        if self.kind == "category":
            return tuple(f"{self.name}[{level}]" for level in self.levels[1:])
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Design:
    """The mapping of a table to x (n, q), y (n,) and w (n,).

    Where the target is one of several classes, `target_levels` names them, sorted, and y is the number of the class;
    for a target of numbers there are none. The column `offset`, and the logarithm of the column `exposure`, are added
    to eta, with no coefficient of their own; unseen rows must have them too. Rows of one value
    of `cluster` are correlated. `reading` says how the values are written, of the training rows and of any others.
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
                fills += [float(level == feature.fill) for level in feature.levels[1:]]
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
        features = tuple(Feature(f["name"], f["kind"], tuple(f["levels"]), f["fill"]) for f in stored["features"])
        said: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in stored.get("reading", {}).items()
        }
        levels = tuple(stored.get("target_levels", ()))
        return Design(**{**stored, "features": features, "target_levels": levels, "reading": Reading(**said)})


def make_batch(design: Design, chunk: Chunk, *, keep: np.ndarray | None, with_target: bool, drop: bool) -> Batch:
    """Return the batch that a design makes of a chunk of rows.

    Args:
        design: the learned design.
        chunk: n rows.
        keep: mask (n,) of the rows wanted, None for all.
        with_target: also read target and weights.
        drop: leave out rows with a missing value where the design drops or fills them; otherwise they stay, as NaN.

    Raises:
        DataError: a level that the training rows do not have; a negative weight; an exposure that is not positive.
    """
    x = _features(design, chunk, keep)
    y = w = None
    if with_target:
        y = _target(design, chunk, keep)
        w = chunk.numbers((design.weights,))[:, 0] if design.weights else None
        if w is not None and bool((w < 0).any()):
            row = int((w < 0).nonzero()[0])
            raise DataError(
                f"weights column {design.weights!r} is {float(w[row])} in row {chunk.start + row + 1}; "
                "weights must be zero or positive."
            )
    added = _added(design, chunk)
    groups = None
    if with_target and design.cluster:
        groups = cluster_numbers(chunk, design.cluster, design.cluster_kind, keep)
    if keep is not None:
        mask = torch.from_numpy(keep)
        x = x[mask]
        added = tuple(column[mask] for column in added)
        y = y[mask] if y is not None else None
        w = w[mask] if w is not None else None
        groups = groups[mask] if groups is not None else None
    if design.missing == "error":
        return Batch(x, y, w, offset=_total(added), groups=groups)
    counts = _missing_counts(design, x, y, w, *added)
    if design.missing == "mean":
        x = torch.where(x.isnan(), design.fill_row, x)
    offset = _total(added)
    if not drop:
        return Batch(x, y, w, missing=counts, offset=offset, groups=groups)
    return _drop_missing(Batch(x, y, w, missing=counts, offset=offset, groups=groups))


def _target(design: Design, chunk: Chunk, keep: np.ndarray | None) -> Tensor:
    """Return y (n,): the numbers themselves, or the class of each row; NaN where missing."""
    if not design.target_levels:
        return chunk.numbers((design.target,))[:, 0]
    codes = codes_of(chunk, design.target, design.target_kind)
    return class_numbers(codes, design.target_levels, target=design.target, start=chunk.start, keep=keep)


def _added(design: Design, chunk: Chunk) -> tuple[Tensor, ...]:
    """Return offset (n,) and log exposure (n,), those of them that the design has."""
    columns = []
    if design.offset:
        columns.append(chunk.numbers((design.offset,))[:, 0])
    if design.exposure:
        exposure = chunk.numbers((design.exposure,))[:, 0]
        if bool((exposure <= 0).any()):
            row = int((exposure <= 0).nonzero()[0])
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
    left = {name: None if column is None else column[good] for name, column in columns.items()}
    return Batch(batch.x[good], dropped=dropped, missing=batch.missing, **left)


def _features(design: Design, chunk: Chunk, keep: np.ndarray | None) -> Tensor:
    """Return x (n, q); without categories it is the chunk's own memory, not copied."""
    numeric = design.numeric
    numbers = chunk.numbers(numeric) if numeric else torch.empty(len(chunk), 0, dtype=torch.float64)
    if len(numeric) == len(design.features):
        return numbers
    x = by_column(len(chunk), len(design.x_names))
    column = number = 0
    for feature in design.features:
        width = len(feature.columns)
        if feature.kind == "category":
            x[:, column : column + width] = _indicators(feature, chunk, keep)
        else:
            x[:, column] = numbers[:, number]
            number += 1
        column += width
    return x


def _indicators(feature: Feature, chunk: Chunk, keep: np.ndarray | None) -> Tensor:
    """Return 0/1 columns (n, levels - 1); a missing value is NaN in each."""
    column = chunk.codes(feature.name)
    codes = recode(column, feature.levels)
    unseen = (codes == len(feature.levels)) & (keep if keep is not None else True)
    if unseen.any():
        row = int(unseen.argmax())
        raise DataError(
            f"column {feature.name!r} is {column.levels[column.codes[row]]!r} in row {chunk.start + row + 1}, a level "
            f"never seen in training (seen: {quoted(feature.levels)}); drop such rows or train with them."
        )
    tensor = torch.from_numpy(codes)
    columns = (tensor[:, None] == torch.arange(1, len(feature.levels))).to(torch.float64)
    columns[tensor < 0] = torch.nan
    return columns
