"""Which road goes down on a linear model with squared loss: the closed form, the moments, or the plain loop."""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.errors import OptionError, check_choice
from slopewise.optimizers.plan import DescentPlan

ROADS = ("gd", "gd_closed_form", "gd_moments", "gd_loop")


def choose_road(plan: DescentPlan, wanted: str, *, rows_needed: str = "") -> tuple[str, str]:
    """Return (road, reason): replay, moments or loop.

    Args:
        plan: the plan.
        wanted: descent (the fastest road there is), or one of the roads.
        rows_needed: why the rows themselves are needed, such as a checkpoint; empty where they are not.

    Raises:
        OptionError: the road asked for does not exist for this plan; says why and what would be used.
    """
    check_choice("solver", wanted, ROADS)
    rows = "; ".join([*_needs_rows(plan), *([rows_needed] if rows_needed else [])])
    form = "; ".join(_no_closed_form(plan))
    if rows:
        best, reason = "gd_loop", rows
    elif form:
        best, reason = "gd_moments", f"{form}; the moments give each gradient without the rows"
    else:
        best, reason = (
            "gd_closed_form",
            "full-batch sgd on squared loss has a closed form: every epoch from one read of the rows",
        )
    if wanted in ("gd", best):
        return best, reason
    if wanted == "gd_loop":
        return "gd_loop", "asked for"
    if wanted == "gd_moments" and not rows:
        return "gd_moments", "asked for"
    raise OptionError(
        f"there is no {wanted} of this descent: {rows or form}; {best!r} would be used, choose it or leave solver out."
    )


def _needs_rows(plan: DescentPlan) -> Iterator[str]:
    if plan.batch_size is not None:
        yield "mini-batches meet the rows a few at a time"
    if plan.dtype == "float32":
        yield "float32 rounds at every row"
    if plan.stopping.monitor == "validation" and plan.stopping.patience is not None:
        yield "validation rows are watched"


def _no_closed_form(plan: DescentPlan) -> Iterator[str]:
    if plan.optimizer != "sgd":
        yield f"{plan.optimizer} has no closed form"
    if plan.schedule.name == "plateau":
        yield "the schedule plateau looks at the cost"
