"""From rows to what a fit says of them: predicted numbers, or the logarithms of the classes' probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.results.record import FitRecord


def linear_predictor(record: FitRecord, x: Tensor) -> Tensor:
    """Return eta (n,) or (n, m) for rows x (n, q), raw units, float64.

    A network takes (x - mean) / scale, in its own dtype, and where the target was scaled gives (y - y_mean) / y_scale.
    """
    descent = record.descent
    if record.is_solved:
        return record.model.forward(record.theta, x)
    assert descent is not None
    dtype = descent.plan.torch_dtype
    with torch.no_grad():
        u = (x - descent.units.mean) / descent.units.scale
        eta = record.model.forward(record.theta.to(dtype), u.to(dtype)).to(torch.float64)
    eta = eta[:, 0] if record.loss.outputs == 1 else eta
    return eta if record.class_names else eta * descent.y_scale + descent.y_mean


def predicted(record: FitRecord, x: Tensor) -> Tensor:
    """Return the predicted numbers (n,), or the logarithms of the probabilities (n, k), never of a rounded one.

    Args:
        record: of the fit.
        x: rows (n, q), raw units.
    """
    eta = linear_predictor(record, x)
    if not record.class_names:
        return record.loss.inverse_link(eta)
    eta = eta.reshape(len(x), -1)
    return torch.cat([eta.new_zeros(len(eta), 1), eta], dim=1).log_softmax(1)
