"""A fit as a plain PyTorch script: the five stages, the same numbers, and nothing else to install."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from slopewise.errors import check_choice
from slopewise.results.export.data_stage import rows_text, units_text
from slopewise.results.export.likelihood_stages import likelihood_text
from slopewise.results.export.model_stage import answer, loss, model, solved
from slopewise.results.export.script import CsvRows, InlineRows, Script, check_script
from slopewise.results.export.training_stage import optimizer, training

__all__ = ["STYLES", "CsvRows", "InlineRows", "Script", "code", "joined", "opening"]

STYLES = ("plain", "class")

TITLES = {
    "exact": "A linear model solved exactly",
    "gd": "A linear model trained by gradient descent",
    "newton": "Classes by their likelihood, with Newton's method",
    "lbfgs": "Classes by their likelihood, with L-BFGS",
    "firth": "Two classes by their likelihood, with Firth's penalty",
    "coordinate_descent": "A model with coefficients that are exactly 0",
}


def code(script: Script, style: str = "plain") -> str:
    """Return the script as text.

    Args:
        script: what was fitted, and how.
        style: `plain`, with tensors W and b, or `class`, with an nn.Module around nn.Linear.

    Raises:
        OptionError: the style is not known, or `check_script` finds the script impossible.
    """
    as_class = check_choice("style", style, STYLES) == "class"
    check_script(script)
    return joined(_parts(script, as_class))


def joined(yielded: Iterable[str]) -> str:
    """Return the parts of a script as one text, functions and classes set apart."""
    parts = [part.strip("\n") for part in yielded]
    behind = [_gap(here, there) for here, there in zip(parts, parts[1:], strict=False)]
    return "".join(part + gap for part, gap in zip(parts, [*behind, "\n"], strict=True))


def _parts(script: Script, as_class: bool) -> Iterator[str]:
    """Yield the parts of the script in order; a function or class is a part of its own."""
    yield from opening(script, TITLES[script.solver or ("gd" if script.plan else "exact")])
    if script.standardized or not script.single:
        yield "torch.set_default_dtype(torch.float64)"
    yield from rows_text(script)
    yield from units_text(script)
    if script.solver:
        yield from likelihood_text(script, as_class)
        return
    yield from model(script, as_class)
    yield from loss(script, as_class)
    if script.plan is None:
        yield solved(script, as_class)
    else:
        yield optimizer(script, script.plan, as_class)
        yield from training(script, script.plan)
    yield answer(script, as_class)


def opening(script: Script, title: str, more: Sequence[str] = ()) -> Iterator[str]:
    """Yield what a script begins with: its title, and the modules that it needs; more: lines that import others."""
    yield f'"""{title}, in plain PyTorch."""'
    modules = [line for line in more if line.split()[1].split(".")[0] in sys.stdlib_module_names]
    own = list(modules)
    if isinstance(script.rows, CsvRows):
        modules += ["import csv", *["import gzip"] * script.rows.path.endswith(".gz")]
    modules += ["import hashlib"] * (script.plan is not None and script.plan.batch_size is not None)
    if isinstance(script.rows, CsvRows) and (script.rows.split.test_size or script.rows.split.validation_size):
        modules.append("from math import floor")
    for lines in (modules, ["import torch", *(line for line in more if line not in own)]):
        if lines:
            yield "\n".join(sorted(set(lines), key=lambda line: (line.startswith("from"), line)))


def _gap(here: str, there: str) -> str:
    return "\n\n\n" if _defines(here) or _defines(there) else "\n\n"


def _defines(part: str) -> bool:
    """Return whether a part is a function or class, a comment above it aside."""
    first = next((line for line in part.split("\n") if not line.startswith("#")), "")
    return first.startswith(("def ", "class "))
