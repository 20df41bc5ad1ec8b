"""Which epochs of a block are kept, and where in it a stopping rule ends the descent."""

from __future__ import annotations

from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.descent import Descent
from slopewise.training.stopping import Rules


def check_all_rows(descent: Descent) -> None:
    """Raise OptionError where the plan needs single rows, which the moments no longer know."""
    if descent.batch_size is not None:
        raise OptionError("the moments know all rows at once and no mini-batch; leave the batch size out.")
    if descent.stopping.patience is not None and descent.stopping.watch != "train":
        raise OptionError(f"the moments hold no {descent.stopping.watch} rows; watch 'train', or choose solver 'loop'.")


def stop_within(rules: Rules, epoch: Tensor, cost: Tensor, gradient_norm: Tensor) -> int | None:
    """Return the first of the epochs (r,), which follow those told before, at which a rule holds; None if none does."""
    for row in zip(epoch.tolist(), cost.tolist(), gradient_norm.tolist(), strict=True):
        if rules.stops(*row) is not None:
            return int(row[0])
    return None


def recorded(epoch: Tensor, descent: Descent, stop: int | None) -> Tensor:
    """Return which of the epochs (r,) a history keeps: every record-th, and the last one made."""
    last = descent.epochs if stop is None else stop
    kept: Tensor = (epoch <= last) & ((epoch == last) | (epoch % spacing(descent) == 0))
    return kept


def spacing(descent: Descent) -> int:
    """Return the epochs between two recorded ones."""
    return descent.record or descent.epochs
