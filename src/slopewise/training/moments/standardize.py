"""Standardise the columns, and convert parameters between standardised and raw units.

The optimizer works in standardised columns; parameters are reported in raw units. With u = (x - mean) / scale,
eta = b + W x = c_0 + c u where c_j = W_j scale_j and c_0 = b + Σ W_j mean_j.
Without standardisation, mean is 0 and scale 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slopewise.data.source import Source, by_column
from slopewise.errors import DataError
from slopewise.losses.offset import target_of
from slopewise.solution import Basis, Moments, Standardization
from slopewise.types import Batch


@dataclass(frozen=True, slots=True)
class StandardizedRows(Source):
    """Another source's rows in the units and the dtype of a descent: (x - mean) / scale, (y - y_mean) / y_scale, c w.

    Where they have an offset, it stands beside the target, y (n, 2), see `losses/offset.py`.

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
            x = standardized(batch.x, self.mean, self.scale).to(self.dtype)
            y = target_of((batch.y - self.y_mean) / self.y_scale, batch.offset).to(self.dtype)
            w = None if batch.w is None else (batch.w * self.weight_factor).to(self.dtype)
            yield replace(batch, x=x, y=y, w=w, offset=None)

    def partitions(self, k: int) -> list[Source]:
        """Return at most k contiguous parts."""
        return [replace(self, inner=part) for part in self.inner.partitions(k)]

    def first_invalid_value(self) -> DataError | None:
        """Return the error that names the first missing or infinite value, if there is one."""
        return self.inner.first_invalid_value()


def standardized(x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Return (x - mean) / scale (n, q) in new memory, by column where x is.

    Args:
        x: (n, q).
        mean: (q,).
        scale: (q,).
    """
    if x.stride(0) != 1:
        return (x - mean).div_(scale)
    # memory of numpy's: torch's is filled page by page, which takes as long as the arithmetic
    return torch.sub(x, mean, out=by_column(*x.shape)).div_(scale)


def standardization(moments: Moments, *, standardize: bool, intercept: bool) -> Standardization:
    """Return the standardisation of the columns: population standard deviation, and the mean if there is an intercept.

    A constant column keeps scale 1.

    Args:
        moments: of the training rows.
        standardize: False for raw units, mean 0 and scale 1.
        intercept: whether the model has one; without it columns are not centred.
    """
    q = len(moments.mean)
    if not standardize:
        return Standardization(torch.zeros(q, dtype=torch.float64), torch.ones(q, dtype=torch.float64), intercept)
    deviation = (moments.gram.diagonal() / moments.weight).sqrt()
    scale = torch.where(deviation > 1e-14 * moments.mean.abs(), deviation, 1.0)
    return Standardization(moments.mean if intercept else torch.zeros_like(moments.mean), scale, intercept)


def to_raw_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return parameters (..., p) of standardised columns in raw units.

    Example:
        >>> units = Standardization(torch.tensor([2.0]), torch.tensor([4.0]), intercept=True)
        >>> to_raw_scale(torch.tensor([1.0, 8.0]), units)
        tensor([-3.,  2.])
    """
    if not units.intercept:
        return theta / units.scale
    slopes = theta[..., 1:] / units.scale
    return torch.cat([theta[..., :1] - (slopes * units.mean).sum(-1, keepdim=True), slopes], dim=-1)


def to_standard_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return raw parameters (..., p) for the standardised columns; the inverse of `to_raw_scale`."""
    if not units.intercept:
        return theta * units.scale
    slopes = theta[..., 1:]
    return torch.cat([theta[..., :1] + (slopes * units.mean).sum(-1, keepdim=True), slopes * units.scale], dim=-1)


def raw_map(basis: Basis) -> Tensor:
    """Return M (d, d) with (H + penalty)⁻¹ = M M' in raw units, each output's intercept carried to x = 0.

    H is never formed nor inverted: an intercept's row is r_inverse[0] - Σ_j mean_j / scale_j · r_inverse[j].
    """
    blocks = basis.r_inverse.reshape(basis.outputs, -1, basis.r_inverse.shape[1])
    if not basis.intercept:
        return (blocks / basis.scale[:, None]).flatten(0, 1)
    slopes = blocks[:, 1:] / basis.scale[:, None]
    intercepts = blocks[:, :1] - (basis.mean @ slopes)[:, None]
    return torch.cat([intercepts, slopes], dim=1).flatten(0, 1)
