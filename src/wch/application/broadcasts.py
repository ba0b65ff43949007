"""Broadcasts: drafts, dry runs, and what people do with campaigns."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from wch.application import stops
from wch.application.campaigns import (
    Campaign,
    all_of,
    forget,
    keep,
    keep_progress,
    plan_of,
    progress_of,
)
from wch.application.fanning_out import PROFILES, Targeting, code_of, message_of, started
from wch.application.limits import Limits
from wch.application.outreach import country_of, zones_of
from wch.application.ports import Clock, Database, Ids, UnitOfWork
from wch.application.stored_templates import languages_of
from wch.application.tombstones import Tombstones
from wch.application.uploads import Line, Upload, read_upload
from wch.domain.audience import checked, names
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus, skip_of
from wch.domain.campaign import MOST_NAME, CampaignError, CampaignState, Plan, Progress
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.errors import TransitionError, WchError
from wch.domain.message import Direction
from wch.domain.message_template import MessageTemplate
from wch.domain.moment import iso, of_iso
from wch.domain.verdict import Kind, Says, decide, utc_of

REPLIED_WITHIN = timedelta(hours=24)
_LEFT = ("sent", "delivered", "read")


class TooManyStartsError(WchError):
    """Too many campaigns were started within the hour; wait until there is room again."""


@attrs.frozen(kw_only=True)
class Broadcasts:
    """What people do with campaigns.

    Attributes:
        rate_per_minute: of plans that say nothing.
        life_hours: how long after its start what is pending may still leave.
        credit_days: of plans that say nothing.
        prices: by country and category: `{country: {category: {"price", "currency"}}}`.
        country: the shop's, for numbers without one.
        zone: the shop's, for schedules without one.
    """

    database: Database
    clock: Clock
    ids: Ids
    limits: Limits
    targeting: Targeting
    tombstones: Tombstones
    rate_per_minute: int
    life_hours: int
    credit_days: int
    prices: Mapping[str, Any]
    country: str
    zone: str

    # --- plans

    async def draft(self, told: JsonObject, *, by: str, upload: bytes | None = None) -> tuple[Plan, Upload | None]:
        """Keep a plan as a draft; a list that comes with it becomes its recipients.

        Raises:
            CampaignError: the plan cannot be carried out as it is written.
        """
        plan = await self._made(told, by=by, number=self.ids.number())
        read = None if upload is None else read_upload(upload, country=self.country)
        if names(plan.audience, "upload") and read is None:
            raise CampaignError("The audience asks for an uploaded list, and none came with the plan: give --csv FILE.")

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            keep(uow, plan)
            keep_progress(uow, plan.id, Progress())
            uow.audit.add(AuditEntry(at=now, actor=by, action="broadcast.plan", object=f"campaign:{plan.id}"))

        await self.database.transact(work)
        erased: list[int] = []
        for page in () if read is None else read.pages(500):
            erased += await self.database.transact(lambda uow, page=page: self._into(uow, plan.id, read, page))  # type: ignore[misc]  # bound early
        read = None if read is None else attrs.evolve(read, erased=tuple(erased))
        return plan, read

    def _into(self, uow: UnitOfWork, campaign_id: int, read: Upload | None, page: Sequence[Line]) -> Sequence[int]:
        if read is None:
            return ()

        def is_erased(uow: UnitOfWork, phone: str) -> bool:
            return self.tombstones.of(uow, phone) is not None

        return read.into(uow, campaign_id, page, is_erased=is_erased, now=self.clock.now())

    async def _made(self, told: JsonObject, *, by: str, number: int) -> Plan:
        """The plan that somebody wrote, with everything that it does not say."""
        unknown = set(told) - {
            "name", "template", "params", "audience", "schedule", "send_window", "rate_per_minute", "credit_days",
        }  # fmt: skip
        if unknown:
            raise CampaignError(f"A plan has no {', '.join(sorted(unknown))}.")
        name = str(told.get("name") or "").strip()
        if not 0 < len(name) <= MOST_NAME:
            raise CampaignError(f"A plan needs a name of 1 to {MOST_NAME} characters.")
        template: Any = told.get("template")
        if isinstance(template, str):
            template = {"name": template}
        if not isinstance(template, Mapping) or not template.get("name"):
            raise CampaignError("A plan needs a template: template = { name = 'spring_offer' }.")
        known = await self.database.read(lambda uow: languages_of(uow, str(template["name"])))
        if not known:
            raise CampaignError(
                f"No template {template['name']} is known; fetch them with `wch templates sync`, and see `wch templates list`."
            )
        rate = told.get("rate_per_minute", self.rate_per_minute)
        if not isinstance(rate, int) or rate < 1:
            raise CampaignError("rate_per_minute is a number from 1.")
        window: Any = told.get("send_window")
        return Plan(
            id=number,
            name=name,
            by=by,
            template={
                "name": str(template["name"]),
                "language": str(template.get("language") or "customer"),
                "hashes": {language: one.hash for language, one in known.items()},
            },
            params=dict(told.get("params") or {}),
            audience=dict(checked(told.get("audience") or {})),
            schedule=self._schedule(told.get("schedule") or {}),
            send_window=None if window is None else (_clock_time(window[0]), _clock_time(window[1])),
            rate_per_minute=rate,
            credit_days=int(told.get("credit_days", self.credit_days)),
        )

    def _schedule(self, told: JsonObject) -> JsonObject:
        """A moment in a zone, as people say it, in UTC."""
        life = {"life_hours": int(told.get("life_hours", self.life_hours))}
        if "at" not in told:
            return life
        zone = str(told.get("zone") or self.zone)
        try:
            local = datetime.fromisoformat(str(told["at"]))
            utc = utc_of(local.date(), local.time().replace(second=0), ZoneInfo(zone))
        except (ValueError, KeyError, OSError):
            raise CampaignError(
                "schedule is { at = '2026-03-29T02:30', zone = 'Europe/Madrid' }: a local time without offset."
            ) from None
        return {"at": str(told["at"]), "zone": zone, "utc": iso(utc), **life}

    async def rehearse(self, plan: Plan, *, at: datetime | None = None) -> JsonObject:
        """The dry run: the same pages, criteria and verdicts as a run that starts at that moment, written nowhere."""
        start = at or plan.utc or self.clock.now()
        ends = start + timedelta(hours=int(plan.schedule.get("life_hours", self.life_hours)))
        tally = _Tally()
        known = await self.database.read(lambda uow: languages_of(uow, str(plan.template["name"])))

        weighing = _Weighing(plan=plan, known=known, tally=tally, start=start, ends=ends)
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
        for profile in page:
            is_new = profile.created_at <= start and uow.recipients.of(plan.id, profile.phone) is None
            if is_new and self.targeting.belongs(uow, plan, profile, now=start):
                self._weigh(uow, weighing, profile, excluded=False)

    def _weigh(self, uow: UnitOfWork, weighing: "_Weighing", profile: CustomerProfile, *, excluded: bool) -> None:
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
        sums: Counter[str] = Counter()
        unpriced: dict[str, int] = {}
        for country, count in tally.countries.items():
            entry: Any = self.prices.get(country, {})
            price: Any = entry.get(category) if isinstance(entry, Mapping) else None
            if not isinstance(price, Mapping):
                unpriced[country] = count
                continue
            sums[str(price["currency"])] += _units(str(price["price"])) * count
        return {
            "cost": {currency: _decimal(units) for currency, units in sums.items()},
            "without_price": unpriced,
        }

    async def _pace(self, plan: Plan, tally: "_Tally", start: datetime) -> dict[str, Any]:
        """What the account allows in a day, and when the last one would have left."""
        limits = await self.database.read(lambda uow: uow.options.get("whatsapp.limits")) or {}
        tier: Any = limits.get("tier")
        used = int(limits.get("used_24h", 0))
        minutes = -(-tally.count // plan.rate_per_minute)
        finish = max([start + timedelta(minutes=minutes), *([tally.latest_hold] if tally.latest_hold else [])])
        days = 1
        if isinstance(tier, int) and tier > 0 and tally.count > max(tier - used, 0):
            days += -(-(tally.count - max(tier - used, 0)) // tier)
            finish = max(finish, start + timedelta(days=days - 1))
        return {"tier": tier, "used_24h": used, "days": days, "finishes_at": iso(finish)}

    # --- states

    async def start(self, campaign_id: int, *, by: str, now_at_once: bool = False) -> Campaign:
        """Let a draft run: at its moment if it has one that is ahead, else at once.

        Raises:
            TooManyStartsError: the limit `broadcast` of this operator is used up.
            CampaignError: it has nobody to go to, or its moment is past.
        """

        def work(uow: UnitOfWork) -> Campaign:
            progress = progress_of(uow, campaign_id, lock=True)
            plan = plan_of(uow, campaign_id)
            now = self.clock.now()
            if progress.state is CampaignState.RUNNING:
                return Campaign(plan=plan, progress=progress)
            later = plan.utc is not None and now < plan.utc and not now_at_once
            if progress.state is CampaignState.SCHEDULED and later:
                return Campaign(plan=plan, progress=progress)
            admission = self.limits.hit_in(uow, self.limits.rule("broadcast"), by)
            if not admission.admitted:
                raise TooManyStartsError(retry_after_s=int(admission.retry_after.total_seconds()))
            if progress.state is CampaignState.DRAFT:
                plan = plan.frozen()
                keep(uow, plan)
            if later:
                progress = progress.became(CampaignState.SCHEDULED, by=by, now=now)
            else:
                progress = started(progress, plan, by=by, now=now)
            return self._kept(uow, plan, progress, "broadcast.start", by)

        return await self.database.transact(work)

    async def unschedule(self, campaign_id: int, *, by: str) -> Campaign:
        """A scheduled campaign is a draft again, and may be started anew."""

        def work(uow: UnitOfWork) -> Campaign:
            progress = progress_of(uow, campaign_id, lock=True)
            plan = attrs.evolve(plan_of(uow, campaign_id), digest=None)
            keep(uow, plan)
            moved = progress.became(CampaignState.DRAFT, by=by, now=self.clock.now())
            return self._kept(uow, plan, moved, "broadcast.unschedule", by)

        return await self.database.transact(work)

    async def pause(self, campaign_id: int, *, by: str, reason: str = "by a person") -> Campaign:
        """Once this is answered nothing of the campaign leaves; calls in flight end by themselves."""
        return await self._become(campaign_id, CampaignState.PAUSED, "broadcast.pause", by=by, reason=reason)

    async def resume(self, campaign_id: int, *, by: str) -> Campaign:
        """Go on with what is there; what had settled by now is not held against it again.

        Raises:
            CampaignError: the plan was changed after it was frozen.
        """

        def work(uow: UnitOfWork) -> Campaign:
            progress = progress_of(uow, campaign_id, lock=True)
            plan = plan_of(uow, campaign_id)
            if plan.is_tampered:
                raise CampaignError("This plan was changed after it was frozen; cancel the campaign and plan another.")
            if progress.state is CampaignState.RUNNING:
                return Campaign(plan=plan, progress=progress)
            moved = progress.became(CampaignState.RUNNING, by=by, now=self.clock.now())
            stops.lift(uow, stops.CAMPAIGNS)
            latest = uow.recipients.settled(campaign_id, limit=1)
            seen = {**moved.log[-1], "settled": latest[0].id if latest else 0}
            moved = attrs.evolve(moved, place=0, log=(*moved.log[:-1], seen))
            return self._kept(uow, plan, moved, "broadcast.resume", by)

        return await self.database.transact(work)

    async def cancel(self, campaign_id: int, *, by: str) -> Campaign:
        """End it; what waits is skipped, what is on its way arrives."""

        def work(uow: UnitOfWork) -> Campaign:
            progress = progress_of(uow, campaign_id, lock=True)
            plan = plan_of(uow, campaign_id)
            if progress.state is CampaignState.CANCELLED:
                return Campaign(plan=plan, progress=progress)
            moved = progress.became(CampaignState.CANCELLED, by=by, now=self.clock.now())
            return self._kept(uow, plan, attrs.evolve(moved, phase="ending"), "broadcast.cancel", by)

        return await self.database.transact(work)

    async def delete(self, campaign_id: int, *, by: str) -> None:
        """Take a draft away, with the recipients of its list.

        Raises:
            TransitionError: it is no draft.
        """

        def work(uow: UnitOfWork) -> int:
            progress = progress_of(uow, campaign_id, lock=True)
            if progress.state is not CampaignState.DRAFT:
                raise TransitionError("Only a draft can be deleted; cancel what runs.", state=progress.state)
            left = uow.recipients.discard(campaign_id)
            if not left:
                forget(uow, campaign_id)
                uow.audit.add(
                    AuditEntry(
                        at=self.clock.now(), actor=by, action="broadcast.delete", object=f"campaign:{campaign_id}"
                    )
                )
            return left

        while await self.database.transact(work):
            pass

    async def _become(
        self, campaign_id: int, state: CampaignState, action: str, *, by: str, reason: str | None
    ) -> Campaign:
        def work(uow: UnitOfWork) -> Campaign:
            progress = progress_of(uow, campaign_id, lock=True)
            plan = plan_of(uow, campaign_id)
            if progress.state is state:
                return Campaign(plan=plan, progress=progress)
            return self._kept(uow, plan, progress.became(state, by=by, now=self.clock.now(), reason=reason), action, by)

        return await self.database.transact(work)

    def _kept(self, uow: UnitOfWork, plan: Plan, progress: Progress, action: str, by: str) -> Campaign:
        keep_progress(uow, plan.id, progress)
        uow.audit.add(AuditEntry(at=self.clock.now(), actor=by, action=action, object=f"campaign:{plan.id}"))
        return Campaign(plan=plan, progress=progress)

    # --- results

    async def listed(self) -> list[Campaign]:
        """Every campaign, the oldest first."""
        return await self.database.read(lambda uow: list(all_of(uow)))

    async def show(self, campaign_id: int) -> Campaign:
        """One campaign.

        Raises:
            NotFoundError: there is none of this number.
        """
        return await self.database.read(
            lambda uow: Campaign(plan=plan_of(uow, campaign_id), progress=progress_of(uow, campaign_id))
        )

    async def counts(self, campaign_id: int) -> Mapping[str, int]:
        """How many recipients stand in each word; one grouped query, never counters."""
        return await self.database.read(lambda uow: dict(uow.recipients.counts(campaign_id)))

    async def report(self, campaign_id: int) -> JsonObject:
        """What came of it: by word, rates, failures by code, replies and opt-outs within a day of the send.

        Raises:
            NotFoundError: there is none of this number.
        """
        campaign = await self.show(campaign_id)
        counts = await self.counts(campaign_id)
        left = sum(counts.get(word, 0) for word in _LEFT)
        arrived = counts.get("delivered", 0) + counts.get("read", 0)
        codes: Counter[str] = Counter()
        replies = optouts = 0
        async for row in self.recipients(campaign_id):
            code, replied, opted_out = await self.database.read(lambda uow, row=row: self._followed(uow, row))  # type: ignore[misc]  # bound early
            codes.update([code] if code else [])
            replies += replied
            optouts += opted_out
        return {
            "campaign": campaign_id,
            "name": campaign.plan.name,
            "state": campaign.progress.state.value,
            "reason": campaign.progress.reason,
            "recipients": sum(counts.values()),
            "counts": counts,
            "skipped": {word: count for word, count in counts.items() if word.startswith("skipped_")},
            "delivered_rate": round(arrived / left, 4) if left else None,
            "read_rate": round(counts.get("read", 0) / arrived, 4) if arrived else None,
            "failures": dict(codes),
            "replies_24h": replies,
            "optouts_24h": optouts,
            "log": [dict(entry) for entry in campaign.progress.log],
        }

    async def recipients(self, campaign_id: int) -> Any:
        """Every recipient by id, a page in memory at a time."""
        after = 0
        while page := await self.database.read(
            lambda uow, after=after: uow.recipients.listed(campaign_id, after=after, limit=500)  # type: ignore[misc]  # bound early
        ):
            for row in page:
                yield row
            after = page[-1].id

    def _followed(self, uow: UnitOfWork, row: BroadcastRecipient) -> tuple[str | None, bool, bool]:
        """The code of a failure, and what the customer did within a day."""
        code = None
        if row.status is RecipientStatus.FAILED:
            told = code_of(uow, row)
            code = "other" if told is None else str(told)
        if row.sent_at is None:
            return code, False, False
        until = row.sent_at + REPLIED_WITHIN
        profile = uow.customers.of(row.phone)
        log: Any = () if profile is None else profile.preferences.get("consent", {}).get("log", ())
        optout = any(one.get("to") == "out" and row.sent_at <= of_iso(str(one["at"])) < until for one in log)
        thread = uow.conversations.latest_of(row.phone)
        said = () if thread is None else uow.messages.thread(thread.id, limit=50)
        replied = any(
            one.direction is Direction.INBOUND and one.sent_at is not None and row.sent_at < one.sent_at < until
            for one in said
        )
        return code, replied, optout

    async def lines(self, campaign_id: int) -> Any:
        """The report by recipient, as rows of a CSV; nothing in it is read as a formula."""
        yield ("phone", "name", "status", "code", "error", "sent", "delivered", "read")
        async for row in self.recipients(campaign_id):
            yield await self.database.read(lambda uow, row=row: self._line(uow, row))  # type: ignore[misc]  # bound early

    def _line(self, uow: UnitOfWork, row: BroadcastRecipient) -> tuple[str, ...]:
        profile = uow.customers.of(row.phone)
        number = message_of(uow, row) if row.status is not RecipientStatus.PENDING else None
        message = None if number is None else uow.messages.get(number)
        moments = (row.sent_at, message and message.delivered_at, message and message.read_at)
        error = (message.error_message if message else None) or ""
        cells = (
            row.phone,
            (profile.name if profile else None) or "",
            row.status.value,
            error.partition(" ")[0] if row.status is RecipientStatus.FAILED else "",
            error if row.status is RecipientStatus.FAILED else "",
            *(iso(moment) if moment else "" for moment in moments),
        )
        return tuple(f"'{cell}" if cell[:1] in set("=+-@\t\r") else cell for cell in cells)


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


_PLACES = 6


def _units(price: str) -> int:
    whole, _, part = price.partition(".")
    return int(int(whole or 0) * 10**_PLACES) + int(f"{part:0<{_PLACES}}"[:_PLACES])


def _decimal(units: int) -> str:
    whole, part = divmod(units, 10**_PLACES)
    text = f"{part:0{_PLACES}d}".rstrip("0")
    return f"{whole}.{text:0<2}"


def _clock_time(told: Any) -> str:
    try:
        return time.fromisoformat(str(told)).isoformat("minutes")
    except ValueError:
        raise CampaignError("send_window is two times of the day, such as ['09:00', '20:00'].") from None
