"""Output of the commands: results to stdout, status messages to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from slopewise.wording import visible

if TYPE_CHECKING:
    from slopewise.api import Fit


def print_result(text: str) -> None:
    """Print a result, control characters escaped.

    Flushed at once, so that a closed pipe or a full disk raises here, where the error is handled, and not when the
    interpreter exits.
    """
    print(visible(text), flush=True)


def findings_of(fit: Fit[Any]) -> list[str]:
    """Return the findings on a fit as lines to print after its summary, none where there are none."""
    from slopewise.doctor.finding import finding_from, lines

    text = lines([finding_from(finding) for finding in fit.findings])
    return ["", *text] if text else []


def print_status(text: str) -> None:
    """Print a status message to stderr, control characters escaped."""
    print(f"slopewise: {visible(text)}", file=sys.stderr, flush=True)


def close_stdout() -> None:
    """Redirect stdout to the null device, so that closing it cannot fail a second time."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_device, sys.stdout.fileno())
    os.close(null_device)
