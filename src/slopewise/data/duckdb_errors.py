"""What DuckDB says of a query or a database that it cannot read, as errors in a sentence."""

from __future__ import annotations

from slopewise.errors import DataError


def explain_query(message: str, query: str) -> DataError:
    """Return the error of a query, from what DuckDB says of it."""
    if "requires the extension httpfs" in message:
        return DataError(f"The query {query!r} names an address, and only local files are read; download it first.")
    return DataError(f"The query {query!r} failed: {_first_line(message)}; correct the query.")


def explain_database(message: str, file: str) -> DataError:
    """Return the error of a database file, from what DuckDB says of it."""
    return DataError(
        f"{file!r} cannot be read as a DuckDB or SQLite database: {_first_line(message)}; "
        "check the file, and that no other program is writing to it."
    )


def _first_line(message: str) -> str:
    return message.splitlines()[0].rstrip(".!")


def shortened(query: str, most: int = 80) -> str:
    """Return a query on one line of at most `most` characters."""
    text = " ".join(query.split())
    return text if len(text) <= most else text[: most - 3] + "..."
