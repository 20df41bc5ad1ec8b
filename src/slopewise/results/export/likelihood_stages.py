"""Stages 2 to 5 of a script that maximises a likelihood or has an L1 penalty.

theta holds b above W, a column for each score, in standard units. The derivatives are torch's own, so that the script
shows what is minimised and how, and no formula twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.results.export.data_stage import new_text
from slopewise.results.export.loss_stage import loss_text
from slopewise.results.export.script import Script, assigned, text
from slopewise.results.record import InlineRows

MODEL = '''
# 2 model: {words}
def model(X, theta):
    """Return the scores of the rows of X{held}."""
    return {formula}
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
    return torch.func.functional_call(line, numbers, X)
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
    return {l2!r} * ({squares}) / {total}
'''

FIRTH = '''
def penalty(theta):
    """Return Firth's penalty: the log of how much the rows tell, which no infinite coefficient survives."""
    p = torch.sigmoid(model(X, theta))
    A = {columns}
    return -torch.logdet(A.T @ ({w}p * (1 - p) * A)) / 2 / {total}
'''

NEWTON = """
# 4 optimizer: Newton's method, to the lowest point of the parabola that touches the cost
def newton_step(theta):
    slope = torch.func.grad(cost)
    gradient = slope(theta).reshape(-1)
    curvature = torch.func.jacrev(slope)(theta).reshape(len(gradient), -1)
    return -torch.linalg.solve(curvature, gradient).reshape(theta.shape)
"""

NEWTON_LOOP = """
# 5 training: steps until one changes nothing
theta = torch.zeros({rows}, {outputs})
for step in range(200):
    now, move = cost(theta), newton_step(theta)
{cap}    while cost(theta + move) > now + 1e-12 * now.abs():  # too far: the half of it
        move = move / 2
    theta = theta + move
    print(f"step {{step:3d}}  cost {{now.item():.12g}}")
    if move.abs().max() <= 1e-9 * (1 + theta.abs().max()):
        break
"""

CAP = """    # far away Firth's penalty is flat: no step is longer than 5
    move = move * (5 / move.abs().max()).clamp(max=1)
"""

LBFGS = """
# 4 optimizer: L-BFGS, which knows the curvature from the gradients it has met
theta = torch.zeros({rows}, {outputs}, requires_grad=True)
optimizer = torch.optim.LBFGS(
    [theta],
    max_iter=2000,
    tolerance_grad=1e-9,
    tolerance_change=0,
    history_size=20,
    line_search_fn="strong_wolfe",
)
"""

LBFGS_LOOP = (
    """
# 5 training: the optimizer asks for cost and gradient wherever its line search looks
def closure():
    optimizer.zero_grad()
    now = cost(theta)
    now.backward()
    return now
""",
    """
optimizer.step(closure)
theta = theta.detach()
""",
)

L1_PENALTY = '''
def l1_penalty(theta):
    """Return what the sizes of the coefficients cost; its derivative jumps at 0, where many stop."""
    return {l1!r} * ({slopes}).abs().sum() / {total}
