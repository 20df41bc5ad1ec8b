"""The header of a saved fit, read without its tensors: enough to show it, and light to import."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, BinaryIO

from slopewise.errors import StoreError

ENTRY = "slopewise-fit"
FLOAT = "$float"
"""Marks a float that JSON does not have: {"$float": "nan"}."""
FORMAT = 2
"""Raised whenever a file could no longer be read by the slopewise before."""

CHECKSUM = "sha256"
"""Of the whole file, its own digits there taken as zeros; files of the first versions have none."""
NO_DIGEST = "0" * 64

KNOWN = {"format", "slopewise", CHECKSUM, "record", "result", "display"}

UNFIT = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError, RuntimeError)
"""What a value that does not fit raises, RecursionError included: in a check, or in the class that is made of it."""

LARGEST_HEADER = 100_000_000
"""Bytes; safetensors' own limit."""


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the fit's own part of the header, before any tensor is read: a foreign file may be huge.

    Raises:
        StoreError: the file is missing, cut short, not a safetensors file, not a fit, or made by another slopewise.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 9:
                raise damaged(path)
            if length > LARGEST_HEADER or file.read(1) != b"{":
                raise StoreError(f"{path} is not a safetensors file; give one that slopewise saved.")
            if size < 8 + length:
                raise damaged(path)
            file.seek(8)
            text = file.read(length)
            header = _parsed(path, text)
            if CHECKSUM in header:
                start = length.to_bytes(8, "little") + text
                if header[CHECKSUM] != digest(start, header[CHECKSUM], file):
                    raise damaged(path)
            return header
    except StoreError:
        raise
    except FileNotFoundError as error:
        raise StoreError(f"there is no file {path}; check the name, or save a fit there first.") from error
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; check what it is."
        ) from error


def digest(start: bytes, known: object, rest: BinaryIO) -> str:
    """Return the checksum of a file.

    Args:
        start: its first bytes, up to the end of the header.
        known: the digits that stand in them, which count as zeros.
        rest: the bytes of the tensors, still to be read.
    """
    found = hashlib.sha256(start.replace(str(known).encode(errors="replace"), NO_DIGEST.encode(), 1))
    while block := rest.read(1 << 20):
        found.update(block)
    return found.hexdigest()


def _parsed(path: str | os.PathLike[str], text: bytes) -> dict[str, Any]:
    try:
        metadata = json.loads(text).get("__metadata__", {})
        header = json.loads(metadata[ENTRY], parse_constant=_refuse) if ENTRY in metadata else None
        version = None if header is None else int(header["format"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise damaged(path) from error
    if header is None or version is None:
        raise StoreError(f"{path} is a safetensors file, but not a fit; give one that slopewise saved.")
    if version != FORMAT:
        from slopewise import __version__

        made = f"{path} was made by slopewise {header.get('slopewise', 'of another day')} in format {version}"
        what = f"reads format {FORMAT}: upgrade slopewise" if version > FORMAT else f"reads format {FORMAT}: fit again"
        raise StoreError(f"{made}; this is slopewise {__version__}, which {what}.")
    if header.keys() - KNOWN:
        raise damaged(path)
    return dict(header)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} stands in the header, where a float that JSON does not have is an object")


def shown_in(path: str | os.PathLike[str], header: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the summary shows of a fit, numbers as they are, and its JSON values.

    Raises:
        StoreError: the header does not hold them.
    """
    try:
        shown, result = restored(header.get("display")), header.get("result")
    except UNFIT as error:
        raise damaged(path) from error
    if not (isinstance(shown, dict) and isinstance(result, dict) and "display" in shown):
        raise damaged(path)
    return shown, result


def restored(stored: Any) -> Any:
    """Return plain values as they were before JSON, which has neither NaN nor infinities; lists as tuples."""
    if isinstance(stored, dict):
        if set(stored) == {FLOAT}:
            return float(stored[FLOAT])
        return {key: restored(item) for key, item in stored.items()}
    return tuple(restored(item) for item in stored) if isinstance(stored, list) else stored


def damaged(path: str | os.PathLike[str]) -> StoreError:
    """Return the error of a file that is not whole."""
    return StoreError(f"{path} is cut short or damaged; copy it again, or fit again and save.")
