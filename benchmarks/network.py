"""Networks beside their peers: an epoch of mini-batches, and many starts at once.

    python benchmarks/network.py [epoch] [starts]

epoch: 20-64-64-1 with ReLU, 100k rows, batches of 256, Adam, float32; seconds per epoch, the cost of all rows at the
start and at the end of our run included. Every contender runs with one thread and with all, and counts with the better.
starts: 256 networks 2-3-1 on XOR for 2000 epochs, against the same one after another in plain PyTorch, of which 4 are
measured and multiplied by 64.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable

from measure import report, side_by_side, verdict

ROWS, COLUMNS, BATCH, EPOCHS, LR = 100_000, 20, 256, 5, 1e-3
STARTS, ALONE, STEPS = 256, 4, 2000


def epoch() -> None:
    import torch
    from sklearn.neural_network import MLPRegressor
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from slopewise.losses.squared import Squared
    from slopewise.models.mlp import MLP
    from slopewise.optimizers.parse import plan_descent
    from slopewise.training.descent.runner import run_loop

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, COLUMNS, generator=generator)
    y = torch.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.1 * torch.randn(ROWS, generator=generator)
    model = MLP(COLUMNS, (64, 64), 1)
    start = model.init("torch", 0, torch.float32)

    def hand_written(fused: bool, batches: Callable[[], object]) -> None:
        module = model.module(start)
        optimizer = torch.optim.Adam(module.parameters(), lr=LR, fused=fused)
        loss = nn.MSELoss()
        for _ in range(EPOCHS):
            for some, target in batches():  # type: ignore[attr-defined]
                optimizer.zero_grad()
                loss(module(some), target).backward()
                optimizer.step()

    def loader() -> object:
        return DataLoader(TensorDataset(x, y), BATCH, shuffle=True)

    def slices() -> object:
        return ((x[some], y[some]) for some in torch.randperm(ROWS).split(BATCH))

    def shuffled_once() -> object:
        order = torch.randperm(ROWS)
        return zip(x[order].split(BATCH), y[order].split(BATCH), strict=True)

    def ours() -> None:
        plan = plan_descent(optimizer="adam", lr=LR, epochs=EPOCHS, batch_size=BATCH, history_every=0)
        run_loop(x=x, y=y, module=model.module(start), loss=Squared().value, plan=plan, gradients=False)

    def peer_sklearn() -> None:
        MLPRegressor(
            hidden_layer_sizes=(64, 64), batch_size=BATCH, max_iter=EPOCHS, alpha=0, tol=0, n_iter_no_change=10**6
        ).fit(x.numpy(), y.numpy())

    contenders = {
        "slopewise": ours,
        "DataLoader loop": lambda: hand_written(False, loader),
        "index slices": lambda: hand_written(False, slices),
        "index slices, fused Adam": lambda: hand_written(True, slices),
        "shuffled once an epoch, fused Adam": lambda: hand_written(True, shuffled_once),
        "scikit-learn MLPRegressor": peer_sklearn,
    }
    warnings.simplefilter("ignore")  # scikit-learn: five epochs are not enough to converge
    seconds = {name: value / EPOCHS for name, value in best_threads(contenders).items()}
    report(f"MLP 64-64, {ROWS:,} x {COLUMNS}, batch {BATCH}, Adam, float32: one epoch", seconds, "slopewise")
    mine = seconds["slopewise"]
    hand = min(value for name, value in seconds.items() if "slices" in name or "shuffled" in name)
    verdict("DataLoader loop / ours", seconds["DataLoader loop"] / mine, 2.3, at_least=True)
    verdict("ours / MLPRegressor", mine / seconds["scikit-learn MLPRegressor"], 1.05, at_least=False)
    verdict("ours / best hand-written index-slice loop", mine / hand, 1.05, at_least=False)


def best_threads(contenders: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return each contender's median seconds with one thread or with all, whichever is less."""
    import torch
    from threadpoolctl import threadpool_limits

    cores = torch.get_num_threads()

    def limited(run: Callable[[], None], threads: int) -> Callable[[], None]:
        def call() -> None:
            torch.set_num_threads(threads)
            with threadpool_limits(threads):
                run()
            torch.set_num_threads(cores)

        return call

    both = {(name, threads): limited(run, threads) for name, run in contenders.items() for threads in {1, cores}}
    seconds = side_by_side({f"{name}\0{threads}": run for (name, threads), run in both.items()}, rounds=5)
    return {name: min(value for key, value in seconds.items() if key.split("\0")[0] == name) for name in contenders}


def starts() -> None:
    import torch
    from torch import nn

    from slopewise.losses.logistic import Logistic
    from slopewise.models.mlp import MLP
    from slopewise.optimizers.parse import plan_descent
    from slopewise.training.network.multistart import MultistartResult, train_multistart

    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    y = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    found: list[MultistartResult] = []

    def ours() -> None:
        plan = plan_descent(lr=1.0, epochs=STEPS, init="torch")
        found[:] = [
            train_multistart(
                MLP(2, (3,), 1, "sigmoid"), Logistic().value, (x, y, None), plan, starts=STARTS, constant=math.log(2)
            )
        ]

    def alone() -> None:
        torch.set_num_threads(1)  # the faster way for so small a network
        for seed in range(ALONE):
            torch.manual_seed(seed)
            module = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1)).double()
            optimizer = torch.optim.SGD(module.parameters(), lr=1.0, foreach=False)
            loss = nn.BCEWithLogitsLoss()
            for _ in range(STEPS):
                optimizer.zero_grad()
                loss(module(x)[:, 0], y).backward()
                optimizer.step()

    one_by_one = f"plain PyTorch, {ALONE} measured x {STARTS // ALONE}"
    seconds = side_by_side({"slopewise": ours, one_by_one: alone})
    seconds[one_by_one] *= STARTS // ALONE
    report(f"{STARTS} networks 2-3-1 on XOR, {STEPS} epochs", seconds, "slopewise")
    print("  " + "\n  ".join(found[0].lines()))
    verdict("one after another / ours", seconds[one_by_one] / seconds["slopewise"], 60, at_least=True)


if __name__ == "__main__":
    for part in sys.argv[1:] or ["epoch", "starts"]:
        {"epoch": epoch, "n_init": starts}[part]()
