"""Every kernel gives one answer on every engine: in whatever pieces rows come, and by whatever way results return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from catalog import ENGINES
from problems import fit_of, problem_of, random_classes
from torch import Tensor

from slopewise.data.design_source import DesignSource
from slopewise.data.learn import learn_design
from slopewise.data.memory import matrix_table
from slopewise.data.source import Source
from slopewise.data.split import Split
from slopewise.engine.engine import Engine
from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.squared import Squared
from slopewise.problem import Problem
from slopewise.results.inference.covariance import COV_TYPES, covariance_of
from slopewise.results.inference.statistics import residual_variance
from slopewise.results.metrics.measure import measure
from slopewise.training.exact.cholesky import Cholesky
from slopewise.training.exact.qr import QR
from slopewise.training.likelihood.class_weights import balanced_class_weights
from slopewise.training.likelihood.firth import Firth
from slopewise.training.likelihood.lbfgs import Lbfgs
from slopewise.training.likelihood.newton import Newton
from slopewise.training.likelihood.proximal_newton import CoordinateDescent
from slopewise.training.moments.moments import MomentOperands, moment_sums, read_moments

LOCAL = LocalEngine()
N = 200

engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)


def numbers(closeness: float = 1.0) -> Problem:
    """A line; the third column is `closeness` away from the sum of the others."""
    make = np.random.default_rng(3)
    x = make.normal(size=(N, 3)) * [1, 10, 0.1] + [5, 0, 100]
    x[:, 2] = x[:, 0] + x[:, 1] + closeness * make.normal(size=N)
    y = x @ [1.0, -2.0, 0.5] + 3 + make.normal(size=N)
    return problem_of(x, y, w=make.uniform(0.5, 2, N), loss=Squared())


def classes(k: int) -> Problem:
    x, y = random_classes(21, n=N, q=2, k=k)
    return problem_of(x, y, w=np.random.default_rng(0).uniform(0.5, 2, N))


def with_penalty(problem: Problem, l2: float, l1: float = 0.0) -> Problem:
    return replace(problem, penalty=ElasticNet(l2, l1) if l1 else L2(l2))


@dataclass(frozen=True)
class Entry:
    """A solver and a problem for it."""

    name: str
    solver: Any
    problem: Callable[[], Problem]

    def __str__(self) -> str:
        return self.name


SOLVERS = [
    Entry("cholesky", Cholesky(), numbers),
    Entry("cholesky, refined", Cholesky(), lambda: numbers(1e-4)),
    Entry("qr", QR(), lambda: numbers(1e-5)),
    Entry("coordinate descent of a line", CoordinateDescent(), lambda: with_penalty(numbers(), 1.0, 5.0)),
    Entry("newton", Newton(), lambda: classes(2)),
    Entry("newton, three classes", Newton(), lambda: classes(3)),
    Entry("newton, l2", Newton(), lambda: with_penalty(classes(3), 1.0)),
    Entry("lbfgs", Lbfgs(), lambda: classes(3)),
    Entry("coordinate descent", CoordinateDescent(), lambda: with_penalty(classes(3), 0.0, 0.5)),
    Entry("firth", Firth(), lambda: classes(2)),
]


def alike(found: Tensor, expected: Tensor, rtol: float = 1e-9) -> None:
    # rounding of sums in another order; iterations end within 1e-8 standard errors of each other
    torch.testing.assert_close(found, expected, rtol=rtol, atol=1e-12)


@engines
@pytest.mark.parametrize("entry", SOLVERS, ids=str)
def test_solvers(entry: Entry, engine: Engine) -> None:
    problem = entry.problem()
    found, expected = entry.solver.solve(problem, engine), entry.solver.solve(problem, LOCAL)
    alike(found.theta, expected.theta, 1e-7 if entry.name == "lbfgs" else 1e-9)
    assert found.status is expected.status


@engines
@pytest.mark.parametrize("kind", [kind for kind in COV_TYPES if kind.startswith("h")])
def test_robust_covariances_of_a_line(kind: str, engine: Engine) -> None:
    problem = numbers()
    solution = Cholesky().solve(problem, LOCAL)
    found, expected = (
        covariance_of(kind, problem=problem, solution=solution, engine=each, dispersion=residual_variance(solution))
        for each in (engine, LOCAL)
    )
    alike(found[0].raw, expected[0].raw)
    assert found[1] == pytest.approx(expected[1], rel=1e-12)


@engines
@pytest.mark.parametrize("kind", ["hc1", "hac"])
@pytest.mark.parametrize("k", [2, 3])
def test_robust_covariance_of_classes(k: int, kind: str, engine: Engine) -> None:
    problem = classes(k)
    solution = Newton().solve(problem, LOCAL)
    found, expected = (
        covariance_of(kind, problem=problem, solution=solution, engine=each)[0] for each in (engine, LOCAL)
    )
    alike(found.raw, expected.raw)


@engines
@pytest.mark.parametrize("lags", [0, 1, 60, N - 1])
def test_lags_reach_over_pieces_of_any_size(lags: int, engine: Engine) -> None:
    problem = numbers()
    solution = Cholesky().solve(problem, LOCAL)
    found, expected = (
        covariance_of("hac", problem=problem, solution=solution, engine=each, lags=lags)[0]
        for each in (engine, LocalEngine(batch_rows=7))
    )
    alike(found.raw, expected.raw)


@engines
def test_metrics(engine: Engine) -> None:
    line, three = numbers(), classes(3)
    for problem, solver, names in (
        (line, Cholesky(), ("n", "rmse", "mae", "r2")),
        (three, Newton(), ("n", "accuracy", "log_loss", "brier", "auc")),
    ):
        record = fit_of(problem, solver.solve(problem, LOCAL)).record
        found, expected = (measure(record, each, problem.source) for each in (engine, LOCAL))
        for name in names:
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)


@engines
def test_class_weights(engine: Engine) -> None:
    source = classes(3).source
    assert balanced_class_weights(source, engine, 3) == pytest.approx(balanced_class_weights(source, LOCAL, 3))


@engines
@pytest.mark.parametrize("complete", [True, False], ids=["complete", "in part"])
def test_separated_classes_are_named_alike(complete: bool, engine: Engine) -> None:
    x = np.arange(40.0)[:, None] + np.array([[0.0, 0.0]]) + np.random.default_rng(2).normal(size=(40, 2)) * [0, 10]
    y = (x[:, 0] >= 20).astype(float)
    if not complete:
        x[20, 0], y[20] = 19.0, 1.0
    problem = problem_of(x, y)
    sentences = []
    for each in (engine, LOCAL):
        with pytest.raises(FitError, match="separated") as raised:
            Newton().solve(problem, each)
        sentences.append(str(raised.value))
    assert sentences[0] == sentences[1]


@engines
def test_rows_left_out_are_counted_alike(engine: Engine) -> None:
    x, y = random_classes(21, n=N, q=2, k=2)
    x[[3, 100, 101], 1] = np.nan
    x[150:, 0] = np.nan
    table = matrix_table(x, y, None)
    design = learn_design(
        table, target="y", features=None, weights=None, intercept=True, missing="drop", split=Split(0.0)
    )
    problem = replace(problem_of(np.nan_to_num(x), y), source=DesignSource(table, design))
    found, expected = read_moments(problem, engine), read_moments(problem, LOCAL)
    for moments in (found, expected):
        assert (moments.n, moments.dropped, moments.missing) == (147, 53, (50, 3, 0))
    alike(found.gram, expected.gram)
    alike(Newton().solve(problem, engine).theta, Newton().solve(problem, LOCAL).theta)


@engines
def test_a_source_without_rows_has_no_sum(engine: Engine) -> None:
    class Nothing(Source):
        x_names, n_rows, in_memory = ("a",), 0, True

        def batches(self, size: int) -> Any:
            return iter(())

        def partitions(self, k: int) -> list[Source]:
            return [self]

        def first_invalid_value(self) -> None:
            return None

    assert engine.reduce(moment_sums, Nothing(), MomentOperands(torch.zeros(2))) is None
    assert len(engine.head(Nothing(), 3)) == 0
