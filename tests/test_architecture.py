"""Who may import whom, read from the source of every file: in functions and under TYPE_CHECKING too."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "slopewise"

ANYONE = ("errors", "types", "version", "wording")
CONTRACTS = ("data/source", "models/model", "losses/loss", "losses/penalty")
LOSS_CONTRACTS = ("losses/loss", "losses/log_link", "losses/registry")
STAGES = ("data", "models", "losses", "optimizers")
BELOW_RESULTS = ("training", "engine", "problem", "solution", *STAGES)

# A room, or a file at the top: what it may import besides itself and ANYONE.
LAW: dict[str, tuple[str, ...]] = {
    "errors": (),
    "types": (),
    "wording": (),
    "atomic_file": (),
    "data": (),
    "models": (),
    "losses": (),
    "optimizers": (),
    "problem": CONTRACTS,
    "solution": (*CONTRACTS, "optimizers/plan"),
    "engine": ("data/source", "data/prefetch"),
    "training": ("optimizers", "engine", "problem", "solution", "atomic_file", *CONTRACTS, "losses"),
    "results": ("training", "optimizers", "models", "losses", "engine", "problem", "solution", "data", "atomic_file"),
    "view": ("results", "atomic_file", *BELOW_RESULTS),
    "doctor": ("results", "atomic_file", *BELOW_RESULTS),
    "api": ("doctor", "results", "atomic_file", *BELOW_RESULTS),
    "cli": (
        "api",
        "view",
        "doctor",
        "atomic_file",
        "training/registry",
        "losses/registry",
        "results/report/sections",
        "results/storage/header",
    ),
    "lab": ("api", "view", "doctor", "atomic_file"),
    "estimators": ("api", "view", "doctor"),
    "__init__": ("api", "results/fit", "doctor/gradients/gradients"),
    "__main__": ("cli/main",),
}

# A heavy or special name from outside: the only places that import it.
IMPORTED_ONLY_IN: dict[str, tuple[str, ...]] = {
    "duckdb": ("data/duckdb_table",),
    "pyarrow.parquet": ("data/parquet", "cli/write"),
    "sqlite3": ("data/sqlite",),
    "scipy": ("results", "training/moments"),
    "safetensors": ("results/storage", "training/descent/checkpoint"),
    "ray": ("engine/ray",),
    "sklearn": ("estimators",),
    "fastapi": ("lab",),
    "uvicorn": ("lab",),
    "rich": ("cli", "results/report"),
    "typer": ("cli",),
}

# What `slopewise --help` must not wait for, and the files that are read before a command runs.
HEAVY = ("torch", "duckdb", "numpy", "pyarrow", "scipy", "narwhals", "pandas", "polars", "safetensors", "rich")
LIGHT = ("__init__", "__main__", "cli/main")


@dataclass(frozen=True)
class Import:
    """One imported name: `slopewise/data/source` style for our own, dotted for others."""

    file: str
    line: int
    name: str
    at_start: bool


def within(name: str, places: tuple[str, ...], mark: str) -> bool:
    return any(name == place or name.startswith(place + mark) for place in places)


def module_names() -> set[str]:
    return {str(path.relative_to(PACKAGE).with_suffix("")) for path in PACKAGE.rglob("*.py")}


def imports(source: str, file: str, known: set[str]) -> Iterator[Import]:
    """Yield what one file imports; `file` is its path in the package without the suffix."""
    tree = ast.parse(source)
    later = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.unparse(outer.test))
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        for name in names_of(node, file, known):
            yield Import(file, node.lineno, name, id(node) not in later)


def names_of(node: ast.AST, file: str, known: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        dotted = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = ["slopewise", *file.split("/")][: -node.level]
            base = ".".join([*above, base] if base else above)
        dotted = [f"{base}.{alias.name}" for alias in node.names]
    else:
        return []
    return [ours(name, known) if name.split(".")[0] == "slopewise" else name for name in dotted]


def ours(dotted: str, known: set[str]) -> str:
    """Return the file that a dotted name of ours comes from, `slopewise:` in front."""
    if dotted == "slopewise.__version__":
        return "slopewise:version"
    parts = dotted.split(".")[1:]
    while parts:
        name = "/".join(parts)
        if name in known:
            return f"slopewise:{name}"
        if f"{name}/__init__" in known:
            return f"slopewise:{name}/__init__"
        parts = parts[:-1]
    return "slopewise:__init__"


def faults(found: Import) -> Iterator[str]:
    """Yield a sentence for every rule that one import breaks."""
    room = found.file.split("/")[0]
    where = f"src/slopewise/{found.file}.py:{found.line}"
    if found.name.startswith("slopewise:"):
        name = found.name.removeprefix("slopewise:")
        if room not in LAW:
            yield f"{where}: {room!r} has no rule; give it one in LAW and in ARCHITECTURE.md"
        elif not within(name, (room, *ANYONE, *LAW[room]), "/"):
            allowed = ", ".join(LAW[room]) or "nothing"
            yield f"{where} imports {name}: {room} may import {allowed} (+ {', '.join(ANYONE)})"
    for outsider, places in IMPORTED_ONLY_IN.items():
        if within(found.name, (outsider,), ".") and not within(found.file, places, "/"):
            yield f"{where} imports {found.name}: {outsider} is imported only in {', '.join(places)}"


def all_imports() -> list[Import]:
    known = module_names()
    return [
        found
        for name in sorted(known)
        for found in imports((PACKAGE / f"{name}.py").read_text(encoding="utf-8"), name, known)
    ]


def test_imports_follow_the_law() -> None:
    broken = [sentence for found in all_imports() for sentence in faults(found)]
    assert not broken, "\n".join(broken)


def cycles(edges: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Return every set of files that import each other, directly or through others."""
    below: dict[str, set[str]] = {}
    for name in edges:
        seen: set[str] = set()
        waiting = [*edges[name]]
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting += edges.get(other, ())
        below[name] = seen
    return sorted({tuple(sorted(b for b in below[a] | {a} if a in below.get(b, ()))) for a in below if a in below[a]})


