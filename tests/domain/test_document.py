"""JSON as the rows keep it: values, whose unknown keys survive."""

from hypothesis import given

from wch.domain.document import JsonObject, amended, document
from wch.testing.strategies import documents


def test_a_document_holds_what_has_a_value() -> None:
    """Absent and null are one thing."""
    assert document(a=1, b=None, c=False) == {"v": 1, "a": 1, "c": False}


@given(documents())
def test_keys_that_a_reader_does_not_know_survive(before: JsonObject) -> None:
    """An older program must not lose what a newer one wrote, nulls aside."""
    after = amended(before, mine=1)

    assert after["mine"] == 1
    assert {**after, "mine": None} == {**{k: v for k, v in before.items() if v is not None}, "mine": None}


@given(documents())
def test_what_is_amended_is_left_as_it_was(before: JsonObject) -> None:
    """Whoever holds the old one still holds the old one."""
    copy = dict(before)
    amended(before, mine=1)

    assert before == copy


def test_none_takes_a_key_away() -> None:
    """And a document without a version gets the present one."""
    assert amended({"a": 1, "b": 2}, a=None) == {"v": 1, "b": 2}
    assert amended({"v": 7}, a=1) == {"v": 7, "a": 1}
