"""`slopewise evaluate`."""

from __future__ import annotations

from slopewise.cli.options import AsJson, Saved, Table, TableName, Threshold
from slopewise.cli.printing import print_result


def evaluate(
    file: Saved,
    table: Table,
    table_name: TableName = None,
    threshold: Threshold = None,
    json: AsJson = False,
) -> None:
    """Print the metrics of a saved fit on new rows."""
    from slopewise import api

    saved = api.load(file)
    metrics = saved.evaluate(table, table_name=table_name, threshold=threshold)
    print_result(api.metrics_json(metrics) if json else api.metrics_text(metrics, saved.class_names))
