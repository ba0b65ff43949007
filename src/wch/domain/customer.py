"""A customer: who writes, what we may say to them, and what they bought."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

import attrs

from wch.domain.bound import not_negative, short_key
from wch.domain.document import JsonObject, amended, document
from wch.domain.evolution import evolve
from wch.domain.moment import iso, of_iso, utc_seconds

MOST_SAVED_ADDRESSES = 10
MOST_CONSENT_ENTRIES = 50
MOST_TAGS = 50
LONGEST_TAG = 50
LOOKED_UP_EVERY = timedelta(days=30)
"""How long the shop is not asked again whose number this is, unless an order tells of somebody new."""
LONGEST_EMAIL = 255


@attrs.frozen(kw_only=True, slots=False)
class CustomerProfile:
    """One row of `customer_profiles`; its row is the lock of everything about the customer.

    Attributes:
        phone: the key: digits as WhatsApp gave them, or a surrogate beginning with `u`.
        wc_customer_id: the customer in the shop, when exactly one fits.
        preferences: language, identity, consent log, holds, order figures, notes, what the shop said of the number.
        total_spent: a report figure, rounded to two places.
        opt_in_marketing: whether campaigns may be sent.
        notification_opt_out: whether order notices are refused too.
        marketing_opted_at: when marketing was last decided; None: never.
        last_interaction_at: acceptance of the latest message of theirs that counts as one.
    """

    id: int = 0
    phone: str = attrs.field(validator=short_key)
    wc_customer_id: int | None = None
    name: str | None = None
    email: str | None = None
    last_known_address: JsonObject | None = None
    saved_addresses: tuple[JsonObject, ...] = ()
    preferences: JsonObject = attrs.field(factory=document)
    tags: tuple[str, ...] = ()
    total_orders: int = attrs.field(default=0, validator=not_negative)
    total_spent: Decimal = Decimal("0.00")
    opt_in_marketing: bool = False
    notification_opt_out: bool = False
    last_interaction_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    marketing_opted_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    @classmethod
    def met(cls, phone: str, *, now: datetime) -> Self:
        """Somebody who wrote, or was written to, for the first time."""
        return cls(phone=phone, created_at=now, updated_at=now)

    @property
    def is_out(self) -> bool:
        """Whether marketing was refused, as against never decided."""
        return not self.opt_in_marketing and self.marketing_opted_at is not None

    @property
    def language(self) -> str | None:
        """The language that the customer chose."""
        word = self.preferences.get("language")
        return word if isinstance(word, str) else None

    @property
    def is_blocked(self) -> bool:
        """Whether a person has blocked this customer."""
        return bool(self.preferences.get("blocked"))

    def wrote(self, name: str | None, *, now: datetime, counts: bool = True, **facts: Any) -> Self:
        """A message of theirs was accepted, so they can be reached.

        The contact block's name holds unless a person or they changed it; `facts` as of `identified`.
        """
        preferences = self.preferences
        named = name if name and preferences.get("name_by") not in {"person", "customer"} else self.name
        latest = self.last_interaction_at
        if counts:
            latest = now if latest is None else max(latest, now)
        if "unreachable" in preferences:
            preferences = amended(preferences, unreachable=None)
        identity = self._identity_with(facts) if facts else None
        if identity is not None:
            preferences = amended(preferences, identity=identity)
        return evolve(
            self,
            name=named,
            preferences=preferences,
            last_interaction_at=latest,
            updated_at=max(self.updated_at, now),
        )

    def identified(self, *, now: datetime, **facts: Any) -> Self:
        """Note what is known of the identity: `bsuid`, `username`, `aliases`, ..."""
        identity = self._identity_with(facts)
        return self if identity is None else self._preferring(now=now, identity=identity)

    def _identity_with(self, facts: Mapping[str, Any]) -> JsonObject | None:
        """The identity with these facts; None where they tell nothing new."""
        known: JsonObject = self.preferences.get("identity", {})
        told = {name: fact for name, fact in facts.items() if fact is not None and known.get(name) != fact}
        return {**known, **told} if told else None

    @property
    def new_owner_since(self) -> datetime | None:
        """When somebody else seems to have got this number; None when nobody does, or a person said it is the same."""
        told = self.preferences.get("identity", {}).get("new_owner_at")
        return of_iso(told) if isinstance(told, str) else None

    def taken_over(self, *, now: datetime) -> Self:
        """The number has another id and nobody said why: what was opted in lapses, what was opted out stays.

        The shop's customer is not theirs until a person says that it is the same owner.
        """
        identity = {**self.preferences.get("identity", {}), "new_owner_at": iso(now)}
        if not self.opt_in_marketing:
            return evolve(self._preferring(now=now, identity=identity, shop=None), wc_customer_id=None)
        consent: Mapping[str, Any] = self.preferences.get("consent", {})
        entry = {"at": iso(now), "source": "new_owner", "purpose": "marketing", "from": consent.get("state")}
        lapsed = {name: fact for name, fact in consent.items() if name not in {"state", "in_before_block"}}
        lapsed["log"] = _logged(consent, entry)
        return evolve(
            self._preferring(now=now, identity=identity, consent=lapsed, shop=None),
            wc_customer_id=None,
            opt_in_marketing=False,
            marketing_opted_at=None,
        )

    def owned_as_before(self, *, now: datetime) -> Self:
        """A person knows that it is the same customer: addresses and orders are shown again."""
        identity = {name: fact for name, fact in self.preferences.get("identity", {}).items() if name != "new_owner_at"}
        return self._preferring(now=now, identity=identity)

    @property
    def shop_candidates(self) -> tuple[int, ...]:
        """Shop customers with this number of whom nobody has said yet who it is; a person has to choose."""
        return () if self.wc_customer_id is not None else tuple(self._shop.get("candidates", ()))

    def may_be_linked(self, customer_id: int) -> bool:
        """Whether this shop customer may be linked without a person: nobody is yet, and no person took this one away."""
        is_free = self.wc_customer_id is None and self.new_owner_since is None
        return is_free and customer_id not in self._shop.get("unlinked", ())

    def shop_look_due(self, *, now: datetime) -> bool:
        """Whether the shop is to be asked again whose number this is."""
        if self.wc_customer_id is not None or self.new_owner_since is not None:
            return False
        looked_at = self._shop.get("looked_at")
        return not isinstance(looked_at, str) or now >= of_iso(looked_at) + LOOKED_UP_EVERY

    def looked_up(self, found: Mapping[int, str | None], *, now: datetime) -> Self:
        """The shop said who has this number: exactly one is linked, of several a person has to choose.

        Args:
            found: the shop's customers and their e-mail addresses.
            now: the moment.
        """
        free = [number for number in found if self.may_be_linked(number)]
        told = {**self._shop, "looked_at": iso(now), "candidates": free if len(found) > 1 else []}
        looked = self._preferring(now=now, shop=told)
        if len(found) == 1 and free:
            looked = evolve(looked, wc_customer_id=free[0])
        email = found.get(looked.wc_customer_id or 0)
        is_one = email is not None and email.count("@") == 1 and len(email) <= LONGEST_EMAIL
        return evolve(looked, email=email) if looked.email is None and is_one else looked

    def linked(self, customer_id: int, *, by: str, now: datetime) -> Self:
        """A person says which customer of the shop this is."""
        unlinked = [one for one in self._shop.get("unlinked", ()) if one != customer_id]
        told = {**self._shop, "by": by, "candidates": [], "unlinked": unlinked}
        return evolve(self._preferring(now=now, shop=told), wc_customer_id=customer_id)

    def unlinked(self, *, by: str, now: datetime) -> Self:
        """A person says that it is not this customer of the shop, who is never linked by itself again."""
        if self.wc_customer_id is None:
            return self
        unlinked = [*self._shop.get("unlinked", ()), self.wc_customer_id]
        told = {**self._shop, "by": by, "unlinked": sorted(set(unlinked))}
        return evolve(self._preferring(now=now, shop=told), wc_customer_id=None)

    @property
    def _shop(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = self.preferences.get("shop") or {}
        return told

    def speaking(self, language: str, *, now: datetime) -> Self:
        """The customer chose this language."""
        return self._preferring(now=now, language=language)

    def consenting(self, purpose: str, to: str, *, source: str, now: datetime, **evidence: Any) -> Self:
        """Decide on marketing or on everything, and keep the evidence.

        Args:
            purpose: `marketing`, or `all` for order notices too.
            to: `in` or `out`.
            source: keyword, button, user_preferences, error_131050, api, console, import, host, ...
            now: when it was decided.
            evidence: `row`, `words`, `text_shown`, `by` and the like.
        """
        consent: Mapping[str, Any] = self.preferences.get("consent", {})
        before = consent.get("state")
        entry = {"at": iso(now), "source": source, "purpose": purpose, "from": before, "to": to, **evidence}
        # A decision in words ends what a block in WhatsApp's settings would give back when it is lifted.
        standing = {name: fact for name, fact in consent.items() if name != "in_before_block"}
        decided = self._preferring(now=now, consent={**standing, "state": to, "log": _logged(consent, entry)})
        out_of_notices = self.notification_opt_out
        if to == "in":
            out_of_notices = False
        elif purpose == "all":
            out_of_notices = True
        return evolve(
            decided,
            opt_in_marketing=to == "in",
            marketing_opted_at=now,
            notification_opt_out=out_of_notices,
        )

    def told_whatsapp(self, value: str, at: datetime, *, now: datetime) -> Self:
        """What the customer set in WhatsApp itself: `stop`, `resume` or `signup`.

        Decisions there apply by their own time: one that is older than the last is only
        logged. Resuming lifts that block alone; an earlier opt-in returns unless it was
        withdrawn in words.
        """
        consent: Mapping[str, Any] = self.preferences.get("consent", {})
        latest = consent.get("whatsapp_at")
        if latest is not None and iso(at) < latest:
            entry = {"at": iso(at), "source": "user_preferences", "purpose": "marketing", "ignored": value}
            return self._preferring(now=now, consent={**consent, "log": _logged(consent, entry)})
        before = self._preferring(now=now, consent={**consent, "whatsapp_at": iso(at)})
        if value == "stop":
            was_in = self.opt_in_marketing or bool(consent.get("in_before_block"))
            stopped = before.consenting("marketing", "out", source="user_preferences", now=now, by="customer")
            return stopped._consent_fact(now=now, in_before_block=was_in)  # noqa: SLF001 - the same class
        if value == "signup":
            return before.consenting("marketing", "in", source="user_preferences", now=now, by="customer")
        if consent.get("in_before_block"):
            resumed = before.consenting("marketing", "in", source="user_preferences", now=now, by="customer")
            return resumed._consent_fact(now=now, in_before_block=None)  # noqa: SLF001 - the same class
        return before

    def _consent_fact(self, *, now: datetime, **facts: Any) -> Self:
        consent = {**self.preferences.get("consent", {}), **facts}
        return self._preferring(now=now, consent={name: fact for name, fact in consent.items() if fact is not None})

    def living_at(self, address: JsonObject, *, now: datetime) -> Self:
        """An address was accepted in a checkout: the last known, and saved if it is new."""
        plain = {name: value for name, value in address.items() if value not in (None, "")}
        known = any(_same_address(plain, saved) for saved in self.saved_addresses)
        saved = self.saved_addresses
        if not known:
            number = 1 + max((int(one.get("id", 0)) for one in saved), default=0)
            entry = {"id": number, "is_default": not saved, "created_at": iso(now), **plain}
            saved = (*saved, entry)[-MOST_SAVED_ADDRESSES:]
        return evolve(self, last_known_address=plain, saved_addresses=saved, updated_at=max(self.updated_at, now))

    def tagged(self, tag: str, *, now: datetime) -> Self:
        """Add a tag, kept as it was first written; one that is there in any case of letters changes nothing.

        Raises:
            ValueError: it has no letter or more than 50, or the customer has 50 tags already.
        """
        word = unicodedata.normalize("NFC", tag.strip())
        if not 0 < len(word) <= LONGEST_TAG:
            message = f"a tag is 1 to {LONGEST_TAG} characters"
            raise ValueError(message)
        if _folded(word) in {_folded(one) for one in self.tags}:
            return self
        if len(self.tags) >= MOST_TAGS:
            message = f"a customer has at most {MOST_TAGS} tags"
            raise ValueError(message)
        return evolve(self, tags=(*self.tags, word), updated_at=max(self.updated_at, now))

    def untagged(self, tag: str, *, now: datetime) -> Self:
        """Take a tag away, whatever its case."""
        left = tuple(one for one in self.tags if _folded(one) != _folded(tag.strip()))
        return evolve(self, tags=left, updated_at=max(self.updated_at, now))

    def without_address(self, address_id: int, *, now: datetime) -> Self:
        """Take a saved address away; where it was the default, the oldest of the rest becomes it."""
        left = [one for one in self.saved_addresses if one.get("id") != address_id]
        if left and not any(one.get("is_default") for one in left):
            oldest = min(left, key=lambda one: (str(one.get("created_at", "")), int(one.get("id", 0))))
            left = [{**one, "is_default": one is oldest} for one in left]
        return evolve(self, saved_addresses=tuple(left), updated_at=max(self.updated_at, now))

    def noting(self, text: str, *, by: str, now: datetime) -> Self:
        """A person writes something down about this customer."""
        notes = [*self.preferences.get("notes", ()), {"at": iso(now), "by": by, "text": text}]
        return self._preferring(now=now, notes=notes)

    def blocked(self, reason: str | None, *, by: str, now: datetime) -> Self:
        """Neither the dialogue nor anything that is said by itself reaches this customer; None lifts it."""
        block = None if reason is None else {"at": iso(now), "by": by, "reason": reason}
        return self._preferring(now=now, blocked=block)

    def _preferring(self, *, now: datetime, **fields: Any) -> Self:
        return evolve(self, preferences=amended(self.preferences, **fields), updated_at=max(self.updated_at, now))


def _folded(tag: str) -> str:
    return unicodedata.normalize("NFC", tag).casefold()


def _logged(consent: Mapping[str, Any], entry: JsonObject) -> list[JsonObject]:
    """The log with this entry; when it is full the first one and the latest stay."""
    log = [*consent.get("log", ()), entry]
    return log if len(log) <= MOST_CONSENT_ENTRIES else [log[0], *log[len(log) - MOST_CONSENT_ENTRIES + 1 :]]


_ADDRESS_FIELDS = ("address_1", "address_2", "city", "state", "postcode", "country")


def _same_address(one: JsonObject, other: JsonObject) -> bool:
    """Whether two addresses are one, case, blanks and punctuation aside."""
    return all(_plain(one.get(field)) == _plain(other.get(field)) for field in _ADDRESS_FIELDS)


def _plain(value: object) -> str:
    return "".join(letter for letter in str(value or "").casefold() if letter.isalnum())
