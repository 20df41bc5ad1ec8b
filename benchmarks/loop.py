"""The plain loop against the code people write by hand: the source documents' own, and a DataLoader's.

1. Three rows, 2000 full-batch epochs, every epoch kept here and none there: all of it is Python and dispatch.
2. 100,000 rows x 20 columns, batches of 256, shuffled: one epoch.

Prints medians over interleaved rounds after a warm-up, and their ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.optimizers.parse import plan_descent
from slopewise.training.descent.runner import run_loop

EPOCHS = 2000
ROUNDS = 9


def document_loop(x: Tensor, y: Tensor) -> None:
    w, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], lr=0.01)
    for _ in range(EPOCHS):
        cost = torch.mean((x * w + b - y) ** 2)
        optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def our_loop(x: Tensor, y: Tensor, **words: object) -> None:
    plan = plan_descent(lr=0.01, dtype="float32", **words)
    run_loop(x=x, y=y, module=Linear().module(torch.zeros(x.shape[1] + 1)), loss=Squared().value, plan=plan)


def loader_loop(x: Tensor, y: Tensor, size: int) -> None:
    model = nn.Linear(x.shape[1], 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for batch_x, batch_y in DataLoader(TensorDataset(x, y[:, None]), batch_size=size, shuffle=True):
        cost = nn.functional.mse_loss(model(batch_x), batch_y)
        optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def compare(title: str, runs: dict[str, Callable[[], None]], rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            started = perf_counter()
            run()
            if turn:
                times[name].append(perf_counter() - started)
    print(title)
    base = None
    for name, seconds in times.items():
        base = base or median(seconds)
        print(f"  {name:42s} {median(seconds):8.4f} s   {median(seconds) / base:6.3f} of the first")


def main() -> None:
    torch.manual_seed(0)
    x, y = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([2.0, 4.0, 6.0])
    compare(
        f"three rows, {EPOCHS} epochs of all rows",
        {
            "the document's loop, nothing kept": lambda: document_loop(x, y[:, None]),
            "slopewise, every epoch kept": lambda: our_loop(x, y, epochs=EPOCHS),
        },
        ROUNDS,
    )
    x = torch.randn(100_000, 20)
    y = x @ torch.arange(20.0) + torch.randn(100_000)
    compare(
        "100,000 rows x 20, one epoch in batches of 256",
        {
            "DataLoader and TensorDataset, shuffled": lambda: loader_loop(x, y, 256),
            "slopewise, every epoch kept": lambda: our_loop(x, y, epochs=1, batch_size=256),
        },
        3,
    )


if __name__ == "__main__":
    main()
