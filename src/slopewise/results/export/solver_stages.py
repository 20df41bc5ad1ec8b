"""Stages 4 and 5 of a script by each solver of the kind `likelihood`; they start where stage 3 has left `cost`.

theta holds b above W, a column for each score, in standard units. The derivatives are torch's own, so that the script
shows what is minimised and how, and no formula twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import PiecewiseLinear, Robust
from slopewise.results.export.script import Script, literal

NEWTON = """
# 4 optimizer: Newton's method, to the lowest point of the parabola that touches the cost
def step_from(theta):
    gradient_of = torch.func.grad(cost)
    gradient = gradient_of(theta).reshape(-1)
    hessian = torch.func.jacrev(gradient_of)(theta).reshape(len(gradient), -1)
    return -torch.linalg.solve(hessian, gradient).reshape(theta.shape)
"""

REWEIGHTED = (
    """
# 4 optimizer: iteratively reweighted least squares, where the loss of each row is replaced by the
# parabola that touches it at the present prediction and is nowhere below it
A = {columns}
""",
    """
def step_from(theta):
    H = model(X, theta)
    weight = {w}{weight}
    hessian = A.T @ (weight * A) / len(A)
{ridge}    return -torch.linalg.solve(hessian, torch.func.grad(cost)(theta))
""",
)

RIDGE = """    of_penalty = torch.func.jacrev(torch.func.grad(penalty))(theta)
    hessian = hessian + of_penalty[:, 0, :, 0]
"""

STEPS = """
# 5 training: steps until one changes nothing
{start}
for step in range({most}):
    now, move = cost(theta), step_from(theta)
{cap}    while not cost(theta + move) <= now + 1e-12 * now.abs():  # too far: the half of it
        move = move / 2
    theta = theta + move
    print(f"step {{step:3d}}  cost {{now.item():.12g}}")
    if move.abs().max() <= {small} * (1 + theta.abs().max()):
        break
"""

CAP = """    # far away Firth's penalty is flat: no step is longer than 5
    move = move * (5 / move.abs().max()).clamp(max=1)
