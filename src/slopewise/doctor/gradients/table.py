"""Three gradients as a table of plain text, at most 80 columns wide."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slopewise.results.report.text import pad, shorten, wrap

NAME = 11
WIDTH = 80


def table(
    *,
    names: Sequence[str],
    hand: Sequence[float] | None,
    difference: Sequence[float],
    autograd: Sequence[float],
    ratio: Sequence[float] | None,
    diagnosis: Sequence[str],
    h: float,
    errors: Sequence[tuple[float, float]],
    best_h: float | None,
) -> str:
    """Return a row per component, its diagnosis below, and the difference's error by step.

    Args:
        names: of the v components.
        hand: the gradient by hand (v,), or None.
        difference: the central differences (v,).
        autograd: autograd's gradient (v,).
        ratio: hand / autograd (v,), None without a gradient by hand.
        diagnosis: what is wrong with each component (v,), "" where nothing is.
        h: step of the differences shown.
        errors: pairs (h, worst error of the difference against autograd).
        best_h: the step of the smallest error, or None.
    """
    columns = [
        _column("difference", 23, [f"{value:.16g}" for value in difference]),
        _column("autograd", 17, [f"{value:.10g}" for value in autograd]),
    ]
    if hand is not None and ratio is not None:
        columns.insert(0, _column("by hand", 16, [f"{value:.9g}" for value in hand]))
        columns.append(_column("ratio", 13, ["-" if math.isnan(value) else f"{value:.6g}" for value in ratio]))
    rows = [pad(shorten(name, NAME), NAME) for name in ("", *names)]
    rows = ["".join(cells).rstrip() for cells in zip(rows, *columns, strict=True)]
    text = [rows[0]]
    for row, explanation in zip(rows[1:], diagnosis, strict=True):
        text += [row, *(wrap(explanation, WIDTH, "  ", "  ") if explanation else ())]
    text += ["", f"difference: (f(x + h) - f(x - h)) / 2h with h = {h:g}"]
    if errors:
        text.append("its error against autograd, worst component, by h:")
    for step, error in errors:
        text.append(f"  {step:.0e}  {error:.1e}" + "  smallest" * (step == best_h))
    return "\n".join(text)


def _column(head: str, width: int, cells: Sequence[str]) -> list[str]:
    return [cell.rjust(width) for cell in (head, *cells)]
