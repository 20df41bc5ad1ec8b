"""Reads the docstrings of functions from source, and tells what test_docstrings.py finds lacking in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "slopewise"
MANY = 3
FIT = ("Fit", "Fitted")
KERNEL = ["batch", "operands"]
NOTHING = ("None", "NoReturn", "Iterator[None]")
REQUIREMENTS = ("training/requirements",)

Node = ast.FunctionDef | ast.AsyncFunctionDef
NODES = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Function:
    """A function of a module, or a method of a class of one; `file` is its path in the package without the suffix."""

    file: str
    node: Node
    owner: ast.ClassDef | None = None

    @property
    def where(self) -> str:
        name = f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name
        return f"src/slopewise/{self.file}.py:{self.node.lineno} {name}"

    @property
    def is_public(self) -> bool:
        return not self.node.name.startswith("_") and not (self.owner and self.owner.name.startswith("_"))

    @cached_property
    def decorators(self) -> set[str]:
        return {ast.unparse(decorator).split("(")[0].split(".")[-1] for decorator in self.node.decorator_list}

    @property
    def is_property(self) -> bool:
        return bool(self.decorators & {"property", "cached_property"})

    @cached_property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def first_line(self) -> str:
        return self.doc.split("\n")[0]

    @cached_property
    def parameters(self) -> list[str]:
        """Names of the parameters, `*` and `**` in front as in the signature, without self and cls."""
        of = self.node.args
        names = [each.arg for each in (*of.posonlyargs, *of.args)]
        if self.owner and "staticmethod" not in self.decorators:
            names = names[1:]
        names += [f"*{of.vararg.arg}"] if of.vararg else []
        names += [each.arg for each in of.kwonlyargs]
        return names + ([f"**{of.kwarg.arg}"] if of.kwarg else [])

    def section(self, title: str) -> list[str]:
        """Return what stands before the colon of each entry of a section; none where it is missing."""
        lines, found = self.doc.split("\n"), []
        if f"{title}:" not in lines:
            return []
        for line in lines[lines.index(f"{title}:") + 1 :]:
            if line and not line.startswith("    "):
                break
            entry = re.match(r"    (\*{0,2}\w+(?:, \w+)*)(?: \([^)]*\))?:", line)
            found += re.split(", ", entry[1]) if entry else []
        return found

    @cached_property
    def own(self) -> list[ast.AST]:
        """Nodes of the body, those of functions inside it left out."""
        waiting: list[ast.AST] = [*self.node.body]
        seen = []
        while waiting:
            node = waiting.pop()
            if not isinstance(node, (*NODES, ast.Lambda, ast.ClassDef)):
                seen.append(node)
                waiting += ast.iter_child_nodes(node)
        return seen


class Sources:
    """All functions of some files, given as a dict from path to source."""

    def __init__(self, files: dict[str, str]) -> None:
        self.functions: list[Function] = []
        self.bases: dict[str, list[str]] = {}
        self.methods: dict[str, set[str]] = {}
        trees = {file: ast.parse(source) for file, source in files.items()}
        for file, tree in trees.items():
            for node in tree.body:
                if isinstance(node, NODES):
                    self.functions.append(Function(file, node))
                if isinstance(node, ast.ClassDef):
                    self.bases[node.name] = [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]
                    methods = [Function(file, each, node) for each in node.body if isinstance(each, NODES)]
                    self.methods[node.name] = {each.node.name for each in methods}
                    self.functions += methods
        self.exported = set(constant(trees, "__init__", "__all__"))
        self.commands = {f"cli/{name}" for name in commands_of(trees)}

    def ancestors(self, name: str) -> Iterator[str]:
        """Yield the base classes of a class, theirs, and the protocols whose methods it has all."""
        for base in self.bases.get(name, []):
            yield base
            yield from self.ancestors(base)
        for protocol, methods in self.methods.items():
            if "Protocol" in self.bases[protocol] and protocol != name and methods <= self.methods.get(name, set()):
                yield protocol

    def overrides(self, function: Function) -> bool:
        """Return whether a base class, in any file, has a method of this name with a docstring."""
        above = set(self.ancestors(function.owner.name)) if function.owner else set()
        return any(
            other.owner and other.owner.name in above and other.node.name == function.node.name and other.doc
            for other in self.functions
        )

    def raised(self, function: Function) -> set[str]:
        """Return the names of the errors that the body raises; what a helper returns, by its annotation."""
        names = set()
        for node in function.own:
            if isinstance(node, ast.Raise) and node.exc is not None:
                called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                name = ast.unparse(called).split(".")[-1]
                helpers = [each.node.returns for each in self.functions if each.node.name == name]
                names |= {ast.unparse(returned) for returned in helpers if returned} or {name}
        return {name for name in names if name[0].isupper()}

    @cached_property
    def reachable(self) -> dict[str, set[str]]:
        """Names of functions and methods, with the errors that may be raised by what has that name or by its callees.

        Whatever a body mentions counts as called, and functions of one name are not told apart: an error may be
        listed that is never raised, none is missing that is raised by name.
        """
        raised: dict[str, set[str]] = {}
        mentions: dict[str, set[str]] = {}
        for each in self.functions:
            names = [each.node.name]
            if each.owner and each.node.name in ("__init__", "__post_init__", "__new__", "__call__"):
                names.append(each.owner.name)
            for name in names:
                raised.setdefault(name, set()).update(self.raised(each) | raised_inside(each.node))
                mentions.setdefault(name, set()).update(mentioned(each.node))
        changed = True
        while changed:
            changed = False
            for name, others in mentions.items():
                before = len(raised[name])
                for other in others & raised.keys():
                    raised[name] |= raised[other]
                changed |= len(raised[name]) > before
        return raised

    def faults(self) -> Iterator[str]:
        """Yield a sentence for each thing that a docstring of a public function lacks."""
        for function in self.functions:
            if function.is_public and "overload" not in function.decorators:
                yield from self.argument_faults(function)
                yield from self.result_faults(function)
                yield from self.error_faults(function)

    def argument_faults(self, function: Function) -> Iterator[str]:
        given, parameters = function.section("Args"), [name.lstrip("*") for name in function.parameters]
        unknown = [name for name in given if name.lstrip("*") not in parameters]
        if unknown and not any(name.startswith("**") for name in function.parameters):
            yield f"{function.where}: Args names {', '.join(unknown)}, which it does not take"
        told = parameters
        if not given:
            if function.file in self.commands or self.overrides(function):
                return
            verb = function.node.name in self.exported if not function.owner else function.owner.name in FIT
            told = parameters[2:] if parameters[:2] == KERNEL else parameters
            if len(told) < (1 if verb else MANY):
                return
        known = {name.lstrip("*") for name in given} | self.told_elsewhere(function)
        lacking = [name for name in told if name not in known]
        if lacking:
            yield f"{function.where}: Args does not name {', '.join(lacking)}"

    def told_elsewhere(self, function: Function) -> set[str]:
        """Return the parameters that another docstring documents which this one refers to, and those in backticks."""
        to = re.search(r"arguments( and errors)? are those of `(\w+\.)?(\w+)`", " ".join(function.doc.split()), re.I)
        if to is None:
            return set()
        owner = to[2][:-1] if to[2] else function.owner and function.owner.name
        others = (
            each for each in self.functions if each.node.name == to[3] and (each.owner and each.owner.name) == owner
        )
        documented = {name for other in others for name in other.section("Args")}
        return documented | set(re.findall(r"`(\w+)`", function.doc)) if documented else set()

    def result_faults(self, function: Function) -> Iterator[str]:
        if function.is_property or function.file in REQUIREMENTS or function.file in self.commands:
            return
        returned = ast.unparse(function.node.returns) if function.node.returns else "None"
        only_raises = any(isinstance(node, ast.Raise) for node in function.own) and not any(
            isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in function.own
        )
        told = re.search(r"(?i)\b(return|yield)s?\b", function.first_line) or re.search(
            r"(?m)^(Returns|Yields):$", function.doc
        )
        if returned not in NOTHING and not only_raises and not told:
            yield f"{function.where}: neither the first line nor a section says what is returned"

    def error_faults(self, function: Function) -> Iterator[str]:
        if function.file in self.commands:
            return
        given = set(function.section("Raises"))
        first = set(re.findall(r"\w+", function.first_line)) if function.first_line.startswith("Raise ") else set()
        for name in sorted(self.raised(function) - given - first):
            yield f"{function.where}: Raises does not name {name}"
        ours = {name for name in given if "SlopewiseError" in self.ancestors(name)}
        for name in sorted(ours - self.reachable[function.node.name]):
            yield f"{function.where}: Raises names {name}, which nothing that it calls raises"


def mentioned(node: ast.AST) -> set[str]:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def raised_inside(node: ast.AST) -> set[str]:
    """Return the errors that are raised by name anywhere in a node, functions inside it included."""
    raises = [each.exc for each in ast.walk(node) if isinstance(each, ast.Raise) and each.exc is not None]
    return set().union(*(mentioned(each) for each in raises))


def constant(trees: dict[str, ast.Module], file: str, name: str) -> list[str]:
    for node in trees[file].body if file in trees else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return [str(each) for each in ast.literal_eval(node.value)]
    return []


def commands_of(trees: dict[str, ast.Module]) -> Iterable[str]:
    """Return the commands of the command line: those of the loop that registers them."""
    for node in trees["cli/main"].body if "cli/main" in trees else ():
        if isinstance(node, ast.For) and "app.command" in ast.unparse(node):
            return ast.unparse(node.iter).strip("()").split(", ")
    return []


def package() -> Sources:
    paths = sorted(PACKAGE.rglob("*.py"))
    return Sources({str(path.relative_to(PACKAGE).with_suffix("")): path.read_text(encoding="utf-8") for path in paths})
