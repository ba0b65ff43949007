"""Outreach: gathers what the verdict looks at, for one customer, under the profile's lock."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

import attrs
import phonenumbers
from phonenumbers import timezone as number_zones

from wch.application.health import STOPPED
from wch.application.ports import UnitOfWork
from wch.domain.conversation import ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.moment import of_iso
from wch.domain.phone import is_number
from wch.domain.verdict import MONTH, Facts, Quiet

WINDOW = timedelta(hours=24) - timedelta(seconds=60)
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
class Outreach:
    """The facts of one customer; what is special about a cause is added by whoever asks."""

    manners: Manners

    def facts(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        *,
        now: datetime,
        window: tuple[time, time] | None = None,
        leaving_out: int | None = None,
        **more: Any,
    ) -> Facts:
        """What is known of this customer now.

        Args:
            uow: the transaction.
            profile: whose.
            now: the moment that is asked about.
            window: the hours that a plan keeps to.
            leaving_out: the recipient that is itself being decided, which is no earlier contact.
            more: facts about the cause.
        """
        held = profile.preferences.get("hold", {})
        unreachable = profile.preferences.get("unreachable", {})
        latest = uow.messages.latest_inbound_at(profile.phone)
        thread = uow.conversations.latest_of(profile.phone)
        stopped = uow.options.get(STOPPED)
        return Facts(
            stopped=None if stopped is None else str(stopped.get("why", "stopped")),
            missing=self._missing(profile),
            blocked=profile.is_blocked,
            unreachable_until=_moment(unreachable.get("until")),
            opted_in=profile.opt_in_marketing,
            out=profile.is_out,
            out_of_notices=profile.notification_opt_out,
            person=thread is not None and thread.status is ConversationStatus.ESCALATED,
            cooldown_until=_moment(held.get("marketing_until")),
            country=country_of(profile),
            no_marketing_to=self.manners.no_marketing_to,
            contacts=self.contacts(uow, profile.phone, now=now, leaving_out=leaving_out),
            cap_week=self.manners.cap_week,
            cap_month=self.manners.cap_month,
            quiet=Quiet(
                start=self.manners.quiet_start,
                end=self.manners.quiet_end,
                zones=zones_of(profile),
                shop=self.manners.zone,
                window=window,
            ),
            window_until=None if latest is None else latest + WINDOW,
            **more,
        )

    def contacts(
        self, uow: UnitOfWork, phone: str, *, now: datetime, leaving_out: int | None = None
    ) -> Sequence[datetime | None]:
        """When this customer was approached in the last 30 days, over all kinds; None: on its way."""
        since = now - MONTH
        told: list[datetime | None] = [
            row.sent_at for row in uow.recipients.reached(phone, since=since) if row.id != leaving_out
        ]
        # A sequence that began earlier may have been sent since: rows are looked at for twice the time.
        contacts = uow.reengagements.of(phone, since=since - MONTH)
        return told + [one.sent_at for one in contacts if one.sent_at is not None and one.sent_at > since]

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
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(f"+{profile.phone}")) or ""
    except phonenumbers.NumberParseException:
        return ""


def zones_of(profile: CustomerProfile) -> tuple[str, ...]:
    """The zones that the customer may be in; the one that is known, else those of the number's area."""
    known = profile.preferences.get("timezone")
    if isinstance(known, str):
        return (known,)
    try:
        if is_number(profile.phone):
            found = number_zones.time_zones_for_geographical_number(phonenumbers.parse(f"+{profile.phone}"))
        else:
            code = phonenumbers.country_code_for_region(country_of(profile))
            found = number_zones.time_zones_for_geographical_number(phonenumbers.parse(f"+{code}0000000"))
    except phonenumbers.NumberParseException:
        return ()
    return tuple(zone for zone in found if zone != _UNKNOWN_ZONE)


def _moment(told: object) -> datetime | None:
    return of_iso(told) if isinstance(told, str) else None
