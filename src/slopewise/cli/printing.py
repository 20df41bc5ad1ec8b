"""Where words go: results to stdout, everything about the run to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slopewise.api import Fitted


def print_result(text: str) -> None:
    """Print a result.

    Flushed at once: a reader that has gone or a full disk must show up here, where it can be
    answered, and not when the interpreter closes.
    """
    print(text, flush=True)


def findings_of(fit: Fitted[Any]) -> list[str]:
    """Return the findings on a fit as lines to print after its summary, none where there are none."""
    from slopewise.doctor.finding import finding_from, lines

    found = lines([finding_from(finding) for finding in fit.findings])
    return ["", *found] if found else []


def print_status(text: str) -> None:
    """Print a word about the run."""
    print(f"slopewise: {text}", file=sys.stderr, flush=True)


def close_stdout() -> None:
    """Point stdout at nothing, so that closing it cannot fail a second time."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
