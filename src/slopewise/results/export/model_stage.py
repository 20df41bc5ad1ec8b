"""Stages 2 and 3 of a script, the exact solution, and the answer in the units of the table."""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.results.export.data_stage import new_text
from slopewise.results.export.script import Script, assigned, literal

PLAIN = '''
def model(X):
    """Return the predictions for the rows of X."""
    return {formula}
'''

CLASS = '''
# 2 model
class Line(torch.nn.Module):
    """{words}, with {inside} in a linear layer."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear({columns}, 1{bias})

    def forward(self, X):
        return self.linear(X)
'''

LOSS = """
# 3 loss: the mean of the squared errors
def loss(H, Y):
    return ((H - Y) ** 2).mean()
"""

WEIGHTED = """
# 3 loss: the mean of the squared errors, each row with its weight
def loss(H, Y, w):
    return (w * (H - Y) ** 2).mean()
"""

PENALTY = '''
def penalty():
    """Return what large coefficients cost, by their size in the units of the table."""
    slopes = {slopes}
    return {l2} * (slopes**2).sum() / {total}
'''


def model(script: Script, as_class: bool) -> Iterator[str]:
    """Yield stage 2; after it, `model` exists, at the start of the descent if there is one."""
    intercept, descends = script.design.intercept, script.plan is not None
    words = "H(X) = XW + b" if intercept else "H(X) = XW"
    if not as_class:
        head = f"# 2 model: {words}"
        plain = PLAIN.strip("\n").format(formula=words.split(" = ")[1].replace("XW", "X @ W"))
        start = _start(script, ", requires_grad=True") if descends else []
        yield from (("\n".join([head, *start]), plain) if descends else (f"{head}\n{plain}",))
        return
    inside, bias = ("W and b", "") if intercept else ("W", ", bias=False")
    yield CLASS.format(words=words, inside=inside, columns=len(script.design.x_names), bias=bias)
    start = [*_start(script, ""), *_into_layer(intercept)] if descends else []
    yield "\n".join(["model = Line()", *start])


def loss(script: Script, as_class: bool) -> Iterator[str]:
    """Yield stage 3; after it, `loss` exists, and `penalty` where there is one."""
    yield WEIGHTED if script.design.weights else LOSS
    if script.l2:
        slopes = "model.linear.weight" if as_class else "W"
        if script.standardized:
            slopes += " / std" if as_class else " / std[:, None]"
        yield PENALTY.format(l2=literal(script.l2), slopes=slopes, total="total" if script.design.weights else "len(X)")


def solved(script: Script, as_class: bool) -> str:
    """Return stages 4 and 5 of a fit that needs no descent; after them, W and b exist."""
    lines = ["# 4 optimizer, 5 training: not needed, a line with squared loss can be solved for"]
    A, B = "X", "Y"
    if script.design.intercept:
        mean = "(w * {}).mean(0)" if script.design.weights else "{}.mean(0)"
        lines.append(f"X_mean, Y_mean = {mean.format('X')}, {mean.format('Y')}")
        A, B = "X - X_mean", "Y - Y_mean"
    if script.design.weights:
        A, B = (f"w.sqrt() * {part}" if len(part) == 1 else f"w.sqrt() * ({part})" for part in (A, B))
    lines.append(f"A, B = {A}, {B}")
    if script.l2:
        q, l2 = len(script.design.x_names), literal(script.l2)
        share = f"({l2} * len(X) / total) ** 0.5" if script.design.weights else f"{l2}**0.5"
        lines.append(f"ridge = {share} * torch.eye({q})  # the penalty, as rows of its own")
        lines.append(f"A, B = torch.cat([A, ridge]), torch.cat([B, torch.zeros({q}, 1)])")
    lines.append("size = A.norm(dim=0)  # columns of one size keep their digits")
    lines.append("W = torch.linalg.lstsq(A / size, B).solution / size[:, None]")
    lines += ["b = Y_mean - X_mean @ W"] * script.design.intercept
    return "\n".join([*lines, *(_into_layer(script.design.intercept) if as_class else ())])


def cost_text(script: Script, rows: str = "") -> str:
    """Return the expression of the cost, over all rows or over those of an index such as `[batch]`."""
    weights, offset = f", w{rows}" * script.weighted, f" + offset{rows}" * script.offset
    return f"loss(model(X{rows}){offset}, Y{rows}{weights})" + " + penalty()" * bool(script.l2)


def answer(script: Script, as_class: bool) -> str:
    """Return the end of the script: coefficients in the units of the table, cost, and a prediction."""
    intercept = script.design.intercept
    lines = ["# the answer, in the units of the table", "with torch.no_grad():", f"    cost = {cost_text(script)}"]
    if as_class:
        b = ", model.linear.bias" if intercept else ""
        lines.append(f"    W{', b' * intercept} = model.linear.weight.T{b}")
    if script.standardized:
        lines.append("    W = W / std[:, None]")
        lines += ["    b = b - mean @ W"] * intercept
    lines += [f"    {line}" for line in new_text(script).split("\n")]
    lines.append(f"    prediction = new @ W{' + b' * intercept}")
    digits = ":.9g" if script.single else ""
    lines += ["for name, value in zip(names, W[:, 0].tolist()):", f'    print(f"{{name}}: {{value{digits}}}")']
    for name, value in (*[("b", "b")] * intercept, ("cost", "cost"), ("prediction", "prediction")):
        lines.append(f'print(f"{name}: {{{value}.item(){digits}}}")')
    return "\n".join(lines)


def _start(script: Script, keep: str) -> list[str]:
    """Return the lines that make W (q, 1) and b (1,) as the descent found them."""
    at = int(script.design.intercept)
    b, W = script.init[:at], script.init[at:]
    lines = [assigned("W = torch.tensor(", [literal([float(value)]) for value in W], f"{keep})")]
    return [*lines, *(f"b = torch.tensor({literal([float(value)])}{keep})" for value in b)]


def _into_layer(intercept: bool) -> list[str]:
    bias = ["    model.linear.bias.copy_(b)"] * intercept
    return ["with torch.no_grad():", "    model.linear.weight.copy_(W.T)", *bias]
