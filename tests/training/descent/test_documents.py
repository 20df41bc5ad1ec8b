"""The source documents' descents, R1 to R5 and D3, by the loop in float32, to the digits printed there."""

import pytest
import torch

from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.optimizers.parse import plan_descent
from slopewise.training.descent.objective import mean_cost
from slopewise.training.descent.runner import run_loop
from slopewise.training.descent.start import initial_parameters

HOURS = [[1.0], [2.0], [3.0]]
QUIZZES = [[73.0, 80, 75], [93, 88, 93], [89, 91, 80], [96, 98, 100], [73, 66, 70]]
FINAL = [152.0, 185, 180, 196, 142]


def descend(x, y, start, dtype=torch.float32, **options):
    """Return the descent; its parameters are b, then W."""
    module = Linear().module(torch.tensor(start, dtype=dtype))
    x, y = torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype)
    return run_loop(x=x, y=y, module=module, loss=Squared().value, plan=plan_descent(**options))


def printed(value, text):
    """Whether a number, printed to as many digits as the text has, is the text."""
    digits = text.lstrip("-").split("e")[0]
    decimals = len(digits.partition(".")[2])
    kind = "e" if "e" in text else "f"
    shown = f"{float(value):.{decimals}{kind}}"
    assert float(shown) == float(text), f"{float(value)!r} is not {text}"


def nearly_printed(value, text, largest, cost=False):
    """Whether a number is the text, up to one rounding of a prediction of size `largest` in float32.

    Which way that rounding goes differs from CPU to CPU. A cost feels it by its derivative, 2 √cost at most.
    """
    decimals = len(text.partition(".")[2])
    felt = 2 * float(text) ** 0.5 if cost else 1.0
    allowed = felt * largest * 2.0**-24 + 0.5 * 10.0**-decimals
    assert abs(float(value) - float(text)) <= allowed, f"{float(value)!r} is not {text}, to within {allowed:.2g}"


def test_d3_a_cost():
    """The third score is 44, not the 42 of the text: only so is its error -9, and the sum of squares 210."""
    hours, actual = torch.tensor([[2.0], [3], [4], [5]]), torch.tensor([25.0, 50, 44, 61])
    predicted = Linear().module(torch.tensor([1.0, 13.0]))(hours).detach()
    assert predicted.tolist() == [27, 40, 53, 66]
    errors = actual - predicted
    assert errors.tolist() == [-2, 10, -9, -5]
    assert errors.sum() == -6
    losses = Squared().value(predicted, actual)
    assert losses.sum() == 210
    assert mean_cost(losses, None) == 52.5
    for w in (20.0, 1.0):  # the two steep sides
        gradient = Squared().gradient(w * hours[:, 0], actual) @ hours[:, 0]
        assert (gradient > 0) == (w > 13)


def test_r1_two_thousand_epochs():
    fit = descend(HOURS, [2.0, 4, 6], [0.0, 0.0], lr=0.01, epochs=2000)
    history = fit.history
    printed(history.cost[0], "18.666666")
    printed(history.gradient[0, 1], "-18.666668")
    printed(history.gradient[0, 0], "-8.0")
    for epoch, w, b in ((1, "0.186667", "0.08"), (1000, "1.970783", "0.066418"), (2000, "1.997367", "0.005985")):
        printed(history.parameters[epoch, 1], w)
        printed(history.parameters[epoch, 0], b)
    printed(history.cost[1000], "6.328e-4")
    printed(history.cost[2000], "5.1377e-6")
    printed(fit.theta @ torch.tensor([1.0, 4.0], dtype=torch.float64), "7.99545")
    assert history.epoch.tolist() == list(range(2001))


def test_r1_variant():
    fit = descend(HOURS, [4.0, 5, 6], [0.0, 0.0], lr=0.01, epochs=1000)
    printed(fit.theta[1], "1.085018")
    printed(fit.theta[0], "2.806733")
    printed(fit.history.cost[-1], "0.0053584")


def test_r2_random_start():
    """W and b are what torch.manual_seed, torch.rand, torch.rand draw; then thirty epochs, by hand and here."""
    start = initial_parameters("uniform", names=("b", "W"), intercept=True, seed=7, dtype=torch.float32)
    torch.manual_seed(7)
    w, b = torch.rand(1), torch.rand(1)
    assert start.tolist() == [b.item(), w.item()]
    x, y = torch.tensor(HOURS), torch.tensor([[1.0], [2.0], [3.0]])
    w.requires_grad_()
    b.requires_grad_()
    costs = []
    for _ in range(30):
        cost = torch.mean((x * w + b - y) ** 2)
        costs.append(cost.item())
        w.grad = b.grad = None
        cost.backward()
        with torch.no_grad():
            w -= 0.01 * w.grad
            b -= 0.01 * b.grad
    fit = descend(HOURS, [1.0, 2, 3], start.tolist(), lr=0.01, epochs=30)
    assert fit.theta.tolist() == pytest.approx([b.item(), w.item()], rel=1e-6)
    assert fit.history.cost[:-1].tolist() == pytest.approx(costs, rel=1e-5)
    assert bool((fit.history.cost.diff() < 0).all())


