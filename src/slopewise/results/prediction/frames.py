"""Columns as a frame of the library that the user works in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LIBRARIES = ("pandas", "polars", "pyarrow")


def frame_of(columns: Mapping[str, Any], library: str) -> Any:
    """Return columns as a frame of `library`, as an Arrow table if that is none of LIBRARIES or not installed."""
    import pyarrow as pa

    table = pa.table(dict(columns))
    try:
        if library == "pandas":
            return table.to_pandas()
        if library == "polars":
            import polars

            return polars.from_arrow(table)
    except ImportError:
        return table
    return table


def like_input(columns: Mapping[str, np.ndarray], rows: Any) -> Any:
    """Return columns (n,) as what `rows` are: a matrix as array or tensor, a dict, or a frame of the same library.

    One column of a matrix is (n,), more are (n, k). A pandas frame keeps its index. For a pair (X, y) it is X
    that counts; a path or query gives an Arrow table.
    """
    import numpy as np
    import torch

    rows = rows[0] if isinstance(rows, tuple) else rows
    if is_matrix(rows):
        values = list(columns.values())
        matrix = values[0] if len(values) == 1 else np.stack(values, axis=1)
        return torch.from_numpy(matrix) if isinstance(rows, torch.Tensor) else matrix
    if isinstance(rows, Mapping):
        return dict(columns)
    return _like_frame(columns, rows)


def is_matrix(rows: Any) -> bool:
    """Return whether rows are an array, a tensor or a list, or a pair that begins with one."""
    import numpy as np
    import torch

    rows = rows[0] if isinstance(rows, tuple) else rows
    return isinstance(rows, np.ndarray | torch.Tensor | list)


def _like_frame(columns: Mapping[str, np.ndarray], rows: Any) -> Any:
    import narwhals as nw

    frame: Any = nw.from_native(rows, pass_through=True)
    if not isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return frame_of(columns, "pyarrow")
    found = frame_of(columns, str(frame.implementation.value))
    return found.set_axis(rows.index) if frame.implementation.is_pandas() else found
