"""Tombstones: who was erased when, kept so that nobody can tell whom, and nothing old brings them back."""

from collections.abc import Iterable
from datetime import datetime

import attrs

from wch.application.digests import Digests
from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject, document
from wch.domain.erasure import ID_GONE, is_erased
from wch.domain.evolution import evolve
from wch.domain.inbound import StatusUpdate
from wch.domain.message import Message
from wch.domain.moment import iso, of_iso

ERASED = "erased."
OUT = "optout."


@attrs.frozen(kw_only=True)
class Tombstones:
    """Options named by digests: that a key was erased, and that its owner wanted no marketing."""

    digests: Digests

    def set(self, uow: UnitOfWork, key: str, profile: CustomerProfile | None, *, saga_id: str, now: datetime) -> None:
        """Remember that this key was erased, and whether it was out; nothing else of it."""
        digest = self.digests.of(key)
        uow.options.put(ERASED + digest, document(at=iso(now), key_tag=self.digests.of("key tag")[:8], erasure=saga_id))
        if profile is not None and (profile.is_out or profile.notification_opt_out):
            uow.options.put(OUT + digest, document(marketing=profile.is_out, notices=profile.notification_opt_out))

    def names(self, key: str) -> Iterable[str]:
        """The options in which something about this key may stand."""
        return [prefix + digest for digest in self.digests.all(key) for prefix in (ERASED, OUT)]

    def of(self, uow: UnitOfWork, key: str) -> JsonObject | None:
        """The tombstone of this key, under whichever secret key it was made."""
        return self._first(uow, ERASED, key)

    def erased_at(self, uow: UnitOfWork, key: str) -> datetime | None:
        """When this key was last erased."""
        found = self.of(uow, key)
        return None if found is None else of_iso(str(found["at"]))

    def covers(self, uow: UnitOfWork, key: str, at: datetime, wa_message_id: str | None = None) -> bool:
        """Whether an event of this key, at this time, is from before its erasure.

        A customer who was known before the event happened was not erased since.
        """
        if is_erased(key):
            return True
        profile = uow.customers.of(key)
        if profile is not None and profile.created_at <= at:
            return False
        erased_at = self.erased_at(uow, key)
        if erased_at is None:
            return False
        return at <= erased_at or (wa_message_id is not None and self._row(uow, wa_message_id) is not None)

    def returned(self, uow: UnitOfWork, profile: CustomerProfile, *, now: datetime) -> CustomerProfile:
        """A customer who writes for the first time after an erasure is still out of what they were out of."""
        if profile.last_interaction_at is not None or profile.marketing_opted_at is not None:
            return profile
        out = self._first(uow, OUT, profile.phone)
        if out is None:
            return profile
        purpose = "all" if out.get("notices") else "marketing"
        back = profile.consenting(purpose, "out", source="erasure", now=now)
        if not out.get("marketing"):
            back = evolve(back, marketing_opted_at=None)
        uow.customers.save(back)
        return back

    def row(self, uow: UnitOfWork, event: StatusUpdate) -> Message | None:
        """The row of an erased customer's message that this status is about."""
        if event.recipient is None or self.of(uow, event.recipient) is None:
            return None
        return self._row(uow, event.wa_message_id)

    def disguised(self, event: StatusUpdate) -> StatusUpdate:
        """The same status under the form in which the id of an erased customer's message is kept."""
        if event.wa_message_id.startswith(ID_GONE):
            return event
        return attrs.evolve(
            event, wa_message_id=ID_GONE + self.digests.of(event.wa_message_id), conversation_id=None, errors=()
        )

    def made_under(self, uow: UnitOfWork) -> Iterable[str]:
        """The tags of the secret keys that tombstones were made under."""
        after = ERASED
        while page := uow.options.named(ERASED, after=after, limit=500):
            yield from (str(value.get("key_tag")) for _, value in page)
            after = page[-1][0]

    def _row(self, uow: UnitOfWork, wa_message_id: str) -> Message | None:
        for digest in self.digests.all(wa_message_id):
            found = uow.messages.by_wa_id(ID_GONE + digest)
            if found is not None:
                return found
        return None

    def _first(self, uow: UnitOfWork, prefix: str, key: str) -> JsonObject | None:
        for digest in self.digests.all(key):
            found = uow.options.get(prefix + digest)
            if found is not None:
                return found
        return None
