"""Choose the gradient descent solver of a linear model with squared loss: closed form, moments, or loop over rows."""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.errors import OptionError, check_choice
from slopewise.optimizers.plan import DescentPlan

ROADS = ("gd", "gd_closed_form", "gd_moments", "gd_loop")


def choose_road(plan: DescentPlan, wanted: str, *, rows_needed: str = "") -> tuple[str, str]:
    """Return (solver, reason): gd_closed_form, gd_moments or gd_loop.

    Args:
        plan: optimizer, schedule, batch size, stopping rules.
        wanted: gd (the fastest solver that gives this descent), or one of the others by name.
        rows_needed: why the rows themselves are needed, such as a checkpoint; empty where they are not.

    Returns:
        The solver's name, and why it was chosen.

    Raises:
        OptionError: the solver asked for cannot run this plan; the message says why, and which one can.

    Example:
        >>> from slopewise.optimizers.plan import DescentPlan
        >>> choose_road(DescentPlan(options={"lr": 0.1}, batch_size=32), "gd")
        ('gd_loop', 'mini-batches need the rows at every step')
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
        yield "mini-batches need the rows at every step"
    if plan.dtype == "float32":
        yield "float32 rounding depends on every row"
    if plan.stopping.monitor == "validation" and plan.stopping.patience is not None:
        yield "the cost of the validation rows is monitored"


def _no_closed_form(plan: DescentPlan) -> Iterator[str]:
    if plan.optimizer != "sgd":
        yield f"{plan.optimizer} has no closed form"
    if plan.schedule.name == "plateau":
        yield "the schedule 'plateau' depends on the cost"
