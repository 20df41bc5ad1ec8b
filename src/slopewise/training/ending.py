"""What a descent came to: which state is kept, and what is said about it."""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.errors import FitError
from slopewise.solution import Descended, Status
from slopewise.training.resume import Saver
from slopewise.training.stopping import settled
from slopewise.training.watch import Watch


def interrupted(watch: Watch) -> None:
    """Mark a descent as ended by Ctrl-C; where no cost is known yet there is nothing to keep, so it goes on upwards."""
    if watch.best is None:
        raise KeyboardInterrupt
    watch.ended = Status.INTERRUPTED, f"interrupted in epoch {watch.epoch} of {watch.descent.epochs}"


def conclude(
    watch: Watch, saver: Saver | None, *, optimum: Tensor | None, lowest: Tensor | None, seconds: float
) -> Descended:
    """Return the answer, and leave its state in the module.

    The last state is kept, except that of a descent that diverged, was interrupted or waited for an improvement:
    there it is the one with the lowest watched cost.

    Raises:
        FitError: the cost of the start was not finite already.
    """
    if watch.best is None:
        raise FitError(
            f"the cost of the start is {watch.start:g}, so there is nowhere to go down from; standardize the columns, "
            "start elsewhere (init), or look for enormous values."
        )
    status, evidence = watch.ended or _at_the_end(watch, lowest)
    patient = status is Status.STOPPED and watch.descent.stopping.patience is not None
    epoch = watch.epoch
    if patient or status in (Status.DIVERGED, Status.INTERRUPTED):
        epoch = watch.best[0]
        watch.go_back()
    if watch.observer is not None:
        watch.observer.epochs(watch.epoch, watch.descent.epochs, watch.cost)
    return Descended(
        theta=watch.flat.to(torch.float64, copy=True),
        status=status,
        evidence=evidence,
        advice=_advice(status, watch, saver),
        history=watch.recorder.history(optimum, lowest),
        epochs=watch.epoch,
        best_epoch=epoch,
        seconds=seconds,
    )


def _at_the_end(watch: Watch, lowest: Tensor | None) -> tuple[Status, str]:
    if watch.cost > watch.explosion.limit:  # thrown far off by one step, and nowhere near coming back
        return Status.DIVERGED, f"the cost went from {watch.start:.6g} to {watch.cost:.6g} by epoch {watch.epoch}"
    known = None if lowest is None else float(lowest)
    evidence = f"the cost is {watch.cost:.6g} after {watch.epoch} epochs"
    if known is not None:
        evidence += f", {watch.cost - known:.3g} above the lowest there is"
    done = settled(
        start=watch.start,
        cost=watch.cost,
        lowest=known,
        recent=watch.explosion.recent,
        epsilon=torch.finfo(watch.flat.dtype).eps,
    )
    return (Status.CONVERGED if done else Status.UNFINISHED), evidence


def _advice(status: Status, watch: Watch, saver: Saver | None) -> str:
    if status is Status.DIVERGED:
        lr = watch.descent.lr
        return f"take a smaller learning rate, such as lr={lr / 10:g} instead of {lr:g}"
    if status is Status.UNFINISHED:
        return "give it more epochs"
    if status is Status.INTERRUPTED and saver is not None:
        return f"resume from {saver.folder}: it goes on from epoch {saver.epoch}"
    if status is Status.INTERRUPTED:
        return "start again from this fit (warm_start), and give a checkpoint folder to be able to resume exactly"
    return ""
