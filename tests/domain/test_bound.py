"""What a row's numbers and keys may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.testing.doubles import NOON


@given(count=st.integers())
def test_a_count_is_never_below_zero(count: int) -> None:
    """Zero is the first that is taken, and the error names the field."""
    if count >= 0:
        thread = Conversation(customer_phone="1", unread_count=count, created_at=NOON, updated_at=NOON)
        assert thread.unread_count == count
        return

    with pytest.raises(ValueError, match="unread_count must not be negative"):
        Conversation(customer_phone="1", unread_count=count, created_at=NOON, updated_at=NOON)


@pytest.mark.parametrize(("length", "is_taken"), [(0, False), (1, True), (20, True), (21, False)])
def test_a_key_fits_into_its_column(length: int, *, is_taken: bool) -> None:
    """It is neither empty nor longer than 20 characters."""
    if is_taken:
        assert CustomerProfile.met("1" * length, now=NOON).phone == "1" * length
        return

    with pytest.raises(ValueError, match="phone must have 1 to 20 characters"):
        CustomerProfile.met("1" * length, now=NOON)
