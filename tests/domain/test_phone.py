"""Keys are what WhatsApp gave, and variants are for looking up."""

import pytest
from hypothesis import given

from wch.domain.phone import is_key, is_number, is_surrogate, key_of, masked, surrogate, variants
from wch.testing.strategies import phones


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("+49 (151) 123-456 78", "4915112345678"),
        ("16505551234", "16505551234"),
        ("u3fi6r42alxn7exdxkwk", "u3fi6r42alxn7exdxkwk"),
    ],
)
def test_a_key_is_the_digits_as_they_are(text: str, key: str) -> None:
    """Nothing is made "valid": WhatsApp's number is the customer."""
    assert key_of(text) == key
    assert is_key(key)


@pytest.mark.parametrize("text", ["", "abc", "1" * 20])
def test_what_is_no_number_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="phone number"):
        key_of(text)


def test_a_surrogate_is_made_of_the_business_id() -> None:
    """The same customer without a number gets the same key on every host, for ever."""
    assert surrogate("US.13491208655302741918") == "u3fi6r42alxn7exdxkwk"
    assert is_surrogate("u3fi6r42alxn7exdxkwk")
    assert not is_number("u3fi6r42alxn7exdxkwk")
    assert not is_surrogate("u3FI6r42alxn7exdxkwk")


@pytest.mark.parametrize(
    ("key", "others"),
    [
        ("5511987654321", ("551187654321",)),
        ("551187654321", ("5511987654321",)),
        ("551133334444", ()),
        ("5215512345678", ("525512345678",)),
        ("525512345678", ("5215512345678",)),
        ("5491112345678", ("541112345678",)),
        ("541112345678", ("5491112345678",)),
        ("16505551234", ()),
        ("u3fi6r42alxn7exdxkwk", ()),
    ],
)
def test_three_countries_write_one_number_in_two_ways(key: str, others: tuple[str, ...]) -> None:
    """Brazil's ninth digit, Mexico's 1, Argentina's 9; a Brazilian landline has no second way."""
    assert variants(key) == (key, *others)


@given(phones())
def test_variants_are_symmetric(key: str) -> None:
    """Whoever looks under one of them finds what was kept under the other."""
    for other in variants(key):
        assert set(variants(other)) == set(variants(key))


@pytest.mark.parametrize(("key", "shown"), [("4915112345678", "***5678"), ("1234567", "***"), ("", "***")])
def test_a_masked_key_keeps_most_to_itself(key: str, shown: str) -> None:
    assert masked(key) == shown
