"""Small tables as moments, and the limits from their Hessians, without a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from problems import moments_of
from torch import Tensor

from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.optimizers.stability import HessianSpectrum, Limits, limits_of
from slopewise.solution import Moments
from slopewise.training.moments.quadratic import Quadratic, quadratic_of
from slopewise.training.moments.spectrum import spectrum_of
from slopewise.training.moments.standardize import standardization

QUIZZES = [(73, 80, 75), (93, 88, 93), (89, 91, 80), (96, 98, 100), (73, 66, 70)]


@dataclass(frozen=True)
class Lesson:
    """A table as the examinations take it."""

    moments: Moments
    names: tuple[str, ...]

    def quadratic(self, plan: DescentPlan) -> Quadratic:
        return quadratic_of(self.moments, standardization(self.moments, standardize=plan.standardize, intercept=True))

    def limits(self, plan: DescentPlan) -> Limits:
        spectrum = spectrum_of(self.quadratic(plan).hessian)
        names = ("(intercept)", *self.names)
        hessian_spectrum = HessianSpectrum(spectrum.eigenvalues, spectrum.eigenvectors, names, exact=True)
        return limits_of(hessian_spectrum, sgd_of(plan.options))


def moments_about(x: Tensor, y: Tensor) -> Moments:
    mean, y_mean = x.mean(0), y.mean()
    u, v = x - mean, y - y_mean
    return moments_of(len(x), float(len(x)), mean, y_mean, u.T @ u, u.T @ v, v @ v)


@pytest.fixture(scope="session")
def lesson() -> Callable[..., Lesson]:
    """Make a lesson of columns by name and a target."""

    def make(y: Sequence[float], **columns: Sequence[float]) -> Lesson:
        x = torch.tensor(list(columns.values()), dtype=torch.float64).T
        return Lesson(moments_about(x, torch.tensor(y, dtype=torch.float64)), tuple(columns))

    return make


@pytest.fixture(scope="session")
def hours(lesson: Callable[..., Lesson]) -> Lesson:
    """R1 of the seed documents."""
    return lesson([2, 4, 6], hours=[1, 2, 3])


@pytest.fixture(scope="session")
def quizzes(lesson: Callable[..., Lesson]) -> Lesson:
    """R5 of the seed documents."""
    columns = {f"quiz{j + 1}": [row[j] for row in QUIZZES] for j in range(3)}
    return lesson([152, 185, 180, 196, 142], **columns)
