"""Outreach: gathers what the verdict looks at, for one customer, under the profile's lock."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, time
from functools import lru_cache
from typing import Any

import attrs
import phonenumbers
from phonenumbers import timezone as number_zones

from wch.application.causes import last_heard
from wch.application.health import STOPPED
from wch.application.pacing import Pacing
from wch.application.ports import UnitOfWork
from wch.application.windows import WINDOW
from wch.domain.conversation import ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.moment import of_iso
from wch.domain.phone import is_number
from wch.domain.verdict import MONTH, Facts, Quiet

PAGE = 500
_UNKNOWN_ZONE = "Etc/Unknown"


@attrs.frozen(kw_only=True)
class Manners:
    """What the shop has decided about approaching people.

    Attributes:
        cap_week: contacts in 7 days, over all kinds together.
        cap_month: contacts in 30 days.
        quiet_start: nothing is sent from, in the customer's zone.
        quiet_end: until.
        no_marketing_to: countries.
        zone: the shop's.
        language: the shop's.
    """

    cap_week: int = 1
    cap_month: int = 4
    quiet_start: time = time(22)
    quiet_end: time = time(8)
    no_marketing_to: frozenset[str] = frozenset({"US"})
    zone: str = "UTC"
    language: str = "en"


@attrs.frozen(kw_only=True)
class Around:
    """What lies around a page of customers.

    Attributes:
        stopped: why all sending stands still.
        contacts: when each was approached in the last 30 days; None: on its way.
        with_person: those whose conversation a person has.
    """

    stopped: str | None
    contacts: Mapping[str, Sequence[datetime | None]]
    with_person: frozenset[str]


def _with_person(uow: UnitOfWork, phone: str) -> bool:
    thread = uow.conversations.latest_of(phone)
    return thread is not None and thread.status is ConversationStatus.ESCALATED


def _stopped(uow: UnitOfWork) -> str | None:
    told = uow.options.get(STOPPED)
    return None if told is None else str(told.get("why", "stopped"))


def _rows(uow: UnitOfWork, table: str, phones: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """The rows of these customers, page by page."""
    after: tuple[Any, ...] | None = None
    while page := uow.holdings.of(table, phones, after=after, limit=PAGE):
        yield from (held.values for held in page)
        if len(page) < PAGE:
            return
        after = page[-1].key


@attrs.frozen(kw_only=True)
class Outreach:
    """The facts of one customer; what is special about a cause is added by whoever asks."""

    manners: Manners
    pacing: Pacing

    def facts(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        *,
        now: datetime,
        window: tuple[time, time] | None = None,
        leaving_out: int | None = None,
        own_contact: int | None = None,
        around: Around | None = None,
        gates: bool = True,
        **more: Any,
    ) -> Facts:
        """What is known of this customer now.

        Args:
            uow: the transaction.
            profile: whose.
            now: the moment that is asked about.
            window: the hours that a plan keeps to.
            leaving_out: the recipient that is itself being decided, which is no earlier contact.
            own_contact: the row of `reengagement` likewise.
            around: what was read beforehand of many; nothing is asked for then, nor when free words may be sent.
            gates: whether it is asked if breakers, paces and the tier have room; where a message leaves it goes
                through them, and of many customers nobody is asked for each.
            more: facts about the cause.
        """
        held = profile.preferences.get("hold", {})
        unreachable = profile.preferences.get("unreachable", {})
        latest = None if around is not None else uow.messages.latest_inbound_at(profile.phone)
        if latest is not None and latest > now:
            latest = last_heard(uow, profile.phone, by=now)
        window_until = None if latest is None else latest + WINDOW
        is_open = window_until is not None and now < window_until
        asks = gates and around is None
        shut = self.pacing.shut(uow, profile.phone, window_is_open=is_open) if asks else None
        return Facts(
            stopped=_stopped(uow) if around is None else around.stopped,
            missing=self._missing(profile),
            blocked=profile.is_blocked,
            unreachable_until=_moment(unreachable.get("until")),
            opted_in=profile.opt_in_marketing,
            out=profile.is_out,
            out_of_notices=profile.notification_opt_out,
            person=_with_person(uow, profile.phone) if around is None else profile.phone in around.with_person,
            cooldown_until=_moment(held.get("marketing_until")),
            country=country_of(profile),
            no_marketing_to=self.manners.no_marketing_to,
            contacts=self.contacts(uow, profile.phone, now=now, leaving_out=leaving_out, own_contact=own_contact)
            if around is None
            else around.contacts.get(profile.phone, ()),
            cap_week=self.manners.cap_week,
            cap_month=self.manners.cap_month,
            quiet=Quiet(
                start=self.manners.quiet_start,
                end=self.manners.quiet_end,
                zones=zones_of(profile),
                shop=self.manners.zone,
                window=window,
            ),
            window_until=window_until,
            paced_until=None if shut is None else shut.until,
            paced_by="" if shut is None else shut.gate,
            **more,
        )

    def contacts(
        self,
        uow: UnitOfWork,
        phone: str,
        *,
        now: datetime,
        leaving_out: int | None = None,
        own_contact: int | None = None,
    ) -> Sequence[datetime | None]:
        """When this customer was approached in the last 30 days, over all kinds; None: on its way."""
        since = now - MONTH
        told: list[datetime | None] = [
            row.sent_at
            for row in uow.recipients.reached(phone, since=since)
            if row.id != leaving_out and row.created_at <= now and (row.sent_at is None or row.sent_at <= now)
        ]
        # A sequence that began earlier may have been sent since: rows are looked at for twice the time.
        contacts = uow.reengagements.of(phone, since=since - MONTH)
        return told + [
            one.sent_at
            for one in contacts
            if one.id != own_contact and one.sent_at is not None and since < one.sent_at <= now
        ]

    def around(self, uow: UnitOfWork, phones: Collection[str], *, now: datetime) -> Around:
        """What `facts` would ask for of each of these customers, in a few statements for all."""
        since = now - MONTH
        contacts: dict[str, list[datetime | None]] = {}
        for row in _rows(uow, "broadcast_recipients", phones):
            at, status = row["sent_at"], row["status"]
            if status == "queued" or (at is not None and at > since and status != "failed"):
                contacts.setdefault(row["phone"], []).append(at)
        for row in _rows(uow, "reengagement", phones):
            if row["sent_at"] is not None and row["sent_at"] > since:
                contacts.setdefault(row["customer_phone"], []).append(row["sent_at"])
        threads = _rows(uow, "conversations", phones)
        escalated = frozenset(row["customer_phone"] for row in threads if row["status"] == "escalated")
        return Around(stopped=_stopped(uow), contacts=contacts, with_person=escalated)

    def language_of(self, profile: CustomerProfile) -> str:
        """The customer's language, else the shop's."""
        return profile.language or self.manners.language

    def _missing(self, profile: CustomerProfile) -> str | None:
        has_bsuid = bool(profile.preferences.get("identity", {}).get("bsuid"))
        return None if is_number(profile.phone) or has_bsuid else "unaddressed"


def country_of(profile: CustomerProfile) -> str:
    """Where the number is from; for a customer without one what the business-scoped id says."""
    if not is_number(profile.phone):
        return str(profile.preferences.get("identity", {}).get("bsuid", ""))[:2]
    return _region(profile.phone)


@lru_cache(maxsize=2048)
def _region(phone: str) -> str:
    """A number's country; asked several times for each customer of a page."""
    parsed = _parsed(phone)
    return "" if parsed is None else phonenumbers.region_code_for_number(parsed) or ""


def zones_of(profile: CustomerProfile) -> tuple[str, ...]:
    """The zones that the customer may be in; the one that is known, else those of the number's area."""
    known = profile.preferences.get("timezone")
    if isinstance(known, str):
        return (known,)
    if is_number(profile.phone):
        return _zones(profile.phone)
    return _zones(f"{phonenumbers.country_code_for_region(country_of(profile))}0000000")


@lru_cache(maxsize=2048)
def _zones(number: str) -> tuple[str, ...]:
    """The zones of a number's area; asked again for each customer at each look at what is due."""
    parsed = _parsed(number)
    found = () if parsed is None else number_zones.time_zones_for_geographical_number(parsed)
    return tuple(zone for zone in found if zone != _UNKNOWN_ZONE)


@lru_cache(maxsize=2048)
def _parsed(number: str) -> phonenumbers.PhoneNumber | None:
    """What a number says of itself; its country and its zones are read from the same."""
    try:
        return phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return None


def _moment(told: object) -> datetime | None:
    return of_iso(told) if isinstance(told, str) else None