'''

PROXIMAL = """
# 4 optimizer: a step down the slope, then each coefficient a fixed way towards 0 and no further (FISTA)
A = {columns}
steepest = {max_hessian} * torch.linalg.eigvalsh(A.T @ {w} / len(A))[-1]
{ridge}lr = 1 / steepest
shrink = lr * {l1!r} / {total} / std[:, None]
"""

PROXIMAL_STEP = """
def proximal_step(theta):
    theta = theta - lr * torch.func.grad(cost)(theta)
    W = {slopes}
    W = W.sign() * (W.abs() - shrink).clamp(min=0)
    return {joined}
"""

PROXIMAL_LOOP = """
# 5 training: steps with momentum, which starts anew where it leads uphill, until one changes nothing
theta = ahead = torch.zeros({rows}, {outputs})
weight = 1.0
for step in range(1_000_000):
    there = proximal_step(ahead)
    change = there - theta
    if ((ahead - there) * change).sum() > 0:
        weight = 1.0
    next_weight = (1 + (1 + 4 * weight**2) ** 0.5) / 2
    ahead = there + (weight - 1) / next_weight * change
    theta, weight = there, next_weight
    if step % 1000 == 0:
        print(f"step {{step:6d}}  cost {{(cost(theta) + l1_penalty(theta)).item():.12g}}")
    if change.abs().max() <= 1e-14 * theta.abs().max():
        break
"""


def likelihood_text(script: Script, as_class: bool) -> Iterator[str]:
    """Yield stages 2 to 5 and the answer of such a script."""
    yield from _model(script, as_class)
    yield from loss_text(
        script.loss, weighted=_weighted(script), class_weights=script.class_weights, every=_every(script)
    )
    yield from _cost(script)
    size = {"rows": len(script.design.names), "outputs": _outputs(script)}
    if script.solver == "coordinate_descent":
        yield from _l1_penalty(script)
        yield PROXIMAL_LOOP.format(**size)
    elif script.solver == "lbfgs":
        yield LBFGS.format(**size)
        yield from LBFGS_LOOP
    else:
        yield NEWTON
        yield NEWTON_LOOP.format(**size, cap=CAP if script.solver == "firth" else "")
    yield _answer(script, as_class)


def _every(script: Script) -> bool:
    """Return whether each class has coefficients of its own, so that an L1 penalty treats them alike."""
    return script.loss == "softmax" and script.solver == "coordinate_descent"


def _outputs(script: Script) -> int:
    return max(len(script.design.target_levels) - (0 if _every(script) else 1), 1)


def _weighted(script: Script) -> bool:
    return script.design.weights is not None


def _total(script: Script) -> str:
    return "total" if _weighted(script) else "len(X)"


def _slopes(script: Script) -> str:
    return "theta[1:]" if script.design.intercept else "theta"


def _columns(script: Script) -> str:
    return "torch.cat([torch.ones(len(X), 1), X], dim=1)" if script.design.intercept else "X"


def _model(script: Script, as_class: bool) -> Iterator[str]:
    intercept, several = script.design.intercept, _outputs(script) > 1
    words = f"H(X) = XW{' + b' * intercept}"
    if several:
        words += ", a score for each class" + " but the first" * (not _every(script))
    elif script.loss == "logistic":
        words += ", the log of the odds of the second class"
    held = ": b above W" if intercept else ""
    if not as_class:
        formula = "X @ theta[1:] + theta[:1]" if intercept else "X @ theta"
        yield MODEL.format(words=words, formula=formula, held=f" for theta{held}" if held else "")
        return
    inside, bias = ("W and b", "") if intercept else ("W", ", bias=False")
    columns, outputs = len(script.design.x_names), _outputs(script)
    yield CLASS.format(words=words, inside=inside, columns=columns, outputs=outputs, bias=bias)
    yield "line = Line()"
    layer = '"linear.weight": theta[1:].T, "linear.bias": theta[0]' if intercept else '"linear.weight": theta.T'
    yield CALLED.format(layer=layer, held=held)


def _cost(script: Script) -> Iterator[str]:
    weights = ", w" * _weighted(script)
    costs, smooth = f"loss(model(X, theta), Y{weights})", bool(script.l2) or script.solver == "firth"
    if script.solver == "firth":
        w = "w * " * _weighted(script)
        yield FIRTH.format(columns=_columns(script), w=w, total=_total(script))
    elif script.l2:
        squares, k = "(W**2).sum()", len(script.design.target_levels)
        if k > 2 and not _every(script):
            squares += f" - (W.sum(1) ** 2).sum() / {k}"
        yield RIDGE.format(
            slopes=f"{_slopes(script)} / std[:, None]", l2=script.l2, squares=squares, total=_total(script)
        )
    but = "; the L1 penalty is added in the steps" if script.solver == "coordinate_descent" else ""
    yield COST.format(but=but, cost=costs + " + penalty(theta)" * smooth)


def _l1_penalty(script: Script) -> Iterator[str]:
    slopes, total = _slopes(script), _total(script)
    ridge = f"steepest += 2 * {script.l2!r} / {total} / std.min() ** 2\n" if script.l2 else ""
    w = "(w * A)" if _weighted(script) else "A"
    yield L1_PENALTY.format(l1=script.l1, slopes=f"{slopes} / std[:, None]", total=total)
    yield PROXIMAL.format(
        columns=_columns(script), max_hessian=script.max_hessian, ridge=ridge, w=w, l1=script.l1, total=total
    )
    joined = "torch.cat([theta[:1], W])" if script.design.intercept else "W"
    yield PROXIMAL_STEP.format(slopes=slopes, joined=joined)


def _answer(script: Script, as_class: bool) -> str:
    """Return the end of the script: coefficients in the units of the table, cost, and a prediction."""
    intercept, levels = script.design.intercept, script.design.target_levels
    lines = []
    if as_class:
        lines += ["# the layer gets what was found, in standard units", "with torch.no_grad():"]
        lines += [f"    line.linear.weight.copy_({_slopes(script)}.T)"]
        lines += ["    line.linear.bias.copy_(theta[0])"] * intercept
    lines += ["# the answer, in the units of the table"]
    lines += [f"found = cost(theta){' + l1_penalty(theta)' * bool(script.l1)}"]
    lines += ["theta = theta[:, 1:] - theta[:, :1]  # scores against the first class"] * _every(script)
    lines += [f"W = {_slopes(script)} / std[:, None]", *["b = theta[0] - mean @ W"] * intercept]
    if levels and isinstance(script.rows, InlineRows):
        lines.append(assigned("classes = ", [text(level) for level in levels]))
    names = "names, " if not intercept else '[*names, "b"], '
    values = "torch.cat([W, b[None]])" if intercept else "W"
    if len(levels) > 2:
        lines.append(f"for level, column in zip(classes[1:], {values}.T):")
        lines += [f"    for name, value in zip({names}column.tolist()):", '        print(f"{level} {name}: {value}")']
    else:
        lines += [f"for name, value in zip({names}{values}[:, 0].tolist()):", '    print(f"{name}: {value}")']
    lines.append(new_text(script))
    lines.append(f"H = new @ W{' + b' * intercept}")
    if not levels:
        lines.append("answer = H[:, 0]")
    elif len(levels) == 2:
        lines.append("answer = torch.cat([torch.sigmoid(-H), torch.sigmoid(H)], dim=1)[0]")
    else:
        lines.append("answer = torch.cat([torch.zeros_like(H[:, :1]), H], dim=1).softmax(1)[0]")
    said = "answer.item()" if not levels else "answer.tolist()"
    return "\n".join([*lines, 'print(f"cost: {found.item()}")', f'print(f"prediction: {{{said}}}")'])
