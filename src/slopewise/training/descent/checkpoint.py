"""Checkpoints of gradient descent: a resumed run ends bitwise equal to one that was never interrupted.

One safetensors file, numbers as tensors and the rest as JSON in its header; no pickle. It is written under a temporary
name and renamed, so that the previous one stays until the new one is complete. The shuffle of an epoch depends
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

from slopewise.atomic_file import TEMPORARY, atomic_replace
from slopewise.errors import StoreError
from slopewise.optimizers.plan import DescentPlan
from slopewise.training.descent.minibatches import Arrays

FORMAT = 2
"""Version of the file. Since 2 an optimizer may hold all parameters as one tensor, and its state too."""

ENTRY = "slopewise-checkpoint"
FILE = "checkpoint.safetensors"

HASHED = 100_000_000
"""Bytes of x that the fingerprint hashes: of more, evenly spaced rows. y and w are hashed whole."""

SHARE = 10
"""A checkpoint is not written again before this many times as long as writing it took."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a descent saves its state, and whether it resumes from there.

    about: what else identifies the problem (column names, penalty, split), compared as text.
    every: seconds between two checkpoints, at least.
    """

    folder: Path
    resume: bool = False
    every: float = 10.0
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class CheckpointFile:
    """Writes checkpoints when they are due.

    problem: the fingerprint, stored in the header. took: seconds that the last write took. last_write: when it was, on
    the monotonic clock.
    """

    checkpoint: Checkpoint
    problem: dict[str, str]
    took: float = 0.0
    last_write: float = field(default_factory=monotonic)

    @property
    def due(self) -> bool:
        """Whether the next checkpoint is due."""
        return monotonic() - self.last_write >= max(self.checkpoint.every, SHARE * self.took)

    def write(self, plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Write the state.

        Raises:
            StoreError: it cannot be written; the previous one is untouched.
        """
        started = monotonic()
        header = json.dumps({"format": FORMAT, "problem": self.problem, **plain})
        data = save_tensors({name: value.detach().clone() for name, value in tensors.items()}, {ENTRY: header})
        with atomic_replace(self.checkpoint.folder / FILE) as beside:
            beside.write_bytes(data)
        self.last_write = monotonic()
        self.took = self.last_write - started


def open_checkpoint_file(
    checkpoint: Checkpoint, problem: dict[str, str]
) -> tuple[CheckpointFile, dict[str, Any], dict[str, Tensor]]:
    """Return the checkpoint file of a folder and the state to resume: plain values and tensors, empty for a new run.

    Args:
        checkpoint: folder, and whether to resume.
        problem: the fingerprint, see `fingerprint`.

    Raises:
        StoreError: no folder to resume from; a checkpoint that would be overwritten; a checkpoint of another problem,
            damaged, or of another format.
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
    for left in folder.glob(f"{TEMPORARY}*.part"):  # left by a process killed while writing
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
            f"{path} is truncated, damaged or not a checkpoint; copy it again, or remove it and start a new run."
        ) from error
    if version > FORMAT:
        raise StoreError(
            f"{path} was written in format {version} by a newer slopewise; this one reads format {FORMAT}: upgrade it."
        )
    if version < FORMAT:
        raise StoreError(
            f"{path} was written in format {version} by an older slopewise, and this one resumes format {FORMAT} only; "
            "finish it with that version, or start a new run in another folder."
        )
    return plain, tensors


def _check_same(path: Path, stored: Mapping[str, str], problem: Mapping[str, str]) -> None:
    for name in [*problem, *stored]:
        if stored.get(name) != problem.get(name):
            before, now = stored.get(name, "nothing"), problem.get(name, "nothing")
            what = "other rows" if name == "rows" else f"{name} {before} where this run has {now}"
            raise StoreError(
                f"{path} belongs to another problem: {what}; resume with the same settings and table, or choose "
                f"another folder."
            )


def fingerprint(
    plan: DescentPlan, digest: str, shapes: Mapping[str, object], about: Mapping[str, object]
) -> dict[str, str]:
    """Return what must be the same for a descent to go on: everything but the number of epochs, as texts.

    Args:
        plan: of the descent.
        digest: a text that other rows do not have.
        shapes: of the module's tensors, by name.
        about: what else must be the same.
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
    """Load a state of `pack_optimizer` into a new optimizer made from the same plan.

    Args:
        optimizer: the new one.
        plain: its learning rates and other plain values.
        tensors: those named optimizer.index.name are used.
    """
    fresh = optimizer.state_dict()
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in plain["state"].items()}
    for name, value in tensors.items():
        prefix, _, rest = name.partition(".")
        if prefix == "optimizer":
            index, _, entry = rest.partition(".")
            state[int(index)][entry] = value
    for group, lr, first in zip(fresh["param_groups"], plain["lr"], plain["initial_lr"], strict=True):
        group["lr"] = lr
        if first is not None:
            group["initial_lr"] = first
    optimizer.load_state_dict({"state": state, "param_groups": fresh["param_groups"]})
