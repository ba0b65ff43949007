"""Fanning out: a running campaign becomes recipients, and recipients become messages, page by page."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application import stops
from wch.application.alarms import alarm
from wch.application.campaigns import Campaign, all_of, keep_progress, plan_of, progress_of
from wch.application.causes import caused
from wch.application.failpoints import Failpoints
from wch.application.outreach import Around, Outreach, country_of
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.speaking import Speaker
from wch.application.statuses import code_in
from wch.application.stored_templates import fitting, languages_of, values_of
from wch.domain.audience import Known, criteria, fits
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus, skip_of
from wch.domain.campaign import CampaignState, Plan, Progress
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended
from wch.domain.evolution import evolve
from wch.domain.message import Class, MessageStatus
from wch.domain.message_template import MessageTemplate, Rendering
from wch.domain.moment import SECOND
from wch.domain.order_figures import Counting
from wch.domain.phone import variants
from wch.domain.reengagement import CampaignType
from wch.domain.verdict import MONTH, Facts, Kind, Says, Verdict, decide

PROFILES = 1000
RECIPIENTS = 50
MOST_WAITING = 500
"""So many campaign rows wait in the outbox at a time."""

LEAST_SETTLED = 50
MARKETING_CAP = 131049
BY = "worker"

_MINUTE = timedelta(minutes=1)
_REST = timedelta(minutes=5)
"""How long a pass rests when the end of a hold is not known."""

_LONGEST_REST = timedelta(hours=1)
"""What is held for long is looked at again all the same: its life may be over before its hold."""


@attrs.frozen(kw_only=True)
class BadQuality:
    """When a campaign pauses by itself.

    Attributes:
        sample: so many of the last settled are looked at.
        held_back_percent: of them held back by WhatsApp (131049).
        failed_percent: of them failed.
    """

    sample: int = 200
    held_back_percent: int = 20
    failed_percent: int = 30


@attrs.frozen(kw_only=True)
class Targeting:
    """Who belongs to a campaign and what they would get: the same for a dry run and for a run."""

    outreach: Outreach
    counting: Counting

    def belongs(self, uow: UnitOfWork, plan: Plan, profile: CustomerProfile, *, now: datetime) -> bool:
        """Whether the plan's own criteria take this customer; opted in is always implied."""
        if not profile.opt_in_marketing or not fits(
            plan.audience, profile, self._known(uow, plan, profile, now), now=now
        ):
            return False
        return self._is_seen_last(uow, profile)

    def excluded(self, uow: UnitOfWork, plan: Plan, profile: CustomerProfile, *, now: datetime) -> bool:
        """Whether somebody of the uploaded list misses another criterion of the plan."""
        return not fits(plan.audience, profile, self._known(uow, plan, profile, now), now=now)

    def _known(self, uow: UnitOfWork, plan: Plan, profile: CustomerProfile, now: datetime) -> Known:
        asked = criteria(plan.audience)
        abandoned = reached = None
        if "cart_abandoned_within_days" in asked:
            newest = uow.reengagements.newest_of(profile.phone, CampaignType.CART_REMINDER)
            abandoned = None if newest is None or newest.converted else newest.created_at
        if "broadcast_within_days" in asked:
            sent = [row.sent_at for row in uow.recipients.reached(profile.phone, since=now - MONTH) if row.sent_at]
            reached = max(sent, default=None)

        def word_in(campaign_id: int) -> str | None:
            row = uow.recipients.of(campaign_id, profile.phone)
            return None if row is None else row.status.value

        return Known(
            segment=self.counting.segment(profile).value,
            language=self.outreach.language_of(profile),
            country=country_of(profile) if "country" in asked else "",
            abandoned_at=abandoned,
            reached=reached,
            uploaded="upload" in asked and uow.recipients.of(plan.id, profile.phone) is not None,
            word_in=word_in,
        )

    def _is_seen_last(self, uow: UnitOfWork, profile: CustomerProfile) -> bool:
        """Of customers whose keys are ways to write one number only the one seen last is taken."""
        for other in variants(profile.phone)[1:]:
            twin = uow.customers.of(other)
            if twin is not None and _seen(twin) > _seen(profile):
                return False
        return True

    def template(
        self, known: Mapping[str, MessageTemplate], plan: Plan, profile: CustomerProfile
    ) -> MessageTemplate | None:
        """The approved template in the customer's language, or in the plan's."""
        wanted = str(plan.template.get("language") or "customer")
        language = self.outreach.language_of(profile) if wanted == "customer" else wanted
        return fitting(known, language, self.outreach.manners.language if wanted == "customer" else wanted)

    def facts(
        self,
        uow: UnitOfWork,
        plan: Plan,
        profile: CustomerProfile,
        rendering: Rendering | None,
        *,
        now: datetime,
        ends_at: datetime | None,
        subject: tuple[Says, str] = (Says.ALLOW, ""),
        leaving_out: int | None = None,
        around: Around | None = None,
        gates: bool = False,
    ) -> Facts:
        """Everything that the verdict on one recipient looks at; the gates only where somebody wants to know of one."""
        return self.outreach.facts(
            uow,
            profile,
            now=now,
            window=plan.window,
            leaving_out=leaving_out,
            around=around,
            gates=gates,
            template="template" if rendering is None else None,
            gaps=() if rendering is None else rendering.missing,
            dies_at=ends_at,
            subject=subject,
        )

    def rendering(self, known: Mapping[str, MessageTemplate], plan: Plan, profile: CustomerProfile) -> Rendering | None:
        """What this customer would get; None when no template fits."""
        template = self.template(known, plan, profile)
        return None if template is None else template.rendered(plan.params, values_of(profile))


