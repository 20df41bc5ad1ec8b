"""Where a fit's rows can be had again by a script that knows nothing of slopewise."""

from __future__ import annotations

from slopewise.data.design_source import DesignSource
from slopewise.data.source import PlainCsv
from slopewise.errors import OptionError
from slopewise.results.export.script import MOST_INLINE
from slopewise.results.record import CsvRows, DataHandles, FitRecord, InlineRows, Origin


def origin_of(record: FitRecord, data: DataHandles | None) -> Origin | None:
    """Return the training rows as a script can have them: a CSV file, or up to 200 rows as numbers.

    None where the table is neither.
    """
    if record.origin is not None or data is None:
        return record.origin
    source = data.train
    if not isinstance(source, DesignSource):
        return None
    if source.table.plain is not None:
        return _csv_rows(source, source.table.plain)
    if record.moments.n > MOST_INLINE:
        return None
    rows = data.engine.head(source, record.moments.n)
    assert rows.y is not None
    return InlineRows(rows.x, rows.y, rows.w, rows.offset)


def known_origin(record: FitRecord, data: DataHandles | None) -> Origin:
    """Return the origin of the fit's rows.

    Args:
        record: of the fit.
        data: the rows that can still be read, None after loading.

    Raises:
        OptionError: they are neither one plain CSV file nor few enough to be written out.
    """
    origin = origin_of(record, data)
    if origin is None:
        raise OptionError(
            f"the {record.moments.n:,} training rows are not one plain CSV file, and too many to write out "
            f"({MOST_INLINE} at most); fit from a CSV file, and the script reads that."
        )
    return origin


def _csv_rows(source: DesignSource, plain: PlainCsv) -> CsvRows:
    schema = source.table.schema
    booleans = tuple(name for name in source.design.used() if schema.kind(name) == "boolean")
    return CsvRows(plain.path, plain.delimiter, plain.decimal, booleans, source.split)
