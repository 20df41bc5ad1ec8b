"""`slopewise.check`: what a descent on a table would meet, before the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from slopewise.api.dataset import prepare_data
from slopewise.api.modes import in_own_modes
from slopewise.api.option_types import CheckOptions
from slopewise.api.options import resolve_options, takes

if TYPE_CHECKING:
    from slopewise.doctor.examine import Report


@takes(CheckOptions)
@in_own_modes
def check(table: Any, *, model: str = "auto", task: str = "auto", **options: Unpack[CheckOptions]) -> Report:
    """Say what a descent on this table would meet, before the first step.

    The rows are read once, and the first thousands of them again where the model is not a line.

    Args:
        table: as in `fit`, and so are all other arguments.
        model: as in `fit`.
        task: as in `fit`.
        options: those of the data, the model and the descent.

    Returns:
        The report holds the limits of the step in raw and in standardised columns, side by side, and the findings;
        printed, it is a page of text. Of a line the limits are exact; of classes they hold wherever the descent goes;
        of a network they are those at its start.

    Raises:
        OptionError, ColumnError, DataError: as `fit`.
        FitError: there is one class only.

    >>> import slopewise
    >>> points = {"hours": [1.0, 2.0, 3.0], "points": [2.0, 4.0, 6.0]}
    >>> round(slopewise.check(points, target="points", standardize=False).limits.plain, 6)
    0.180295
    """
    resolved = resolve_options(CheckOptions, model=model, task=task, given=options, solver="gd")
    data = prepare_data(table, resolved)
    if resolved.model == "mlp" or data.is_classification or resolved["loss"] not in (None, "squared"):
        from slopewise.api.network import check_network

        return check_network(data, resolved)
    from slopewise.api.linear import check_linear

    return check_linear(data, resolved)
