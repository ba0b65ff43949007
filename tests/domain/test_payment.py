"""A payment's reference leads back to its cart, at every gateway."""

from datetime import timedelta

import pytest
from hypothesis import given

from wch.domain.catalogue import LARGEST_ID
from wch.domain.moment import of_unix
from wch.domain.payment import PaymentRefusedError, PaymentUnavailableError, cart_of, reference
from wch.testing.strategies import moments, row_ids


@given(row_ids(), moments())
def test_a_reference_leads_back(cart_id: int, created_at: object) -> None:
    """No table of its own is needed to find the saga of a payment."""
    assert cart_of(reference(cart_id, created_at)) == (cart_id, created_at)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see


def test_a_reference_fits_every_gateway() -> None:
    """The shortest takes 35 characters."""
    longest = reference(LARGEST_ID, of_unix(4_000_000_000))

    assert len(longest) <= 25
    assert reference(0, of_unix(36)) == "wch-0-10"


@pytest.mark.parametrize("text", ["", "wch-", "wch-1", "wch-1-2-3", "WCH-1-2", "ord-1-2", "wch-1-2\n", "wch-1-é"])
def test_what_is_not_ours_is_none(text: str) -> None:
    """Other sales run over the same account."""
    assert cart_of(text) is None


def test_moments_before_all_time_have_no_reference() -> None:
    with pytest.raises(ValueError, match="negative"):
        reference(1, of_unix(0) - timedelta(seconds=1))


def test_errors_carry_what_to_decide_on() -> None:
    assert PaymentUnavailableError(timedelta(seconds=3)).retry_after == timedelta(seconds=3)
    assert PaymentRefusedError("by_hand").code == "by_hand"
