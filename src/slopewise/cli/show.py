"""`slopewise show`."""

from __future__ import annotations

from slopewise.cli.options import AsJson, Saved
from slopewise.cli.printing import findings_of, print_result


def show(file: Saved, json: AsJson = False) -> None:
    """Print the summary of a saved fit."""
    from slopewise import api

    saved = api.load(file)
    print_result(saved.to_json() if json else "\n".join([saved.summary(), *findings_of(saved)]))
