"""A fit in one safetensors file: numbers as tensors, everything else as one JSON text in the header.

The header's entry `slopewise-fit` holds the record (codec.py), and what is shown of the fit for whoever reads the file
without slopewise. Loading reads numbers and names only: there is no code in the file that could run.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from slopewise.atomic_file import atomic_replace
from slopewise.errors import DataError, StoreError
from slopewise.models.mlp import MLP
from slopewise.models.torch_module import Module, describe
from slopewise.results.export.data_origin import origin_of
from slopewise.results.fitted import Fitted
from slopewise.results.record import LISTED, FitRecord
from slopewise.results.report.to_dict import described, to_dict
from slopewise.results.storage.check_record import check_record
from slopewise.results.storage.codec import KIND, pack, unpack
from slopewise.results.storage.header import CHECKSUM, ENTRY, FORMAT, NO_DIGEST, UNFIT, damaged, digest, read_header
from slopewise.results.storage.kinds import KINDS, given_module
from slopewise.solution import DescentRecord

if TYPE_CHECKING:
    from torch import nn

STATE = "module."


def save(fit: Fitted[Any], path: str | os.PathLike[str]) -> None:
    """Write a fit to `path`, beside it first and renamed when complete. The same fit gives the same bytes.

    Of a network of more than 100 parameters only the state kept is written, not those of the epochs before it.

    Raises:
        StoreError: the file cannot be written; what lay there before is untouched.
    """
    from slopewise import __version__

    shown = described(fit)
    record = replace(
        fit.record,
        train=fit.train,
        test=fit.test,
        validation=fit.validation,
        origin=origin_of(fit.record, fit.data),
        solution=replace(fit.record.solution, descent=_slim(fit.record), model=None),
    )
    module = record.model if isinstance(record.model, Module) else None
    if module is not None:
        record = replace(record, model=MLP(1, (), 1))
    stored, tensors = pack(record)
    if module is not None:
        stored["model"] = {KIND: "Module", "outputs": module.outputs, "module": describe(module.inner)}
        tensors |= {STATE + name: value for name, value in module.inner.state_dict().items()}
    display, _ = pack(shown)
    header = {
        "format": FORMAT,
        "slopewise": __version__,
        CHECKSUM: NO_DIGEST,
        "record": stored,
        "result": to_dict(fit),
        "display": display,
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    data = save_tensors({name: value.clone().contiguous() for name, value in tensors.items()}, {ENTRY: text})
    with atomic_replace(path) as beside:
        beside.write_bytes(_with_checksum(data))


def _with_checksum(data: bytes) -> bytes:
    """Return the bytes of a file with its checksum in the place of the zeros."""
    length = 8 + int.from_bytes(data[:8], "little")
    found = digest(data[:length], NO_DIGEST, io.BytesIO(data[length:]))
    return data[:length].replace(NO_DIGEST.encode(), found.encode(), 1) + data[length:]


def _slim(record: FitRecord) -> DescentRecord | None:
    """Return the descent without the states of a large network's epochs, for which an empty tensor stands."""
    descent = record.descent
    if descent is None or record.is_solved:
        return descent
    if descent.history.parameters.shape[1] <= LISTED and descent.has_states:
        return descent
    nothing = torch.empty(0, dtype=torch.float64)
    return replace(descent, history=replace(descent.history, parameters=nothing, gradient=nothing))


def load_record(path: str | os.PathLike[str], module: nn.Module | None = None) -> FitRecord:
    """Return the record of the fit saved at `path`.

    Args:
        path: of the file.
        module: the user's own nn.Module, where the fit is of one: its code is not in the file; it is copied, and the
            copy gets the saved numbers.

    Raises:
        StoreError: the file is missing, cut short, not a safetensors file, not a fit, made by another slopewise, or
            its parts do not belong together; the fit is of the user's own module, and none, or another one, is given.
    """
    header = read_header(path)
    try:
        with open(path, "rb") as file:
            tensors = load_tensors(file.read())
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}; check what it is.") from error
    except SafetensorError as error:
        raise damaged(path) from error
    try:
        return _record(header["record"], tensors, module)
    except DataError as error:
        raise StoreError(str(error)) from error
    except UNFIT as error:
        what = f"there is no {error.args[0]}" if isinstance(error, KeyError) else error
        raise StoreError(
            f"{path} is a slopewise fit whose parts do not belong together: {what}; fit again and save."
        ) from error


def _record(stored: dict[str, Any], tensors: dict[str, Tensor], module: nn.Module | None) -> FitRecord:
    own = None
    if stored["model"].get(KIND) == "Module":
        own, stored = stored["model"], {**stored, "model": pack(MLP(1, (), 1))[0]}
    record: FitRecord = unpack(FitRecord, stored, tensors, KINDS)
    if own is not None:
        state = {key.removeprefix(STATE): value for key, value in tensors.items() if key.startswith(STATE)}
        single = record.descent is not None and record.descent.plan.dtype == "float32"
        dtype = torch.float32 if single else torch.float64
        record = replace(record, model=given_module(own, state, module, len(record.design.x_names), dtype))
    record = _with_states(record)
    check_record(record)
    return record


def _with_states(record: FitRecord) -> FitRecord:
    """Return the record with NaN for the states that were not stored."""
    descent = record.descent
    if descent is None or descent.history.parameters.dim() == 2:
        return record
    unknown = torch.full((1, 1), torch.nan, dtype=torch.float64).expand(len(descent.history.epoch), len(record.theta))
    history = replace(descent.history, parameters=unknown, gradient=unknown)
    return replace(record, solution=replace(record.solution, descent=replace(descent, history=history)))
