"""The shape alphabet, and the few types that travel between the rooms.

n rows of a batch, q feature columns of x, p parameters of a linear model (q, plus one where there
is an intercept), k outputs, t epochs. x (n, q), y (n,), w (n,), theta (p, k), gram (q, q).

x never holds the column of ones: the intercept is theta's first row, so that a matrix in memory
is used where it lies instead of being copied to make room for ones.
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
    """Column names of a table, in order, and what each holds."""

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]

    def kind(self, name: str) -> Kind:
        """Return the kind of column `name`, which must be in the schema."""
        return self.kinds[self.names.index(name)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows ready for arithmetic: float64, finite unless the table itself is not.

    x (n, q), in any strides; y (n,) or None where a target is not asked for; w (n,) or None for
    equal weights; offset (n,), added to eta, or None for 0. `dropped` rows were left out while this
    batch was made, and `missing` counts the missing values met in each used column, in the design's
    order of columns.
    """

    x: Tensor
    y: Tensor | None
    w: Tensor | None = None
    dropped: int = 0
    missing: tuple[int, ...] = ()
    offset: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]


class Callback(Protocol):
    """Whoever wants to know how a long read or a long descent is getting on."""

    def rows(self, done: int, total: int | None) -> None:
        """`done` rows of this pass are behind us, of `total` (None if unknown). A new pass starts at 0."""

    def note(self, text: str) -> None:
        """Something worth one line happened, such as the start of a second pass."""

    def epochs(self, done: int, total: int, cost: float) -> None:
        """A descent has made `done` of at most `total` epochs and stands at `cost`. Called a few times a second."""
