"""Findings about levels and classes that occur in the table, and in no training row that counts."""

from __future__ import annotations

from collections.abc import Sequence

from slopewise.data.design import Design
from slopewise.doctor.finding import Finding, Number
from slopewise.errors import quoted


def absent_levels(design: Design) -> tuple[Finding, ...]:
    """Return a finding for every column with such levels.

    Args:
        design: learned on the training rows.
    """
    found = [
        _finding("level", f"{quoted(f.absent)} of column {f.name!r}", f.absent, f.levels)
        for f in design.features
        if f.absent
    ]
    if design.target_absent:
        subject = f"{quoted(design.target_absent)} of target {design.target!r}"
        found.append(_finding("class", subject, design.target_absent, design.target_levels))
    return tuple(found)


def _finding(kind: str, subject: str, absent: Sequence[str], levels: Sequence[str]) -> Finding:
    plural = len(absent) > 1
    noun = kind if not plural else "classes" if kind == "class" else "levels"
    return Finding(
        code=f"absent-{kind}",
        severity="warning",
        what=f"no training row that counts is of the {noun} {subject}, left out of the model",
        number=Number(float(len(absent)), f"{len(absent)} of {len(absent) + len(levels)}; the others were fitted"),
        cause="such rows are held out, have weight 0, or are dropped for a missing value; held-out ones are not in "
        "the metrics",
        fix="leave such rows out, or give some of them to training: another seed, missing='mean' or a positive weight",
    )
