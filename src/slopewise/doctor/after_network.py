"""Findings about a network after its fit."""

from __future__ import annotations

from typing import Any

from slopewise.doctor.finding import Finding, ranked
from slopewise.doctor.network import NetworkExamination, network_findings
from slopewise.doctor.steps import step_finding
from slopewise.results.fit import Fit
from slopewise.solution import Status

MOST_ROWS = 5000
"""Most training rows, the first of the table, that are read again for the findings."""


def examine_network_after(fit: Fit[Any]) -> tuple[Finding, ...]:
    """Return the findings on a network just fitted, gravest first; some thousand rows are read again for them.

    For a descent that diverged only its learning rate is reported, not its last state; over-fitting is not reported
    where the validation cost was monitored and the best state was kept.
    """
    descent, is_linear = fit.descent, fit.model.is_linear
    if fit.data is None or descent is None:
        return ()
    step = step_finding(descent, is_linear=is_linear)
    if fit.status is Status.DIVERGED:
        return () if step is None else (step,)
    head = fit.data.engine.head(fit.data.train, MOST_ROWS)
    assert head.y is not None
    x, y = head.x, head.y
    dtype = descent.plan.torch_dtype
    examination = NetworkExamination(
        module=fit.network,
        x=((x - descent.units.mean) / descent.units.scale).to(dtype),
        y=y.to(dtype),
        names=fit.design.x_names,
        cost=descent.cost,
        null_cost=descent.null_cost,
        n_classes=len(fit.class_names),
        class_names=fit.class_names,
        history=descent.history,
        standardized=descent.plan.standardize,
        has_offset=head.offset is not None,
    )
    stopping = descent.plan.stopping
    stopped_early = stopping.monitor == "validation" and stopping.patience is not None
    findings = [
        finding for finding in network_findings(examination) if not (stopped_early and finding.code == "over-fitting")
    ]
    return ranked(findings if step is None else [*findings, step])
