"""Classification problems made from matrices, for the tests of the solvers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from slopewise.data.design_source import DesignSource
from slopewise.data.learn import learn_design
from slopewise.data.memory import dict_table, matrix_table
from slopewise.data.split import Split
from slopewise.engine.local import LocalEngine
from slopewise.losses.logistic import Logistic
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.softmax import Softmax
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.build import Asked, build_fit
from slopewise.results.fit import Fit
from slopewise.results.record import DataHandles
from slopewise.solution import Moments, Solution


def problem_of(
    x: object,
    y: object,
    *,
    w: object = None,
    loss: Loss | None = None,
    penalty: L2 | ElasticNet | None = None,
    intercept: bool = True,
    offset: object = None,
    exposure: object = None,
) -> Problem:
    """A problem with columns x1 … xq; logistic for two class numbers in y, softmax for more."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    table = matrix_table(x, y, w)
    if offset is not None or exposure is not None:
        columns = {f"x{j + 1}": x[:, j] for j in range(x.shape[1])}
        others = {"y": y, "weights": w, "offset": offset, "exposure": exposure}
        table = dict_table({**columns, **{name: column for name, column in others.items() if column is not None}})
    design = learn_design(
        table,
        target="y",
        features=None,
        weights=None if w is None else "weights",
        intercept=intercept,
        missing="error",
        split=Split(0.0),
        offset=None if offset is None else "offset",
        exposure=None if exposure is None else "exposure",
    )
    if loss is None:
        classes = int(y.max()) + 1
        loss = Logistic() if classes <= 2 else Softmax(classes)
    return Problem(DesignSource(table, design), Linear(intercept), loss, penalty or L2(), design.names, intercept)


def fit_of(problem: Problem, solution: Solution, **asked: object) -> Fit:
    """The fit of a solved problem; its classes are called by their numbers."""
    classes = tuple(str(k) for k in range(problem.loss.n_classes))
    return build_fit(
        problem=problem,
        solution=solution,
        design=replace(problem.source.design, target_levels=classes),
        data=DataHandles(LocalEngine(), problem.source),
        solver="test",
        reason="asked for",
        asked=Asked(**asked),
    )


def random_classes(seed: int, n: int, q: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes in columns of uneven units, each class present."""
    make = np.random.default_rng(seed)
    x = make.normal(size=(n, q)) * 10.0 ** make.integers(-3, 4, q) + make.normal(size=q) * 10.0 ** make.integers(
        -2, 4, q
    )
    u = (x - x.mean(0)) / x.std(0)
    y = (u @ make.normal(size=(q, k)) * 0.7 + make.gumbel(size=(n, k))).argmax(1)
    y[:k] = range(k)
    return x, y.astype(float)


def moments_of(n: int, weight: float, mean: Tensor, y_mean: Tensor, gram: Tensor, xy: Tensor, yy: Tensor) -> Moments:
    """Moments about means that are known as they are."""
    shift = torch.cat([mean, torch.as_tensor(y_mean, dtype=mean.dtype).reshape(1)])
    return Moments(n, weight, mean, y_mean, gram, xy, yy, shift, torch.zeros_like(shift))
