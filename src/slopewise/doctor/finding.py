"""A finding: what is wrong, the number that proves it, why, and the one thing to change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from slopewise.results.report.text import wrap
from slopewise.wording import spoken

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

WIDTH = 80
LABEL = 10


@dataclass(frozen=True, slots=True)
class Number:
    """The value that proves a finding, and the same in words."""

    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing before or after a fit.

    code: a word that never changes, such as `lr-beyond-limit`. severity: `error` (no answer, or a wrong one),
    `warning` (an answer at a price) or `note`. what: the finding in a sentence. fix: the one thing to change, with
    the keywords of `slopewise.fit`; at the command line they are shown as its flags.
    """

    code: str
    severity: Severity
    what: str
    number: Number
    cause: str
    fix: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; a number that is not finite is None."""
        value = self.number.value
        return {
            "code": self.code,
            "severity": self.severity,
            "what": self.what,
            "number": {"value": value if math.isfinite(value) else None, "words": self.number.words},
            "cause": self.cause,
            "fix": self.fix,
        }


def finding_from(stored: Mapping[str, Any]) -> Finding:
    """Return the finding that `to_dict` described."""
    value = stored["number"]["value"]
    number = Number(math.nan if value is None else float(value), str(stored["number"]["words"]))
    return Finding(**{**stored, "number": number})


def ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings with the gravest first, otherwise in the order given."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def lines(findings: Sequence[Finding]) -> list[str]:
    r"""Return the findings as lines of at most 80 columns, gravest first; no line at all where there is none.

    >>> number = Number(1.1093, "0.2 is 1.11 times the limit, 0.180295")
    >>> cause = "each step lands further from the valley's floor than it started"
    >>> text = lines([Finding("lr-beyond-limit", "error", "the step is too large", number, cause, "lr=0.162266")])
    >>> print("\n".join(text))
    error: the step is too large (lr-beyond-limit)
      number  0.2 is 1.11 times the limit, 0.180295
      cause   each step lands further from the valley's floor than it started
      fix     lr=0.162266
    """
    found: list[str] = []
    for finding in ranked(findings):
        found += ["", *_lines(finding)] if found else _lines(finding)
    return found


def _lines(finding: Finding) -> list[str]:
    rows = (("number", finding.number.words), ("cause", spoken(finding.cause)), ("fix", spoken(finding.fix)))
    head = wrap(f"{finding.severity}: {finding.what} ({finding.code})", WIDTH, "", "  ")
    return head + [line for label, text in rows for line in wrap(text, WIDTH, f"  {label}".ljust(LABEL), " " * LABEL)]
