"""The second look: whether a campaign's message may still leave, asked under the lock of its state."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application.campaigns import campaign_of, plan_of, progress_of
from wch.application.fanning_out import Targeting
from wch.application.following import notice_of
from wch.application.noticing import Noticing
from wch.application.ports import Candidate, UnitOfWork
from wch.application.reengaging import Reengaging, contact_id_of
from wch.application.reminding import Reminding, contact_of
from wch.application.stored_templates import still_usable
from wch.domain.campaign import CampaignState, Progress
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject, amended
from wch.domain.message import Class, Message
from wch.domain.verdict import Kind, Verdict, decide

PAUSED_RESTS = timedelta(seconds=60)
"""How long a message of a paused campaign is not looked at."""


@attrs.frozen(kw_only=True)
class Look:
    """What came of it: both None where it may leave.

    Attributes:
        refusal: the error with which it ends.
        not_before: until when it waits.
        content: the message's, with the trace.
    """

    content: JsonObject
    refusal: str | None = None
    not_before: datetime | None = None


@attrs.frozen(kw_only=True)
class SecondLook:
    """Asks the verdict again when a campaign's message is taken."""

    targeting: Targeting
    reminding: Reminding
    noticing: Noticing
    reengaging: Reengaging

    def progress(self, uow: UnitOfWork, candidate: Candidate) -> Progress | None:
        """The state of the candidate's campaign, locked before anything else is; None when it is of none."""
        row = uow.messages.get(candidate.work.id) if candidate.class_ is Class.CAMPAIGN else None
        campaign_id = None if row is None else campaign_of(uow, row)
        return None if campaign_id is None else progress_of(uow, campaign_id, lock=True)

    def at(
        self, uow: UnitOfWork, row: Message, profile: CustomerProfile, progress: Progress | None, *, now: datetime
    ) -> Look | None:
        """What is to become of this message now; None where nothing is asked again."""
        if progress is None:
            if row.class_ is Class.NOTICE:
                return self._notice(uow, row, profile, now=now)
            if contact_of(row) is not None:
                verdict = self.reminding.again(uow, row, profile, now=now)
            elif contact_id_of(row) is not None:
                verdict = self.reengaging.again(uow, row, profile, now=now)
            else:
                return None
            decisive = verdict.decisive
            return _looked(row, verdict, "" if decisive is None else decisive.rule, now=now)
        if progress.state is CampaignState.CANCELLED:
            return Look(content=row.content, refusal="policy:cancelled")
        if progress.state is CampaignState.PAUSED:
            return Look(content=row.content, not_before=now + PAUSED_RESTS)
        plan = plan_of(uow, campaign_of(uow, row) or 0)
        origin: Any = row.content["origin"]
        facts = self.targeting.facts(
            uow,
            plan,
            profile,
            still_usable(uow, row),
            now=now,
            ends_at=progress.ends_at,
            leaving_out=int(str(origin["ref"]).partition(":")[2]),
        )
        # Where all sending is stopped the outbox tries one row a minute: that is not held here too.
        verdict = decide(Kind.BROADCAST, attrs.evolve(facts, stopped=None), now=now)
        decisive = verdict.decisive
        return _looked(row, verdict, "" if decisive is None else decisive.because, now=now)

    def _notice(self, uow: UnitOfWork, row: Message, profile: CustomerProfile, *, now: datetime) -> Look | None:
        """An order notice may be covered, over or refused by now; what a placement has to say is not asked about."""
        notice = uow.notifications.get(notice_of(row) or 0)
        if notice is None:
            return None
        verdict = self.noticing.again(uow, row, notice, profile, now=now)
        decisive = verdict.decisive
        if decisive is not None and decisive.rule == "life":
            return None  # the outbox itself lets it expire
        return _looked(row, verdict, "" if decisive is None else decisive.because, now=now)


def _looked(row: Message, verdict: Verdict, word: str, *, now: datetime) -> Look:
    """What the verdict means for the message; its answers are kept beside those of the planning."""
    before: Any = row.content.get("policy")
    planned = before if isinstance(before, Mapping) else {}
    content = amended(row.content, policy={**planned, "taken": verdict.to_json()})
    if verdict.outcome == "refuse":
        return Look(content=content, refusal=f"policy:{word}")
    if verdict.outcome == "hold":
        return Look(content=content, not_before=verdict.until or now + PAUSED_RESTS)
    return Look(content=content)
