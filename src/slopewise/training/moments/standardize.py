"""The units a descent works in, and the way between them and raw units.

*Descend scaled, read raw.* With u = (x - mean) / scale, eta = b + W x = c_0 + c u where c_j = W_j scale_j and
c_0 = b + Σ W_j mean_j. Raw descent is the same with mean 0 and scale 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.errors import DataError
from slopewise.solution import Moments
from slopewise.types import Batch


@dataclass(frozen=True, slots=True)
class Standardization:
    """mean (q,) and scale (q,) of the columns in which a descent works; intercept: theta[0] is one."""

    mean: Tensor
    scale: Tensor
    intercept: bool


@dataclass(frozen=True, slots=True)
class StandardizedRows(Source):
    """Another source's rows in the units and the dtype of a descent: (x - mean) / scale, (y - y_mean) / y_scale, c w.

    mean (q,) and scale (q,); weight_factor: c.
    """

    inner: Source
    mean: Tensor
    scale: Tensor
    dtype: torch.dtype
    y_mean: float = 0.0
    y_scale: float = 1.0
    weight_factor: float = 1.0

    @property
    def x_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the q columns of x."""
        return self.inner.x_names

    @property
    def n_rows(self) -> int | None:  # type: ignore[override]
        """Bound of the rows, None if unknown."""
        return self.inner.n_rows

    @property
    def in_memory(self) -> bool:  # type: ignore[override]
        """Whether reading again costs no input."""
        return self.inner.in_memory

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield all rows in order, in batches of at most `size` rows."""
        for batch in self.inner.batches(size):
            assert batch.y is not None
            x = (batch.x - self.mean).div_(self.scale).to(self.dtype)
            y = ((batch.y - self.y_mean) / self.y_scale).to(self.dtype)
            w = None if batch.w is None else (batch.w * self.weight_factor).to(self.dtype)
            yield replace(batch, x=x, y=y, w=w)

    def partitions(self, k: int) -> list[Source]:
        """Return at most k contiguous parts."""
        return [replace(self, inner=part) for part in self.inner.partitions(k)]

    def first_invalid_value(self) -> DataError | None:
        """Return the error that names the first missing or infinite value, if there is one."""
        return self.inner.first_invalid_value()


def standardization(moments: Moments, *, standardize: bool, intercept: bool) -> Standardization:
    """Return standard units (population standard deviation; mean left alone without an intercept), or raw ones.

    A constant column keeps scale 1.
    """
    q = len(moments.mean)
    if not standardize:
        return Standardization(torch.zeros(q, dtype=torch.float64), torch.ones(q, dtype=torch.float64), intercept)
    deviation = (moments.gram.diagonal() / moments.weight).sqrt()
    scale = torch.where(deviation > 1e-14 * moments.mean.abs(), deviation, 1.0)
    return Standardization(moments.mean if intercept else torch.zeros_like(moments.mean), scale, intercept)


def to_raw_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return parameters (..., p) of the descent's units in raw units."""
    if not units.intercept:
        return theta / units.scale
    slopes = theta[..., 1:] / units.scale
    return torch.cat([theta[..., :1] - (slopes * units.mean).sum(-1, keepdim=True), slopes], dim=-1)


def to_standard_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return raw parameters (..., p) in the descent's units."""
    if not units.intercept:
        return theta * units.scale
    slopes = theta[..., 1:]
    return torch.cat([theta[..., :1] + (slopes * units.mean).sum(-1, keepdim=True), slopes * units.scale], dim=-1)
