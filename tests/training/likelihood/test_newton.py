"""Newton's method against statsmodels and glum, and against itself on rows that are read in other pieces."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from problems import fit_of, problem_of, random_classes

from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError, OptionError
from slopewise.losses.logistic import Logistic
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.poisson import Poisson
from slopewise.losses.softmax import Softmax
from slopewise.solution import Solution, Status
from slopewise.training.likelihood.newton import Newton
from slopewise.training.registry import select_solver

Table = tuple[np.ndarray, np.ndarray]

ENGINE = LocalEngine()


def penguins(target: str) -> Table:
    import pandas as pd

    frame = pd.read_csv(Path(__file__).parents[3] / "examples" / "penguins.csv").dropna()
    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    # All four tell the species apart without a fault; the last two alone do not.
    chosen = columns if target == "sex" else columns[2:]
    return frame[chosen].to_numpy(float), frame[target].astype("category").cat.codes.to_numpy(float)


def spector() -> Table:
    data = sm.datasets.spector.load_pandas().data
    return data[["GPA", "TUCE", "PSI"]].to_numpy(float), data["GRADE"].to_numpy(float)


def fair() -> Table:
    data = sm.datasets.fair.load_pandas().data
    return data.drop(columns="affairs").to_numpy(float), (data["affairs"] > 0).to_numpy(float)


def anes96() -> Table:
    data = sm.datasets.anes96.load_pandas().data
    return data[["logpopul", "selfLR", "age", "educ", "income"]].to_numpy(float), data["PID"].to_numpy(float)


def anes96_vote() -> Table:
    x, _ = anes96()
    return x, sm.datasets.anes96.load_pandas().data["vote"].to_numpy(float)


def by_statsmodels(x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Parameters and standard errors, output by output, and the log likelihood."""
    # Standard columns: statsmodels' Newton has no others to fall back on when columns are badly scaled.
    mean, scale = x.mean(0), x.std(0)
    columns = sm.add_constant((x - mean) / scale)
    model = sm.Logit(y, columns) if y.max() < 2 else sm.MNLogit(y, columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit(method="newton", maxiter=100, tol=1e-14, disp=0)
    k = int(y.max())
    to_raw_scale = np.eye(len(scale) + 1)
    to_raw_scale[1:, 1:] /= scale[:, None]
    to_raw_scale[0, 1:] = -mean / scale
    params = np.asarray(found.params).reshape(-1, k)
    every = np.kron(np.eye(k), to_raw_scale)
    covariance = every @ np.asarray(found.cov_params()) @ every.T
    return (
        torch.from_numpy((to_raw_scale @ params).T.ravel().copy()),
        torch.from_numpy(np.sqrt(np.diag(covariance))),
        float(found.llf),
    )


def agree(x: np.ndarray, y: np.ndarray) -> Solution:
    problem = problem_of(x, y)
    solution = Newton().solve(problem, ENGINE)
    params, errors, llf = by_statsmodels(x, y)
    ours = fit_of(problem, solution).covariance.diagonal().sqrt()
    # Relative to the coefficient, or to its standard error where chance brings it close to zero.
    listed = (solution.theta if solution.theta.ndim == 1 else solution.theta.T).reshape(-1)
    assert bool(((listed - params).abs() <= 1e-8 * params.abs().maximum(errors)).all())
    torch.testing.assert_close(ours, errors, rtol=1e-6, atol=0)
    assert -solution.loss == pytest.approx(llf, rel=1e-11)
    assert solution.status is Status.CONVERGED
    return solution


@pytest.mark.parametrize(
    "table",
    [lambda: penguins("sex"), lambda: penguins("species"), spector, fair, anes96, anes96_vote],
    ids=["penguins sex", "penguins species", "spector", "fair", "anes96", "anes96 vote"],
)
def test_it_agrees_with_statsmodels(table: Callable[[], Table]) -> None:
    agree(*table())


@pytest.mark.parametrize("seed", range(50))
def test_it_agrees_with_statsmodels_on_random_problems(seed: int) -> None:
    make = np.random.default_rng(1000 + seed)
    agree(*random_classes(seed, n=int(make.integers(300, 600)), q=int(make.integers(1, 6)), k=2 + seed % 3))


@pytest.mark.parametrize("table", [spector, fair, lambda: penguins("sex")], ids=["spector", "fair", "penguins"])
def test_it_agrees_with_glum(table: Callable[[], Table]) -> None:
    from glum import GeneralizedLinearRegressor

    x, y = table()
    solution = Newton().solve(problem_of(x, y), ENGINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = GeneralizedLinearRegressor(
            family="binomial", alpha=0, gradient_tol=1e-13, max_iter=1000, scale_predictors=True
        )
        peer.fit(x, y)
    np.testing.assert_allclose(solution.theta[1:].numpy(), peer.coef_, rtol=1e-7)
    assert float(solution.theta[0]) == pytest.approx(peer.intercept_, rel=1e-7)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("batch_rows", [1, 7, 100_000])
def test_the_batch_size_changes_nothing(classes: int, batch_rows: int) -> None:
    x, y = random_classes(5, n=250, q=3, k=classes)
    whole = Newton().solve(problem_of(x, y), ENGINE)
    parts = Newton().solve(problem_of(x, y), LocalEngine(batch_rows))
    torch.testing.assert_close(parts.theta, whole.theta, rtol=1e-11, atol=0)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-13)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_sampled_table_ends_where_a_whole_one_does(classes: int) -> None:
    x, y = random_classes(7, n=300_000, q=3, k=classes)
    problem = problem_of(x, y)
    sampled = Newton().solve(problem, ENGINE)
    known = Newton().solve(problem, ENGINE, warm=sampled.theta)
    torch.testing.assert_close(sampled.theta, known.theta, rtol=1e-9, atol=1e-12)
    assert sampled.loss == pytest.approx(known.loss, rel=1e-13)
    assert sampled.passes <= 6


def test_sorted_rows_do_not_mislead_the_sample() -> None:
    x, y = random_classes(8, n=300_000, q=2, k=2)
    order = np.argsort(y)
    a = Newton().solve(problem_of(x, y), ENGINE)
    b = Newton().solve(problem_of(x[order], y[order]), ENGINE)
    torch.testing.assert_close(a.theta, b.theta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_file_gives_what_memory_gives(tmp_path: Path, classes: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from slopewise.data.design_source import DesignSource
    from slopewise.data.open import as_table

    x, y = random_classes(16, n=270_000, q=2, k=classes)
    problem = problem_of(x, y)
    pq.write_table(pa.table({"x1": x[:, 0], "x2": x[:, 1], "y": y}), tmp_path / "rows.parquet")
    streamed = replace(
        problem, source=DesignSource(as_table(str(tmp_path / "rows.parquet"), None), problem.source.design)
    )
    a, b = Newton().solve(problem, ENGINE), Newton().solve(streamed, ENGINE)
    torch.testing.assert_close(b.theta, a.theta, rtol=1e-9, atol=1e-12)
    assert b.passes <= 5


def test_columns_in_any_memory_order_give_the_same() -> None:
    x, y = random_classes(9, n=400, q=4, k=3)
    a = Newton().solve(problem_of(x, y), ENGINE)
    b = Newton().solve(problem_of(np.asfortranarray(x), y), ENGINE)
    torch.testing.assert_close(a.theta, b.theta, rtol=1e-11, atol=0)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_whole_weight_is_a_repeated_row(classes: int) -> None:
    x, y = random_classes(10, n=200, q=3, k=classes)
    w = np.random.default_rng(0).integers(1, 4, 200)
    weighted = Newton().solve(problem_of(x, y, w=w.astype(float)), ENGINE)
    repeated = Newton().solve(problem_of(x.repeat(w, 0), y.repeat(w)), ENGINE)
    torch.testing.assert_close(weighted.theta, repeated.theta, rtol=1e-10, atol=0)
    assert weighted.null_loss == pytest.approx(repeated.null_loss, rel=1e-12)


def test_class_weights_are_row_weights() -> None:
    for classes, loss in ((2, Logistic((0.5, 2.0))), (3, Softmax(3, (0.5, 2.0, 3.0)))):
        x, y = random_classes(11, n=200, q=2, k=classes)
        by_class = Newton().solve(problem_of(x, y, loss=loss), ENGINE)
        by_row = Newton().solve(problem_of(x, y, w=np.array(loss.class_weights)[y.astype(int)]), ENGINE)
        torch.testing.assert_close(by_class.theta, by_row.theta, rtol=1e-10, atol=0)
        assert by_class.null_loss == pytest.approx(by_row.null_loss, rel=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_ridge_is_scikit_learns(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = random_classes(12, n=300, q=4, k=classes)
    x = (x - x.mean(0)) / x.std(0) * [1.0, 2.0, 0.5, 1.0] + 1
    ours = Newton().solve(problem_of(x, y, penalty=L2(2.5)), ENGINE).theta[1:].numpy()
    peer = LogisticRegression(C=1 / 5, tol=1e-10, max_iter=10_000, solver="newton-cholesky").fit(x, y).coef_
    theirs = peer[0] if classes == 2 else (peer[1:] - peer[0]).T
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_without_an_intercept() -> None:
    x, y = random_classes(13, n=300, q=3, k=2)
    x = x / x.std(0)
    solution = Newton().solve(problem_of(x, y, intercept=False), ENGINE)
    peer = sm.Logit(y, x).fit(disp=0, tol=1e-14, method="newton")
    np.testing.assert_allclose(solution.theta.numpy(), peer.params, rtol=1e-8)
    assert solution.null_loss == pytest.approx(300 * np.log(2))


def test_any_loss_with_a_hessian_will_do() -> None:
    make = np.random.default_rng(14)
    x = make.normal(size=(300, 2))
    y = make.poisson(np.exp(0.3 * x[:, 0] + 1)).astype(float)
    solution = Newton().solve(problem_of(x, y, loss=Poisson()), ENGINE)
    peer = sm.GLM(y, sm.add_constant(x), family=sm.families.Poisson()).fit(tol=1e-14)
    np.testing.assert_allclose(solution.theta.numpy(), peer.params, rtol=1e-8)


def test_one_class_is_refused() -> None:
    with pytest.raises(FitError, match="hold only the class 'yes', so no other class can be predicted"):
        Newton().solve(replace(problem_of([[1], [2], [3]], [1, 1, 1]), class_names=("no", "yes")), ENGINE)


def test_dependent_columns_are_named() -> None:
    x, y = random_classes(15, n=100, q=2, k=2)
    doubled = np.column_stack([x, 2 * x[:, 0] + 3])
    with pytest.raises(FitError, match=r"'x1', 'x3' are perfectly collinear: x3 = 2 \* x1 \+ a constant"):
        Newton().solve(problem_of(doubled, y), ENGINE)
    shrunken = Newton().solve(problem_of(doubled, y, penalty=L2(1.0)), ENGINE)
    assert shrunken.status is Status.CONVERGED


def test_an_l1_penalty_is_refused() -> None:
    with pytest.raises(OptionError, match="solver 'newton' cannot be used here: it cannot take l1 3"):
        select_solver(problem_of([[1], [2], [3]], [0, 1, 0], penalty=ElasticNet(0.0, 3.0)), wanted="newton")
