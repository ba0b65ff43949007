"""A claim: the first to write this key does the thing, everybody else hears so."""

from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from wch.domain.moment import utc_seconds

WEBHOOK_TTL = timedelta(days=8)
"""WhatsApp repeats a delivery for up to seven days."""

PAYMENT_TTL = timedelta(days=35)
API_TTL = timedelta(hours=24)


class Scope(StrEnum):
    """What a key is a key of."""

    WEBHOOK = "webhook"
    NOTIFICATION = "notification"
    BROADCAST = "broadcast"
    ORDER = "order"
    SYNC = "sync"
    PAYMENT = "payment"
    WOOCOMMERCE = "woocommerce"
    API = "api"
    OPERATION = "op"


@attrs.frozen(kw_only=True, slots=False)
class Claim:
    """One row of `webhook_idempotency`.

    Attributes:
        message_id: an HMAC of the key in hex, since a WhatsApp id holds a phone number.
        scope: one of `Scope`, or `api:<hash>:<status>:<kind>:<id>` beside an API claim.
    """

    message_id: str
    scope: str
    processed_at: datetime = attrs.field(validator=utc_seconds)
    expires_at: datetime = attrs.field(validator=utc_seconds)

    def is_expired(self, *, now: datetime) -> bool:
        """Whether it can be claimed anew at once."""
        return self.expires_at <= now
