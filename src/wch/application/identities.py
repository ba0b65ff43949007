"""Identities: who a message is from when numbers change, ids stand for numbers, and numbers find new owners."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.application.alarms import alarm
from wch.application.merges import Merges
from wch.application.people import ALIAS
from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.conversation import Conversation, Event
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject, document
from wch.domain.errors import ConflictError
from wch.domain.inbound import AccountEvent, InboundMessage
from wch.domain.moment import iso
from wch.domain.phone import is_number, is_surrogate, key_of, surrogate, variants

BY = "whatsapp"
NUMBER_CHANGED = frozenset({"user_changed_number", "customer_changed_number"})
USER_ID_CHANGED = "user_changed_user_id"
TELL_OF_OTHERS = frozenset({"system", "contacts"})
"""The types of messages that may name further keys than their sender's."""

ASKED_FOR = "contact_request"
"""How the origin of a contact card begins that a customer shared because we asked for the number."""

MOST_HISTORY = 20


@attrs.frozen(kw_only=True)
class Identities:
    """Keeps one person one customer, and two persons two, in the transaction of the message that tells it."""

    merges: Merges

    # --- whose it is

    def key(self, uow: UnitOfWork, sender: str) -> str:
        """The key under which this sender is kept: an id whose number is known leads to that number."""
        return self._led(uow, sender) if is_surrogate(sender) else sender

    def key_of(self, uow: UnitOfWork, event: InboundMessage) -> str:
        """The same for a message; what WhatsApp says about a number that was left is about its former owner."""
        return self._led(uow, event.sender) if event.type == "system" else self.key(uow, event.sender)

    def _led(self, uow: UnitOfWork, sender: str) -> str:
        pointed = uow.options.get(f"{ALIAS}{sender}")
        return sender if pointed is None else str(pointed.get("to", sender))

    def phones(self, uow: UnitOfWork, event: InboundMessage) -> Iterable[str]:
        """Whose locks the message will take: the sender's, and of whoever turns out to be the same."""
        sender = self.key_of(uow, event)
        if not event.sender_user_id and event.type not in TELL_OF_OTHERS:
            return (sender,)
        others = (*_same_person(event, sender), *_told_numbers(event))
        return (sender, *[other for other in others if uow.customers.of(other) is not None])

    def phones_of_update(self, uow: UnitOfWork, event: AccountEvent) -> Iterable[str]:
        """Whose locks an update of ids will take."""
        for key, before, _ in _updates(event.value):
            yield from (one for one in (key, surrogate(before)) if one and uow.customers.of(one) is not None)

    # --- what a message tells

    def met(
        self, uow: UnitOfWork, profile: CustomerProfile, event: InboundMessage, *, now: datetime
    ) -> CustomerProfile:
        """The customer, locked, once it is settled who that is, before the message finds its thread.

        Whoever writes from a number that was left is somebody new. An id beside a number is
        the same person as that id alone. Another id beside a known number, and nobody said
        that it changed, is perhaps somebody else who has the number now.
        """
        told = event.sender_user_id
        if told is None and profile.last_interaction_at is not None:
            return profile
        if event.type == "system" or not is_number(profile.phone):
            return profile
        if profile.last_interaction_at is None:
            uow.options.remove(f"{ALIAS}{profile.phone}")
            self._suggest(uow, profile, now=now)
        known = _identity(profile).get("bsuid")
        if told is None or told == known:
            return profile
        other = surrogate(told)
        if known is not None:
            alarm(uow, "new_owner", now=now, about=f"customer:{profile.id}")
            profile = profile.taken_over(now=now)
        elif uow.customers.of(other) is not None:
            return self._merge(uow, profile.phone, other, now=now) or profile
        self._lead(uow, other, profile.phone)
        return profile

    def after(self, uow: UnitOfWork, event: InboundMessage, *, now: datetime) -> None:
        """What the message says about its sender: another number, another id, the number behind an id."""
        if event.type not in TELL_OF_OTHERS:
            return
        sender = self.key_of(uow, event)
        content = event.content
        if event.type == "system" and content.get("kind") in NUMBER_CHANGED:
            old, new = content.get("old") or sender, content.get("new")
            if isinstance(new, str) and isinstance(old, str) and new != old and uow.customers.of(old) is not None:
                fresh = content.get("user_id")
                self._moved(uow, old, new, fresh if isinstance(fresh, str) else None, now=now)
        elif event.type == "system" and content.get("kind") == USER_ID_CHANGED:
            before, fresh = content.get("previous_user_id"), content.get("user_id")
            if isinstance(fresh, str):
                self._renamed(uow, sender, before if isinstance(before, str) else None, fresh, now=now)
        elif event.type == "contacts" and is_surrogate(sender):
            number = _own_card(content)
            if number is not None:
                self._merge(uow, number, sender, now=now)

    def updated(self, uow: UnitOfWork, event: AccountEvent, *, now: datetime) -> None:
        """WhatsApp's own list of people whose ids are others now."""
        for key, before, fresh in _updates(event.value):
            self._renamed(uow, key or self.key(uow, surrogate(before)), before, fresh, now=now)

    # --- the changes

    def _moved(self, uow: UnitOfWork, old: str, new: str, fresh: str | None, *, now: datetime) -> None:
        """Everything of the old number is the new one's; the old one leads there until somebody writes from it.

        A new number brings a new user id: told with it, it is no sign of another owner.
        """
        kept = self._merge(uow, new, old, now=now)
        if kept is None:
            return
        kept = _remembering(kept, {"at": iso(now), "from": old, "to": new}, now=now)
        if fresh is not None:
            self._lead(uow, surrogate(fresh), new)
            kept = kept.identified(now=now, bsuid=fresh)
        uow.customers.save(kept)

    def _renamed(self, uow: UnitOfWork, key: str, before: str | None, fresh: str, *, now: datetime) -> None:
        """Another id for the same person, wherever they are kept."""
        entry = {"at": iso(now), "from_user_id": before, "to_user_id": fresh}
        key = self.key(uow, key)
        kept: CustomerProfile | None
        if is_surrogate(key):
            if uow.customers.of(key) is None or key == surrogate(fresh):
                return
            kept = self._merge(uow, surrogate(fresh), key, now=now)
        elif uow.customers.of(key) is not None:
            kept = uow.customers.lock(key, now=now)
            self._lead(uow, surrogate(fresh), key)
        else:
            return
        if kept is not None:
            uow.customers.save(_remembering(kept, entry, now=now).identified(now=now, bsuid=fresh))

    def _merge(self, uow: UnitOfWork, keep: str, gone: str, *, now: datetime) -> CustomerProfile | None:
        """One customer of two; None while both are placing an order, which a person puts right then."""
        locked = {key: uow.customers.lock(key, now=now) for key in sorted((keep, gone))}
        try:
            kept = self.merges.merge_in(uow, keep, gone, by=BY, now=now)[1]
        except ConflictError:
            self._suggest_merge(uow, locked[keep], locked[gone], now=now)
            return None
        uow.options.remove(f"{ALIAS}{keep}")
        return kept

    def _lead(self, uow: UnitOfWork, alias: str, key: str) -> None:
        known = uow.options.get(f"{ALIAS}{alias}")
        if known is None or known.get("to") != key:
            uow.options.put(f"{ALIAS}{alias}", document(to=key))

    def _suggest(self, uow: UnitOfWork, profile: CustomerProfile, *, now: datetime) -> None:
        """Two spellings of one number both wrote: two customers, until a person says that they are one."""
        for other in variants(profile.phone)[1:]:
            twin = uow.customers.of(other)
            if twin is not None and twin.last_interaction_at is not None:
                self._suggest_merge(uow, profile, twin, now=now)

    def _suggest_merge(self, uow: UnitOfWork, one: CustomerProfile, other: CustomerProfile, *, now: datetime) -> None:
        about, detail = f"customer:{one.id}", document(with_customer=other.id)
        uow.audit.add(AuditEntry(at=now, actor=BY, action="customer.merge_suggested", object=about, detail=detail))


