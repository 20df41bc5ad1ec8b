"""The history of a descent: epochs, costs, parameters and gradients, recorded in preallocated memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan
from slopewise.solution import History
from slopewise.training.descent.stopping import StoppingRules
from slopewise.types import Callback

ANNOUNCED = 100e6
"""Bytes of history beyond which the callback receives a note of its size."""

LIMIT = 4e9
"""Bytes of history beyond which a run is refused, rather than let the machine swap."""


def plan_rows(*, epochs: int, history_every: int, p: int, callback: Callback | None = None) -> int:
    """Return how many rows a history holds at most: one every `history_every` epochs (0: none between) and the last.

    Args:
        epochs: planned.
        history_every: epochs between two kept rows, 0 for the first and the last alone.
        p: parameters.
        callback: receives a note of the size where it exceeds ANNOUNCED.

    Raises:
        OptionError: they would take more than LIMIT; the message names a history_every that fits.

    Example:
        >>> plan_rows(epochs=1000, history_every=10, p=3)
        102
    """
    rows = epochs // history_every + 2 if history_every else 2
    size = _bytes(rows, p)
    if size > LIMIT:
        enough = int(epochs // (LIMIT / _bytes(1, p))) + 1
        advice = f"history_every={enough} or more" if _bytes(3, p) < LIMIT else "a smaller model"
        raise OptionError(
            f"a history of {rows:,} epochs x {p:,} parameters would take {size / 1e9:,.1f} GB, and at most "
            f"{LIMIT / 1e9:g} GB are allowed; choose {advice}."
        )
    if callback is not None and size > ANNOUNCED:
        callback.note(f"keeping {rows:,} epochs x {p:,} parameters, {size / 1e6:,.0f} MB")
    return rows


def _bytes(rows: int, p: int) -> float:
    return rows * (2 * p + 4) * 8.0


def lay_flat(module: nn.Module) -> Tensor:
    """Move a module's trainable parameters into one tensor (p,), in their order, and return it.

    The module's parameters become views of that tensor, so that its whole state is copied in one operation.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> flat = lay_flat(layer)
        >>> flat.zero_()
        tensor([0., 0., 0.])
        >>> layer.bias
        Parameter containing:
        tensor([0.], requires_grad=True)
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

    Every forward pass then uses every parameter, so each has a gradient at each step. A user-defined module may leave
    some unused, and torch.optim skips parameters without a gradient: no decay, no momentum, no step count.

    Example:
        >>> is_chain(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)))
        True
    """
    if type(module) is nn.Sequential:
        return all(is_chain(part) for part in module)
    return type(module).__module__.startswith("torch.nn.modules.") and not any(module.children())


def as_one(module: nn.Module, flat: Tensor) -> nn.Parameter:
    """Return the parameters that `lay_flat` moved into `flat` as a single parameter (p,), with one gradient (p,).

    All optimizers used here are elementwise, so one step of this parameter equals a step of each, in one call instead
    of one for each: that saves a sixteenth of an epoch of a network 64-64 in batches of 256. Results are bitwise equal,
    but for the last few numbers of a parameter under Adam and AdamW, whose fused kernels round those differently.

    The module's gradients are views of the one gradient: zero them in place. (Set to None, backward would allocate
    them elsewhere.)
    """
    one = nn.Parameter(flat)
    one.grad = torch.zeros_like(flat)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = torch.split_with_sizes(one.grad, [parameter.numel() for parameter in parameters])
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.view_as(parameter)
    return one


class Recorder:
    """Records the rows of a history: allocated once, float64 whatever the dtype of the descent.

    flat (p,): the current parameters. parameters: those whose gradients are recorded; with none the gradients are NaN.
    rows: as `plan_rows` counts them. Rows are copied through numpy: for a few parameters that takes a tenth of the
    time of torch's copy.
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
        """Return whether the row of this epoch is kept; the last epoch is kept in any case."""
        return epoch % self.history_every == 0 if self.history_every else epoch == 0

    def keep(self, epoch: int, cost: float, rate: float, validation: float | None = None) -> None:
        """Record the current parameters and gradients, with the costs and the learning rate.

        Args:
            epoch: of the row, 0 the start.
            cost: of that state over the training rows.
            rate: the learning rate.
            validation: cost over the validation rows, or None.
        """
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
        """Return the recorded rows, with the exact optimum (p,) and lowest cost () where they are known."""
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
        """Return the rows recorded so far, for a checkpoint."""
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
        """Load the rows before epoch `before` from a checkpoint; the last row of a shorter run is recorded again."""
        rows = int((state["epoch"] < before).sum())
        state = {name: column[:rows] for name, column in state.items()}
        self.states[:rows], self.gradients[:rows] = state["parameters"], state["gradient"]
        self.epochs, self.costs = state["epoch"].tolist(), state["cost"].tolist()
        self.rates, self.validations = state["lr"].tolist(), state["validation"].tolist()


def _column(values: list[float], rows: int) -> Tensor:
    return torch.tensor(values[:rows], dtype=torch.float64)


def check_all_rows(plan: DescentPlan) -> None:
    """Raise OptionError where the plan needs single rows, of which the moments are only sums."""
    if plan.batch_size is not None:
        raise OptionError("the moments are sums over all rows and have no mini-batches; leave batch_size out.")
    if plan.stopping.patience is not None and plan.stopping.monitor != "train":
        raise OptionError(
            f"the moments have no {plan.stopping.monitor} rows; set monitor='train', or choose solver='gd_loop'."
        )


def stop_within(rules: StoppingRules, epoch: Tensor, cost: Tensor, gradient_norm: Tensor) -> int | None:
    """Return the first epoch of a block at which a stopping rule holds, None if none does.

    Args:
        rules: which have been applied to all epochs before.
        epoch: (r,), the epochs that follow.
        cost: (r,).
        gradient_norm: (r,).
    """
    for row in zip(epoch.tolist(), cost.tolist(), gradient_norm.tolist(), strict=True):
        if rules.stops(*row) is not None:
            return int(row[0])
    return None


def recorded(epoch: Tensor, plan: DescentPlan, stop: int | None) -> Tensor:
    """Return a mask (r,) of the epochs that a history keeps: one every `history_every`, and the last one made.

    Args:
        epoch: (r,), ascending.
        plan: of the descent.
        stop: the last epoch made, None where it is the last planned one.

    Example:
        >>> plan = DescentPlan(options={"lr": 0.1}, epochs=5, history_every=2)
        >>> recorded(torch.arange(6), plan, None).tolist()
        [True, False, True, False, True, True]
    """
    last = plan.epochs if stop is None else stop
    kept: Tensor = (epoch <= last) & ((epoch == last) | (epoch % spacing(plan) == 0))
    return kept


def spacing(plan: DescentPlan) -> int:
    """Return the number of epochs between two recorded ones."""
    return plan.history_every or plan.epochs
