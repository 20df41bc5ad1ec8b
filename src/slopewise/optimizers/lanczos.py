"""Lanczos' method: the largest eigenvalue of a hessian, from hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from slopewise.errors import OptionError

TOLERANCE = 1e-6
"""Relative error of the eigenvalue, precise enough for the choice of a learning rate."""


def largest_eigenvalue(
    hessian_vector_product: Callable[[Tensor], Tensor],
    size: int,
    seed: int = 0,
    *,
    most: int = 100,
    tolerance: float = TOLERANCE,
) -> float:
    """Return the largest (not the largest in size) eigenvalue of a symmetric matrix, from its products with vectors.

    Lanczos' method with full reorthogonalisation.

    1. Start from a random vector. 2. Multiply by H, and orthogonalise against the earlier vectors. 3. The largest
    eigenvalue of the small tridiagonal matrix, a lower bound; stop when its residual is small, or the basis complete.
    C. Lanczos, J. Res. Nat. Bur. Standards 45 (1950); Parlett, The Symmetric Eigenvalue Problem, chapter 13.

    Args:
        hessian_vector_product: v (size,) float64 → H v (size,).
        size: of the vectors.
        seed: of the first of them.
        most: products, at most; each keeps one vector in memory.
        tolerance: relative error of the eigenvalue.

    Raises:
        OptionError: size below 1, or a product that is not finite.

    Example:
        >>> hessian = torch.diag(torch.tensor([1.0, -9.0, 4.0], dtype=torch.float64))
        >>> round(largest_eigenvalue(lambda v: hessian @ v, 3), 9)
        4.0
    """
    if size < 1:
        raise OptionError(f"size must be at least 1, not {size}.")
    # 1.
    vector = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    basis = [vector / vector.norm()]
    diagonal: list[Tensor] = []
    off_diagonal: list[Tensor] = []
    while True:
        # 2.
        product = hessian_vector_product(basis[-1]).to(torch.float64)
        if not bool(product.isfinite().all()):
            raise OptionError("the hessian is not finite at this point; start from smaller parameters.")
        diagonal.append(product @ basis[-1])
        known = torch.stack(basis)
        # Twice, because of rounding in the first pass.
        rest = product - known.T @ (known @ product)
        rest = rest - known.T @ (known @ rest)
        length = rest.norm()
        # 3.
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, off_diagonal))
        residual = length * vectors[-1, -1].abs()
        if float(residual) <= tolerance * float(values.abs().max()) or len(basis) == min(size, most):
            return float(values[-1])
        basis.append(rest / length)
        off_diagonal.append(length)


def _tridiagonal(diagonal: list[Tensor], off_diagonal: list[Tensor]) -> Tensor:
    matrix = torch.diag(torch.stack(diagonal))
    if off_diagonal:
        off = torch.diag(torch.stack(off_diagonal), 1)
        matrix = matrix + off + off.T
    return matrix
