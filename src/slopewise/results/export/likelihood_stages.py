"""Stages 2 to 5 of a script by a solver of the kind `likelihood`: model, cost and answer are here.

theta holds b above W, a column for each score, in standard units; `solver_stages` finds it.
"""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.losses.log_link import LogLink
from slopewise.results.export.data_stage import new_text
from slopewise.results.export.loss_stage import loss_text
from slopewise.results.export.script import Script, assigned, literal
from slopewise.results.export.solver_stages import columns, every_class, outputs, slopes, solver_text
from slopewise.results.record import InlineRows

MODEL = '''
# 2 model: {words}
def model(X, theta):
    """Return the scores of the rows of X{held}."""
    {lines}
'''

CLASS = '''
# 2 model: {words}
class Line(torch.nn.Module):
    """Scores from {inside} in a linear layer."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear({columns}, {outputs}{bias})

    def forward(self, X):
        return self.linear(X)
'''

CALLED = '''
def model(X, theta):
    """Return the scores of the rows of X, the layer's numbers taken from theta{held}."""
    numbers = {{{layer}}}
    {lines}
'''

COST = '''
def cost(theta):
    """Return what is minimised{but}."""
    return {cost}
'''

RIDGE = '''
def penalty(theta):
    """Return what large coefficients cost, by their size in the units of the table."""
    W = {slopes}
    return {l2} * ({squares}) / {total}
'''

FIRTH = '''
def penalty(theta):
    """Return Firth's penalty: the log of how much the rows tell, which no infinite coefficient survives."""
    p = torch.sigmoid(model(X, theta))
    A = {columns}
    return -torch.logdet(A.T @ ({w}p * (1 - p) * A)) / 2 / {total}
'''


def likelihood_text(script: Script, as_class: bool) -> Iterator[str]:
    """Yield stages 2 to 5 and the answer of such a script."""
    yield from _model(script, as_class)
    yield from loss_text(
        script.loss, weighted=script.weighted, class_weights=script.class_weights, estimated=script.estimated
    )
    yield from _cost(script)
    yield from solver_text(script)
    yield _answer(script, as_class)


def _model(script: Script, as_class: bool) -> Iterator[str]:
    intercept, several, every = script.design.intercept, outputs(script) > 1, every_class(script)
    words = f"H(X) = XW{' + b' * intercept}"
    if several:
        words += ", the scores of the classes" + (", less that of the first" if every else " but the first")
    elif script.loss.name == "logistic":
        words += ", the log of the odds of the second class"
    elif isinstance(script.loss, LogLink):
        words += f"{' + offset' * script.offset}, the log of the mean"
    held = ": b above W" if intercept else ""
    less = "H[:, 1:] - H[:, :1]"
    if not as_class:
        formula = "X @ theta[1:] + theta[:1]" if intercept else "X @ theta"
        lines = f"H = {formula}\n    return {less}" if every else f"return {formula}"
        yield MODEL.format(words=words, lines=lines, held=f" for theta{held}" if held else "")
        return
    inside, bias = ("W and b", "") if intercept else ("W", ", bias=False")
    yield CLASS.format(
        words=words, inside=inside, columns=len(script.design.x_names), outputs=outputs(script), bias=bias
    )
    yield "line = Line()"
    layer = '"linear.weight": theta[1:].T, "linear.bias": theta[0]' if intercept else '"linear.weight": theta.T'
    call = "torch.func.functional_call(line, numbers, X)"
    lines = f"H = {call}\n    return {less}" if every else f"return {call}"
    yield CALLED.format(layer=layer, held=held, lines=lines)


def _cost(script: Script) -> Iterator[str]:
    weights, offset = ", w" * script.weighted, " + offset" * script.offset
    costs, smooth = f"loss(model(X, theta){offset}, Y{weights})", bool(script.l2) or script.solver == "firth"
    if script.solver == "firth":
        yield FIRTH.format(columns=columns(script), w="w * " * script.weighted, total=script.total)
    elif script.l2:
        squares, k = "(W**2).sum()", len(script.design.target_levels)
        if k > 2 and not every_class(script):
            squares += f" - (W.sum(1) ** 2).sum() / {k}"
        shrunk, l2 = f"{slopes(script)} / std[:, None]", literal(script.l2)
        yield RIDGE.format(slopes=shrunk, l2=l2, squares=squares, total=script.total)
    but = "; the L1 penalty is added in the steps" if script.solver == "coordinate_descent" else ""
    yield COST.format(but=but, cost=costs + " + penalty(theta)" * smooth)


def _answer(script: Script, as_class: bool) -> str:
    """Return the end of the script: coefficients in the units of the table, cost, and a prediction."""
    intercept, levels = script.design.intercept, script.design.target_levels
    lines = []
    if as_class:
        lines += ["# the layer gets what was found, in standard units", "with torch.no_grad():"]
        lines += [f"    line.linear.weight.copy_({slopes(script)}.T)"]
        lines += ["    line.linear.bias.copy_(theta[0])"] * intercept
    lines += ["# the answer, in the units of the table"]
    lines += [f"found = cost(theta){' + l1_penalty(theta)' * bool(script.l1)}"]
    lines += ["theta = theta[:, 1:] - theta[:, :1]  # scores against the first class"] * every_class(script)
    lines += [f"W = {slopes(script)} / std[:, None]", *["b = theta[0] - mean @ W"] * intercept]
    if levels and isinstance(script.rows, InlineRows):
        lines.append(assigned("classes = ", [literal(level) for level in levels]))
    names = "names, " if not intercept else '[*names, "b"], '
    values = "torch.cat([W, b[None]])" if intercept else "W"
    if len(levels) > 2:
        lines.append(f"for level, column in zip(classes[1:], {values}.T):")
        lines += [f"    for name, value in zip({names}column.tolist()):", '        print(f"{level} {name}: {value}")']
    else:
        lines += [f"for name, value in zip({names}{values}[:, 0].tolist()):", '    print(f"{name}: {value}")']
    lines.append(new_text(script))
    lines.append(f"H = new @ W{' + b' * intercept}{' + offset[:1]' * script.offset}")
    said = "answer.tolist()" if levels else "answer.item()"
    lines.append(f"answer = {script.loss.torch_prediction()}[0]")
    return "\n".join([*lines, 'print(f"cost: {found.item()}")', f'print(f"prediction: {{{said}}}")'])
