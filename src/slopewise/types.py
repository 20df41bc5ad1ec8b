"""Letters for tensor shapes, and the types shared by all packages.

n rows of a batch, q feature columns of x, p parameters of a linear model (q, plus one where there
is an intercept), m outputs, k classes, t epochs. x (n, q), y (n,), w (n,), theta (p, m), gram (q, q).

x never holds the column of ones: the intercept is theta's first row, so that a matrix in memory
is used in place instead of being copied to add a column of ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["number", "boolean", "category"]

INTERCEPT = "(intercept)"


@dataclass(frozen=True, slots=True)
class Schema:
    """Column names of a table, in order, and what each holds.

    declared: the columns whose type says that they are categories, such as pandas' Categorical; text is not among them.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    declared: tuple[str, ...] = ()

    def kind(self, name: str) -> Kind:
        """Return the kind of column `name`, which must be in the schema."""
        return self.kinds[self.names.index(name)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as float64 tensors, finite unless the table itself is not.

    x (n, q), in any strides; y (n,) or None where the target is not read; w (n,) or None for
    equal weights; offset (n,), added to eta, or None for 0; groups (n,) int64, equal
    for rows of one cluster, or None. `dropped` rows were left out while this
    batch was made, `weightless` ones because they have weight 0, and `missing` counts the missing values in each used
    column, in the design's order of columns. The rows of a descent have no offset: it is a second column of y, (n, 2).
    """

    x: Tensor
    y: Tensor | None
    w: Tensor | None = None
    dropped: int = 0
    missing: tuple[int, ...] = ()
    offset: Tensor | None = None
    groups: Tensor | None = None
    weightless: int = 0

    def __len__(self) -> int:
        return self.x.shape[0]


class Callback(Protocol):
    """Receiver of progress reports while rows are read or a descent runs."""

    def rows(self, done: int, total: int | None) -> None:
        """Report that `done` rows of this pass were read, of `total` (None if unknown). A new pass starts at 0."""

    def note(self, text: str) -> None:
        """Report an event in one line, such as the start of a second pass."""

    def epochs(self, done: int, total: int, cost: float) -> None:
        """Report `done` of at most `total` epochs at the present `cost`. Called a few times a second.

        Args:
            done: epochs made.
            total: epochs planned.
            cost: the present one.
        """
