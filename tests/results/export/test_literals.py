"""No name of a column, class or file comes into a script as anything else than a literal."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from catalog import KINDS, Kind
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slopewise.data.design import Design, Feature
from slopewise.data.split import Split
from slopewise.errors import OptionError
from slopewise.results.export.code import code
from slopewise.results.export.script import docstring, literal, remark
from slopewise.results.fit import Fit
from slopewise.results.record import CsvRows, FitRecord

RUNS = '"""+str(open("owned","w").write("x"))+"""'
HOSTILE = [
    RUNS,
    RUNS.replace('"', "'"),
    "'",
    '"',
    '"""',
    "'''",
    "\\",
    "\\\\",
    '\\"',
    "\\'\"",
    'it\'s "both"',
    'ends in quotes ""',
    "ends in a backslash \\",
    "new\nimport os",
    "carriage\rimport os",
    "\r\nimport os\r\n",
    "feed\x0cimport os",
    "tab\tand\x0bmore",
    "nul\x00",
    "\x1b]0;title\x07\x1b[2J",
    "line\u2028import os\u2029import os\x85import os",
    "\u202eright to left\u2066",
    "\ufeffmark",
    "{braces} {0} {} {{x}} {names}",
    "%s %(x)s %",
    "dtype=W.dtype",
    "new = torch.tensor([",
    "# fmt: off\n# coding: utf-7",
    "\ud800 alone",
    "",
    "é ü 漢字 \U0001f600",
]


class Blank(ast.NodeTransformer):
    """Replaces each constant by the type of its value."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(type(node.value).__name__)


def structure(script: str) -> str:
    compile(script, "script", "exec")
    return ast.dump(Blank().visit(ast.parse(script)))


def renamed(record: FitRecord, name: str, *, csv: bool) -> FitRecord:
    """Return the record with a name for everything that has one, and all that a CSV file can ask of a script."""
    design = record.design
    features = tuple(_renamed(feature, name, place, csv) for place, feature in enumerate(design.features))
    levels = tuple(f"{name} {place}" for place, _ in enumerate(design.target_levels))
    changed: dict[str, Any] = {"features": features, "target": f"{name} target", "target_levels": levels}
    if design.exposure:
        changed["exposure"] = f"{name} exposure"
    if not csv:
        return replace(record, design=replace(design, **changed))
    rows = CsvRows(f"{name}/table.csv", ";", ",", (f"{name} 0",), Split(0.2, 3, 0.1))
    made: Design = replace(design, weights=f"{name} weights", missing="mean", **changed)
    return replace(record, design=made, origin=rows)


def _renamed(feature: Feature, name: str, place: int, csv: bool) -> Feature:
    levels = tuple(f"{name} {number}" for number, _ in enumerate(feature.levels))
    fill: float | str | None = None
    if csv:
        fill = levels[0] if levels else 0.5
    return replace(feature, name=f"{name} {place}", levels=levels, fill=fill)


@pytest.mark.parametrize("csv", [False, True], ids=["inline", "csv"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_names_change_nothing_but_constants(kind: Kind, csv: bool, every_kind: dict[str, Fit]) -> None:
    record, data = every_kind[kind.name].record, every_kind[kind.name].data
    for style in ("plain", "class"):
        wanted = structure(code(renamed(record, "x", csv=csv), data, style))
        for name in HOSTILE if style == "plain" else HOSTILE[:4]:
            changed = renamed(record, name, csv=csv)
            script = code(changed, data, style)
            assert structure(script) == wanted, (name, script)
            (names,) = (
                ast.literal_eval(line.value)
                for line in ast.parse(script).body
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "names"
            )
            assert tuple(names) == changed.design.x_names


@given(st.text())
@settings(max_examples=300, deadline=None)
@example(RUNS)
def test_any_text_is_one_literal(text: str) -> None:
    source = literal(text)
    assert ast.literal_eval(source) == text and source.isprintable()
    assert ast.literal_eval(docstring(text)) == text and len(ast.parse(docstring(text)).body) == 1
    assert ast.parse(f"# {remark(text)}\n").body == []


@pytest.mark.parametrize("value", [1, -2.5, True, None, [1.0, "a"], (), (1,), ("a", (2, [3]))])
def test_values_are_literals(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


@pytest.mark.parametrize("value", [{"a": 1}, object(), np.float64(1.0), b"x"])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(OptionError, match="which no script can hold; save the fit instead"):
        literal(value)


def test_an_option_that_torch_does_not_have_is_refused(every_kind: dict[str, Fit]) -> None:
    record, data = every_kind["line by adam"].record, every_kind["line by adam"].data
    descent = record.descent
    assert descent is not None
    plan = replace(descent.plan, options={**descent.plan.options, 'eps=print("x"), lr': 1.0})
    solution = replace(record.solution, descent=replace(descent, plan=plan))
    with pytest.raises(OptionError, match="is no argument of the plan"):
        code(replace(record, solution=solution), data)
