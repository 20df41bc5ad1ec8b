from __future__ import annotations

import json
import math

from rich.cells import cell_len

from slopewise.doctor.finding import Finding, Number, lines, ranked

BEYOND = Finding(
    "lr-beyond-limit",
    "error",
    "lr 0.2 is too large for this data",
    Number(1.109, "1.109 times the limit, 0.180295"),
    "each step increases the distance to the optimum",
    "--lr 0.176",
)
NOTE = Finding("unscaled-columns", "note", "a note", Number(2.0, "2"), "because", "nothing")
WARNING = Finding("slow-direction", "warning", "slow", Number(math.inf, "for ever"), "because", "wait")


def test_a_finding_is_plain_json_values() -> None:
    assert json.loads(json.dumps(BEYOND.to_dict())) == {
        "code": "lr-beyond-limit",
        "severity": "error",
        "what": "lr 0.2 is too large for this data",
        "number": {"value": 1.109, "words": "1.109 times the limit, 0.180295"},
        "cause": "each step increases the distance to the optimum",
        "fix": "--lr 0.176",
    }


def test_a_number_that_is_none_is_null() -> None:
    assert WARNING.to_dict()["number"] == {"value": None, "words": "for ever"}


def test_the_gravest_comes_first_and_order_is_kept_otherwise() -> None:
    other = Finding("collinear-pair", "warning", "pair", Number(1.0, "1"), "c", "f")
    assert ranked([NOTE, WARNING, other, BEYOND]) == (BEYOND, WARNING, other, NOTE)


def test_findings_read_as_text() -> None:
    assert lines([NOTE, BEYOND]) == [
        "error: lr 0.2 is too large for this data (lr-beyond-limit)",
        "  number  1.109 times the limit, 0.180295",
        "  cause   each step increases the distance to the optimum",
        "  fix     --lr 0.176",
        "",
        "note: a note (unscaled-columns)",
        "  number  2",
        "  cause   because",
        "  fix     nothing",
    ]
    assert lines([]) == []


def test_no_line_is_wider_than_a_terminal() -> None:
    long = Finding("constant-column", "error", "한국어 " * 30, Number(0.0, "x" * 200), "word " * 40, "몸무게" * 40)
    assert max(map(cell_len, lines([long]))) <= 80
