"""What a descent looked like, row by row, in memory that is counted before the first step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.solution import History
from slopewise.types import Callback

ANNOUNCED = 100e6
"""Bytes of history that are taken without a word."""

LIMIT = 4e9
"""Bytes of history beyond which a run is refused: a swapping machine would lose what was asked to be kept."""


def plan_rows(*, epochs: int, history_every: int, p: int, callback: Callback | None = None) -> int:
    """Return how many rows a history holds at most: every record-th epoch (0: none between) and the last.

    Raises:
        OptionError: they would take more than LIMIT; the message says how many would do.
    """
    rows = epochs // history_every + 2 if history_every else 2
    size = _bytes(rows, p)
    if size > LIMIT:
        enough = int(epochs // (LIMIT / _bytes(1, p))) + 1
        advice = f"history_every={enough} or more" if _bytes(3, p) < LIMIT else "a smaller model"
        raise OptionError(
            f"a history of {rows:,} epochs x {p:,} parameters would take {size / 1e9:,.1f} GB, and at most "
            f"{LIMIT / 1e9:g} GB are given to it; choose {advice}."
        )
    if callback is not None and size > ANNOUNCED:
        callback.note(f"keeping {rows:,} epochs x {p:,} parameters, {size / 1e6:,.0f} MB")
    return rows


def _bytes(rows: int, p: int) -> float:
    return rows * (2 * p + 4) * 8.0


def lay_flat(module: nn.Module) -> Tensor:
    """Move a module's trainable parameters into one tensor (p,), in their order, and return it.

    They stay what they are, now as views of it: a whole state is then copied at once.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
    at = 0
    for parameter in parameters:
        parameter.data = flat[at : at + parameter.numel()].view_as(parameter)
        at += parameter.numel()
    return flat


def is_chain(module: nn.Module) -> bool:
    """Return whether a module is one layer of torch's own or a Sequential of such.

    Every pass through it then uses every parameter, so each has a gradient at each step. A class of the user's may
    leave some aside, and those torch.optim leaves alone: no decay, no momentum, no count of steps.
    """
    if type(module) is nn.Sequential:
        return all(is_chain(part) for part in module)
    return type(module).__module__.startswith("torch.nn.modules.") and not any(module.children())


def as_one(module: nn.Module, flat: Tensor) -> nn.Parameter:
    """Return the parameters that `lay_flat` moved into `flat` as a single one (p,), its gradient laid out alike.

    All optimizers here work number by number, so a step of this one is the step of them all, in one call instead of one
    for each: a sixteenth of an epoch of a network 64-64 in batches of 256. The bits are the same, but for the last
    few numbers of a parameter under Adam and AdamW, whose fused kernels round those unlike the ones before.

    Backward passes add to the gradients where they lie; to start anew, set them to 0 there. (As None, they would come
    back elsewhere.)
    """
    one = nn.Parameter(flat)
    one.grad = torch.zeros_like(flat)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = torch.split_with_sizes(one.grad, [parameter.numel() for parameter in parameters])
    for parameter, slope in zip(parameters, gradients, strict=True):
        parameter.grad = slope.view_as(parameter)
    return one


class Recorder:
    """The rows of a history, allocated once, float64 whatever the descent runs in.

    parameters: those whose gradient is kept with the state; none, and it is NaN.
    A state is written through numpy: for a handful of parameters it takes a tenth of the time of torch's copy.
    """

    def __init__(self, flat: Tensor, parameters: Sequence[nn.Parameter], rows: int, history_every: int) -> None:
        self.history_every = history_every
        self.states = torch.empty(rows, len(flat), dtype=torch.float64)
        self.gradients = torch.empty(rows, len(flat), dtype=torch.float64)
        if not parameters:
            self.gradients.fill_(float("nan"))
        self.epochs: list[int] = []
        self.costs: list[float] = []
        self.rates: list[float] = []
        self.validations: list[float] = []
        self._states, self._gradients, self._flat = self.states.numpy(), self.gradients.numpy(), flat.numpy()
        ends = torch.tensor([0, *(parameter.numel() for parameter in parameters)]).cumsum(0).tolist()
        self._places = [
            (parameter, self._gradients[:, start:stop].reshape(rows, *parameter.shape))
            for parameter, start, stop in zip(parameters, ends, ends[1:], strict=False)
        ]

    def wants(self, epoch: int) -> bool:
        """Return whether the row of this epoch is kept, the last aside."""
        return epoch % self.history_every == 0 if self.history_every else epoch == 0

    def keep(self, epoch: int, cost: float, rate: float, validation: float | None = None) -> None:
        """Keep the parameters and their gradients as they are now."""
        row = len(self.epochs)
        self._states[row] = self._flat
        for parameter, place in self._places:
            place[row] = 0.0 if parameter.grad is None else parameter.grad.numpy()
        self.costs.append(cost)
        self.rates.append(rate)
        if validation is not None:
            self.validations.append(validation)
        self.epochs.append(epoch)  # last: an interrupt before this line leaves a row that does not count

    def history(self, optimum: Tensor | None = None, lowest: Tensor | None = None) -> History:
        """Return what was kept."""
        rows = len(self.epochs)
        return History(
            epoch=torch.tensor(self.epochs, dtype=torch.int64),
            cost=_column(self.costs, rows),
            parameters=self.states[:rows],
            gradient=self.gradients[:rows],
            lr=_column(self.rates, rows),
            validation=_column(self.validations, rows) if self.validations else None,
            optimum=optimum,
            lowest=lowest,
        )

    def state(self) -> dict[str, Tensor]:
        """Return the rows kept so far, for a checkpoint."""
        rows = len(self.epochs)
        return {
            "epoch": torch.tensor(self.epochs, dtype=torch.int64),
            "cost": _column(self.costs, rows),
            "lr": _column(self.rates, rows),
            "validation": _column(self.validations, rows),
            "parameters": self.states[:rows],
            "gradient": self.gradients[:rows],
        }

    def restore(self, state: dict[str, Tensor], before: int) -> None:
        """Take over the rows of a checkpoint of epoch `before`, which comes again: the end of a shorter run kept it."""
        rows = int((state["epoch"] < before).sum())
        state = {name: column[:rows] for name, column in state.items()}
        self.states[:rows], self.gradients[:rows] = state["parameters"], state["gradient"]
        self.epochs, self.costs = state["epoch"].tolist(), state["cost"].tolist()
        self.rates, self.validations = state["lr"].tolist(), state["validation"].tolist()


def _column(values: list[float], rows: int) -> Tensor:
    return torch.tensor(values[:rows], dtype=torch.float64)
