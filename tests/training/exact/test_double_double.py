"""Pairs of float64 against exact rational arithmetic."""

from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st

from slopewise.training.exact import double_double
from slopewise.training.exact.double_double import DoubleDouble

numbers = st.floats(min_value=-1e60, max_value=1e60, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-60)


def value(pair: DoubleDouble) -> Fraction:
    return Fraction(float(pair.hi)) + Fraction(float(pair.lo))


def tensor(number: float) -> torch.Tensor:
    return torch.tensor(number, dtype=torch.float64)


@given(numbers, numbers)
def test_sum_and_product_of_two_numbers_are_exact(a, b):
    assert value(double_double.two_sum(tensor(a), tensor(b))) == Fraction(a) + Fraction(b)
    assert value(double_double.two_product(tensor(a), tensor(b))) == Fraction(a) * Fraction(b)


@given(st.lists(numbers, min_size=1, max_size=33))
def test_total_has_about_thirty_digits(values):
    got = value(double_double.total(double_double.exact(torch.tensor(values, dtype=torch.float64))))
    exact = sum(map(Fraction, values))
    # Error of a pairwise sum of pairs: a few units of 2^-104 for each of the log2(n) levels.
    assert abs(got - exact) <= Fraction(2) ** -98 * sum(abs(Fraction(v)) for v in values)


def test_congruence_equals_the_product_in_fractions():
    generator = torch.Generator().manual_seed(0)
    t = torch.randn(3, 2, dtype=torch.float64, generator=generator)
    a = torch.randn(3, 3, dtype=torch.float64, generator=generator)
    got = double_double.congruence(t, double_double.exact(a))
    for i in range(2):
        for j in range(2):
            exact = sum(
                Fraction(float(t[k, i])) * Fraction(float(a[k, m])) * Fraction(float(t[m, j]))
                for k in range(3)
                for m in range(3)
            )
            assert abs(Fraction(float(got.hi[i, j])) + Fraction(float(got.lo[i, j])) - exact) < Fraction(2) ** -95
