"""Broadcasts: drafts, dry runs, and what people do with campaigns."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from wch.application import stops
from wch.application.campaign_reports import CampaignReports
from wch.application.campaigns import (
    Campaign,
    all_of,
    forget,
    is_there,
    keep,
    keep_progress,
    plan_of,
    progress_of,
)
from wch.application.causes import TEST
from wch.application.draws import unused
from wch.application.dry_runs import DryRuns
from wch.application.fanning_out import started
from wch.application.limits import Limits
from wch.application.people import spellings
from wch.application.ports import Clock, Database, Ids, UnitOfWork
from wch.application.speaking import Speaker
from wch.application.stored_templates import languages_of
from wch.application.tombstones import Tombstones
from wch.application.uploads import Line, Upload, read_upload
from wch.domain.audience import checked, criteria
from wch.domain.audit import AuditEntry
from wch.domain.campaign import MOST_NAME, CampaignError, CampaignState, Plan, Progress
from wch.domain.document import JsonObject
from wch.domain.errors import TransitionError, VersionMovedError, WchError
from wch.domain.message import Class, Message
from wch.domain.moment import iso
from wch.domain.verdict import utc_of

TEST_LIVES = timedelta(hours=1)


class TooManyStartsError(WchError):
    """Too many campaigns were started within the hour; wait until there is room again."""


@attrs.frozen(kw_only=True)
class Broadcasts:
    """What people do with campaigns.

    Attributes:
        rate_per_minute: of plans that say nothing.
        life_hours: how long after its start what is pending may still leave.
        credit_days: of plans that say nothing.
        test_numbers: the shop's own, to which a campaign's message may be sent beforehand.
        country: the shop's, for numbers without one.
        zone: the shop's, for schedules without one.
    """

    database: Database
    clock: Clock
    ids: Ids
    limits: Limits
    speaker: Speaker
    tombstones: Tombstones
    dry_runs: DryRuns
    reports: CampaignReports
    rate_per_minute: int
    life_hours: int
    credit_days: int
    test_numbers: tuple[str, ...]
    country: str
    zone: str

    # --- plans

    async def draft(self, told: JsonObject, *, by: str, upload: bytes | None = None) -> tuple[Plan, Upload | None]:
        """Keep a plan as a draft; a list that comes with it becomes its recipients.

        Raises:
            CampaignError: the plan cannot be carried out as it is written.
        """
        written = await self._made(told, by=by, number=0)
        read = None if upload is None else read_upload(upload, country=self.country)
        if "upload" in criteria(written.audience) and read is None:
            raise CampaignError("The audience asks for an uploaded list, and none came with the plan: give --csv FILE.")

        def work(uow: UnitOfWork) -> Campaign:
            plan = attrs.evolve(written, id=unused(self.ids.number, lambda drawn: is_there(uow, drawn)))
            keep(uow, plan)
            return self._kept(uow, plan, Progress(), "broadcast.plan", by)

        plan = (await self.database.transact(work)).plan
        await self._fill(plan.id, read)
        return plan, read

    async def _fill(self, campaign_id: int, read: Upload | None) -> None:
        """Let the lines of a list be recipients, page by page."""
        if read is None:
            return
        for page in read.pages(500):
            read.erased += await self.database.transact(
                lambda uow, page=page: self._into(uow, campaign_id, read, page)  # type: ignore[misc]  # bound early
            )

    async def amend(
        self, campaign_id: int, told: JsonObject, *, by: str, version: str | None = None, upload: bytes | None = None
    ) -> tuple[Plan, Upload | None]:
        """Write a draft anew; a list that comes with it is added to its recipients.

        Raises:
            CampaignError: the plan cannot be carried out as it is written.
            TransitionError: it is no draft any more.
            VersionMovedError: `version` is given, and it is not the draft's any more.
        """
        plan = await self._made(told, by=by, number=campaign_id)
        read = None if upload is None else read_upload(upload, country=self.country)
        has_list = bool(await self.counts(campaign_id))
        if "upload" in criteria(plan.audience) and read is None and not has_list:
            raise CampaignError("The audience asks for an uploaded list, and none came with the plan.")

        def work(uow: UnitOfWork) -> Campaign:
            progress = _locked(uow, campaign_id, version)
            if progress.state is not CampaignState.DRAFT:
                raise TransitionError("Only a draft can be written anew; duplicate what was started.")
            keep(uow, plan)
            return self._kept(uow, plan, attrs.evolve(progress, rev=progress.rev + 1), "broadcast.edit", by)

        await self.database.transact(work)
        await self._fill(plan.id, read)
        return plan, read

    async def duplicate(self, campaign_id: int, *, by: str) -> Plan:
        """The same plan as a new draft, without its moment and without its list.

        Raises:
            NotFoundError: there is none of this number.
            CampaignError: it went to an uploaded list alone, or its template is not known any more.
        """
        plan = (await self.show(campaign_id)).plan
        told = written(plan)
        told["name"] = f"{plan.name[: MOST_NAME - 7]} (again)"
        told.pop("schedule")
        drafted, _ = await self.draft(told, by=by)
        return drafted

    def _into(self, uow: UnitOfWork, campaign_id: int, read: Upload, page: Sequence[Line]) -> Sequence[int]:
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

    # --- states

    async def start(
        self, campaign_id: int, *, by: str, now_at_once: bool = False, version: str | None = None
    ) -> Campaign:
        """Let a draft run: at its moment if it has one that is ahead, else at once.

        Raises:
            VersionMovedError: `version` is given, and it is not the campaign's any more; so with every move below.
            TooManyStartsError: the limit `broadcast` of this operator is used up.
            CampaignError: it has nobody to go to, or its moment is past.
        """

        def work(uow: UnitOfWork) -> Campaign:
            progress = _locked(uow, campaign_id, version)
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

    async def unschedule(self, campaign_id: int, *, by: str, version: str | None = None) -> Campaign:
        """A scheduled campaign is a draft again, and may be started anew."""

        def work(uow: UnitOfWork) -> Campaign:
            progress = _locked(uow, campaign_id, version)
            plan = attrs.evolve(plan_of(uow, campaign_id), digest=None)
            keep(uow, plan)
            moved = progress.became(CampaignState.DRAFT, by=by, now=self.clock.now())
            return self._kept(uow, plan, moved, "broadcast.unschedule", by)

        return await self.database.transact(work)

    async def pause(
        self, campaign_id: int, *, by: str, reason: str = "by a person", version: str | None = None
    ) -> Campaign:
        """Once this is answered nothing of the campaign leaves; calls in flight end by themselves."""

        def work(uow: UnitOfWork) -> Campaign:
            progress = _locked(uow, campaign_id, version)
            plan = plan_of(uow, campaign_id)
            if progress.state is CampaignState.PAUSED:
                return Campaign(plan=plan, progress=progress)
            moved = progress.became(CampaignState.PAUSED, by=by, now=self.clock.now(), reason=reason)
            return self._kept(uow, plan, moved, "broadcast.pause", by)

        return await self.database.transact(work)

    async def resume(self, campaign_id: int, *, by: str, version: str | None = None) -> Campaign:
        """Go on with what is there; what had settled by now is not held against it again.

        Raises:
            CampaignError: the plan was changed after it was frozen.
        """

        def work(uow: UnitOfWork) -> Campaign:
            progress = _locked(uow, campaign_id, version)
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

    async def cancel(self, campaign_id: int, *, by: str, version: str | None = None) -> Campaign:
        """End it; what waits is skipped, what is on its way arrives."""

        def work(uow: UnitOfWork) -> Campaign:
            progress = _locked(uow, campaign_id, version)
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
        """See `CampaignReports.report`."""
        return await self.reports.report(campaign_id)

    def lines(self, campaign_id: int) -> AsyncIterator[tuple[str, ...]]:
        """See `CampaignReports.lines`."""
        return self.reports.lines(campaign_id)

    async def rehearse(self, plan: Plan, *, at: datetime | None = None) -> JsonObject:
        """See `DryRuns.rehearse`."""
        return await self.dry_runs.rehearse(plan, at=at)

    async def try_out(self, campaign_id: int, number: str, *, by: str) -> Message:
        """Send the campaign's message to one of the shop's own test numbers: no recipient, and not counted.

        Raises:
            NotFoundError: there is no such campaign.
            CampaignError: the number is no test number, or nothing can be said to it.
        """
        keys = spellings(number, country=self.country)
        mine = [key for told in self.test_numbers for key in spellings(told, country=self.country)]
        phone = next((key for key in keys if key in mine), None)
        if phone is None:
            raise CampaignError("This is no test number; name it in the setting `broadcasts.test_numbers` first.")

        def work(uow: UnitOfWork) -> Message:
            plan = plan_of(uow, campaign_id)
            now = self.clock.now()
            if self.tombstones.of(uow, phone) is not None and uow.customers.of(phone) is None:
                raise CampaignError("Whoever had this number was erased; they have to write first.")
            profile = uow.customers.lock(phone, now=now)
            rendering = self.dry_runs.targeting.rendering(languages_of(uow, str(plan.template["name"])), plan, profile)
            if rendering is None or rendering.template is None:
                gaps = ", ".join(rendering.missing) if rendering else ""
                raise CampaignError(
                    f"Nothing fills {gaps}; add a fallback to the plan."
                    if gaps
                    else "No approved template fits this number."
                )
            counted, row = self.speaker.say(
                uow,
                self.speaker.thread(uow, profile, now=now),
                rendering.template,
                profile=profile,
                class_=Class.CAMPAIGN,
                origin={"by": "campaign", "ref": f"{TEST}:{campaign_id}"},
                now=now,
                lives=TEST_LIVES,
            )
            uow.conversations.save(counted)
            uow.audit.add(AuditEntry(at=now, actor=by, action="broadcast.test", object=f"campaign:{campaign_id}"))
            return row

        return await self.database.transact(work)


def _locked(uow: UnitOfWork, campaign_id: int, version: str | None) -> Progress:
    """Where the campaign stands, locked; `version` is what the caller saw it at, where that matters to them."""
    progress = progress_of(uow, campaign_id, lock=True)
    if version is not None and version != str(progress.rev):
        raise VersionMovedError(broadcast_id=campaign_id)
    return progress


def written(plan: Plan) -> dict[str, Any]:
    """A plan as somebody would write it to get this one."""
    schedule = {name: plan.schedule[name] for name in ("at", "zone", "life_hours") if name in plan.schedule}
    return {
        "name": plan.name,
        "template": {"name": plan.template["name"], "language": plan.template["language"]},
        "params": dict(plan.params),
        "audience": dict(plan.audience),
        "schedule": schedule,
        "send_window": None if plan.send_window is None else list(plan.send_window),
        "rate_per_minute": plan.rate_per_minute,
        "credit_days": plan.credit_days,
    }


def _clock_time(told: Any) -> str:
    try:
        return time.fromisoformat(str(told)).isoformat("minutes")
    except ValueError:
        raise CampaignError("send_window is two times of the day, such as ['09:00', '20:00'].") from None
