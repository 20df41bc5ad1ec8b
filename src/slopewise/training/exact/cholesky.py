"""Exact least squares from the moments: one pass over the rows, one Cholesky factorisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.problem import Problem
from slopewise.solution import Moments, Solution, Status
from slopewise.training.exact.precision import moment_digits, rss_digits
from slopewise.training.exact.refinement import refine
from slopewise.training.exact.scaling import basis_of, refuse_warm, scale_problem
from slopewise.training.moments.moments import read_moments
from slopewise.training.requirements import linear_model, no_l1, squared_loss
from slopewise.training.solver import Solver
from slopewise.types import Callback

ENOUGH = 10.5
"""Digits below which refinement is worth another pass: one more than is promised, plus the error of the estimate."""


@dataclass(frozen=True, slots=True)
class Cholesky(Solver):
    """(gram + ridge) c = xy by Cholesky, refined on the rows' own residuals where the moments leave too few digits."""

    name = "cholesky"
    requires = (linear_model, squared_loss, no_l1)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the exact solution.

        1. Centre and scale the moments. 2. Factor and solve. 3. Estimate the digits of the coefficients and of
        the residual sum of squares. 4. If they are too few, refine with residuals from the rows.
        """
        refuse_warm(warm, self.name)
        moments = moments or read_moments(problem, engine)
        scaled = scale_problem(problem, moments)
        r = torch.linalg.cholesky(scaled.penalised, upper=True)
        c = torch.cholesky_solve(scaled.xy[:, None], r, upper=True)[:, 0]
        basis = basis_of(scaled, r)
        rss = scaled.yy - float(c @ scaled.xy) - float(scaled.ridge @ c**2)
        digits = moment_digits(scaled=scaled, basis=basis, c=c, moments=moments, rss=max(rss, 0.0))
        eigenvalues = torch.linalg.eigvalsh(scaled.penalised)
        condition = float((eigenvalues[-1] / eigenvalues[0]).sqrt())
        if float(digits.min()) >= ENOUGH and rss_digits(rss, scaled.yy) >= ENOUGH:
            coef = c / scaled.scale
            theta = coef
            if problem.intercept:
                theta = torch.cat([(moments.y_mean - moments.mean @ coef)[None], coef])
            return Solution(
                theta=theta,
                status=Status.EXACT,
                digits=digits,
                loss=rss,
                null_loss=scaled.yy,
                passes=1,
                condition=condition,
                moments=moments,
                basis=basis,
            )
        return refine(
            problem, engine, moments=moments, scaled=scaled, basis=basis, start=c, condition=condition, passes=1
        )
