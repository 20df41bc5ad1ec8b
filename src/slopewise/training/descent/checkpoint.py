"""A descent between two epochs, on disk: killed at any moment and resumed, it ends as if never killed, bit by bit.

One safetensors file, numbers as tensors and the rest as JSON in its header; no pickle. It is written beside its
place and renamed into it, so that the one before stays until the new one is complete. The shuffle of an epoch depends
on the seed and the epoch alone, so there is no order of rows to save.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from slopewise.atomic_file import atomic_replace
from slopewise.errors import StoreError
from slopewise.optimizers.plan import DescentPlan
from slopewise.training.descent.minibatches import Arrays

FORMAT = 2
"""Since 2 an optimizer may hold all parameters as one, and so what it remembers of them."""

ENTRY = "slopewise-checkpoint"
FILE = "checkpoint.safetensors"

HASHED = 100_000_000
"""Bytes of x that the fingerprint reads: of more, evenly spaced rows are taken. y and w are read whole."""

SHARE = 10
"""A checkpoint is not written again before this many times as long as writing it took."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a descent is kept, and whether it goes on from there.

    about: whatever else makes this problem the one it is (column names, penalty, split), compared as text.
    every: seconds between two checkpoints, at least.
    """

    folder: Path
    resume: bool = False
    every: float = 10.0
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class CheckpointFile:
    """Writes checkpoints when they are due. problem: the fingerprint, in every header."""

    checkpoint: Checkpoint
    problem: dict[str, str]
    took: float = 0.0
    module_source: float = field(default_factory=monotonic)

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return monotonic() - self.module_source >= max(self.checkpoint.every, SHARE * self.took)

    def write(self, plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Write the state.

        Raises:
            StoreError: it cannot be written; the one before is untouched.
        """
        started = monotonic()
        header = json.dumps({"format": FORMAT, "problem": self.problem, **plain})
        data = save_tensors({name: value.detach().clone() for name, value in tensors.items()}, {ENTRY: header})
        with atomic_replace(self.checkpoint.folder / FILE) as beside:
            beside.write_bytes(data)
        self.module_source = monotonic()
        self.took = self.module_source - started


def open_checkpoint_file(
    checkpoint: Checkpoint, problem: dict[str, str]
) -> tuple[CheckpointFile, dict[str, Any], dict[str, Tensor]]:
    """Return the keeper of a folder and what is to be resumed: plain values and tensors, empty for a fresh start.

    Raises:
        StoreError: nothing to resume where a folder of that name is missing; something there that would be
            overwritten; a checkpoint of another problem, damaged, or of another format.
    """
    folder, path = checkpoint.folder, checkpoint.folder / FILE
    if checkpoint.resume and not folder.is_dir():
        raise StoreError(f"there is no folder {folder} to resume from; check the name, or start without resume.")
    if not checkpoint.resume and path.exists():
        raise StoreError(f"{folder} already holds a checkpoint; resume from it, or choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {folder} cannot be made: {error.strerror}; choose another one.") from error
    for left in folder.glob(f".{FILE}.*.part"):  # by a process killed while it wrote
        left.unlink(missing_ok=True)
    checkpoint_file = CheckpointFile(checkpoint, problem)
    if not path.exists():
        return checkpoint_file, {}, {}
    plain, tensors = _read(path)
    _check_same(path, plain["problem"], problem)
    return checkpoint_file, plain, tensors


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            plain = json.loads((file.metadata() or {})[ENTRY])
            version = int(plain["format"])
            tensors = {name: file.get_tensor(name) for name in file.keys()} if version == FORMAT else {}  # noqa: SIM118
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}; check what it is.") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path} is cut short, damaged or no checkpoint; copy it again, or remove it and start anew."
        ) from error
    if version > FORMAT:
        raise StoreError(
            f"{path} was written in format {version} by a newer slopewise; this one reads format {FORMAT}: upgrade it."
        )
    if version < FORMAT:
        raise StoreError(
            f"{path} was written in format {version} by an older slopewise, and this one goes on from format {FORMAT} "
            "alone; finish it with that version, or start anew in another folder."
        )
    return plain, tensors


def _check_same(path: Path, found: Mapping[str, str], problem: Mapping[str, str]) -> None:
    for name in [*problem, *found]:
        if found.get(name) != problem.get(name):
            there, here = found.get(name, "nothing"), problem.get(name, "nothing")
            what = "other rows" if name == "rows" else f"{name} {there} where this run has {here}"
            raise StoreError(
                f"{path} belongs to another problem: {what}; resume with the same settings and table, or choose "
                f"another folder."
            )


def fingerprint(
    plan: DescentPlan, digest: str, shapes: Mapping[str, object], about: Mapping[str, object]
) -> dict[str, str]:
    """Return what must be the same for a descent to go on: everything but the number of epochs, as texts.

    digest: a text that other rows do not have.
    """
    settings = asdict(plan)
    del settings["epochs"]
    texts = {
        name: json.dumps(value, default=str) for name, value in {**settings, "parameters": shapes, **about}.items()
    }
    return {**texts, "rows": digest}


def digest_of(rows: Arrays) -> str:
    """Return a hash of rows in memory."""
    x, y, w = rows
    digest = hashlib.sha256(f"{tuple(x.shape)} {x.dtype}".encode())
    step = -(-x.nbytes // HASHED)
    for part in (x[:: max(step, 1)], y, w):
        if part is not None:
            digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()


def pack_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return an optimizer's state: learning rates and other plain values, and tensors named optimizer.index.name."""
    packed = optimizer.state_dict()
    plain: dict[str, Any] = {"state": {}, "lr": [], "initial_lr": []}
    tensors: dict[str, Tensor] = {}
    for index, values in packed["state"].items():
        plain["state"][str(index)] = {name: value for name, value in values.items() if not torch.is_tensor(value)}
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if torch.is_tensor(value)}
    for group in packed["param_groups"]:
        plain["lr"].append(group["lr"])
        plain["initial_lr"].append(group.get("initial_lr"))
    return plain, tensors


def unpack_optimizer(optimizer: torch.optim.Optimizer, plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Put a state of `pack_optimizer` into a fresh optimizer made from the same plan."""
    fresh = optimizer.state_dict()
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in plain["state"].items()}
    for name, value in tensors.items():
        room, _, rest = name.partition(".")
        if room == "optimizer":
            index, _, entry = rest.partition(".")
            state[int(index)][entry] = value
    for group, lr, first in zip(fresh["param_groups"], plain["lr"], plain["initial_lr"], strict=True):
        group["lr"] = lr
        if first is not None:
            group["initial_lr"] = first
    optimizer.load_state_dict({"state": state, "param_groups": fresh["param_groups"]})
