"""`slopewise.load`: a saved fit, of whatever kind it is."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slopewise.results.fit import Fit


def load(path: str | PathLike[str], module: Any = None) -> Fit[Any]:
    """Return a saved fit, of whatever kind it is; no code in the file is ever run.

    Args:
        path: of the file.
        module: the nn.Module of your own that was fitted, if it was one: its code is not in the file.

    Returns:
        The fit, with every verb that it had when it was saved.

    Raises:
        StoreError: the file is missing, damaged, not a fit, made by a newer slopewise, or needs a module.
    """
    from slopewise.results.fit import Fit
    from slopewise.results.storage.fit_file import load_record

    return Fit(load_record(path, module))