"""

LBFGS = """
# 4 optimizer: L-BFGS, which knows the second derivatives from the gradients it has met
{start}
theta.requires_grad_()
optimizer = torch.optim.LBFGS(
    [theta],
    max_iter=2000,
    tolerance_grad=1e-11,
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
    return {l1} * ({slopes}).abs().sum() / {total}
'''

PROXIMAL = """
# 4 optimizer: a step against the gradient, then each coefficient a fixed way towards 0 and no further
# (FISTA); lr is halved where the gradient changes too much on the way
def proximal_step(theta, lr):
    gradient_of = torch.func.grad(cost)
    gradient = gradient_of(theta)
    while True:
        there = theta - lr * gradient
        W = {slopes}
        W = W.sign() * (W.abs() - lr * {l1} / {total} / std[:, None]).clamp(min=0)
        there = {joined}
        move = there - theta
        if 2 * lr * ((gradient_of(there) - gradient) * move).sum() <= (move**2).sum():
            return there, lr
        lr = lr / 2
"""

PROXIMAL_LOOP = """
# 5 training: steps with momentum, which starts anew where it leads uphill, until one changes nothing
{start}
ahead, weight, lr = theta, 1.0, 1.0
for step in range(1_000_000):
    there, lr = proximal_step(ahead, lr)
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

INTERIOR = (
    """
# 4 optimizer: an interior-point method for the linear program of lowest sum(tau * u + (1 - tau) * v),
# where B - A @ theta = u - v and neither u nor v is negative; a is the slope at which each row pulls
{tau}A, B = {columns}, {target}
""",
    """
def share(values, changes):  # how much of the changes leaves all values positive
    shares = -values[changes < 0] / changes[changes < 0]
    return min(1.0, 0.9995 * shares.min().item()) if len(shares) else 1.0
""",
)

INTERIOR_LOOP = """
# 5 training: steps until the loss has met the highest lower bound that any a gives
theta = torch.linalg.lstsq(A, B).solution
e = B - A @ theta
u, v = e.clamp(min=0) + e.abs().mean(), (-e).clamp(min=0) + e.abs().mean()
a = torch.full_like(B, 1 - tau)
for step in range(200):
    gap, now = (a * v + (1 - a) * u).sum(), (tau * u + (1 - tau) * v).sum()
    print(f"step {step:3d}  cost {cost(theta).item():.12g}")
    if gap <= 1e-13 * now:
        break
    mu = 0.1 * gap / (2 * len(B))
    q = 1 / (u / (1 - a) + v / a)
    pull = e - mu * (1 / (1 - a) - 1 / a)
    move = torch.linalg.solve(A.T @ (q * A), A.T @ (q * pull))
    da = q * (pull - A @ move)
    du, dv = (mu + u * da) / (1 - a) - u, (mu - v * da) / a - v
    size = min(share(u, du), share(v, dv))
    theta, u, v = theta + size * move, u + size * du, v + size * dv
    a = a + min(share(a, da), share(1 - a, -da)) * da
    e = B - A @ theta
# an optimum meets as many rows exactly as theta has numbers: those whose a is between 0 and 1
met = (a - 0.5).abs()[:, 0].argsort()[: len(theta)]
exact = torch.linalg.lstsq(A[met], B[met]).solution
theta = exact if cost(exact) <= cost(theta) * (1 + 1e-12) else theta
"""


def solver_text(script: Script) -> Iterator[str]:
    """Yield stages 4 and 5; after them, `theta` exists, with an L1 penalty `l1_penalty` too."""
    robust = script.solver == "newton" and isinstance(script.loss, Robust)
    yield from STAGES["reweighted" if robust else script.solver](script)


def _newton(script: Script) -> Iterator[str]:
    yield NEWTON
    yield STEPS.format(start=_start(script), most=200, small=1e-9, cap=CAP if script.solver == "firth" else "")


def _reweighted(script: Script) -> Iterator[str]:
    assert isinstance(script.loss, Robust)
    weight, w = script.loss.torch_irls_weight(), "w * " * script.weighted
    yield REWEIGHTED[0].format(columns=columns(script))
    yield REWEIGHTED[1].format(w=w, weight=weight, ridge=RIDGE * bool(script.l2))
    yield STEPS.format(start=_start(script), most=10_000, small=1e-12, cap="")


def _lbfgs(script: Script) -> Iterator[str]:
    yield LBFGS.format(start=_start(script))
    yield from LBFGS_LOOP


def _proximal(script: Script) -> Iterator[str]:
    total = script.total
    yield L1_PENALTY.format(l1=literal(script.l1), slopes=f"{slopes(script)} / std[:, None]", total=total)
    there = slopes(script).replace("theta", "there")
    b = "there[:1] - there[:1].mean()" if every_class(script) else "there[:1]"  # the loss knows no mean of all b
    joined = f"torch.cat([{b}, W])" if script.design.intercept else "W"
    yield PROXIMAL.format(slopes=there, l1=literal(script.l1), total=total, joined=joined)
    yield PROXIMAL_LOOP.format(start=_start(script))


def _interior_point(script: Script) -> Iterator[str]:
    assert isinstance(script.loss, PiecewiseLinear)
    over, under = script.loss.prices
    tau = "" if "tau" in script.loss.torch_constants() else f"tau = {literal(over / (over + under))}\n"
    of_rows, target = columns(script), "Y"
    if script.weighted:
        of_rows, target = f"w * {of_rows}", "w * Y"
    yield INTERIOR[0].format(tau=tau, columns=of_rows, target=target)
    yield INTERIOR[1]
    yield INTERIOR_LOOP


STAGES: dict[str, Callable[[Script], Iterator[str]]] = {
    "newton": _newton,
    "firth": _newton,
    "reweighted": _reweighted,
    "lbfgs": _lbfgs,
    "coordinate_descent": _proximal,
    "interior_point": _interior_point,
}


def every_class(script: Script) -> bool:
    """Return whether each class has coefficients of its own, so that an L1 penalty treats them alike."""
    return script.loss.name == "softmax" and script.solver == "coordinate_descent"


def outputs(script: Script) -> int:
    """Return the columns of theta."""
    return max(len(script.design.target_levels) - (0 if every_class(script) else 1), 1)


def slopes(script: Script) -> str:
    """Return the expression of theta's coefficients of the columns."""
    return "theta[1:]" if script.design.intercept else "theta"


def columns(script: Script) -> str:
    """Return the expression of the columns that theta multiplies."""
    return "torch.cat([torch.ones(len(X), 1), X], dim=1)" if script.design.intercept else "X"


def _start(script: Script) -> str:
    """Return the lines that make theta: zeros, and where the link is the logarithm b that of the mean."""
    zeros = f"theta = torch.zeros({len(script.design.names)}, {outputs(script)})"
    if not isinstance(script.loss, LogLink) or not script.design.intercept:
        return zeros
    weight = "w * " * script.weighted
    mean = f"({weight}Y).mean()" if weight else "Y.mean()"
    if script.offset:
        mean = f"({mean} / ({weight}offset.exp()).mean())" if weight else f"({mean} / offset.exp().mean())"
    return f"{zeros}\ntheta[0] = {mean}.log()  # the null model"
