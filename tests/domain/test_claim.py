"""A claim ends at its moment, not after it."""

from datetime import datetime, timedelta

from hypothesis import given

from wch.domain.claim import API_TTL, PAYMENT_TTL, WEBHOOK_TTL, Claim
from wch.testing.strategies import claims, moments


@given(claims(), moments())
def test_a_claim_is_expired_from_its_moment_on(claim: Claim, now: datetime) -> None:
    """An expired claim can be claimed at once."""
    assert claim.is_expired(now=now) == (now >= claim.expires_at)
    assert claim.is_expired(now=claim.expires_at)


def test_claims_outlive_whoever_may_repeat() -> None:
    """WhatsApp repeats for seven days, payments for a month, a caller of the API for a day."""
    assert timedelta(days=7) < WEBHOOK_TTL
    assert timedelta(days=31) < PAYMENT_TTL
    assert timedelta(hours=24) == API_TTL
