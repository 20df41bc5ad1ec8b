"""The factor by which a gradient written by hand is wrong, and its usual causes."""

from __future__ import annotations

from dataclasses import dataclass

CLOSE = 1e-4
"""Relative difference that counts as equal: numbers copied from paper have about five digits."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A simple factor: its value, its notation, and the mistake that causes it."""

    value: float
    name: str
    mistake: str


def factors(rows: int | None) -> tuple[Factor, ...]:
    """Return the factors of common mistakes, those with the number of rows m only where it is known."""
    plain = (
        Factor(2.0, "2", "a factor 2 too many"),
        Factor(0.5, "1/2", "the factor 2 of the derivative of the square is missing"),
    )
    if rows is None:
        return plain
    m = float(rows)
    return (
        Factor(m / 2, "m/2", "a sum of error times input, without the 2/m in front"),
        Factor(m, "m", "summed over the rows where the cost takes their mean"),
        Factor(1 / m, "1/m", "divided by the rows twice, or the cost is a sum and not a mean"),
        Factor(2 / m, "2/m", "a 2/m in front of a cost that has neither"),
        *plain,
    )


def explain(hand: float, right: float, noise: float, rows: int | None = None) -> str:
    """Return "" where `hand` equals `right`, else a description of the factor between them.

    Args:
        hand: the derivative written by hand.
        right: the derivative.
        noise: differences up to this size are rounding.
        rows: how many rows m the cost runs over, if known.

    >>> explain(-12.0, -8.0, 1e-9, rows=3)
    '1.5 = m/2 with m = 3: a sum of error times input, without the 2/m in front'
    """
    if _close(hand, right, noise):
        return ""
    if abs(right) <= noise:
        return "the derivative is 0, the one by hand is not"
    if abs(hand) <= noise:
        return "0: the derivative by hand is 0; this variable was left out, or taken as constant"
    ratio = hand / right
    if _close(ratio, -1.0, 0.0):
        return "-1: the sign is flipped"
    named = [factor for factor in factors(rows) if _close(abs(ratio), factor.value, 0.0)]
    if not named:
        return f"{ratio:.6g}: no simple factor; one term of the derivative is wrong or missing"
    sign = "the sign is flipped, and " if ratio < 0 else ""
    return f"{ratio:.6g}{_written(named, ratio < 0, rows)}: {sign}{' or '.join(factor.mistake for factor in named)}"


def _close(one: float, other: float, noise: float) -> bool:
    return abs(one - other) <= CLOSE * abs(other) + noise


def _written(named: list[Factor], negative: bool, rows: int | None) -> str:
    names = " or ".join("-" * negative + factor.name for factor in named)
    return f" = {names}" + (f" with m = {rows}" if any("m" in factor.name for factor in named) else "")
