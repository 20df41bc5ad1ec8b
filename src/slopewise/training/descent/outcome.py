"""The outcome of a descent: the state that is kept, its status, and the advice that goes with it."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.errors import FitError
from slopewise.solution import Descended, Status
from slopewise.training.descent.checkpoint_state import CheckpointWriter
from slopewise.training.descent.monitor import Monitor
from slopewise.training.descent.stopping import has_converged


def interrupted(monitor: Monitor) -> None:
    """Mark a descent as ended by Ctrl-C.

    Raises:
        KeyboardInterrupt: no cost is known yet.
    """
    if monitor.best is None:
        raise KeyboardInterrupt
    monitor.ended = Status.INTERRUPTED, f"interrupted in epoch {monitor.epoch} of {monitor.plan.epochs}"


def build_fit(
    monitor: Monitor, writer: CheckpointWriter | None, *, optimum: Tensor | None, lowest: Tensor | None, seconds: float
) -> Descended:
    """Return the outcome, and leave the parameters that are kept in the module.

    The last state is kept; after divergence, an interrupt or early stopping by patience, the one with the lowest
    monitored cost.

    Args:
        monitor: of the descent that has ended.
        writer: of its checkpoints, or None.
        optimum: (p,) exact parameters, where they are known.
        lowest: () exact lowest cost, where it is known.
        seconds: wall-clock time of the descent.

    Raises:
        FitError: the cost of the start was not finite.
    """
    if monitor.best is None:
        raise FitError(
            f"the cost of the initial parameters is {monitor.start:g}, so gradient descent cannot start; standardize "
            "the columns, choose another init, or look for extreme values."
        )
    status, evidence = monitor.ended or _at_the_end(monitor, lowest)
    patient = status is Status.STOPPED and monitor.plan.stopping.patience is not None
    epoch = monitor.epoch
    if patient or status in (Status.DIVERGED, Status.INTERRUPTED):
        epoch = monitor.best[0]
        monitor.restore_best()
    if monitor.callback is not None:
        monitor.callback.epochs(monitor.epoch, monitor.plan.epochs, monitor.cost)
    return Descended(
        theta=monitor.flat.to(torch.float64, copy=True),
        status=status,
        evidence=evidence,
        advice=_advice(status, monitor, writer),
        history=monitor.recorder.history(optimum, lowest),
        epochs=monitor.epoch,
        best_epoch=epoch,
        seconds=seconds,
    )


def _at_the_end(monitor: Monitor, lowest: Tensor | None) -> tuple[Status, str]:
    if monitor.cost > monitor.divergence.limit:  # one step went far off, too late for MIN_INCREASES increases
        return Status.DIVERGED, f"the cost went from {monitor.start:.6g} to {monitor.cost:.6g} by epoch {monitor.epoch}"
    known = None if lowest is None else float(lowest)
    evidence = f"the cost is {monitor.cost:.6g} after {monitor.epoch} epochs"
    if known is not None:
        evidence += f", {monitor.cost - known:.3g} above the lowest possible"
    done = has_converged(
        start=monitor.start,
        cost=monitor.cost,
        lowest=known,
        recent=monitor.divergence.recent,
        epsilon=torch.finfo(monitor.flat.dtype).eps,
    )
    return (Status.CONVERGED if done else Status.UNFINISHED), evidence


def _advice(status: Status, monitor: Monitor, writer: CheckpointWriter | None) -> str:
    if status is Status.DIVERGED:
        lr = monitor.plan.lr
        return f"take a smaller learning rate, such as lr={lr / 10:g} instead of {lr:g}"
    if status is Status.UNFINISHED:
        return "raise epochs"
    if status is Status.INTERRUPTED and writer is not None:
        return f"resume from {writer.folder}: it continues at epoch {writer.epoch}"
    if status is Status.INTERRUPTED:
        return "start again from this fit (warm_start); give a checkpoint folder to be able to resume exactly"
    return ""
