"""Files are written beside their place and renamed into it, so that nobody ever meets half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slopewise.errors import StoreError


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Return where a file named `path` will lie, links followed.

    Raises:
        StoreError: the folder is missing or closed, or something other than a file has that name.
    """
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise StoreError(f"{path} cannot be written: there is no folder {place.parent}; make it first.")
    if place.exists() and not place.is_file():
        raise StoreError(f"{path} cannot be written: it is not a file; give a file name.")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise StoreError(f"{path} cannot be written: no permission in {place.parent}; choose another folder.")
    return place


@contextmanager
def atomic_replace(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path to write to, which becomes `path` if the block ends well and vanishes if not.

    Raises:
        StoreError: the file cannot be written; what lay at `path` before is untouched.
    """
    place = check_writable(path)
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        yield beside
        with open(beside, "rb") as module_source:
            os.fsync(module_source.fileno())
        os.replace(beside, place)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{path} could not be written: {error.strerror or error}. Nothing was left behind; "
            f"make room or choose another place."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
