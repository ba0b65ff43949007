"""A broadcast's recipients: one row for each phone, and one word for what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.errors import TransitionError
from wch.domain.evolution import evolve
from wch.domain.moment import utc_seconds


class RecipientStatus(StrEnum):
    """Where a recipient is; a skip carries its reason in the word."""

    PENDING = "pending"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    SKIPPED_OPTOUT = "skipped_optout"
    SKIPPED_NOCONSENT = "skipped_noconsent"
    SKIPPED_BLOCKED = "skipped_blocked"
    SKIPPED_CAP = "skipped_cap"
    SKIPPED_COOLDOWN = "skipped_cooldown"
    SKIPPED_COUNTRY = "skipped_country"
    SKIPPED_UNREACH = "skipped_unreach"
    SKIPPED_MISSING = "skipped_missing"
    SKIPPED_TEMPLATE = "skipped_template"
    SKIPPED_EXCLUDED = "skipped_excluded"
    SKIPPED_TTL = "skipped_ttl"
    SKIPPED_CANCELLED = "skipped_cancelled"
    SKIPPED_ERASED = "skipped_erased"

    @property
    def is_skip(self) -> bool:
        """Whether it was left out on purpose."""
        return self.value.startswith("skipped_")


RANK = {
    RecipientStatus.PENDING: 0,
    RecipientStatus.QUEUED: 0,
    RecipientStatus.UNCONFIRMED: 0,
    RecipientStatus.SENT: 1,
    RecipientStatus.FAILED: 2,
    RecipientStatus.DELIVERED: 3,
    RecipientStatus.READ: 4,
}
"""The ranks of its message; a skip has none and never moves."""


SETTLED = frozenset({RecipientStatus.SENT, RecipientStatus.DELIVERED, RecipientStatus.READ, RecipientStatus.FAILED})
"""What is known to have left, or not to arrive."""

SKIPS = {
    "policy:consent": RecipientStatus.SKIPPED_OPTOUT,
    "policy:optout": RecipientStatus.SKIPPED_OPTOUT,
    "policy:noconsent": RecipientStatus.SKIPPED_NOCONSENT,
    "policy:blocked": RecipientStatus.SKIPPED_BLOCKED,
    "policy:erased": RecipientStatus.SKIPPED_ERASED,
    "policy:cap": RecipientStatus.SKIPPED_CAP,
    "policy:hold": RecipientStatus.SKIPPED_COOLDOWN,
    "policy:cooldown": RecipientStatus.SKIPPED_COOLDOWN,
    "policy:held_back": RecipientStatus.SKIPPED_COOLDOWN,
    "policy:country": RecipientStatus.SKIPPED_COUNTRY,
    "policy:unreach": RecipientStatus.SKIPPED_UNREACH,
    "policy:unaddressed": RecipientStatus.SKIPPED_UNREACH,
    "policy:missing": RecipientStatus.SKIPPED_MISSING,
    "policy:template": RecipientStatus.SKIPPED_TEMPLATE,
    "policy:excluded": RecipientStatus.SKIPPED_EXCLUDED,
    "policy:cancelled": RecipientStatus.SKIPPED_CANCELLED,
    "policy:over": RecipientStatus.SKIPPED_TTL,
    "expired": RecipientStatus.SKIPPED_TTL,
}
"""A message that ended before it was sent leaves its recipient skipped, not failed."""


def skip_of(word: str) -> RecipientStatus:
    """The recipient's word for what a rule refused with."""
    return SKIPS.get(f"policy:{word}", RecipientStatus.SKIPPED_TEMPLATE)


@attrs.frozen(kw_only=True, slots=False)
class BroadcastRecipient:
    """One row of `broadcast_recipients`; campaign and phone together are unique."""

    id: int = 0
    campaign_id: int
    phone: str
    wa_message_id: str | None = None
    status: RecipientStatus = RecipientStatus.PENDING
    sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    created_at: datetime = attrs.field(validator=utc_seconds)

    def queued(self) -> Self:
        """Its message row is written in the same transaction.

        Raises:
            TransitionError: it is not pending.
        """
        if self.status is not RecipientStatus.PENDING:
            raise TransitionError(recipient_id=self.id, status=self.status)
        return evolve(self, status=RecipientStatus.QUEUED)

    def skipped(self, status: RecipientStatus) -> Self:
        """Left out, for the reason in the word.

        Raises:
            TransitionError: it is on its way already, or the word is no skip.
        """
        if self.status not in {RecipientStatus.PENDING, RecipientStatus.QUEUED} or not status.is_skip:
            raise TransitionError(recipient_id=self.id, status=self.status)
        return evolve(self, status=status)

    def followed(self, status: RecipientStatus, *, wa_message_id: str | None, at: datetime) -> Self:
        """Its message moved: the same ranks, only upwards."""
        if self.status.is_skip or status.is_skip:
            return self
        known = evolve(self, wa_message_id=wa_message_id or self.wa_message_id)
        if RANK[status] < RANK[self.status] or (RANK[status] == 0 and status is not RecipientStatus.UNCONFIRMED):
            return known
        left = self.sent_at or (at if RANK[status] in {1, 3, 4} else None)
        return evolve(known, status=status, sent_at=left)