def test_r2_as_nn_linear():
    torch.manual_seed(3)
    line = torch.nn.Linear(1, 1)
    start = initial_parameters("torch", names=("b", "W"), intercept=True, seed=3, dtype=torch.float32)
    assert start.tolist() == [line.bias.item(), line.weight.item()]


HEIGHT, WEIGHT = [[-5.0], [5], [0], [2], [-2]], [-6.7, 10.3, -3.3, 5.0, -5.3]


def test_r3_one_step():
    line = Linear().module(torch.tensor([1.0, 1.0]))
    assert line(torch.tensor(HEIGHT)).tolist() == [-4, 6, 1, 3, -1]
    history = descend(HEIGHT, WEIGHT, [1.0, 1.0], lr=0.001, epochs=1).history
    printed(history.cost[0], "13.3520")
    printed(history.gradient[0, 1], "-19.04")
    printed(history.gradient[0, 0], "2.0")
    printed(history.parameters[1, 1], "1.0190")
    printed(history.parameters[1, 0], "0.9980")


@pytest.mark.parametrize(("momentum", "w"), [(0.0, "1.820675"), (0.9, "1.820689")])
def test_r3_five_hundred_epochs(momentum, w):
    """From zeros, unlike the one step above: 1.82068966 (1 - 0.9768^500) = 1.820675.

    The printed figures come of the raw table centred in float32, where 58.7 - 65.4 is not quite -6.7.
    """
    height, weight = torch.tensor([166.0, 176, 171, 173, 169]), torch.tensor([58.7, 75.7, 62.1, 70.4, 60.1])
    x, y = (height - 171)[:, None].tolist(), (weight - 65.4).tolist()
    fit = descend(x, y, [0.0, 0.0], lr=0.001, momentum=momentum, epochs=500)
    printed(fit.theta[1], w)
    if momentum:  # the seventh digit of the cost is beyond float32: the same descent in float64
        printed(
            descend(x, y, [0.0, 0.0], torch.float64, lr=0.001, momentum=0.9, epochs=500).history.cost[-1], "4.539038"
        )


def test_r4_with_the_stale_variable():
    """The document's own loop, in plain torch: it predicts with B, which no optimizer holds, so b never moves."""
    x, y = torch.tensor([1.0, 2, 3]), torch.tensor([200.0, 400, 600])
    w, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    stale = torch.tensor([0.998])
    optimizer = torch.optim.SGD([w, b], lr=0.01)
    table = {}
    for epoch in range(201):
        cost = torch.mean((w * x + stale - y) ** 2)
        table[epoch] = cost.item()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    for epoch, text in R4_STALE.items():
        printed(table[epoch], text)
    printed(w.item(), "199.57222")
    assert b.item() == 0


R4_STALE = {
    0: "185869.2656", 10: "26191.6309", 20: "3690.8821", 30: "520.2183", 40: "73.4279", 50: "10.4696", 60: "1.5975",
    70: "0.3473", 80: "0.1712", 90: "0.1464", 100: "0.1429", 110: "0.1424", 120: "0.1423", 200: "0.1423",
}  # fmt: skip


@pytest.mark.parametrize(
    ("momentum", "w", "b", "costs"),
    [
        (0.0, "180.009933", "45.442123",
         {10: "18442.94", 50: "614.2407", 100: "481.7051", 200: "297.6650", 201: "296.235"}),
        (0.9, "199.957199", "0.089831",
         {10: "60834.86", 50: "146.0652", 100: "5.459429", 200: "0.001298", 201: "0.0012392"}),
    ],
)  # fmt: skip
def test_r4_done_right(momentum, w, b, costs):
    fit = descend(HOURS, [200.0, 400, 600], [0.0, 0.0], lr=0.01, momentum=momentum, epochs=201)
    nearly_printed(fit.theta[1], w, 600)
    nearly_printed(fit.theta[0], b, 600)
    for epoch, text in costs.items():
        nearly_printed(fit.history.cost[epoch], text, 600, cost=True)


def test_r5_three_quizzes():
    fit = descend(QUIZZES, FINAL, [0.0] * 4, lr=1e-5, epochs=20)
    history = fit.history
    for epoch, text in {
        0: "29661.80", 1: "9537.694", 5: "107.7171", 10: "6.331867", 15: "5.971213", 20: "5.957091"
    }.items():  # fmt: skip
        nearly_printed(history.cost[epoch], text, 200, cost=True)
    for gradient, text in zip(
        history.gradient[0].tolist(), ["-342.0", "-29401.20", "-29360.00", "-29018.00"], strict=True
    ):
        printed(gradient, text)
    for value, text in zip(fit.theta.tolist(), ["0.007915", "0.680569", "0.678484", "0.667806"], strict=True):
        nearly_printed(value, text, 200)
