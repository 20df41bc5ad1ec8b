"""`slopewise show`."""

from __future__ import annotations

from slopewise.cli.options import AsJson, Saved
from slopewise.cli.printing import findings_of, print_result


def show(file: Saved, json: AsJson = False) -> None:
    """Print the summary of a saved fit."""
    from slopewise import api

    found = api.load(file)
    print_result(found.to_json() if json else "\n".join([found.summary(), *findings_of(found)]))
