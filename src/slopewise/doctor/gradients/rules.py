"""Five rules of differentiation, with functions to check them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as text, a function it applies to, and its derivative; both take and return a tensor."""

    name: str
    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


RULES: tuple[Rule, ...] = (
    Rule("(c)' = 0, here c = 7", lambda x: torch.full_like(x, 7.0), torch.zeros_like),
    Rule("(e^x)' = e^x", torch.exp, torch.exp),
    Rule("(e^-x)' = -e^-x, by the chain rule through t = -x", lambda x: torch.exp(-x), lambda x: -torch.exp(-x)),
    Rule("(a x^n)' = n a x^(n-1), here 3 x^2", lambda x: 3 * x**2, lambda x: 2 * 3 * x ** (2 - 1)),
    Rule("(ln x)' = 1/x, for x above 0", torch.log, lambda x: 1 / x),
)
