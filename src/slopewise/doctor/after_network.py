"""What the doctor finds in the fit of a network."""

from __future__ import annotations

from slopewise.doctor.finding import Finding, ranked
from slopewise.doctor.network import NetworkExamination, network_findings
from slopewise.doctor.steps import step_finding
from slopewise.results.network import NetworkFit
from slopewise.solution import Status

LOOKED_AT = 5000
"""Training rows that are read again to look at; the first of the table."""


def examine_network_after(fit: NetworkFit) -> tuple[Finding, ...]:
    """Return the findings on a network just fitted, gravest first; some thousand rows are read again for it.

    A descent that diverged is told of by its status and its step, and no finding is made of the state it left;
    over-fitting is none where the validation rows were watched and the state before it was kept.
    """
    if fit.rows is None:
        return ()
    if fit.status is Status.DIVERGED:
        step = step_finding(fit.descent, is_linear=fit.is_linear)
        return () if step is None else (step,)
    head = fit.rows.engine.head(fit.rows.train, LOOKED_AT)
    assert head.y is not None
    x, y = (head.x - fit.units.mean) / fit.units.scale, head.y
    look = NetworkExamination(
        module=fit.network,
        x=x.to(fit.dtype),
        y=y.to(fit.dtype),
        names=fit.design.x_names,
        cost=fit.descent.cost,
        null_cost=fit.descent.null_cost,
        classes=len(fit.classes),
        labels=fit.classes,
        history=fit.descent.history,
        standardized=fit.descent.plan.standardize,
    )
    stopping = fit.descent.plan.stopping
    activations_of = stopping.monitor == "validation" and stopping.patience is not None
    found = [finding for finding in network_findings(look) if not (activations_of and finding.code == "over-fitting")]
    step = step_finding(fit.descent, is_linear=fit.is_linear)
    return ranked(found if step is None else [*found, step])
