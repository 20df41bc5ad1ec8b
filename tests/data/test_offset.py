"""Offset and exposure columns: read with the rows they belong to, and refused where they cannot serve."""

import numpy as np
import pandas as pd
import pytest
import torch

from slopewise.data.design import Design, make_batch
from slopewise.data.design_source import DesignSource
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table
from slopewise.data.split import Split
from slopewise.engine.buffered import BufferedRows, every_nth, joined
from slopewise.errors import ColumnError, DataError

FRAME = pd.DataFrame(
    {
        "y": [1.0, 0.0, 2.0, 5.0],
        "a": [1.0, 2.0, 4.0, 8.0],
        "shift": [0.5, np.nan, -1.0, 0.0],
        "days": [1.0, 2.0, 10.0, 4.0],
        "kind": ["p", "q", "p", "q"],
    }
)


def learned(missing: str = "drop", **options: object) -> tuple[DesignSource, Design]:
    table = as_table(FRAME, None)
    wanted = {"target": "y", "features": ["a"], "weights": None, "intercept": True, "split": Split(0.0), **options}
    design = learn_design(table, missing=missing, **wanted)
    return DesignSource(table, design), design


def test_both_are_added_and_rows_without_them_are_dropped() -> None:
    source, design = learned(offset="shift", exposure="days")
    (batch,) = source.batches(10)
    expected = torch.tensor([0.5, -1.0 + np.log(10.0), np.log(4.0)], dtype=torch.float64)
    torch.testing.assert_close(batch.offset, expected)
    assert (batch.dropped, batch.missing) == (1, (0, 0, 1, 0))
    assert design.used() == ("a", "y", "shift", "days")
    assert Design.from_dict(design.to_dict()) == design


def test_new_rows_bring_their_own_and_keep_their_place() -> None:
    _, design = learned(exposure="days")
    table = as_table(FRAME, None)
    (chunk,) = table.chunks(design.used(False), 10)
    batch = make_batch(design, chunk, keep=None, with_target=False, drop=False)
    torch.testing.assert_close(batch.offset, torch.tensor(FRAME["days"].to_numpy()).log())
    assert batch.y is None


def test_parts_of_rows_keep_their_offsets() -> None:
    source, _ = learned(missing="error", offset="days")
    (batch,) = source.batches(10)
    (cut,) = every_nth((batch,), 2)
    assert cut.offset.tolist() == [1.0, 10.0]
    assert joined((cut, batch)).offset.tolist() == [1.0, 10.0, 1.0, 2.0, 10.0, 4.0]
    rows = list(BufferedRows((batch,)).batches(3))
    assert [part.offset.tolist() for part in rows] == [[1.0, 2.0, 10.0], [4.0]]


def test_they_are_no_features_unless_named_and_then_refused() -> None:
    table = as_table(FRAME, None)
    options = {"target": "y", "weights": None, "intercept": True, "missing": "drop", "split": Split(0.0)}
    assert learn_design(table, features=None, offset="shift", **options).x_names == ("a", "days", "kind[q]")
    with pytest.raises(DataError, match="offset 'a' has another part in the model too; give it one only"):
        learn_design(table, features=["a"], offset="a", **options)
    with pytest.raises(DataError, match="exposure 'y' has another part"):
        learn_design(table, features=["a"], exposure="y", **options)


def test_columns_that_cannot_serve_are_refused() -> None:
    with pytest.raises(ColumnError, match="exposure 'day' is not a column of .* Did you mean 'days'"):
        learned(exposure="day")
    with pytest.raises(DataError, match="offset column 'kind' is not numeric: it holds text, 'p' in row 1"):
        learned(offset="kind")
