"""A module of the user's own in a script: torch's layers by their arguments, other classes by their source."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
from torch import nn

from slopewise.errors import OptionError
from slopewise.models.torch_module import describe
from slopewise.results.export.script import MOST_INLINE


@dataclass(slots=True)
class ModuleSource:
    """What comes before by its name, each once, and the expression that builds the module.

    imports: where a name comes from, `(torch.nn, functional)` for F, no place for a module as it is. classes: sources.
    """

    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    made: str = ""

    @property
    def lines(self) -> list[str]:
        """The imports as lines."""
        by_home: dict[str, list[str]] = {}
        for name, (home, own) in self.imports.items():
            by_home.setdefault(home, []).append(own if own == name else f"{own} as {name}")
        plain = [f"import {each}" for each in sorted(by_home.pop("", []))]
        return plain + [f"from {home} import {', '.join(sorted(by_home[home]))}" for home in sorted(by_home)]


def module_source(module: nn.Module, q: int) -> ModuleSource:
    """Return how a script builds a module whose answers are (n, k).

    Args:
        module: as it was trained; a single output may come as (n,).
        q: columns of x.

    Raises:
        OptionError: a part of it is frozen or keeps running numbers; it has more parameters than are written out; a
            class of the user's own whose source is not to be had, that takes arguments, or that needs other code.
    """
    parameters = list(module.parameters())
    if not all(part.requires_grad for part in parameters):
        raise OptionError("the module has frozen parameters, whose values a script cannot know; save the fit.")
    if any(part.is_floating_point() for part in module.buffers()):
        raise OptionError("the module keeps running numbers, whose start a script cannot know; save the fit.")
    if sum(part.numel() for part in parameters) > MOST_INLINE:
        raise OptionError(
            f"the module starts from numbers of its own, and these are too many to write out ({MOST_INLINE} at most); "
            "say the sizes of its layers (hidden), whose start a script draws again."
        )
    found = ModuleSource()
    # what brings a single output (n, 1) to the (n,) of the losses here stands in the way of those of torch
    own = module[0] if isinstance(module, nn.Sequential) and len(module) == 2 and _is_flat(module[1]) else module
    with torch.no_grad():
        single = own.eval()(torch.zeros(3, q, dtype=parameters[0].dtype)).dim() == 1
    found.made = _built(nn.Sequential(own, nn.Unflatten(0, (-1, 1))) if single else own, found)
    return found


def _is_flat(part: nn.Module) -> bool:
    return isinstance(part, nn.Flatten) and part.start_dim == 0


def _built(module: nn.Module, found: ModuleSource) -> str:
    """Return the expression that builds a module; classes and imports that it needs go into `found`."""
    kind = type(module)
    if kind is nn.Sequential:
        parts = "".join(f"{_built(part, found)},\n" for part in module.children())
        return f"torch.nn.Sequential(\n{textwrap.indent(parts, '    ')})"
    if getattr(nn, kind.__name__, None) is kind:
        return _layer(module)
    if kind.__name__ not in found.classes:
        found.classes[kind.__name__] = _source(kind, found)
    try:
        fresh = kind()
    except TypeError as error:
        raise OptionError(
            f"the class {kind.__name__} takes arguments, which a script cannot know; give each of them a default."
        ) from error
    if describe(fresh) != describe(module):
        raise OptionError(
            f"{kind.__name__}() is not the module that was fitted: its layers differ; give its arguments the defaults "
            "that they were given."
        )
    return f"{kind.__name__}()"


def _layer(module: nn.Module) -> str:
    """Return a layer of torch by its arguments, which it tells itself."""
    said = module.extra_repr()
    quoted = said if '"' in said else said.replace("'", '"')
    text = f"torch.nn.{type(module).__name__}({quoted})"
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    try:
        arguments = [ast.literal_eval(argument) for argument in call.args]
        named: dict[str, Any] = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        fresh = type(module)(*arguments, **named)
    except (TypeError, ValueError) as error:
        raise OptionError(f"a script cannot build {text}: {error}; put it into a class of your own.") from error
    if describe(fresh) != describe(module):
        raise OptionError(f"a script cannot build {text}: it does not tell all its arguments; put it into a class.")
    return text


def _source(kind: type, found: ModuleSource) -> str:
    """Return the source of a class; what it names from outside is imported, where it comes from torch or a module."""
    try:
        text = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError) as error:
        raise OptionError(
            f"the source of {kind.__name__} is not to be had; write the class into a file, and a script can show it."
        ) from error
    around = vars(sys.modules[kind.__module__])
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    for name in sorted(names & around.keys() - vars(builtins).keys() - {kind.__name__, "torch"}):
        found.imports[name] = _import(name, around[name], kind)
    return text


def _import(name: str, value: object, kind: type) -> tuple[str, str]:
    """Return where a name comes from, and what it is called there."""
    if isinstance(value, ModuleType):
        path, _, last = value.__name__.rpartition(".")
        return path, last
    home, own = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not (isinstance(home, str) and isinstance(own, str)) or home == kind.__module__ or "." in own:
        raise OptionError(
            f"{kind.__name__} uses {name!r}, which stands beside it in your code and not in a script; move it into "
            "the class."
        )
    return home, own
