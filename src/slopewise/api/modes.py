"""torch's modes during a fit: gradients are recorded and nothing is cast, whatever mode the caller is in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def in_own_modes(function: F) -> F:
    """Return the function with torch's no_grad, inference_mode and autocast switched off while it runs.

    The modes belong to a thread; the caller's are as they were when the function returns or raises.
    """

    @functools.wraps(function)
    def inside(*args: Any, **options: Any) -> Any:
        import torch

        with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
            return function(*args, **options)

    return cast(F, inside)
