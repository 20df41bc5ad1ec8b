"""Stage 3 of a script: the loss from scores, each class and row with its weight."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from slopewise.losses.loss import Loss
from slopewise.results.export.script import WIDTH, assigned, literal, remark


def loss_text(
    loss: Loss, *, weighted: bool, class_weights: tuple[float, ...] | None = None, estimated: str = ""
) -> Iterator[str]:
    """Yield stage 3; after it, `loss` exists, a function of H (n, m), Y (n, 1) and, where rows have weights, w (n, 1).

    Args:
        loss: of the fit, its own parameters as the script is to have them.
        weighted: the rows have weights.
        class_weights: of each class, or None.
        estimated: the parameter of the loss that the fit estimated, "" for none.
    """
    words = f"3 loss: the mean of {loss.formula}"
    if estimated:
        words += f"; with the {remark(estimated)} that the fit estimated"
    opening = textwrap.wrap(words, WIDTH, initial_indent="# ", subsequent_indent="# ")
    constants = [f"{name} = {literal(value)}" for name, value in loss.torch_constants().items()]
    if class_weights is not None:
        constants.append(
            assigned("class_weights = torch.tensor(", [literal(value) for value in class_weights], ", dtype=X.dtype)")
        )
    factor = "w * " * weighted + "class_weights[Y.long()] * " * (class_weights is not None)
    *before, expression = loss.torch_lines("none" if factor else "mean")
    lines = [f"def loss(H, Y{', w' * weighted}):", *(f"    {line}" for line in before)]
    lines += [_losses(expression), f"    return ({factor}losses).mean()"] if factor else [f"    return {expression}"]
    if constants:
        yield "\n".join([*opening, *constants])
        opening = []
    yield "\n".join([*opening, *lines])


def _losses(call: str) -> str:
    """Return `losses = call`, with the arguments on a line of their own where one line is too long."""
    line = f"    losses = {call}"
    if len(line) <= WIDTH:
        return line
    function, _, arguments = line.partition("(")
    return f"{function}(\n        {arguments.removesuffix(')')}\n    )"
