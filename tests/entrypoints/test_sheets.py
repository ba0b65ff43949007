"""CSV that a spreadsheet shows and does not run."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.entrypoints import sheets


@pytest.mark.parametrize("text", ["=1+1", "+1 (555) 0100", "-x", "@SUM(A1)", "\tx", "\rx", "\uff1d1+1", "-1e5", "--1"])
def test_a_formula_is_a_text(text: str) -> None:
    """Behind a quote mark, in every form that spreadsheets know."""
    assert sheets.cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"), [("-12.50", "-12.50"), (-3, "-3"), (None, ""), (True, "true"), (0.25, "0.25"), ("a=b", "a=b")]
)
def test_numbers_stay_numbers(value: object, cell: str) -> None:
    """A loss is no formula."""
    assert sheets.cell(value) == cell


@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.text()}), min_size=1))
def test_what_is_written_is_read_again(rows: list[dict[str, str]]) -> None:
    """Commas, quotes and lines within a cell, by RFC 4180."""
    rows = [
        {name: text.replace("\r", "").replace("\n", " ").replace("\0", "") for name, text in row.items()}
        for row in rows
    ]
    text = "".join(sheets.lines(rows))

    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [{name: cell.removeprefix("'") for name, cell in row.items()} for row in read] == [
        {name: cell.removeprefix("'") for name, cell in row.items()} for row in rows
    ]
    assert all(line.endswith("\r\n") for line in sheets.lines(rows))


def test_without_rows_there_is_nothing() -> None:
    """Not even a header: nobody knows the columns."""
    assert list(sheets.lines([])) == []
