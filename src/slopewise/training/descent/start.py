"""Initial parameters of a linear model's gradient descent."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.errors import OptionError, check_choice, quoted

INITS = ("zeros", "ones", "uniform", "normal", "torch")


def initial_parameters(
    how: str | tuple[float, ...],
    *,
    names: tuple[str, ...],
    intercept: bool,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Return the parameters (p,) of row 0, intercept first, in the units of the descent.

    zeros; ones; uniform, each in [0, 1); normal, each N(0, 1); torch, the initialization of nn.Linear(q, 1), each in
    ±1/sqrt(q); or the values themselves. The global generator of torch is not touched. Numbers are drawn in float32,
    so that both dtypes start at the same values, and the coefficients before the intercept, in the order in which
    nn.Linear, or a hand-written W and then b, draws them after `torch.manual_seed(seed)`.

    Args:
        how: one of the names, or p values.
        names: of the parameters (p,).
        intercept: whether the first of them is the intercept.
        seed: of the random numbers.
        dtype: of the result.

    Raises:
        OptionError: an unknown name, or values of the wrong number.

    Example:
        >>> initial_parameters("torch", names=("(intercept)", "hours"), intercept=True)
        tensor([ 0.5364, -0.0075], dtype=torch.float64)
    """
    p = len(names)
    if not isinstance(how, str):
        if len(how) != p:
            raise OptionError(
                f"init has {len(how)} values and the model {p} parameters; give one each, in order: {quoted(names)}."
            )
        return torch.tensor(how, dtype=dtype)
    check_choice("init", how, INITS)
    if how in ("zeros", "ones"):
        return torch.full((p,), float(how == "ones"), dtype=dtype)
    drawn = torch.empty(p, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    bound = max(p - intercept, 1) ** -0.5
    for part in (drawn[int(intercept) :], drawn[: int(intercept)]):
        if how == "normal":
            part.normal_(generator=generator)
        elif how == "uniform":
            part.uniform_(generator=generator)
        else:
            part.uniform_(-bound, bound, generator=generator)
    return drawn.to(dtype)
