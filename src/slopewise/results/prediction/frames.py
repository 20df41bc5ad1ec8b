"""Columns as a frame of the library that the user works in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slopewise.data.design import Design, Feature
from slopewise.data.source import Chunk

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

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
        return torch.from_numpy(matrix) if isinstance(rows, torch.Tensor) and matrix.dtype != object else matrix
    if isinstance(rows, Mapping | list):
        return dict(columns)
    return _like_frame(columns, rows)


def is_matrix(rows: Any) -> bool:
    """Return whether rows are an array, a tensor or a list of rows without names, or a pair that begins with one."""
    import numpy as np
    import torch

    rows = rows[0] if isinstance(rows, tuple) else rows
    if isinstance(rows, list):
        return not (rows and isinstance(rows[0], Mapping))
    return isinstance(rows, np.ndarray | torch.Tensor)


def _like_frame(columns: Mapping[str, np.ndarray], rows: Any) -> Any:
    import narwhals as nw

    if nw.dependencies.is_pandas_series(rows):  # a row of a frame
        rows = rows.to_frame().T
    frame: Any = nw.from_native(rows, pass_through=True)
    if not isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return frame_of(columns, "pyarrow")
    found = frame_of(columns, str(frame.implementation.value))
    return found.set_axis(rows.index) if frame.implementation.is_pandas() else found


def tables_of(
    design: Design, chunks: Iterable[tuple[Chunk, Mapping[str, np.ndarray]]], outputs: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield features and predictions as Arrow tables of one schema, one for each chunk, an empty one where none is.

    Args:
        design: of the fit.
        chunks: of rows, each with its predicted columns (n,).
        outputs: names of those columns; one takes an underscore where a feature has its name. Of classes,
            `prediction` holds labels as text (n,).
    """
    import pyarrow as pa

    features = design.features
    taken = {feature.name for feature in features}
    names = [f.name for f in features] + [name + "_" * (name in taken) for name in outputs]
    types = {"number": pa.float64(), "boolean": pa.bool_(), "category": pa.string()}
    labels = "prediction" if design.target_levels else None
    kinds = [types[f.kind] for f in features]
    kinds += [_label_type(design) if name == labels else pa.float64() for name in outputs]
    schema = pa.schema(zip(names, kinds, strict=True))
    empty = True
    for chunk, columns in chunks:
        inputs = [_values(chunk, feature, schema.field(feature.name).type) for feature in features]
        found = [
            label_column(columns[name], design) if name == labels else pa.array(columns[name], from_pandas=True)
            for name in outputs
        ]
        yield pa.table([*inputs, *found], schema=schema)
        empty = False
    if empty:
        yield schema.empty_table()


def label_values(labels: np.ndarray, design: Design) -> np.ndarray:
    """Return predicted classes as an array of the target's own type: text, whole or other numbers, booleans.

    Args:
        labels: (n,) text, None where there is no prediction.
        design: of the fit.

    Returns:
        (n,); numbers and booleans of which some are missing are float64 with NaN.
    """
    import numpy as np

    if design.target_kind == "category":
        return labels
    values = np.array([np.nan if label is None else _value(label) for label in labels], dtype=np.float64)
    if np.isnan(values).any():
        return values
    if design.target_kind == "boolean":
        return values.astype(bool)
    return values.astype(np.int64) if _whole(design) else values


def label_column(labels: np.ndarray, design: Design) -> pa.Array:
    """Return predicted classes as a column of the target's own type, null where there is no prediction.

    Args:
        labels: (n,) text, None where there is no prediction.
        design: of the fit.
    """
    import numpy as np
    import pyarrow as pa

    wanted = _label_type(design)
    if design.target_kind == "category":
        return pa.array(labels, wanted)
    values = np.array([0.0 if label is None else _value(label) for label in labels], dtype=np.float64)
    missing = np.array([label is None for label in labels], dtype=bool)
    return pa.array(values.astype(wanted.to_pandas_dtype()), wanted, mask=missing)


def _label_type(design: Design) -> pa.DataType:
    import pyarrow as pa

    if design.target_kind == "category":
        return pa.string()
    if design.target_kind == "boolean":
        return pa.bool_()
    return pa.int64() if _whole(design) else pa.float64()


def _whole(design: Design) -> bool:
    """Return whether all classes are whole numbers, of a size that int64 and float64 both hold."""
    return all(float(level).is_integer() and abs(float(level)) <= 2**53 for level in design.target_levels)


def _value(label: str) -> float:
    return {"False": 0.0, "True": 1.0}[label] if label in ("False", "True") else float(label)


def _values(chunk: Chunk, feature: Feature, arrow_type: pa.DataType) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if feature.kind == "category":
        found = chunk.codes(feature.name)
        levels = pa.array(found.levels, pa.string())
        return levels.take(pa.array(found.codes, mask=found.codes < 0))
    numbers = chunk.numbers((feature.name,))[:, 0].numpy()
    if feature.kind == "boolean":
        return pa.array(np.nan_to_num(numbers) != 0, mask=np.isnan(numbers))
    return pa.array(numbers, arrow_type, from_pandas=True)
