"""Side by side: every contender in turn, round after round, so that a slow minute of the machine hits all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping


def side_by_side(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int = 5, warm_up: int = 1
) -> dict[str, float]:
    """Return the median seconds of each contender over `rounds` rounds, after `warm_up` uncounted ones."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for counted in [False] * warm_up + [True] * rounds:
        for name, run in contenders.items():
            gc.collect()
            start = time.perf_counter()
            run()
            if counted:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(title: str, seconds: Mapping[str, float], ours: str) -> None:
    """Print each contender's median and how many times as long as ours it takes."""
    print(f"\n{title}")
    for name, value in sorted(seconds.items(), key=lambda item: item[1]):
        print(f"  {name:<44} {value:10.4f} s   {value / seconds[ours]:8.2f} x ours")


def verdict(claim: str, ratio: float, bound: float, *, at_least: bool) -> None:
    """Print whether a ratio keeps its bound."""
    kept = ratio >= bound if at_least else ratio <= bound
    words = "at least" if at_least else "at most"
    print(f"  {'kept  ' if kept else 'MISSED'} {claim}: {ratio:.2f}, promised {words} {bound:g}")
