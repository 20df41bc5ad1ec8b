"""State of the training loop that a checkpoint stores, and how a resumed loop restores it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from slopewise.errors import StoreError
from slopewise.training.descent.checkpoint import (
    Checkpoint,
    CheckpointFile,
    fingerprint,
    open_checkpoint_file,
    pack_optimizer,
    unpack_optimizer,
)
from slopewise.training.descent.monitor import Monitor
from slopewise.training.descent.rows import DescentRows

MODULE = "module."


@dataclass(slots=True)
class CheckpointWriter:
    """Collects module, optimizer, scheduler and monitor state, and writes it. epoch: of the last checkpoint written."""

    checkpoint_file: CheckpointFile
    module: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler | None
    monitor: Monitor
    epoch: int = 0

    def wants(self, epoch: int) -> bool:
        """Return whether the state in which epoch `epoch` will start is to be saved: one is due, or training ends."""
        return self.checkpoint_file.due or epoch == self.monitor.plan.epochs

    @property
    def folder(self) -> Path:
        """The folder of the checkpoint."""
        return self.checkpoint_file.checkpoint.folder

    def save(self, epoch: int) -> None:
        """Write the state in which epoch `epoch` will start."""
        optimizer, slots = pack_optimizer(self.optimizer)
        monitor, kept = self.monitor.state()
        schedule = {} if self.scheduler is None else self.scheduler.state_dict()
        plain = {"epoch": epoch, "optimizer": optimizer, "watch": monitor, "scheduler": schedule}
        weights = {MODULE + name: value for name, value in self.module.state_dict().items()}
        self.checkpoint_file.write(plain, {**weights, **slots, **kept, "generator": torch.get_rng_state()})
        self.epoch = epoch


def open_checkpoint_writer(
    checkpoint: Checkpoint | None,
    rows: DescentRows,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None,
    monitor: Monitor,
) -> tuple[CheckpointWriter | None, int]:
    """Return the checkpoint writer, None without a checkpoint, and the epoch to start with.

    When resuming, the states of module, optimizer, scheduler, monitor and torch's generator are restored.

    Args:
        checkpoint: folder and settings, or None.
        rows: x (n, q), y (n,) and w (n,) or None, for the fingerprint of the problem.
        module: being trained.
        optimizer: of its parameters.
        scheduler: of the learning rate, or None.
        monitor: of this descent.

    Raises:
        StoreError: see `open_checkpoint_file`; or the checkpoint is past the last epoch asked for.
    """
    if checkpoint is None:
        return None, 0
    shapes = {name: list(value.shape) for name, value in module.state_dict().items()}
    moved = [list(part.shape) for part in optimizer.param_groups[0]["params"]]  # one tensor or several: history.as_one
    about = {**checkpoint.about, "numbers moved together": moved}
    checkpoint_file, plain, tensors = open_checkpoint_file(
        checkpoint, fingerprint(monitor.plan, rows.digest(), shapes, about)
    )
    writer = CheckpointWriter(checkpoint_file, module, optimizer, scheduler, monitor)
    if not plain:
        if checkpoint.resume and monitor.callback is not None:
            monitor.callback.note(f"no checkpoint in {checkpoint.folder} yet: starting at epoch 0")
        return writer, 0
    writer.epoch = plain["epoch"]
    if writer.epoch > monitor.plan.epochs:
        raise StoreError(
            f"the checkpoint in {checkpoint.folder} is at epoch {writer.epoch}, past the {monitor.plan.epochs} asked "
            f"for; ask for more epochs."
        )
    weights = {name.removeprefix(MODULE): value for name, value in tensors.items() if name.startswith(MODULE)}
    module.load_state_dict(weights)
    unpack_optimizer(optimizer, plain["optimizer"], tensors)
    if scheduler is not None:
        scheduler.load_state_dict(plain["scheduler"])
    monitor.restore(plain["watch"], tensors, writer.epoch)
    monitor.epoch = writer.epoch
    torch.set_rng_state(tensors["generator"])
    return writer, writer.epoch
