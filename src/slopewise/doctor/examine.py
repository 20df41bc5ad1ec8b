"""Examination of a fit: before the first step, with the limits for raw and standardised columns, and after the last."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from slopewise.doctor.after_training import after
from slopewise.doctor.before_training import before
from slopewise.doctor.data import data_findings
from slopewise.doctor.finding import Finding, lines, ranked
from slopewise.doctor.recommend import TOLERANCE, count
from slopewise.optimizers.epochs_to_tolerance import epochs_to
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.optimizers.stability import Limits, limits_of
from slopewise.problem import Problem
from slopewise.results.report.text import figure, pad, wrap
from slopewise.results.report.to_dict import finite
from slopewise.solution import Moments, Solution
from slopewise.training.descent.linear import DescentSetup, hessian_spectrum
from slopewise.training.moments.standardize import standardization

RULE = "-" * 80


@dataclass(frozen=True, slots=True)
class Report:
    """The report of `slopewise.check`: what is known before the first step.

    n training rows; plan, with its lr; raw and standard: the limits for raw and standardised columns; needed: epochs
    until the gap is `TOLERANCE` of the first one, by the plan from its start, None if never or not known. model: its
    description; counts: rows of each of the classes; holds: for which parameters the limits hold.
    """

    n: int
    names: tuple[str, ...]
    plan: DescentPlan
    raw: Limits
    standard: Limits
    needed: int | None
    findings: tuple[Finding, ...]
    model: str = "linear"
    class_names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    holds: str = ""

    @property
    def limits(self) -> Limits:
        """The limits in the plan's units."""
        return self.standard if self.plan.standardize else self.raw

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, None for what is not a finite number or not known."""
        plain: dict[str, Any] = finite(
            {
                "n": self.n,
                "model": self.model,
                "classes": list(self.class_names),
                "counts": list(self.counts),
                "optimizer": self.plan.optimizer,
                "lr": self.plan.lr,
                "epochs": self.plan.epochs,
                "standardize": self.plan.standardize,
                "epochs_needed": self.needed,
                "tolerance": TOLERANCE,
                "limits_hold": self.holds or "for all parameters",
                "raw": _plain(self.raw),
                "standard": _plain(self.standard),
                "findings": [finding.to_dict() for finding in self.findings],
            }
        )
        return plain

    def to_json(self) -> str:
        """Return the report as one JSON object."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in _page(self))


def examine_before(problem: Problem, moments: Moments, setup: DescentSetup) -> Report:
    """Return the report on a planned descent.

    Args:
        problem: linear model, squared loss.
        moments: of the training rows.
        setup: the plan, the spectrum of its cost and its limits.
    """
    other = limits_of(_other_spectrum(problem, moments, setup), _sgd(setup.plan))
    raw, standard = (other, setup.limits) if setup.plan.standardize else (setup.limits, other)
    needed = _needed(setup)
    findings = (
        *before(setup.plan, setup.limits, standard=standard, needed=needed),
        *columns_findings(problem, moments, setup.plan.standardize),
    )
    return Report(moments.n, problem.names, setup.plan, raw, standard, needed, ranked(findings))


def examine_after(
    problem: Problem, moments: Moments, setup: DescentSetup | None = None, solution: Solution | None = None
) -> tuple[Finding, ...]:
    """Return the findings on a finished fit: on its columns, and on its descent if it had one.

    Args:
        problem: the least squares problem.
        moments: of the training rows.
        setup: of the descent, None where there was none.
        solution: of the descent, None likewise.
    """
    findings: tuple[Finding, ...] = ()
    if setup is not None and solution is not None:
        findings = after(solution, setup.limits)
        if findings:
            standard = limits_of(_other_spectrum(problem, moments, setup), _sgd(setup.plan))
            findings = after(solution, setup.limits, standard=standard, needed=_needed(setup))
    standardize = None if setup is None else setup.plan.standardize
    return ranked((*findings, *columns_findings(problem, moments, standardize)))


def columns_findings(problem: Problem, moments: Moments, standardize: bool | None) -> tuple[Finding, ...]:
    """Return the findings on the columns, without the notes on raw columns where they are standardised.

    Args:
        problem: for the names of the columns, and whether there is an intercept.
        moments: of the training rows.
        standardize: of the descent; None where there is none.
    """
    names = problem.names[int(problem.intercept) :]
    findings = data_findings(moments, names, intercept=problem.intercept, standardize=standardize)
    if standardize:
        return tuple(finding for finding in findings if finding.severity != "note")
    return findings


def _other_spectrum(problem: Problem, moments: Moments, setup: DescentSetup) -> Any:
    units = standardization(moments, standardize=not setup.plan.standardize, intercept=problem.intercept)
    return hessian_spectrum(problem, moments, units)


