"""Which road goes down on a linear model with squared loss: the closed form, the moments, or the plain loop."""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.errors import OptionError, check_choice
from slopewise.optimizers.descent import Descent

ROADS = ("descent", "replay", "moments", "loop")


def choose_road(descent: Descent, wanted: str, *, rows_needed: str = "") -> tuple[str, str]:
    """Return (road, reason): replay, moments or loop.

    Args:
        descent: the plan.
        wanted: descent (the fastest road there is), or one of the roads.
        rows_needed: why the rows themselves are needed, such as a checkpoint; empty where they are not.

    Raises:
        OptionError: the road asked for does not exist for this plan; says why and what would be used.
    """
    check_choice("solver", wanted, ROADS)
    rows = "; ".join([*_needs_rows(descent), *([rows_needed] if rows_needed else [])])
    form = "; ".join(_no_closed_form(descent))
    if rows:
        best, reason = "loop", rows
    elif form:
        best, reason = "moments", f"{form}; the moments give each gradient without the rows"
    else:
        best, reason = (
            "replay",
            "full-batch sgd on squared loss has a closed form: every epoch from one read of the rows",
        )
    if wanted in ("descent", best):
        return best, reason
    if wanted == "loop":
        return "loop", "asked for"
    if wanted == "moments" and not rows:
        return "moments", "asked for"
    raise OptionError(
        f"there is no {wanted} of this descent: {rows or form}; {best!r} would be used, choose it or leave solver out."
    )


def _needs_rows(descent: Descent) -> Iterator[str]:
    if descent.batch_size is not None:
        yield "mini-batches meet the rows a few at a time"
    if descent.dtype == "float32":
        yield "float32 rounds at every row"
    if descent.stopping.watch == "validation" and descent.stopping.patience is not None:
        yield "validation rows are watched"


def _no_closed_form(descent: Descent) -> Iterator[str]:
    if descent.optimizer != "sgd":
        yield f"{descent.optimizer} has no closed form"
    if descent.schedule.name == "plateau":
        yield "the schedule plateau looks at the cost"
