"""Findings about classes: class imbalance, and two classes that are not linearly separable."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from slopewise.doctor.finding import Finding, Number
from slopewise.doctor.separable import separating_hyperplane

RARE = 0.1
"""Rows of the rarest class per row of the most frequent one, below which classes are imbalanced."""

CORRELATED = 0.5
"""|correlation| with the class from which a product of two columns is taken to explain it."""

MOST_ROWS = 5000
"""Most rows that the search for a separating hyperplane uses."""


def imbalance(counts: Sequence[int], labels: tuple[str, ...] = ()) -> Finding | None:
    """Return a finding where the rarest of the classes has less than a tenth of the rows of the most frequent.

    Args:
        counts: rows of each class.
        labels: names of the classes, or none.
    """
    few, many, n = min(counts), max(counts), sum(counts)
    if few >= RARE * many:
        return None
    rarest = list(counts).index(few)
    name = labels[rarest] if labels else str(rarest)
    return Finding(
        code="class-imbalance",
        severity="warning",
        what=f"class {name!r} is rare",
        number=Number(few / n, f"{few:,} of {n:,} rows; predicting the commonest is right in {many / n:.1%}"),
        cause="the cost is a mean over the rows, to which the rare class adds little, and accuracy hides it",
        fix="class_weight='balanced', and compare confusion matrices, not accuracies",
    )


def one_layer(x: Tensor, y: Tensor, names: tuple[str, ...]) -> Finding | None:
    """Return a finding where a product of two columns explains classes that no hyperplane separates.

    Args:
        x: (n, q).
        y: (n,) of 0 and 1.
        names: of the columns (q,).
    """
    x, y = x[:MOST_ROWS].to(torch.float64), y[:MOST_ROWS].to(torch.float64)
    product = _correlated_product(x, y)
    if product is None:
        return None
    (i, j), r = product
    hyperplane = separating_hyperplane(x, y)
    if hyperplane.separable:
        return None
    sides = [[f"{row + 1}" for row in sorted(hyperplane.rows) if y[row] == side] for side in (0, 1)]
    mixed = ""
    if len(hyperplane.rows) <= 6:
        mixed = f": a mean of rows {_and(sides[0])} is a mean of rows {_and(sides[1])}"
    return Finding(
        code="one-layer",
        severity="error",
        what="a model without hidden layers cannot separate the classes",
        number=Number(hyperplane.distance, f"the two classes overlap{mixed}"),
        cause=f"{names[i]!r} times {names[j]!r} has correlation {r:.2f} with the class; linear models lack products",
        fix="model='mlp', hidden=3, activation='sigmoid'",
    )


def _correlated_product(x: Tensor, y: Tensor) -> tuple[tuple[int, int], float] | None:
    """Return the two columns whose centred product correlates most with the class, and r, if large enough."""
    columns = _unit(x)
    target = _unit(y[:, None])[:, 0]
    best: tuple[tuple[int, int], float] | None = None
    for i in range(columns.shape[1]):
        r = _unit(columns[:, i : i + 1] * columns[:, i:]).T @ target
        j = int(r.abs().argmax())
        if abs(float(r[j])) >= max(CORRELATED, abs(best[1]) if best else 0.0):
            best = (i, i + j), float(r[j])
    return best


def _unit(columns: Tensor) -> Tensor:
    """Return the columns centred and of length 1; a constant one as zeros."""
    centred = columns - columns.mean(0)
    length = centred.norm(dim=0)
    return torch.where(length > 1e-12 * columns.norm(dim=0), centred / length.clamp(min=1e-300), 0.0)


def _and(numbers: list[str]) -> str:
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]]) if len(numbers) > 1 else "".join(numbers)