def starts_anew(profile: CustomerProfile, conversation: Conversation | None, *, now: datetime) -> Conversation | None:
    """The thread of a number's former owner ends: whoever has the number now begins their own."""
    if conversation is None or not conversation.is_open or profile.new_owner_since != now:
        return None
    return conversation.on(Event.RESOLVE, now=now)


def _same_person(event: InboundMessage, sender: str) -> Iterable[str]:
    """The keys of ids that stand beside a number, so that both are one person without any doubt."""
    if is_number(sender) and event.sender_user_id and event.type != "system":
        yield surrogate(event.sender_user_id)


def _told_numbers(event: InboundMessage) -> Iterable[str]:
    """Further keys that a message names."""
    names = ("old", "new") if event.type == "system" else ()
    yield from (str(event.content[name]) for name in names if event.content.get(name))
    if event.type == "system" and event.content.get("user_id"):
        yield surrogate(str(event.content["user_id"]))
    card = _own_card(event.content) if event.type == "contacts" else None
    if card is not None:
        yield card


def _own_card(content: JsonObject) -> str | None:
    """The number on the one card that was shared because we asked for it."""
    cards, origin = content.get("contacts"), content.get("origin")
    if not isinstance(origin, str) or not origin.startswith(ASKED_FOR) or not isinstance(cards, list) or not cards:
        return None
    phones: Any = cards[0].get("phones")
    first: Any = phones[0] if isinstance(phones, list) and phones else None
    if not isinstance(first, Mapping):
        return None
    try:
        return key_of(str(first.get("wa_id") or first.get("phone") or ""))
    except ValueError:
        return None


def _updates(value: JsonObject) -> Iterable[tuple[str, str, str]]:
    """Key (empty when only the id is known), former id, present id."""
    told: Any = value.get("user_id_update")
    for one in told if isinstance(told, list) else []:
        ids: Any = one.get("user_id") if isinstance(one, Mapping) else None
        if not isinstance(ids, Mapping):
            continue
        before, fresh = ids.get("previous"), ids.get("current")
        if isinstance(before, str) and isinstance(fresh, str) and before and fresh and before != fresh:
            digits = "".join(letter for letter in str(one.get("wa_id") or "") if letter.isdigit())
            yield digits, before, fresh


def _identity(profile: CustomerProfile) -> JsonObject:
    known: Any = profile.preferences.get("identity")
    return known if isinstance(known, Mapping) else {}


def _remembering(profile: CustomerProfile, entry: JsonObject, *, now: datetime) -> CustomerProfile:
    plain = {name: value for name, value in entry.items() if value is not None}
    history = [*_identity(profile).get("history", ()), plain]
    return profile.identified(now=now, history=history[-MOST_HISTORY:])
