"""What the doctor finds in the fit of a network."""

from __future__ import annotations

from slopewise.doctor.examine_curve import first_rows
from slopewise.doctor.finding import Finding, ranked
from slopewise.doctor.network import Look, network_findings
from slopewise.doctor.steps import step_finding
from slopewise.results.network import NetworkFit
from slopewise.solution import Status

LOOKED_AT = 5000
"""Training rows that are read again to look at; the first of the table."""


def examine_network(fit: NetworkFit) -> tuple[Finding, ...]:
    """Return the findings on a network just fitted, gravest first; some thousand rows are read again for it.

    A descent that diverged is told of by its status and its step, and no finding is made of the state it left;
    over-fitting is none where the validation rows were watched and the state before it was kept.
    """
    if fit.rows is None:
        return ()
    if fit.status is Status.DIVERGED:
        step = step_finding(fit.trail, straight=fit.straight)
        return () if step is None else (step,)
    x, y = first_rows(fit.rows.train, LOOKED_AT)[:2]
    x = (x - fit.units.mean) / fit.units.scale
    look = Look(
        module=fit.network,
        x=x.to(fit.dtype),
        y=y.to(fit.dtype),
        names=fit.design.x_names,
        cost=fit.trail.cost,
        constant=fit.trail.constant,
        classes=len(fit.classes),
        labels=fit.classes,
        history=fit.trail.history,
        standardized=fit.trail.plan.standardize,
    )
    stopping = fit.trail.plan.stopping
    watched = stopping.watch == "validation" and stopping.patience is not None
    found = [finding for finding in network_findings(look) if not (watched and finding.code == "over-fitting")]
    step = step_finding(fit.trail, straight=fit.straight)
    return ranked(found if step is None else [*found, step])