def _seen(profile: CustomerProfile) -> tuple[str, int]:
    at = profile.last_interaction_at
    return ("" if at is None else at.isoformat(), -profile.id)


@attrs.frozen(kw_only=True)
class FanningOut:
    """The duty that carries campaigns on; any number of processes may, each page is one transaction.

    Attributes:
        quality: when a campaign pauses by itself.
        most: people of one campaign; one that finds more is paused before it sends anything.
    """

    kind: ClassVar[str] = "broadcasts"

    database: Database
    clock: Clock
    speaker: Speaker
    targeting: Targeting
    failpoints: Failpoints
    quality: BadQuality
    most: int

    async def work(self) -> int:
        """One page of each campaign that is open."""
        campaigns = await self.database.read(lambda uow: list(all_of(uow)))
        done = await self._stopped(campaigns)
        for campaign in campaigns:
            state, campaign_id = campaign.progress.state, campaign.plan.id
            if state is CampaignState.SCHEDULED:
                done += await self.database.transact(lambda uow, one=campaign_id: self._begin(uow, one))  # type: ignore[misc]  # bound early
            elif state is CampaignState.RUNNING and campaign.progress.phase == "snapshot":
                done += await self.database.transact(lambda uow, one=campaign_id: self._snapshot(uow, one))  # type: ignore[misc]  # bound early
                self.failpoints("fanout.listed")
            elif state is CampaignState.RUNNING:
                done += await self.database.transact(lambda uow, one=campaign_id: self._queue(uow, one))  # type: ignore[misc]  # bound early
                self.failpoints("fanout.after_commit")
            elif state is CampaignState.CANCELLED and campaign.progress.phase == "ending":
                done += await self.database.transact(lambda uow, one=campaign_id: self._call_off(uow, one))  # type: ignore[misc]  # bound early
        return done

    async def _stopped(self, campaigns: list[Campaign]) -> int:
        """Something was learnt that stops every campaign: each is paused, until a person resumes one."""
        told = await self.database.read(lambda uow: uow.options.get(stops.CAMPAIGNS))
        running = [one.plan.id for one in campaigns if one.progress.state is CampaignState.RUNNING]
        if told is None or not running:
            return 0
        code = told.get("code")
        reason = f"{told.get('why')}:{code}" if code else str(told.get("why"))

        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            for campaign_id in running:
                progress = progress_of(uow, campaign_id, lock=True)
                if progress.state is CampaignState.RUNNING:
                    pause(uow, campaign_id, progress, reason, now)
            return len(running)

        return await self.database.transact(work)

    def _begin(self, uow: UnitOfWork, campaign_id: int) -> int:
        """A scheduled campaign begins at its moment."""
        progress = progress_of(uow, campaign_id, lock=True)
        plan = plan_of(uow, campaign_id)
        now = self.clock.now()
        if progress.state is not CampaignState.SCHEDULED or plan.utc is None or now < plan.utc:
            return 0
        keep_progress(uow, campaign_id, started(progress, plan, by=BY, now=now))
        return 1

    # --- recipients

    def _snapshot(self, uow: UnitOfWork, campaign_id: int) -> int:
        """One page of profiles becomes recipients; page and cursor are one transaction, so none is passed twice."""
        progress = progress_of(uow, campaign_id, lock=True)
        if progress.state is not CampaignState.RUNNING or progress.phase != "snapshot":
            return 0
        plan = plan_of(uow, campaign_id)
        now = self.clock.now()
        if plan.is_tampered:
            pause(uow, campaign_id, progress, "tampered", now)
            return 1
        page = uow.customers.listed(after=progress.cursor, limit=PROFILES)
        at = progress.started_at or now
        uow.recipients.add_all(
            [
                BroadcastRecipient(campaign_id=campaign_id, phone=profile.phone, created_at=now)
                for profile in page
                if profile.created_at <= at and self.targeting.belongs(uow, plan, profile, now=at)
            ]
        )
        if sum(uow.recipients.counts(campaign_id).values()) > self.most:
            pause(uow, campaign_id, progress, "too_many_recipients", now)
            return 1
        cursor = page[-1].id if page else progress.cursor
        phase = "sending" if len(page) < PROFILES else "snapshot"
        keep_progress(uow, campaign_id, attrs.evolve(progress, cursor=cursor, phase=phase))
        return 1

    # --- messages

    def _queue(self, uow: UnitOfWork, campaign_id: int) -> int:
        """Up to 50 recipients are decided about under the lock of the state, so a pause is never overtaken."""
        progress = progress_of(uow, campaign_id, lock=True)
        now = self.clock.now()
        rests = progress.place == 0 and progress.resting_until is not None and now < progress.resting_until
        if progress.state is not CampaignState.RUNNING or rests:
            return 0
        plan = plan_of(uow, campaign_id)
        known = languages_of(uow, str(plan.template["name"]))
        reason = self._reason_to_pause(uow, plan, progress, known)
        if reason is not None:
            pause(uow, campaign_id, progress, reason, now)
            return 1
        room = self._room(uow, plan, progress, now)
        if room <= 0:
            return 0
        taken = uow.recipients.take_pending(campaign_id, after=progress.place, limit=min(RECIPIENTS, room))
        if not taken:
            return self._at_the_end(uow, campaign_id, progress, now)
        running = _Running(plan=plan, progress=progress, known=known, now=now)
        queued = 0
        ends: list[datetime] = []
        for recipient in sorted(taken, key=lambda one: one.phone):
            held_until = self._decide(uow, running, recipient)
            if held_until is None:
                continue
            if held_until > now:
                ends.append(held_until)
            else:
                queued += 1
        before = [progress.resting_until] if progress.place and progress.resting_until else []
        resting = min([*ends, *before, now + _LONGEST_REST]) if ends or before else None
        same = progress.minute is not None and now < progress.minute + _MINUTE
        keep_progress(
            uow,
            campaign_id,
            attrs.evolve(
                progress,
                place=max(one.id for one in taken),
                resting_until=resting,
                minute=progress.minute if same else now,
                in_minute=(progress.in_minute if same else 0) + queued,
            ),
        )
        self.failpoints("fanout.before_commit")
        return 1

    def _room(self, uow: UnitOfWork, plan: Plan, progress: Progress, now: datetime) -> int:
        """How many may be queued now: below the outbox's cap and the plan's rate."""
        same = progress.minute is not None and now < progress.minute + _MINUTE
        paced = plan.rate_per_minute - (progress.in_minute if same else 0)
        return min(paced, MOST_WAITING - uow.messages.waiting_campaign(MOST_WAITING))

    def _decide(self, uow: UnitOfWork, running: "_Running", recipient: BroadcastRecipient) -> datetime | None:
        """Skip one recipient, queue it, or leave it; the end of its hold, `now` when it was queued, None when skipped."""
        plan, progress, now = running.plan, running.progress, running.now
        if uow.customers.of(recipient.phone) is None:
            uow.recipients.save(recipient.skipped(RecipientStatus.SKIPPED_NOCONSENT))
            return None
        profile = uow.customers.lock(recipient.phone, now=now)
        rendering = self.targeting.rendering(running.known, plan, profile)
        verdict = self._verdict(uow, running, profile, rendering, recipient)
        decisive = verdict.decisive
        if verdict.outcome == "refuse" and decisive is not None:
            uow.recipients.save(recipient.skipped(skip_of(decisive.because)))
            return None
        if verdict.outcome == "hold":
            return verdict.until or now + _REST
        if rendering is None or rendering.template is None:
            return now + _REST  # pragma: no cover - a verdict without template is a refusal
        thread = self.speaker.thread(uow, profile, now=now)
        counted, row = self.speaker.say(
            uow,
            thread,
            rendering.template,
            profile=profile,
            class_=Class.CAMPAIGN,
            origin={"by": "campaign", "ref": f"recipient:{recipient.id}"},
            now=now,
            lives=max((progress.ends_at or now + timedelta(days=1)) - now, SECOND),
        )
        uow.messages.save(evolve(row, content=amended(row.content, policy={"planned": verdict.to_json()})))
        uow.conversations.save(counted)
        uow.recipients.save(recipient.queued())
        return now

    def _verdict(
        self,
        uow: UnitOfWork,
        running: "_Running",
        profile: CustomerProfile,
        rendering: Rendering | None,
        recipient: BroadcastRecipient,
    ) -> Verdict:
        plan, progress, now = running.plan, running.progress, running.now
        uploaded = "upload" in criteria(plan.audience)
        excluded = uploaded and self.targeting.excluded(uow, plan, profile, now=progress.started_at or now)
        facts = self.targeting.facts(
            uow,
            plan,
            profile,
            rendering,
            now=now,
            ends_at=progress.ends_at,
            subject=(Says.REFUSE, "excluded") if excluded else (Says.ALLOW, ""),
            leaving_out=recipient.id,
        )
        return decide(Kind.BROADCAST, facts, now=now)

    def _at_the_end(self, uow: UnitOfWork, campaign_id: int, progress: Progress, now: datetime) -> int:
        """The pass is over: done, skipped for age, or at rest until the earliest hold ends."""
        counts = uow.recipients.counts(campaign_id)
        if progress.ends_at is not None and now >= progress.ends_at and counts.get("pending"):
            for seen in uow.recipients.standing(campaign_id, ["pending"], limit=PROFILES):
                row = uow.recipients.get(seen.id, lock=True)
                if row is not None and row.status is RecipientStatus.PENDING:
                    uow.recipients.save(row.skipped(RecipientStatus.SKIPPED_TTL))
            return 1
        if not counts.get("pending") and not counts.get("queued"):
            keep_progress(uow, campaign_id, progress.became(CampaignState.COMPLETED, by=BY, now=now))
            return 1
        if progress.place == 0:
            return 0
        rests = progress.resting_until or now + SECOND
        keep_progress(uow, campaign_id, attrs.evolve(progress, place=0, resting_until=min(rests, now + _LONGEST_REST)))
        return 0

    def _reason_to_pause(
        self, uow: UnitOfWork, plan: Plan, progress: Progress, known: Mapping[str, MessageTemplate]
    ) -> str | None:
        """Why a campaign stops by itself until a person resumes it."""
        if plan.is_tampered:
            return "tampered"
        hashes: Mapping[str, str] = plan.template.get("hashes", {})
        for language, one in known.items():
            if language not in hashes:
                continue
            if one.quality == "RED":
                return "template:RED"
            if not one.may_be_sent:
                return f"template:{'faulty' if one.faulty else one.status}"
            if one.hash != hashes[language] or one.drift is not None:
                return "template:changed"
        return self._bad_quality(uow, plan.id, progress)

    def _bad_quality(self, uow: UnitOfWork, campaign_id: int, progress: Progress) -> str | None:
        """Whether too many of the latest were held back or failed; what a person has seen is not held against it."""
        settled = [
            one
            for one in uow.recipients.settled(campaign_id, limit=self.quality.sample)
            if one.id > _looked_at(progress)
        ]
        failed = [one for one in settled if one.status is RecipientStatus.FAILED]
        if len(settled) < LEAST_SETTLED:
            return None
        held_back = sum(code_of(uow, one) == MARKETING_CAP for one in failed)
        if held_back * 100 >= self.quality.held_back_percent * len(settled):
            return f"held_back:{held_back}/{len(settled)}"
        if len(failed) * 100 >= self.quality.failed_percent * len(settled):
            return f"failed:{len(failed)}/{len(settled)}"
        return None

    def _call_off(self, uow: UnitOfWork, campaign_id: int) -> int:
        """What waited when it was cancelled does not wait any more."""
        progress = progress_of(uow, campaign_id, lock=True)
        page = uow.recipients.standing(campaign_id, ["pending", "queued"], limit=PROFILES)
        now = self.clock.now()
        done = sum(call_off(uow, seen, now=now) for seen in sorted(page, key=lambda one: one.phone))
        left = uow.recipients.counts(campaign_id)
        if not left.get("pending") and not left.get("queued"):
            keep_progress(uow, campaign_id, attrs.evolve(progress, phase=None))
        return done


