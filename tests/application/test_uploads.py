"""A list is read line by line; what names nobody is told by its number and stored nowhere."""

import tracemalloc

import pytest

from wch.application.uploads import MOST_BYTES, MOST_LINES, read_upload
from wch.domain.campaign import CampaignError


def phones(body: str, *, size: int = 2) -> tuple[list[list[str]], list[int]]:
    """The pages of a list, and the numbers of its bad lines."""
    upload = read_upload(body.encode(), country="ES")
    return [[line.phone for line in page] for page in upload.pages(size)], upload.bad


def test_a_list_comes_in_pages() -> None:
    """In the order of the file; numbers without a country are the shop's."""
    pages, bad = phones("phone\n612345678\n+34 600 00 00 01\n0034600000002\n")

    assert (pages, bad) == ([["34612345678", "34600000001"], ["34600000002"]], [])


def test_semicolons_and_a_byte_order_mark_are_understood() -> None:
    """As spreadsheets save it."""
    upload = read_upload(
        "\ufeffphone;name;opted_in_at;source\n34600000001; Ana ;2026-01-01T00:00:00Z;fair\n".encode(), country="ES"
    )
    ((line,),) = upload.pages(10)

    assert (line.phone, line.name, line.source, line.number) == ("34600000001", "Ana", "fair", 2)
    assert line.opted_in_at is not None


@pytest.mark.parametrize("line", ["abc", "123", "u2345", "34600000001234567", "", "34600000001,,yesterday"])
def test_a_line_that_names_nobody_is_told_by_its_number(line: str) -> None:
    """Letters, too few or too many digits, no number, a time that is none."""
    pages, bad = phones(f"phone,name,opted_in_at\n34600000001\n{line or ','}\n34600000002\n")

    assert ([one for page in pages for one in page], bad) == (["34600000001", "34600000002"], [3])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"name\nAna\n", "column `phone`"),
        (b"", "column `phone`"),
        (b"phone\n\xff\xfe\n", "not UTF-8"),
        (b"phone\n" + b"1\n" * (MOST_LINES + 1), "more than 100000 lines"),
        (b"phone\n" + b"1" * MOST_BYTES, "larger than 20 MB"),
    ],
)
def test_a_list_that_cannot_be_used_says_what_to_do(body: bytes, sentence: str) -> None:
    """Before anything of it is written."""
    with pytest.raises(CampaignError, match=sentence):
        read_upload(body, country="ES")


def test_a_list_is_never_held_as_one() -> None:
    """Twenty thousand lines cost no more than a page of them."""
    body = b"phone,name\n" + b"".join(b"346%08d,Somebody with a name\n" % number for number in range(20_000))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        upload = read_upload(body, country="ES")
        assert sum(1 for page in upload.pages(500) for _ in page) == 20_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak - before < len(body) + 2_000_000
