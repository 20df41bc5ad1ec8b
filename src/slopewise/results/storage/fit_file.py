"""A fit in one safetensors file: numbers as tensors, everything else as one JSON text in the header.

The header's entry `slopewise-fit` holds the design, the road and the results for whoever reads the file without
slopewise. Loading reads numbers and names only: there is no code in the file that could run.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, BinaryIO

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from slopewise.atomic_file import atomic_replace
from slopewise.errors import StoreError
from slopewise.results.storage.kinds import pack_any, unpack_any
from slopewise.results.storage.linear import FORMAT

if TYPE_CHECKING:
    from slopewise.results.fitted import Fitted

ENTRY = "slopewise-fit"
LARGEST_HEADER = 100_000_000
"""Bytes; safetensors' own limit."""


def save(fit: Fitted[Any], path: str | os.PathLike[str]) -> None:
    """Write a fit to `path`, beside it first and renamed when complete. The same fit gives the same bytes.

    Raises:
        StoreError: the file cannot be written; what lay there before is untouched.
    """
    header, tensors = pack_any(fit)
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    data = save_tensors({name: value.clone().contiguous() for name, value in tensors.items()}, {ENTRY: text})
    with atomic_replace(path) as beside:
        beside.write_bytes(data)


def load(path: str | os.PathLike[str], module: Any = None) -> Fitted[Any]:
    """Return the fit saved at `path`, of whatever kind it is.

    Args:
        path: of the file.
        module: the user's own nn.Module, where the fit is of one: its code is not in the file.

    Raises:
        StoreError: the file is missing, cut short, not a safetensors file, not a fit, made by a newer slopewise, or
            its parts do not belong together.
    """
    try:
        with open(path, "rb") as file:
            header = _read_header(path, file)
            file.seek(0)
            tensors = load_tensors(file.read())
    except StoreError:
        raise
    except FileNotFoundError as error:
        raise StoreError(f"there is no file {path}; check the name, or save a fit there first.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}; check what it is.") from error
    except SafetensorError as error:
        raise _damaged(path) from error
    try:
        return unpack_any(header, tensors, module)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"there is no {error}" if isinstance(error, KeyError) else error
        raise StoreError(
            f"{path} is a slopewise fit whose parts do not belong together: {what}; fit again and save."
        ) from error


def _read_header(path: str | os.PathLike[str], file: BinaryIO) -> dict[str, Any]:
    """Return the fit's own part of the header, before any tensor is read: a foreign file may be huge."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 9:
        raise _damaged(path)
    if length > LARGEST_HEADER or file.read(1) != b"{":
        raise StoreError(f"{path} is not a safetensors file; give one that slopewise saved.")
    if size < 8 + length:
        raise _damaged(path)
    file.seek(8)
    try:
        entries = json.loads(file.read(length))
        metadata = entries.get("__metadata__", {})
        header = json.loads(metadata[ENTRY]) if ENTRY in metadata else None
        version = None if header is None else int(header["format"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path) from error
    if header is None or version is None:
        raise StoreError(f"{path} is a safetensors file, but not a fit; give one that slopewise saved.")
    if version > FORMAT:
        from slopewise import __version__

        raise StoreError(
            f"{path} was made by slopewise {header.get('slopewise', 'of a later day')} in format {version}; this is "
            f"slopewise {__version__}, which reads up to format {FORMAT}: upgrade slopewise."
        )
    return dict(header)


def _damaged(path: str | os.PathLike[str]) -> StoreError:
    return StoreError(f"{path} is cut short or damaged; copy it again, or fit again and save.")
