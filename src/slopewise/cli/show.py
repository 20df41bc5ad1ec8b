"""`slopewise show`: what a saved fit's header holds of it, so that torch need not be imported."""

from __future__ import annotations

from slopewise.cli.options import AsJson, Saved
from slopewise.cli.printing import print_result


def show(file: Saved, json: AsJson = False) -> None:
    """Print the summary of a saved fit."""
    from json import dumps

    from slopewise.doctor.finding import finding_from, lines
    from slopewise.results.report.sections import summary
    from slopewise.results.storage.header import UNFIT, damaged, read_header, shown_in

    shown, result = shown_in(file, read_header(file))
    try:
        found = lines([finding_from(finding) for finding in shown["findings"]])
        text = "\n".join([summary(shown), *(["", *found] if found else [])])
        plain = dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    except UNFIT as error:
        raise damaged(file) from error
    print_result(plain if json else text)
