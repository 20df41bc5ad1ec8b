"""Group the runs of a multistart that did not solve the task by their final cost (plateaus)."""

from __future__ import annotations

from torch import Tensor

from slopewise.solution import Plateau

GAP = 0.01
"""Part of the null model's cost that separates two plateaus, and that a run which is still falling gains in its last
tenth of the epochs. It is taken without its sign: the cost of counts may be negative."""


def plateaus_of(cost: Tensor, earlier: Tensor, null_cost: float) -> tuple[Plateau, ...]:
    """Return the plateaus, the lowest first, the diverged last.

    Sorted costs belong to one plateau as long as neighbours differ by less than 1 % of the null model's cost.

    Args:
        cost: (m,), at the end.
        earlier: (m,), of the same starts, after nine tenths of the epochs.
        null_cost: the cost of the null model.

    Example:
        >>> import torch
        >>> costs = torch.tensor([0.6931, 0.3466, 0.6930, 0.3470])
        >>> [str(plateau) for plateau in plateaus_of(costs, costs, 0.6931)][0]
        '2 starts at cost 0.3466 to 0.3470'
    """
    finite, margin = cost.isfinite(), GAP * abs(null_cost)
    diverged = int((~finite).sum())
    plateaus: list[Plateau] = []
    if bool(finite.any()):
        values, order = cost[finite].sort()
        fell = earlier[finite][order] - values > margin
        edges = ((values.diff() > margin).nonzero()[:, 0] + 1).tolist()
        for start, stop in zip([0, *edges], [*edges, len(values)], strict=True):
            group = values[start:stop]
            alike = bool(((group - null_cost).abs() <= margin).all())
            low, high = float(group[0]), float(group[-1])
            plateaus.append(Plateau(stop - start, low, high, int(fell[start:stop].sum()), alike))
    if diverged:
        plateaus.append(Plateau(diverged, float("nan"), float("nan"), 0, diverged=True))
    return tuple(plateaus)
