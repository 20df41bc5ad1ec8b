"""Which epochs of a block are kept, and where in it a stopping rule ends the descent."""

from __future__ import annotations

from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan
from slopewise.training.descent.stopping import StoppingRules


def check_all_rows(plan: DescentPlan) -> None:
    """Raise OptionError where the plan needs single rows, which the moments no longer know."""
    if plan.batch_size is not None:
        raise OptionError("the moments know all rows at once and no mini-batch; leave the batch size out.")
    if plan.stopping.patience is not None and plan.stopping.monitor != "train":
        raise OptionError(
            f"the moments hold no {plan.stopping.monitor} rows; monitor 'train', or choose solver 'gd_loop'."
        )


def stop_within(rules: StoppingRules, epoch: Tensor, cost: Tensor, gradient_norm: Tensor) -> int | None:
    """Return the first of the epochs (r,), which follow those told before, at which a rule holds; None if none does."""
    for row in zip(epoch.tolist(), cost.tolist(), gradient_norm.tolist(), strict=True):
        if rules.stops(*row) is not None:
            return int(row[0])
    return None


def recorded(epoch: Tensor, plan: DescentPlan, stop: int | None) -> Tensor:
    """Return which of the epochs (r,) a history keeps: every record-th, and the last one made."""
    last = plan.epochs if stop is None else stop
    kept: Tensor = (epoch <= last) & ((epoch == last) | (epoch % spacing(plan) == 0))
    return kept


def spacing(plan: DescentPlan) -> int:
    """Return the epochs between two recorded ones."""
    return plan.history_every or plan.epochs
