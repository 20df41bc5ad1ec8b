"""Threads of this process: the only file that sets how many there are, and keeps memory for each of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

SMALL_WORK = 2**24
"""Rows times parameters of a step below which one thread takes it: two wait for each other longer than they work,
and on a busy machine a hundred times as long."""

T = TypeVar("T")

_KEPT = threading.local()


def cores() -> int:
    """Return how many threads can work side by side."""
    return os.cpu_count() or 1


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let the threads of the engine, not those inside torch, share the cores; restored afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_for(work: int) -> AbstractContextManager[None]:
    """Return the context in which a step of `work` rows times parameters runs fastest."""
    return one_torch_thread() if work < SMALL_WORK else nullcontext()


@dataclass(slots=True)
class Stop:
    """A wish, seen by calls that run side by side, that they return early."""

    asked: bool = False


def side_by_side(calls: Sequence[Callable[[], T]], workers: int, stop: Stop) -> tuple[list[T], bool]:
    """Return the results of all calls, `workers` of which run at a time without threads of torch's own.

    Args:
        calls: to be made.
        workers: threads.
        stop: asked on Ctrl-C, and when one of them failed; the calls are to look at it and return early.

    Returns:
        The results in order, and whether Ctrl-C ended them early.
    """
    with one_torch_thread(), ThreadPoolExecutor(workers) as pool:
        running: list[Future[T]] = [pool.submit(call) for call in calls]
        try:
            return [future.result() for future in running], False
        except KeyboardInterrupt:
            stop.asked = True
            return [future.result() for future in running], True
        finally:
            stop.asked = True


def kept_memory(owner: Hashable, rows: int, make: Callable[[], Tensor]) -> Tensor:
    """Return memory (at least rows, …) that this thread keeps for its owner; what is in it is left from the last use.

    Fresh memory of some megabytes comes from the system page by page, which takes as long as filling it. A thread keeps
    one tensor for each name of an owner, the one made last.

    Args:
        owner: a name, and whatever else must be alike for the memory to be of use.
        rows: length wanted.
        make: makes it where none is kept.
    """
    name = owner[0] if isinstance(owner, tuple) else owner
    kept: dict[Hashable, tuple[Hashable, Tensor]] | None = getattr(_KEPT, "by_name", None)
    if kept is None:
        kept = _KEPT.by_name = {}
    found = kept.get(name)
    if found is None or found[0] != owner or len(found[1]) < rows:
        found = kept[name] = owner, make()
    return found[1]
