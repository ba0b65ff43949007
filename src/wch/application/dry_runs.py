"""Dry runs: what a campaign would come to if it started at a moment, by the same pages, criteria and verdicts as a run."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application import tiers
from wch.application.accounts import LIMITS
from wch.application.fanning_out import PROFILES, Targeting
from wch.application.limits import Limits
from wch.application.outreach import Around, country_of, zones_of
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.prices import Prices
from wch.application.stored_templates import languages_of
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus, skip_of
from wch.domain.campaign import Plan
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.message_template import MessageTemplate
from wch.domain.moment import iso
from wch.domain.verdict import Kind, Says, decide


@attrs.frozen(kw_only=True)
class DryRuns:
    """Rehearses campaigns; nothing is written.

    Attributes:
        life_hours: how long after its start what is pending may still leave, of plans that say nothing.
        zone: the shop's, for customers without one.
    """

    database: Database
    clock: Clock
    targeting: Targeting
    prices: Prices
    limits: Limits
    life_hours: int
    zone: str

    async def rehearse(self, plan: Plan, *, at: datetime | None = None) -> JsonObject:
        """The dry run: the same pages, criteria and verdicts as a run that starts at that moment, written nowhere."""
        start = at or plan.utc or self.clock.now()
        ends = start + timedelta(hours=int(plan.schedule.get("life_hours", self.life_hours)))
        tally = _Tally()
        known = await self.database.read(lambda uow: languages_of(uow, str(plan.template["name"])))

        has_list = bool(await self.database.read(lambda uow: uow.recipients.counts(plan.id)))
        weighing = _Weighing(plan=plan, known=known, tally=tally, start=start, ends=ends, has_list=has_list)
        async for rows in self._recipient_pages(plan.id):
            await self.database.read(lambda uow, rows=rows: self._weigh_uploaded(uow, weighing, rows))  # type: ignore[misc]  # bound early
        async for page in self._profile_pages():
            await self.database.read(lambda uow, page=page: self._weigh_page(uow, weighing, page))  # type: ignore[misc]  # bound early
        return {
            "campaign": plan.id,
            "name": plan.name,
            "starts_at": iso(start),
            "ends_at": iso(ends),
            **tally.told(),
            **self._costs(tally, known),
            **await self._pace(plan, tally, start),
        }

    async def _recipient_pages(self, campaign_id: int) -> AsyncIterator[Sequence[BroadcastRecipient]]:
        after = 0
        while page := await self.database.read(
            lambda uow, after=after: uow.recipients.listed(campaign_id, after=after, limit=PROFILES)  # type: ignore[misc]  # bound early
        ):
            yield page
            after = page[-1].id

    async def _profile_pages(self) -> AsyncIterator[Sequence[CustomerProfile]]:
        after = 0
        while page := await self.database.read(
            lambda uow, after=after: uow.customers.listed(after=after, limit=PROFILES)  # type: ignore[misc]  # bound early
        ):
            yield page
            after = page[-1].id

    def _weigh_uploaded(self, uow: UnitOfWork, weighing: "_Weighing", rows: Sequence[BroadcastRecipient]) -> None:
        """What would become of the rows of the plan's own list."""
        for row in rows:
            profile = uow.customers.of(row.phone)
            if row.status.is_skip:
                weighing.tally.skip(row.status)
            elif profile is None:
                weighing.tally.skip(RecipientStatus.SKIPPED_NOCONSENT)
            else:
                excluded = self.targeting.excluded(uow, weighing.plan, profile, now=weighing.start)
                self._weigh(uow, weighing, profile, excluded=excluded)

    def _weigh_page(self, uow: UnitOfWork, weighing: "_Weighing", page: Sequence[CustomerProfile]) -> None:
        """What would become of one page of customers."""
        plan, start = weighing.plan, weighing.start
        around = self.targeting.outreach.around(uow, [one.phone for one in page], now=start)
        for profile in page:
            if profile.created_at > start or not self.targeting.belongs(uow, plan, profile, now=start):
                continue
            if not weighing.has_list or uow.recipients.of(plan.id, profile.phone) is None:
                self._weigh(uow, weighing, profile, excluded=False, around=around)

    def _weigh(
        self,
        uow: UnitOfWork,
        weighing: "_Weighing",
        profile: CustomerProfile,
        *,
        excluded: bool,
        around: Around | None = None,
    ) -> None:
        plan, known, tally, start = weighing.plan, weighing.known, weighing.tally, weighing.start
        rendering = self.targeting.rendering(known, plan, profile)
        facts = self.targeting.facts(
            uow,
            plan,
            profile,
            rendering,
            now=start,
            ends_at=weighing.ends,
            subject=(Says.REFUSE, "excluded") if excluded else (Says.ALLOW, ""),
            around=around,
        )
        verdict = decide(Kind.BROADCAST, facts, now=start)
        template = self.targeting.template(known, plan, profile)
        decisive = verdict.decisive
        if verdict.outcome == "refuse" and decisive is not None:
            tally.skip(skip_of(decisive.because))
            if rendering is not None and rendering.missing and template is not None:
                tally.missing.update({f"{template.language}:{name}": 1 for name in rendering.missing})
            return
        tally.take(
            country_of(profile),
            "" if template is None else template.language,
            (zones_of(profile) or (self.zone,))[0],
            held_until=verdict.until if verdict.outcome == "hold" else None,
        )

    def _costs(self, tally: "_Tally", known: Mapping[str, MessageTemplate]) -> dict[str, Any]:
        """Recipients by country times the price table; countries without a price are named, never guessed."""
        category = next((one.category for one in known.values()), "MARKETING")
        return self.prices.of({(country, category): count for country, count in tally.countries.items()})

    def _tier(self, uow: UnitOfWork) -> tuple[int | None, int]:
        """What WhatsApp told of the tier, None as long as it told nothing, and how much of it is used up."""
        told = (uow.options.get(LIMITS) or {}).get("tier")
        return told if isinstance(told, int) else None, tiers.used(uow, self.limits)

    async def _pace(self, plan: Plan, tally: "_Tally", start: datetime) -> dict[str, Any]:
        """What the account allows in a day, and when the last one would have left."""
        tier, used = await self.database.read(self._tier)
        minutes = -(-tally.count // plan.rate_per_minute)
        finish = max([start + timedelta(minutes=minutes), *([tally.latest_hold] if tally.latest_hold else [])])
        days = 1
        if tier is not None and tier > 0 and tally.count > max(tier - used, 0):
            days += -(-(tally.count - max(tier - used, 0)) // tier)
            finish = max(finish, start + timedelta(days=days - 1))
        return {"tier": tier, "used_24h": used, "days": days, "finishes_at": iso(finish)}


class _Tally:
    """What a dry run counts."""

    def __init__(self) -> None:
        self.count = 0
        self.held = 0
        self.latest_hold: datetime | None = None
        self.skips: Counter[str] = Counter()
        self.countries: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.zones: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()

    def skip(self, word: RecipientStatus) -> None:
        self.skips[word.value] += 1

    def take(self, country: str, language: str, zone: str, *, held_until: datetime | None) -> None:
        self.count += 1
        self.countries[country] += 1
        self.languages[language] += 1
        self.zones[zone] += 1
        if held_until is not None:
            self.held += 1
            self.latest_hold = max(held_until, self.latest_hold or held_until)

    def told(self) -> dict[str, Any]:
        return {
            "recipients": self.count,
            "held": self.held,
            "skips": dict(self.skips),
            "countries": dict(self.countries),
            "languages": dict(self.languages),
            "zones": dict(self.zones),
            "missing": dict(self.missing),
        }


@attrs.frozen(kw_only=True)
class _Weighing:
    """One dry run under way."""

    plan: Plan
    known: Mapping[str, MessageTemplate]
    tally: _Tally
    start: datetime
    ends: datetime
    has_list: bool
