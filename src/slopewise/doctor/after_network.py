"""Findings about a network after its fit."""

from __future__ import annotations

from slopewise.doctor.before_network import first_rows
from slopewise.doctor.finding import Finding, ranked
from slopewise.doctor.network import NetworkExamination, network_findings
from slopewise.doctor.steps import step_finding
from slopewise.results.network import NetworkFit
from slopewise.solution import Status

MOST_ROWS = 5000
"""Most training rows, the first of the table, that are read again for the findings."""


def examine_network_after(fit: NetworkFit) -> tuple[Finding, ...]:
    """Return the findings on a network just fitted, gravest first; some thousand rows are read again for them.

    For a descent that diverged only its learning rate is reported, not its last state; over-fitting is not reported
    where the validation cost was monitored and the best state was kept.
    """
    if fit.rows is None:
        return ()
    if fit.status is Status.DIVERGED:
        step = step_finding(fit.descent, is_linear=fit.is_linear)
        return () if step is None else (step,)
    x, y = first_rows(fit.rows.train, MOST_ROWS)[:2]
    x = (x - fit.units.mean) / fit.units.scale
    examination = NetworkExamination(
        module=fit.network,
        x=x.to(fit.dtype),
        y=y.to(fit.dtype),
        names=fit.design.x_names,
        cost=fit.descent.cost,
        null_cost=fit.descent.null_cost,
        n_classes=len(fit.classes),
        class_names=fit.classes,
        history=fit.descent.history,
        standardized=fit.descent.plan.standardize,
    )
    stopping = fit.descent.plan.stopping
    stopped_early = stopping.monitor == "validation" and stopping.patience is not None
    findings = [
        finding for finding in network_findings(examination) if not (stopped_early and finding.code == "over-fitting")
    ]
    step = step_finding(fit.descent, is_linear=fit.is_linear)
    return ranked(findings if step is None else [*findings, step])