def _sgd(plan: DescentPlan) -> Any:
    return sgd_of(plan.options) if plan.optimizer == "sgd" else None


def _needed(setup: DescentSetup) -> int | None:
    plan = setup.plan
    plain = plan.optimizer == "sgd" and plan.schedule.name == "constant" and plan.batch_size is None
    if not plain or not plan.lr < setup.limits.lr or plan.options.get("weight_decay"):
        return None
    return epochs_to(
        setup.spectrum,
        start=setup.start,
        optimum=setup.quadratic.optimum,
        lr=plan.lr,
        tolerance=TOLERANCE,
        sgd=sgd_of(plan.options),
    )


def _plain(limits: Limits) -> dict[str, Any]:
    best, heavy = limits.best, limits.best_momentum
    return {
        "largest_eigenvalue": limits.largest,
        "smallest_eigenvalue": limits.smallest,
        "condition": limits.condition,
        "largest_stable_lr": limits.plain,
        "momentum": limits.momentum,
        "largest_stable_lr_momentum": limits.heavy,
        "largest_stable_lr_nesterov": limits.nesterov,
        "best_lr": best.lr if best else None,
        "best_rate": best.rate if best else None,
        "best_momentum": {"lr": heavy.lr, "momentum": heavy.momentum, "rate": heavy.rate} if heavy else None,
        "slowest_direction": str(limits.slowest) if limits.slowest else None,
        "flat_directions": limits.flat,
    }


def _page(report: Report) -> list[str]:
    plan = report.plan
    units = "standardised columns" if plan.standardize else "raw columns"
    line = f"{plan.optimizer}, lr {figure(plan.lr)}, {plan.epochs:,} epochs, {units}"
    needed = "not known beforehand" if report.needed is None else count(float(report.needed))
    if plan.optimizer == "sgd" and plan.lr >= report.limits.lr and not report.holds:
        needed = "does not converge"
    return [
        f"Before the first step, on {report.n:,} rows",
        *_model(report),
        *wrap(line, 80, "Plan    ", " " * 8),
        *wrap(f"{needed} (cost gap to {TOLERANCE:g} of the first one)", 80, "Epochs  ", " " * 8),
        RULE,
        *_table(report.raw, report.standard),
        *_slowest(report),
        *(wrap(report.holds, 80, "The limits hold ", "  ") if report.holds else []),
        *([RULE, *lines(report.findings)] if report.findings else [RULE, "No findings."]),
    ]


def _table(raw: Limits, standard: Limits) -> list[str]:
    rows = [
        ("largest stable lr", raw.plain, standard.plain),
        (f"  with momentum {raw.momentum:g}", raw.heavy, standard.heavy),
        (f"  with Nesterov {raw.momentum:g}", raw.nesterov, standard.nesterov),
        ("best lr", _of(raw.best, "lr"), _of(standard.best, "lr")),
        ("  shrinks the error each epoch to", _of(raw.best, "rate"), _of(standard.best, "rate")),
        ("best momentum", _of(raw.best_momentum, "momentum"), _of(standard.best_momentum, "momentum")),
        ("  with lr", _of(raw.best_momentum, "lr"), _of(standard.best_momentum, "lr")),
        ("  shrinks the error each epoch to", _of(raw.best_momentum, "rate"), _of(standard.best_momentum, "rate")),
        ("smallest eigenvalue", raw.smallest, standard.smallest),
        ("largest eigenvalue", raw.largest, standard.largest),
        ("condition number", raw.condition, standard.condition),
    ]
    head = pad("", 38) + "raw".rjust(18) + "standardised".rjust(20)
    known = [row for row in rows if row[1:] != (None, None)]
    return [head, *(pad(name, 38) + _cell(a).rjust(18) + _cell(b).rjust(20) for name, a, b in known)]


def _model(report: Report) -> list[str]:
    if not report.holds:
        return []
    counts = ", ".join(f"{name} {count:,}" for name, count in zip(report.class_names, report.counts, strict=True))
    return [*wrap(report.model, 80, "Model   ", " " * 8), *(wrap(counts, 80, "Classes ", " " * 8) if counts else [])]


def _slowest(report: Report) -> list[str]:
    text = []
    for name, limits in (("raw", report.raw), ("standardised", report.standard)):
        if limits.slowest is not None:
            text += wrap(f"{limits.slowest}", 80, f"slowest direction, {name}: ", "  ")
    return text


def _of(best: Any, field: str) -> float | None:
    return None if best is None else float(getattr(best, field))


def _cell(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else figure(value, 6)