@attrs.frozen(kw_only=True)
class _Running:
    """A campaign as one transaction sees it."""

    plan: Plan
    progress: Progress
    known: Mapping[str, MessageTemplate]
    now: datetime


def _looked_at(progress: Progress) -> int:
    """The last recipient that had settled when a person resumed it."""
    return next((int(one["settled"]) for one in reversed(progress.log) if "settled" in one), 0)


def started(progress: Progress, plan: Plan, *, by: str, now: datetime) -> Progress:
    """The campaign begins with its snapshot."""
    lives = timedelta(hours=int(plan.schedule.get("life_hours", 72)))
    running = progress.became(CampaignState.RUNNING, by=by, now=now)
    return attrs.evolve(running, phase="snapshot", started_at=now, ends_at=now + lives, cursor=0, place=0)


def pause(uow: UnitOfWork, campaign_id: int, progress: Progress, reason: str, now: datetime) -> None:
    """Pause by itself; only a person resumes it."""
    alarm(uow, "campaign_paused", now=now, about=f"campaign:{campaign_id}", reason=reason)
    keep_progress(uow, campaign_id, progress.became(CampaignState.PAUSED, by=BY, now=now, reason=reason))


def call_off(uow: UnitOfWork, seen: BroadcastRecipient, *, now: datetime) -> bool:
    """A recipient that waits is skipped, and its message with it, unless that is on its way already; whether it was."""
    if uow.customers.of(seen.phone) is not None:
        uow.customers.lock(seen.phone, now=now)
    number = message_of(uow, seen) if seen.status is RecipientStatus.QUEUED else None
    row = None if number is None else uow.messages.get(number, lock=True)
    recipient = uow.recipients.get(seen.id, lock=True)
    if recipient is None or recipient.status not in {RecipientStatus.PENDING, RecipientStatus.QUEUED}:
        return False
    if row is not None and row.status is not MessageStatus.PENDING:
        return False
    if row is not None:
        uow.messages.save(row.failed("policy:cancelled", now=now))
    uow.recipients.save(recipient.skipped(RecipientStatus.SKIPPED_CANCELLED))
    return True


def message_of(uow: UnitOfWork, recipient: BroadcastRecipient) -> int | None:
    """The message that was written for a recipient: by its id, else by the customer's thread."""
    if recipient.wa_message_id is not None:
        row = uow.messages.by_wa_id(recipient.wa_message_id)
        return None if row is None else row.id
    rows = caused(uow, recipient.phone, f"recipient:{recipient.id}", since=recipient.created_at)
    return rows[0].id if rows else None


def code_of(uow: UnitOfWork, recipient: BroadcastRecipient) -> int | None:
    """Graph's code of a recipient that failed."""
    row = message_of(uow, recipient)
    message = None if row is None else uow.messages.get(row)
    return None if message is None else code_in(message.error_message)
