"""Eigenvalues to their own size, not to that of the largest: against fifty digits."""

from __future__ import annotations

import mpmath
import pytest
import torch
from torch import Tensor

from slopewise.training.moments.spectrum import spectrum_of


def hessian_of(seed: int, p: int, span: float, shift: float = 1.0) -> Tensor:
    """Return (2/n) X'X of random columns whose sizes differ by 10**span, the ones among them."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(60, p, generator=g, dtype=torch.float64) + shift
    x = x * 10 ** (span * torch.rand(p, generator=g, dtype=torch.float64))
    x[:, seed % p] = 1
    return 2 / 60 * x.T @ x


@pytest.mark.parametrize("p", [2, 3, 6, 7])
@pytest.mark.parametrize("span", [0, 3, 6, 10, 12])
def test_every_eigenvalue_has_ten_digits(p: int, span: float) -> None:
    hessian = hessian_of(10 * p + span, p, span)
    spectrum = spectrum_of(hessian)
    with mpmath.workdps(60):
        exact = sorted(float(value) for value in mpmath.eigsy(mpmath.matrix(hessian.tolist()), eigvals_only=True))
    # The condition of the columns in one size, here up to 1e4, is lost of the sixteen digits.
    assert spectrum.eigenvalues.tolist() == pytest.approx(exact, rel=1e-10)
    assert not bool(spectrum.flat.any())
    z = spectrum.eigenvectors
    torch.testing.assert_close(z.T @ z, torch.eye(p, dtype=torch.float64), rtol=0, atol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 1e8])
def test_a_repeated_and_an_empty_column_are_flat_in_any_units(scale: float) -> None:
    g = torch.Generator().manual_seed(1)
    x = torch.randn(50, 3, generator=g, dtype=torch.float64)
    x = torch.cat([x, x[:, :1] - x[:, 1:2], torch.zeros(50, 1, dtype=torch.float64)], 1)
    x[:, 2] *= scale
    spectrum = spectrum_of(x.T @ x)
    assert int(spectrum.flat.sum()) == 2
    flat = spectrum.eigenvectors[:, spectrum.flat]
    # Neither contains the column that is neither empty nor repeated.
    assert float(flat[2].abs().max()) < 1e-10


def test_a_hessian_of_zeros_is_flat_everywhere() -> None:
    spectrum = spectrum_of(torch.zeros(3, 3, dtype=torch.float64))
    assert spectrum.flat.tolist() == [True] * 3
    assert spectrum.eigenvalues.tolist() == [0.0] * 3


def test_many_columns_of_many_sizes_are_taken_by_lapack() -> None:
    hessian = hessian_of(3, 130, 8)
    spectrum = spectrum_of(hessian)
    z = spectrum.eigenvectors
    torch.testing.assert_close(
        z * spectrum.eigenvalues @ z.T, hessian, rtol=1e-10, atol=1e-14 * float(hessian.abs().max())
    )
