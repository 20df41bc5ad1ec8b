"""What a checkpoint of the loop holds, and how the loop goes on from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from slopewise.errors import StoreError
from slopewise.training.batches import Rows
from slopewise.training.checkpoint import (
    Checkpoint,
    Keeper,
    fingerprint,
    open_keeper,
    pack_optimizer,
    unpack_optimizer,
)
from slopewise.training.watch import Watch

MODULE = "module."


@dataclass(slots=True)
class Saver:
    """Brings together everything that changes from epoch to epoch. epoch: of the last checkpoint written."""

    keeper: Keeper
    module: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler | None
    watch: Watch
    epoch: int = 0

    def wants(self, epoch: int) -> bool:
        """Return whether the state in which epoch `epoch` will start is to be saved: it is time, or the end."""
        return self.keeper.due or epoch == self.watch.descent.epochs

    @property
    def folder(self) -> Path:
        """Where the checkpoints lie."""
        return self.keeper.checkpoint.folder

    def save(self, epoch: int) -> None:
        """Write the state in which epoch `epoch` will start."""
        optimizer, slots = pack_optimizer(self.optimizer)
        watched, kept = self.watch.state()
        schedule = {} if self.scheduler is None else self.scheduler.state_dict()
        plain = {"epoch": epoch, "optimizer": optimizer, "watch": watched, "scheduler": schedule}
        weights = {MODULE + name: value for name, value in self.module.state_dict().items()}
        self.keeper.write(plain, {**weights, **slots, **kept, "generator": torch.get_rng_state()})
        self.epoch = epoch


def open_saver(
    checkpoint: Checkpoint | None,
    rows: Rows,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None,
    watch: Watch,
) -> tuple[Saver | None, int]:
    """Return the saver, if there is to be one, and the epoch to start with, everything put back as it was then.

    Raises:
        StoreError: see `open_keeper`; or the checkpoint is past the last epoch asked for.
    """
    if checkpoint is None:
        return None, 0
    shapes = {name: list(value.shape) for name, value in module.state_dict().items()}
    moved = [list(part.shape) for part in optimizer.param_groups[0]["params"]]  # as one, or many: see recorder.as_one
    about = {**checkpoint.about, "numbers moved together": moved}
    keeper, plain, tensors = open_keeper(checkpoint, fingerprint(watch.descent, rows, shapes, about))
    saver = Saver(keeper, module, optimizer, scheduler, watch)
    if not plain:
        if checkpoint.resume and watch.observer is not None:
            watch.observer.note(f"no checkpoint in {checkpoint.folder} yet: starting at epoch 0")
        return saver, 0
    saver.epoch = plain["epoch"]
    if saver.epoch > watch.descent.epochs:
        raise StoreError(
            f"the checkpoint in {checkpoint.folder} is at epoch {saver.epoch}, past the {watch.descent.epochs} asked "
            f"for; ask for more epochs."
        )
    weights = {name.removeprefix(MODULE): value for name, value in tensors.items() if name.startswith(MODULE)}
    module.load_state_dict(weights)
    unpack_optimizer(optimizer, plain["optimizer"], tensors)
    if scheduler is not None:
        scheduler.load_state_dict(plain["scheduler"])
    watch.restore(plain["watch"], tensors, saver.epoch)
    watch.epoch = saver.epoch
    torch.set_rng_state(tensors["generator"])
    return saver, saver.epoch
