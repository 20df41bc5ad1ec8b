"""Linear separability of classes, decided by the point of a convex hull that is nearest to the origin.

With rows z = (1, x) of one class and -(1, x) of the other, a separating hyperplane exists exactly if some w has
w·z > 0 for all rows, and then the nearest point of the hull of all z is such a w. If the nearest point is the origin
itself, a convex combination of rows of the one class equals one of the other, and no hyperplane separates them. Of
k classes, each with a score of its own, a row gives k - 1 such z, one for each of the other classes
(C. Kesler's construction: Duda and Hart, Pattern Classification and Scene Analysis, 1973, section 5.12).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TOUCHING = 1e-9
"""Distance of the hull from the origin, for rows of length at most 1, that counts as zero."""

STEPS = 10_000


@dataclass(frozen=True, slots=True)
class SeparatingHyperplane:
    """distance of the classes, for rows scaled to length 1 at most; separable where it is above zero.

    rows: those whose convex combination is the nearest point (of z, where there are more than two classes), and their
    weights shares: where two classes are not separable, the combinations of either class's rows are equal.
    """

    separable: bool
    distance: float
    rows: tuple[int, ...]
    shares: tuple[float, ...]


def separating_hyperplane(x: Tensor, y: Tensor) -> SeparatingHyperplane:
    """Return whether hyperplanes separate the classes; for two classes a single one.

    P. Wolfe, Finding the nearest point in a polytope, Mathematical Programming 11 (1976); exact up to rounding.

    1. Begin with the shortest row. 2. Add the row with the least inner product with the present point; stop where none
    is below its squared length. 3. Go to the point nearest the origin in the affine hull of the active rows; where that
    is outside their convex hull, stop at its boundary, drop the rows of weight zero, and repeat.

    Args:
        x: (n, q).
        y: (n,), class numbers from 0.

    >>> hours = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    >>> separating_hyperplane(hours, torch.tensor([0, 0, 1, 1])).separable
    True
    """
    z = _signed(x, y)
    # 1.
    active = [int(z.norm(dim=1).argmin())]
    shares = z.new_ones(1)
    for _ in range(STEPS):
        point = shares @ z[active]
        # 2.
        against = z @ point
        furthest = int(against.argmin())
        length = float(point @ point)
        if length <= TOUCHING**2 or float(against[furthest]) >= length * (1 - TOUCHING) or furthest in active:
            break
        active.append(furthest)
        shares = torch.cat([shares, shares.new_zeros(1)])
        # 3.
        while True:
            nearest = _on_plane(z[active])
            if float(nearest.min()) > 0:
                shares = nearest
                break
            out = nearest <= 0
            step = float((shares[out] / (shares[out] - nearest[out]).clamp(min=1e-300)).min())
            shares = shares + min(step, 1.0) * (nearest - shares)
            stays = shares > TOUCHING
            active = [row for row, kept in zip(active, stays.tolist(), strict=True) if kept]
            shares = shares[stays] / shares[stays].sum()
    distance = float((shares @ z[active]).norm())
    return SeparatingHyperplane(distance > TOUCHING, distance, tuple(active), tuple(shares.tolist()))


def _signed(x: Tensor, y: Tensor) -> Tensor:
    """Return ±(1, u) / length (n, q + 1) for columns u within [-1, 1]; of k > 2 classes n (k - 1) such rows."""
    x = x.to(torch.float64)
    low, high = x.amin(0), x.amax(0)
    u = (2 * x - low - high) / torch.where(high > low, high - low, 1.0)
    z = torch.cat([torch.ones_like(u[:, :1]), u], dim=1)
    k = int(y.max()) + 1
    if k > 2:
        own = torch.nn.functional.one_hot(y.to(torch.int64), k).to(torch.float64)
        against = [(own - torch.roll(own, step, 1))[:, :, None] * z[:, None, :] for step in range(1, k)]
        return torch.cat(against).flatten(1) / math.sqrt(2 + 2 * x.shape[1])
    sign = torch.where(y.to(torch.float64) > 0, 1.0, -1.0)[:, None]
    return sign * z / math.sqrt(1 + x.shape[1])


def _on_plane(z: Tensor) -> Tensor:
    """Return the weights (m,) of sum 1, of any sign, whose combination of the rows z (m, d) is nearest the origin."""
    m = len(z)
    system = z.new_ones(m + 1, m + 1)
    system[0, 0] = 0
    system[1:, 1:] = z @ z.T
    right = torch.zeros(m + 1, 1, dtype=z.dtype)
    right[0] = 1
    solution: Tensor = torch.linalg.lstsq(system, right, driver="gelsd").solution
    return solution[1:, 0]
