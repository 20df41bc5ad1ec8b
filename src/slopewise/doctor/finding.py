"""A finding: what is wrong, the number that shows it, its cause, and the change that fixes it."""

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
    """The value that shows a finding, and a text with it."""

    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding before or after a fit.

    code: a stable identifier, such as `lr-beyond-limit`. severity: `error` (no result, or a wrong one), `warning` (a
    result with a limitation) or `note`. what: the finding in a sentence. cause: the reason. fix: the change to make, in
    keywords of `slopewise.fit`; the command line shows them as its flags.
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
    """Return the finding from the values of `to_dict`."""
    value = stored["number"]["value"]
    number = Number(math.nan if value is None else float(value), str(stored["number"]["words"]))
    return Finding(**{**stored, "number": number})


def ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings with the gravest first, otherwise in the order given."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def lines(findings: Sequence[Finding]) -> list[str]:
    r"""Return the findings as lines of at most 80 columns, gravest first; empty where there are none.

    >>> number = Number(1.1093, "0.2 is 1.11 times the limit, 0.180295")
    >>> cause = "each step increases the distance to the optimum"
    >>> text = lines([Finding("lr-beyond-limit", "error", "the step is too large", number, cause, "lr=0.162266")])
    >>> print("\n".join(text))
    error: the step is too large (lr-beyond-limit)
      number  0.2 is 1.11 times the limit, 0.180295
      cause   each step increases the distance to the optimum
      fix     lr=0.162266
    """
    text: list[str] = []
    for finding in ranked(findings):
        text += ["", *_lines(finding)] if text else _lines(finding)
    return text


def _lines(finding: Finding) -> list[str]:
    rows = (("number", finding.number.words), ("cause", spoken(finding.cause)), ("fix", spoken(finding.fix)))
    head = wrap(f"{finding.severity}: {finding.what} ({finding.code})", WIDTH, "", "  ")
    return head + [line for label, text in rows for line in wrap(text, WIDTH, f"  {label}".ljust(LABEL), " " * LABEL)]
