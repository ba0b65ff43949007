"""Tables for a spreadsheet: RFC 4180, and no cell that a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wch.domain.sheet import safe


def cell(value: Any) -> str:
    """A value as a cell: numbers as they are, a text that would run behind a `'`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return safe(str(value))


def lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A header and one line for each row, each with its CRLF; the columns are those of the first row."""
    names: list[str] = []
    for row in rows:
        if not names:
            names = list(row)
            yield _line(names)
        yield _line([cell(row.get(name)) for name in names])


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
