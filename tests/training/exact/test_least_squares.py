"""The exact solvers: against exact arithmetic, against each other, and what they refuse."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import slopewise
from slopewise.errors import FitError, OptionError


def rational_solution(x, y, w=None):
    """Weighted least squares of the float64 values as they are, in fractions: no rounding anywhere."""
    rows = [[Fraction(1), *(Fraction(float(v)) for v in row)] for row in x]
    w = [Fraction(1)] * len(rows) if w is None else [Fraction(float(v)) for v in w]
    p = len(rows[0])
    a = [[sum(k * r[i] * r[j] for k, r in zip(w, rows, strict=True)) for j in range(p)] for i in range(p)]
    b = [sum(k * r[i] * Fraction(float(v)) for k, r, v in zip(w, rows, y, strict=True)) for i in range(p)]
    for i in range(p):
        for j in range(i + 1, p):
            factor = a[j][i] / a[i][i]
            a[j] = [u - factor * v for u, v in zip(a[j], a[i], strict=True)]
            b[j] -= factor * b[i]
    for i in reversed(range(p)):
        b[i] = (b[i] - sum(a[i][j] * b[j] for j in range(i + 1, p))) / a[i][i]
    return [float(v) for v in b]


def hard_problem(seed, closeness, offset=0.0, weights=False):
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((40, 3))
    x = np.column_stack([base, base @ [1.0, -2.0, 0.5] + closeness * rng.standard_normal(40)]) + offset
    y = x @ rng.standard_normal(4) + 0.01 * rng.standard_normal(40)
    return x, y, rng.uniform(0.1, 3.0, 40) if weights else None


# Columns 1e-8 from dependent and 1e6 from zero are dependent by the rounding of the input alone.
HARD = [(c, o) for c in (1.0, 1e-2, 1e-4, 1e-6, 1e-8) for o in (0.0, 1e3, 1e6) if c * 1e12 >= max(o, 1.0)]


@pytest.mark.parametrize(("closeness", "offset"), HARD)
@pytest.mark.parametrize("weights", [False, True])
def test_digits_hold_and_are_not_overstated(closeness, offset, weights):
    x, y, w = hard_problem(int(offset) + 7, closeness, offset, weights)
    fit = slopewise.fit((x, y), weights=w)
    exact = rational_solution(x, y, w)
    errors = [abs(a - b) / abs(b) for a, b in zip(fit.theta.tolist(), exact, strict=True)]
    # Against the very float64 values: extended residuals leave rounding alone, whatever the condition.
    assert max(errors) < 1e-9
    for digits, error in zip(fit.solution.digits.tolist(), errors, strict=True):
        assert digits <= -np.log10(max(error, 1e-16)) + 1


@pytest.mark.parametrize("seed", range(10))
def test_cholesky_and_qr_agree(seed):
    x, y, w = hard_problem(seed, 0.5, weights=seed % 2 == 1)
    a = slopewise.fit((x, y), weights=w, solver="cholesky")
    b = slopewise.fit((x, y), weights=w, solver="qr")
    assert a.theta.tolist() == pytest.approx(b.theta.tolist(), rel=1e-11)
    assert a.inferred.std_error.tolist() == pytest.approx(b.inferred.std_error.tolist(), rel=1e-10)


@pytest.mark.parametrize("solver", ["cholesky", "qr"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("strength", [0.1, 10.0])
def test_l2_is_ridge_regression_in_raw_units(solver, intercept, strength):
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, 3)) * [1.0, 10.0, 0.1] + [5.0, 0.0, 1.0]
    y = x @ [1.0, 0.2, 3.0] + rng.standard_normal(60)
    fit = slopewise.fit((x, y), l2=strength, solver=solver, intercept=intercept)
    ridge = Ridge(alpha=strength, fit_intercept=intercept, solver="svd").fit(x, y)
    expected = ([float(ridge.intercept_)] if intercept else []) + ridge.coef_.tolist()
    assert fit.theta.tolist() == pytest.approx(expected, rel=1e-9)


def test_l2_makes_collinear_columns_solvable():
    x = np.random.default_rng(0).standard_normal((30, 2))
    x = np.column_stack([x, x[:, 0]])
    fit = slopewise.fit((x, x[:, 0] + x[:, 1]), l2=1.0)
    assert float(fit.theta[1]) == pytest.approx(float(fit.theta[3]), rel=1e-6)


def test_auto_reports_which_solver_and_why():
    easy = slopewise.fit({"x": [1.0, 2.0, 4.0], "y": [1.0, 2.0, 3.0]}, target="y")
    assert easy.solver == "cholesky" and "one read is enough" in easy.reason
    x, y, _ = hard_problem(0, 1e-6)
    hard = slopewise.fit((x, y))
    assert hard.solver == "qr" and "QR keeps the digits" in hard.reason


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"a": [1, 2, 3, 5], "b": [2, 4, 6, 10]}, "'a', 'b' are perfectly collinear: b = 2 \\* a .*; drop 'b'"),
        ({"a": [1, 2, 4, 8], "b": [3, 1, 4, 1], "c": [4, 3, 8, 9]}, "c = 1 \\* a \\+ 1 \\* b"),
        ({"a": [1, 2, 3, 5], "b": [7, 7, 7, 7]}, "column 'b' does not vary"),
        ({"a": [0.1] * 4, "b": [0.3] * 4}, "columns 'a', 'b' do not vary"),
        ({"a": [1, 2, 3, 5], "b": [2, 3, 4, 6]}, "b = 1 \\* a \\+ a constant"),
    ],
)
def test_dependent_columns_are_named_with_their_relation(columns, sentence):
    with pytest.raises(FitError, match=sentence):
        slopewise.fit(columns | {"y": [1.0, 2.0, 4.0, 3.0]}, target="y")


def test_dependent_levels_of_two_categories_are_named():
    data = {"city": ["x", "x", "y", "z", "z"], "country": ["A", "A", "B", "C", "C"], "y": [1.0, 2.0, 3.0, 4.0, 5.0]}
    with pytest.raises(FitError, match=r"country\[B\] = 1 \* city\[y\].*drop the column 'country'"):
        slopewise.fit(data, target="y")


def test_too_few_rows_and_a_constant_target():
    with pytest.raises(FitError, match="2 rows cannot determine 3 coefficients"):
        slopewise.fit({"a": [1.0, 2.0], "b": [1.0, 3.0], "y": [1.0, 2.0]}, target="y")
    with pytest.raises(FitError, match="the target is 4.2 in every training row"):
        slopewise.fit({"a": [1.0, 2.0, 3.0], "y": [4.2, 4.2, 4.2]}, target="y")


def test_cholesky_asked_for_where_it_cannot_is_refused():
    x = np.vander(np.linspace(1.0, 2.0, 30), 12)[:, :-1]
    with pytest.raises(FitError, match="solver 'cholesky' was asked for, but .* choose solver 'qr' or 'auto'"):
        slopewise.fit((x, np.sin(x[:, -1])), solver="cholesky")


def test_unknown_solver_and_impossible_numbers():
    table = {"a": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}
    with pytest.raises(OptionError, match="solver 'choleski' is not known. Did you mean 'cholesky'"):
        slopewise.fit(table, target="y", solver="choleski")
    with pytest.raises(OptionError, match="l2 is -1"):
        slopewise.fit(table, target="y", l2=-1)
    with pytest.raises(OptionError, match="batch_rows is 0"):
        slopewise.fit(table, target="y", batch_rows=0)


def test_large_offsets_cost_no_digits():
    rng = np.random.default_rng(11)
    x = rng.standard_normal((500, 2))
    y = x @ [3.0, -2.0] + rng.standard_normal(500)
    plain, shifted = slopewise.fit((x, y)), slopewise.fit((x + 2.0**20, y))
    # x + 2**20 rounds x to 2**-33, a relative change of 1e-10 in the data themselves.
    assert shifted.theta[1:].tolist() == pytest.approx(plain.theta[1:].tolist(), rel=1e-9)


def test_torch_keeps_its_threads():
    before = torch.get_num_threads()
    slopewise.fit({"a": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}, target="y")
    assert torch.get_num_threads() == before
