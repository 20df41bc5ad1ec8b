"""Standardised columns for the likelihood solvers, and the L2 penalty in them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.problem import Problem
from slopewise.solution import Moments, Standardization
from slopewise.training.moments.standardize import standardization, to_raw_scale, to_standard_scale


@dataclass(frozen=True, slots=True)
class StandardizedColumns:
    """The columns a likelihood solver works in.

    units: mean and scale of the columns; scale (p,), with 1 for the intercept; outputs m; ridge (d, d). Parameters
    c (d,) are listed output by output, d = p m; the penalty is c' ridge c.
    """

    units: Standardization
    scale: Tensor
    outputs: int
    ridge: Tensor

    def beta(self, c: Tensor) -> Tensor:
        """Return the parameters (p, m) of the columns [1, x - mean]."""
        return (c.reshape(self.outputs, -1) / self.scale).T

    def scaled(self, theta: Tensor) -> Tensor:
        """Return c (d,) for theta (p, m) or (p,) in raw units."""
        return to_standard_scale(theta if theta.ndim == 1 else theta.T, self.units).reshape(-1)

    def raw(self, c: Tensor) -> Tensor:
        """Return theta (p, m) in raw units, (p,) for one output."""
        theta = to_raw_scale(c.reshape(self.outputs, -1), self.units)
        return theta[0] if self.outputs == 1 else theta.T.contiguous()


def standardized_columns(problem: Problem, moments: Moments) -> StandardizedColumns:
    """Return the standardised columns of a problem, and its penalty in them.

    With k ≥ 3 classes the penalty is on the coefficients of all k, about their mean: with the first class's at 0,
    Σ_j W_j² - (Σ_j W_j)² / k. So the order of the classes does not matter.
    """
    units = standardization(moments, standardize=True, intercept=problem.intercept)
    one = torch.ones(int(problem.intercept), dtype=torch.float64)
    scale = torch.cat([one, units.scale])
    m, classes = problem.loss.outputs, problem.loss.n_classes
    across = torch.eye(m, dtype=torch.float64) - (1 / classes if classes > 2 else 0.0)
    weight = torch.cat([torch.zeros_like(one), problem.penalty.strength / units.scale**2])
    return StandardizedColumns(units, scale, m, torch.kron(across, torch.diag(weight)))
