"""The descent with its whole history, beside plain PyTorch loops on the same rows.

    python benchmarks/descent.py [replay] [lesson]

replay: 1M x 20, full batch. lesson: the three rows of the first lesson, 2000 epochs. benchmarks/loop.py compares the
loops themselves.
"""

from __future__ import annotations

import sys

from measure import report, side_by_side, verdict

LOOP_EPOCHS = 20
"""Epochs that the plain loop really makes; each costs the same, so that more are a multiple of them."""


def replay() -> None:
    import numpy as np
    import torch

    import slopewise

    generator = np.random.default_rng(0)
    x = generator.standard_normal((1_000_000, 20))
    y = x @ generator.standard_normal(20) + generator.standard_normal(len(x))
    rows, target = torch.from_numpy(x), torch.from_numpy(y)

    def plain_loop() -> object:
        model = torch.nn.Linear(20, 1, dtype=torch.float64)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        history = []
        for _ in range(LOOP_EPOCHS):
            cost = torch.nn.functional.mse_loss(model(rows)[:, 0], target)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            history.append((cost.item(), model.weight.detach().clone(), model.bias.detach().clone()))
        return history

    def write(epochs: int) -> object:
        return torch.rand(epochs + 1, 45, dtype=torch.float64).cumsum(0)

    def ours(epochs: int) -> object:
        return slopewise.fit((x, y), lr=0.1, epochs=epochs).descent

    seconds = side_by_side(
        {
            "slopewise, 1000 epochs": lambda: ours(1000),
            "slopewise, 10 000 epochs": lambda: ours(10_000),
            "slopewise, the exact fit": lambda: slopewise.fit((x, y)).theta,
            "writing 1000 rows of history": lambda: write(1000),
            f"plain loop, {LOOP_EPOCHS} epochs": plain_loop,
        },
        rounds=5,
    )
    report("Full-batch descent with whole history, 1M x 20 float64", seconds, "slopewise, 1000 epochs")
    epoch = seconds[f"plain loop, {LOOP_EPOCHS} epochs"] / LOOP_EPOCHS
    print(f"  one epoch of the plain loop: {1000 * epoch:.2f} ms")
    short, long = seconds["slopewise, 1000 epochs"], seconds["slopewise, 10 000 epochs"]
    bound = seconds["slopewise, the exact fit"] + seconds["writing 1000 rows of history"]
    verdict("plain loop / ours, 1000 epochs", 1000 * epoch / short, 120, at_least=True)
    verdict("plain loop / ours, 10 000 epochs", 10_000 * epoch / long, 1000, at_least=True)
    verdict("ours / (exact fit + writing the history)", short / bound, 1.5, at_least=False)


def lesson() -> None:
    import torch

    import slopewise

    table = {"hours": [1.0, 2.0, 3.0], "points": [2.0, 4.0, 6.0]}

    def document() -> object:
        hours, points = torch.FloatTensor([1, 2, 3]), torch.FloatTensor([2, 4, 6])
        w, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([w, b], lr=0.01)
        history = []
        for _ in range(2000):
            cost = torch.mean((hours * w + b - points) ** 2)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            history.append((cost.item(), w.item(), b.item()))
        return history

    def ours() -> object:
        fit = slopewise.fit(table, target="points", lr=0.01, epochs=2000, standardize=False)
        return fit.history_table()

    seconds = side_by_side({"slopewise, whole history as a table": ours, "the document's loop": document})
    report("R1: three rows, 2000 epochs", seconds, "slopewise, whole history as a table")
    ratio = seconds["the document's loop"] / seconds["slopewise, whole history as a table"]
    verdict("document / ours", ratio, 50, at_least=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["replay", "lesson"]:
        {"replay": replay, "lesson": lesson}[name]()
