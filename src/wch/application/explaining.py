"""Explaining: why something was, was not or will be sent, rule by rule, by the code that decides it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.application.campaigns import campaign_of, plan_of, progress_of
from wch.application.fanning_out import Targeting, message_of
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.reminders import Reminders
from wch.application.stored_templates import languages_of
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.campaign import CampaignState
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.verdict import Facts, Kind, Says, Verdict, decide

_DONE = frozenset({MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ, MessageStatus.UNCONFIRMED})


@attrs.frozen(kw_only=True)
class Explanation:
    """What is to be said about one subject.

    Attributes:
        subject: `message:7` or `recipient:3`.
        at: the moment that it is about.
        outcome: `send`, `hold`, `refuse`, or `done` for what is over.
        until: the end of a hold.
        reason: what decided.
        rules: every rule with its verdict.
        history: what became of it, in order.
    """

    subject: str
    at: datetime
    outcome: str
    until: datetime | None
    reason: str | None
    rules: tuple[JsonObject, ...]
    history: tuple[JsonObject, ...]


@attrs.frozen(kw_only=True)
class Explaining:
    """Answers for what was sent with its trace, for what was not with the facts as of now."""

    database: Database
    clock: Clock
    targeting: Targeting
    reminders: Reminders

    async def message(self, message_id: int, *, at: datetime | None = None) -> Explanation:
        """Why a message was, was not or will be sent.

        Raises:
            NotFoundError: there is none of this id.
        """

        def look(uow: UnitOfWork) -> Explanation:
            row = uow.messages.get(message_id)
            if row is None:
                raise NotFoundError(kind="message", id=message_id)
            recipient = self._recipient_of(uow, row)
            if recipient is not None:
                return attrs.evolve(self._recipient(uow, recipient, at), subject=f"message:{message_id}")
            return self._plain(uow, row, at or self.clock.now())

        return await self.database.read(look)

    async def recipient(self, recipient_id: int, *, at: datetime | None = None) -> Explanation:
        """Why somebody got, did not get or will get a broadcast.

        Raises:
            NotFoundError: there is none of this id.
        """

        def look(uow: UnitOfWork) -> Explanation:
            row = uow.recipients.get(recipient_id)
            if row is None:
                raise NotFoundError(kind="recipient", id=recipient_id)
            return self._recipient(uow, row, at)

        return await self.database.read(look)

    async def cart(self, cart_id: int, *, at: datetime | None = None) -> Explanation:
        """Why a cart was, was not or will be reminded of.

        Raises:
            NotFoundError: there is none of this id.
        """
        when = at or self.clock.now()
        told = await self.reminders.explain(cart_id, at=when)
        history = [_step(told.cart.created_at, "opened")]
        if told.cart.abandoned_at is not None:
            history.append(_step(told.cart.abandoned_at, "abandoned"))
        for number, row in told.written:
            history += [{**step, "what": f"reminder {number} {step['what']}"} for step in _history(row)]
        explained = _explained(f"cart:{cart_id}", when, told.verdict, history)
        if explained.outcome == "send" and told.due is None:
            return attrs.evolve(explained, outcome="done", reason="no_reminder_left")
        if explained.outcome == "send" and told.due is not None and when < told.due.at:
            return attrs.evolve(explained, outcome="hold", reason="due", until=told.due.at)
        return explained

    def _recipient_of(self, uow: UnitOfWork, row: Message) -> BroadcastRecipient | None:
        origin: Any = row.content.get("origin", {})
        number = str(origin.get("ref", "")).partition(":")[2]
        return uow.recipients.get(int(number)) if campaign_of(uow, row) is not None else None

    def _recipient(self, uow: UnitOfWork, row: BroadcastRecipient, at: datetime | None) -> Explanation:
        """A recipient that left has its trace; one that did not is decided about now, as the worker would."""
        number = None if row.status is RecipientStatus.PENDING else message_of(uow, row)
        message = None if number is None else uow.messages.get(number)
        history = [_step(row.created_at, "recipient written")]
        traces: Mapping[str, Any] = {} if message is None else message.content.get("policy") or {}
        if message is not None:
            history += _history(message)
        when = at or self.clock.now()
        trace: Any = traces.get("taken") or traces.get("planned")
        over = row.status.is_skip or (message is not None and message.status in _DONE | {MessageStatus.FAILED})
        if at is None and over and isinstance(trace, Mapping):
            reason = row.status.value if row.status.is_skip else trace.get("reason")
            return Explanation(
                subject=f"recipient:{row.id}",
                at=when,
                outcome="done",
                until=None,
                reason=str(reason) if reason else None,
                rules=tuple(trace.get("rules", ())),
                history=tuple(history),
            )
        verdict = self._verdict(uow, row, when)
        told = _explained(f"recipient:{row.id}", when, verdict, history)
        if row.status.is_skip:
            return attrs.evolve(told, outcome="done", reason=row.status.value, until=None)
        return attrs.evolve(told, outcome="done", until=None) if over else told

    def _verdict(self, uow: UnitOfWork, row: BroadcastRecipient, when: datetime) -> Verdict:
        plan = plan_of(uow, row.campaign_id)
        progress = progress_of(uow, row.campaign_id)
        profile = uow.customers.of(row.phone)
        if profile is None:
            return decide(Kind.BROADCAST, Facts(missing="unknown"), now=when)
        known = languages_of(uow, str(plan.template["name"]))
        subject = _SUBJECTS.get(progress.state, (Says.ALLOW, ""))
        facts = self.targeting.facts(
            uow,
            plan,
            profile,
            self.targeting.rendering(known, plan, profile),
            now=when,
            ends_at=progress.ends_at,
            subject=subject,
            leaving_out=row.id,
        )
        return decide(Kind.BROADCAST, facts, now=when)

    def _plain(self, uow: UnitOfWork, row: Message, when: datetime) -> Explanation:
        """A message of no campaign: what holds for replies and notices."""
        history = _history(row)
        if row.direction is Direction.INBOUND:
            handled: Any = row.content.get("handled") or {}
            reason = handled.get("silence") or handled.get("intent")
            return Explanation(
                subject=f"message:{row.id}",
                at=when,
                outcome="done",
                until=None,
                reason=reason if isinstance(reason, str) else None,
                rules=(),
                history=tuple(history),
            )
        thread = None if row.conversation_id is None else uow.conversations.get(row.conversation_id)
        profile = None if thread is None else uow.customers.of(thread.customer_phone)
        if profile is None:
            facts = Facts(missing="unknown")
        else:
            gathered = self.targeting.outreach.facts(uow, profile, now=when)
            is_reply = row.class_ is Class.REPLY
            facts = attrs.evolve(
                gathered,
                quiet=None,
                out_of_notices=gathered.out_of_notices and not is_reply,
                dies_at=row.expires_at,
                takes_text=row.content.get("kind") != "template",
                paced_until=row.not_before,
            )
        told = _explained(f"message:{row.id}", when, decide(Kind.NOTICE, facts, now=when), history)
        if row.status is MessageStatus.PENDING:
            return told
        reason = row.error_message if row.status is MessageStatus.FAILED else row.status.value
        return attrs.evolve(told, outcome="done", reason=reason, until=None)


_SUBJECTS: Mapping[CampaignState, tuple[Says, str]] = {
    CampaignState.DRAFT: (Says.HOLD, "draft"),
    CampaignState.SCHEDULED: (Says.HOLD, "scheduled"),
    CampaignState.PAUSED: (Says.HOLD, "paused"),
    CampaignState.CANCELLED: (Says.REFUSE, "cancelled"),
}


def _explained(subject: str, when: datetime, verdict: Verdict, history: list[JsonObject]) -> Explanation:
    return Explanation(
        subject=subject,
        at=when,
        outcome=verdict.outcome,
        until=verdict.until,
        reason=verdict.reason,
        rules=tuple(answer.to_json() for answer in verdict.answers),
        history=tuple(history),
    )


def _history(row: Message) -> list[JsonObject]:
    """What became of a message, in order."""
    told = [_step(row.created_at, "accepted" if row.direction is Direction.INBOUND else "written")]
    for name in ("sent_at", "delivered_at", "read_at"):
        moment = getattr(row, name)
        if moment is not None and row.direction is Direction.OUTBOUND:
            told.append(_step(moment, name.removesuffix("_at")))
    if row.status in {MessageStatus.FAILED, MessageStatus.UNCONFIRMED, MessageStatus.PROCESSED, MessageStatus.DEAD}:
        told.append(_step(row.updated_at, row.status.value, row.error_message))
    return told


def _step(at: datetime, what: str, why: str | None = None) -> JsonObject:
    return {"at": iso(at), "what": what} if why is None else {"at": iso(at), "what": what, "why": why}


SENTENCES: Mapping[str, str] = {
    "enabled": "Sending of this kind is on, and nothing stops all sending.",
    "customer": "The customer is known, not blocked, and can be reached.",
    "consent": "The customer agreed to this kind of message.",
    "subject": "The cause still holds.",
    "person": "No person has the conversation.",
    "cooldown": "WhatsApp does not hold marketing back from this customer.",
    "country": "Marketing may be sent to this country.",
    "cap": "There is room under the caps of 7 and 30 days.",
    "quiet": "It is not quiet time where the customer is.",
    "window": "The 24-hour window decides whether words or a template go.",
    "template": "An approved template fits.",
    "content": "Every variable has a value.",
    "life": "It still has something to say.",
    "pace": "There is room for it now.",
}
"""One sentence for each rule, true where it allows."""


def sentence(answer: JsonObject) -> str:
    """The rule as people read it."""
    rule, verdict = str(answer["rule"]), str(answer["verdict"])
    if verdict == Says.ALLOW:
        return SENTENCES.get(rule, rule)
    until = f" until {answer['until']}" if answer.get("until") else ""
    facts = ", ".join(f"{name} {value}" for name, value in dict(answer.get("facts") or {}).items())
    return f"{verdict}: {answer.get('because') or rule}{until}{f' ({facts})' if facts else ''}"
