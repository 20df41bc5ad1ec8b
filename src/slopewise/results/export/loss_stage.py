"""Stage 3 of a script for classes and networks: the loss from scores, each class and row with its weight."""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.results.export.script import WIDTH, assigned

WORDS = {
    "squared": "the mean of the squared errors",
    "logistic": "-log of the probability of the right class",
    "softmax": "-log of the probability of the right class",
}

FUNCTIONS = {
    "squared": "torch.nn.functional.mse_loss(H, Y{})",
    "logistic": "torch.nn.functional.binary_cross_entropy_with_logits(H, Y{})",
    "softmax": "torch.nn.functional.cross_entropy({scores}, Y[:, 0].long(){})",
}

EACH_ROW = ', reduction="none"'

SCORES = '''
def scores(H):
    """Return the scores of all classes."""
    return torch.cat([torch.zeros_like(H[:, :1]), H], dim=1)
'''


def loss_text(
    loss: str, *, weighted: bool, class_weights: tuple[float, ...] | None = None, every: bool = False
) -> Iterator[str]:
    """Yield stage 3; after it, `loss` exists, and of several classes `scores` where the first one's are 0.

    Args:
        loss: squared, logistic or softmax.
        weighted: the rows have weights w (n, 1).
        class_weights: of each class, or None.
        every: of softmax, H holds the scores of all classes, the first one's too.
    """
    words, text = WORDS[loss], FUNCTIONS[loss].replace("{scores}", "H" if every else "scores(H)")
    factor = "w * " if weighted else ""
    if loss == "softmax":
        factor = "w[:, 0] * " if weighted else ""
        if not every:
            words += "; the first class's score is 0"
            yield SCORES
    if class_weights is not None:
        factor += "class_weights[Y.long()] * " if loss == "logistic" else "class_weights[Y.long()][:, 0] * "
        numbers = [repr(value) for value in class_weights]
        yield assigned("class_weights = torch.tensor(", numbers, ", dtype=X.dtype)")
    lines = [f"# 3 loss: {words}", f"def loss(H, Y{', w' * weighted}):"]
    if factor:
        lines += [_losses(text.format(EACH_ROW)), f"    return ({factor}losses).mean()"]
    else:
        lines.append(f"    return {text.format('')}")
    yield "\n".join(lines)


def _losses(call: str) -> str:
    """Return `losses = call`, with the arguments on a line of their own where one line is too long."""
    line = f"    losses = {call}"
    if len(line) <= WIDTH:
        return line
    function, _, arguments = line.partition("(")
    return f"{function}(\n        {arguments.removesuffix(')')}\n    )"
