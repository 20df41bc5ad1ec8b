"""What all scripts share: their opening lines, and how their parts become one text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from slopewise.results.export.script import Script, docstring
from slopewise.results.record import CsvRows

STYLES = ("plain", "class")


def joined(yielded: Iterable[str]) -> str:
    """Return the parts of a script as one text, functions and classes set apart."""
    parts = [part.strip("\n") for part in yielded]
    behind = [_gap(here, there) for here, there in zip(parts, parts[1:], strict=False)]
    return "".join(part + gap for part, gap in zip(parts, [*behind, "\n"], strict=True))


def opening(script: Script, title: str, more: Sequence[str] = ()) -> Iterator[str]:
    """Yield what a script begins with: its title, and the modules that it needs.

    Args:
        script: what the script says.
        title: its first line.
        more: import statements that it needs besides.
    """
    yield docstring(f"{title}, in plain PyTorch.")
    modules = [line for line in more if line.split()[1].split(".")[0] in sys.stdlib_module_names]
    own = list(modules)
    if isinstance(script.rows, CsvRows):
        modules += ["import csv", *["import gzip"] * script.rows.path.endswith(".gz")]
    modules += ["import hashlib"] * (script.plan is not None and script.plan.batch_size is not None)
    if isinstance(script.rows, CsvRows):
        split = script.rows.split
        needed = {"floor": split.test_size or split.validation_size, "log": script.design.exposure}
        if any(needed.values()):
            modules.append("from math import " + ", ".join(name for name, wanted in needed.items() if wanted))
    for lines in (modules, ["import torch", *(line for line in more if line not in own)]):
        if lines:
            yield "\n".join(sorted(set(lines), key=lambda line: (line.startswith("from"), line)))


def _gap(here: str, there: str) -> str:
    return "\n\n\n" if _defines(here) or _defines(there) else "\n\n"


def _defines(part: str) -> bool:
    """Return whether a part is a function or class, a comment above it aside."""
    first = next((line for line in part.split("\n") if not line.startswith("#")), "")
    return first.startswith(("def ", "class "))