def test_no_files_import_each_other() -> None:
    """Imports for type annotations alone count too: two files that need each other's types are one file."""
    edges: dict[str, set[str]] = {}
    for found in all_imports():
        if found.name.startswith("slopewise:") and found.name != "slopewise:version":
            edges.setdefault(found.file, set()).add(found.name.removeprefix("slopewise:"))
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [("a", "b", "c")]
    assert cycles(edges) == []


def test_files_and_classes_stay_small() -> None:
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 300:
            long.append(f"{path.name} has {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and (node.end_lineno or 0) - node.lineno >= 200:
                long.append(f"{path.name}: class {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines")
    assert not long, "; ".join(long)


def test_the_command_line_starts_light() -> None:
    starts: dict[str, list[Import]] = {}
    for found in all_imports():
        if found.at_start:
            starts.setdefault(found.file, []).append(found)
    seen, waiting, broken = set(LIGHT), list(LIGHT), []
    while waiting:
        for found in starts.get(waiting.pop(), []):
            name = found.name.removeprefix("slopewise:")
            if name != found.name and name not in seen:
                seen.add(name)
                waiting.append(name)
            if within(found.name, HEAVY, "."):
                broken.append(
                    f"src/slopewise/{found.file}.py:{found.line} imports {found.name} at the start: "
                    f"`slopewise --help` would wait for it; import it in the function that needs it"
                )
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("file", "source", "sentence"),
    [
        ("losses/huber", "from slopewise.data.source import Table", "imports data/source: losses may import nothing"),
        ("losses/huber", "from slopewise.data import source", "huber.py:1 imports data/source"),
        ("losses/huber", "from ..data import source", "huber.py:1 imports data/source"),
        ("losses/huber", "def f():\n    import slopewise.api", "huber.py:2 imports api"),
        ("models/mlp", "if TYPE_CHECKING:\n    from slopewise.problem import Problem", "mlp.py:2 imports problem"),
        ("engine/far", "from slopewise.data.memory import matrix_table", "engine may import data/source"),
        ("cli/fit", "from slopewise.training import solver", "cli may import api, view, doctor"),
        ("training/sgd", "import duckdb as d", "duckdb is imported only in data/duckdb_table"),
        ("api", "from rich.console import Console", "rich is imported only in cli, results/report"),
        ("data/other", "from pyarrow import parquet", "pyarrow.parquet is imported only in data/parquet"),
        ("data/upside", "from slopewise import fit", "upside.py:1 imports __init__"),
        ("cellar/wine", "from slopewise.errors import DataError", "'cellar' has no rule"),
    ],
)  # fmt: skip
def test_a_violation_is_caught(file: str, source: str, sentence: str) -> None:
    known = module_names() | {"data/source", "data/memory", "training/solver", "problem", "api"}
    broken = [text for found in imports(source, file, known) for text in faults(found)]
    assert any(sentence in text for text in broken), broken


def test_the_map_shows_every_file_and_no_other() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = Counter(re.findall(r"\b(\w+\.py)\b", text.split("```")[1]))
    there = Counter(f"{name.split('/')[-1]}.py" for name in module_names() if not name.endswith("/__init__"))
    assert not (there - shown), f"the map in ARCHITECTURE.md lacks {', '.join(there - shown)}"
    assert not (shown - there), f"the map in ARCHITECTURE.md shows {', '.join(shown - there)}, which is not there"
