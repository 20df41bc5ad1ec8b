"""Atomic file replacement: a temporary file beside the target, renamed to it once complete."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slopewise.errors import StoreError

LONGEST = 255
"""Bytes of a file's name, where the system does not say."""


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Return the resolved path of a file to be written, symbolic links followed.

    Args:
        path: of the file; it need not exist.

    Raises:
        StoreError: the folder is missing or not writable, the name is too long, or what has it is no file.
    """
    try:
        target = Path(os.path.realpath(path))
    except ValueError as error:
        raise StoreError(f"{path!r} cannot be written: it is no path ({error}); give another name.") from error
    if not target.parent.is_dir():
        raise StoreError(f"{path} cannot be written: there is no folder {target.parent}; make it first.")
    longest = os.pathconf(target.parent, "PC_NAME_MAX") if hasattr(os, "pathconf") else LONGEST
    if len(os.fsencode(target.name)) > longest:
        raise StoreError(f"{path} cannot be written: the name has more than {longest} bytes; give a shorter one.")
    if target.exists() and not target.is_file():
        raise StoreError(f"{path} cannot be written: it is not a file; give a file name.")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise StoreError(f"{path} cannot be written: no permission in {target.parent}; choose another folder.")
    return target


TEMPORARY = ".slopewise-"
"""How the name of a temporary file begins."""


@contextmanager
def atomic_replace(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to, renamed to `path` where the block succeeds and deleted where it does not.

    Its name is drawn anew each time, so that two writers of one file never meet; the mode of a file replaced is kept.

    Args:
        path: of the file to write.

    Raises:
        StoreError: the file cannot be written; a file that was at `path` before is unchanged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_replace(f"{folder}/notes.txt") as temporary:
    ...         _ = temporary.write_text("complete")
    ...     Path(folder, "notes.txt").read_text()
    'complete'
    """
    target = check_writable(path)
    temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(8)}.part")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{path} could not be written: {error.strerror or error}. Nothing was left behind; "
            f"free some space or choose another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
