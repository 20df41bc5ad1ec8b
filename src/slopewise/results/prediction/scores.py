"""From rows to what a fit says of them: predicted numbers, or the logarithms of the classes' probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.losses.loss import Loss
from slopewise.models.model import Model
from slopewise.results.record import FitRecord


class ScoreOperands(NamedTuple):
    """theta: parameters; mean and scale (q,): of the columns of a network, None where theta is in raw units."""

    theta: Tensor
    mean: Tensor | None
    scale: Tensor | None


@dataclass(frozen=True, slots=True)
class Scorer:
    """What predictions are made by besides tensors: y_mean and y_scale of a network's target, 0 and 1 where raw."""

    model: Model
    loss: Loss
    y_mean: float
    y_scale: float

    def linear_predictor(self, operands: ScoreOperands, x: Tensor, offset: Tensor | None = None) -> Tensor:
        """Return eta (n,) or (n, m) for rows x, raw units, float64.

        A network takes (x - mean) / scale, in its own dtype, and where the target was scaled gives (y - y_mean) /
        y_scale.

        Args:
            operands: parameters, and the units of a network.
            x: (n, q), raw units.
            offset: (n,), added to eta; or None for 0.
        """
        theta, mean, scale = operands
        if mean is None or scale is None:
            eta = self.model.forward(theta, x)
            return eta if offset is None else eta + offset
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            u = ((x - mean) / scale).to(theta.dtype)
            eta = self.model.forward(theta, u).to(torch.float64)
        eta = eta[:, 0] if self.loss.outputs == 1 else eta
        eta = eta if self.loss.n_classes else eta * self.y_scale + self.y_mean
        return eta if offset is None else eta + offset

    def predicted(self, operands: ScoreOperands, x: Tensor, offset: Tensor | None = None) -> Tensor:
        """Return the predicted numbers (n,), or the logarithms of the probabilities (n, k), not of rounded ones.

        Args:
            operands: parameters, and the units of a network.
            x: (n, q), raw units.
            offset: (n,), added to eta; or None for 0.
        """
        eta = self.linear_predictor(operands, x, offset)
        if not self.loss.n_classes:
            return self.loss.inverse_link(eta)
        eta = eta.reshape(len(x), -1)
        return torch.cat([eta.new_zeros(len(eta), 1), eta], dim=1).log_softmax(1)


def scorer_of(record: FitRecord) -> tuple[Scorer, ScoreOperands]:
    """Return what predictions of a fit are made by."""
    descent = record.descent
    if record.is_solved or descent is None:
        return Scorer(record.model, record.loss, 0.0, 1.0), ScoreOperands(record.theta, None, None)
    operands = ScoreOperands(record.theta.to(descent.plan.torch_dtype), descent.units.mean, descent.units.scale)
    return Scorer(record.model, record.loss, descent.y_mean, descent.y_scale), operands


def linear_predictor(record: FitRecord, x: Tensor) -> Tensor:
    """Return eta (n,) or (n, m) for rows x (n, q), raw units, float64."""
    scorer, operands = scorer_of(record)
    return scorer.linear_predictor(operands, x)


def predicted(record: FitRecord, x: Tensor, offset: Tensor | None = None) -> Tensor:
    """Return the predicted numbers (n,), or the logarithms of the probabilities (n, k).

    Args:
        record: of the fit.
        x: (n, q), raw units.
        offset: (n,), added to eta; or None for 0.
    """
    scorer, operands = scorer_of(record)
    return scorer.predicted(operands, x, offset)
