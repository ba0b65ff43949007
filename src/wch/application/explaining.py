"""Explaining: why something was, was not or will be sent, rule by rule, by the code that decides it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.application.campaigns import campaign_of, plan_of, progress_of
from wch.application.causes import customer_then
from wch.application.fanning_out import Targeting, message_of
from wch.application.following import notice_of
from wch.application.notifications import Notifications
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.reminders import Passed, Reminders
from wch.application.stored_templates import languages_of
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.campaign import CampaignState
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.hindsight import UNDATED
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.notification import DELAY, Notification, NotificationStatus
from wch.domain.verdict import Facts, Kind, Room, Says, Verdict, decide, room_for

_DECIDED = frozenset({NotificationStatus.SKIPPED, NotificationStatus.FAILED})
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
    """Answers for what was sent with its trace, for what was not with the facts as of the moment that is asked about."""

    database: Database
    clock: Clock
    targeting: Targeting
    reminders: Reminders
    notifications: Notifications

    async def room(self, customer_id: int) -> Room:
        """How often this customer may still be approached with offers and reminders, and when again.

        Raises:
            NotFoundError: there is nobody of this id.
        """

        def work(uow: UnitOfWork) -> Room:
            profile = uow.customers.get(customer_id)
            if profile is None:
                raise NotFoundError(kind="customer", id=customer_id)
            now = self.clock.now()
            return room_for(self.targeting.outreach.facts(uow, profile, now=now), now=now)

        return await self.database.read(work)

    async def message(self, message_id: int, *, at: datetime | None = None) -> Explanation:
        """Why a message was, was not or will be sent.

        Raises:
            NotFoundError: there is none of this id.
        """

        def look(uow: UnitOfWork) -> Explanation | int:
            row = uow.messages.get(message_id)
            if row is None:
                raise NotFoundError(kind="message", id=message_id)
            recipient = self._recipient_of(uow, row)
            if recipient is not None:
                return attrs.evolve(self._recipient(uow, recipient, at), subject=f"message:{message_id}")
            notice = notice_of(row)
            told = notice is not None and uow.notifications.get(notice) is not None
            return notice if notice is not None and told else self._plain(uow, row, at or self.clock.now())

        found = await self.database.read(look)
        if isinstance(found, Explanation):
            return found
        return attrs.evolve(await self.notification(found, at=at), subject=f"message:{message_id}")

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
        now = self.clock.now()
        when = at or now
        told = await self.reminders.explain(cart_id, at=when, now=now)
        history = [_step(told.cart.created_at, "opened")]
        if told.cart.abandoned_at is not None:
            history.append(_step(told.cart.abandoned_at, "abandoned"))
        for number, row in told.written:
            history += [{**step, "what": f"reminder {number} {step['what']}"} for step in _history(row)]
        for one in told.passed:
            history += _passed(one)
        if told.cart.recovered_at is not None:
            history.append(_step(told.cart.recovered_at, f"recovered by order {told.cart.recovered_order_id}"))
        history.sort(key=lambda step: str(step["at"]))
        explained = _as_known(_explained(f"cart:{cart_id}", when, told.verdict, history), now=now)
        if explained.outcome == "send" and told.due is None:
            return attrs.evolve(explained, outcome="done", reason="no_reminder_left")
        if explained.outcome == "send" and told.due is not None and when < told.due.at:
            return attrs.evolve(explained, outcome="hold", reason="due", until=told.due.at)
        return explained

    async def notification(self, notification_id: int, *, at: datetime | None = None) -> Explanation:
        """Why an order notice was, was not or will be told.

        Raises:
            NotFoundError: there is none of this id.
        """
        now = self.clock.now()
        when = at or now
        told = await self.notifications.explain(notification_id, at=when)
        notice = told.notice
        history = [_step(notice.created_at, "learnt of")]
        for place, row in enumerate(told.rows):
            history += (
                _history(row) if place == 0 else [{**one, "what": f"again: {one['what']}"} for one in _history(row)]
            )
        if notice.status in _DECIDED:
            history.append(_step(notice.updated_at, notice.status.value, notice.error_message))
        explained = _explained(f"notification:{notification_id}", when, told.verdict, history)
        # What the order was at an earlier moment no row of ours says.
        explained = _as_known(explained, now=now, undated=UNDATED | {"subject"})
        written = bool(told.rows) and told.rows[0].created_at <= when
        if notice.status is NotificationStatus.PENDING or not (written or _is_over(notice, when)):
            looked_at = notice.updated_at if when >= now or when >= notice.updated_at else notice.created_at + DELAY
            waits = explained.outcome == "send" and when < looked_at
            return attrs.evolve(explained, outcome="hold", reason="due", until=looked_at) if waits else explained
        if not _is_over(notice, when):
            return explained
        traces: Any = told.rows[-1].content.get("policy") if told.rows else None
        trace: Any = (traces or {}).get("taken") or (traces or {}).get("planned")
        rules = _traced(trace) if isinstance(trace, Mapping) else explained.rules
        reason = notice.error_message if notice.status in _DECIDED else notice.status.value
        return attrs.evolve(explained, outcome="done", until=None, reason=reason, rules=rules)

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
        over = row.status.is_skip if message is None else _settled(message, when)
        if over and isinstance(trace, Mapping):
            reason = row.status.value if row.status.is_skip else trace.get("reason")
            return Explanation(
                subject=f"recipient:{row.id}",
                at=when,
                outcome="done",
                until=None,
                reason=str(reason) if reason else None,
                rules=_traced(trace),
                history=_until(when, history),
            )
        verdict = self._verdict(uow, row, when)
        told = _as_known(_explained(f"recipient:{row.id}", when, verdict, history), now=self.clock.now())
        if over and row.status.is_skip:
            return attrs.evolve(told, outcome="done", reason=row.status.value, until=None)
        return attrs.evolve(told, outcome="done", until=None) if over else told

    def _verdict(self, uow: UnitOfWork, row: BroadcastRecipient, when: datetime) -> Verdict:
        plan = plan_of(uow, row.campaign_id)
        progress = progress_of(uow, row.campaign_id)
        profile = uow.customers.of(row.phone)
        if profile is None:
            return decide(Kind.BROADCAST, Facts(missing="unknown"), now=when)
        state = progress.state
        if when < self.clock.now():
            profile, state = customer_then(uow, profile, at=when), progress.state_at(when)
        known = languages_of(uow, str(plan.template["name"]))
        subject = _SUBJECTS.get(state, (Says.ALLOW, ""))
        facts = self.targeting.facts(
            uow,
            plan,
            profile,
            self.targeting.rendering(known, plan, profile),
            now=when,
            ends_at=progress.ends_at,
            subject=subject,
            leaving_out=row.id,
            gates=True,
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
                history=_until(when, history),
            )
        now = self.clock.now()
        thread = None if row.conversation_id is None else uow.conversations.get(row.conversation_id)
        profile = None if thread is None else uow.customers.of(thread.customer_phone)
        if profile is None:
            facts = Facts(missing="unknown")
        else:
            profile = customer_then(uow, profile, at=when) if when < now else profile
            gathered = self.targeting.outreach.facts(uow, profile, now=when)
            is_reply = row.class_ is Class.REPLY
            facts = attrs.evolve(
                gathered,
                quiet=None,
                out_of_notices=gathered.out_of_notices and not is_reply,
                dies_at=row.expires_at,
                takes_text=row.content.get("kind") != "template",
            )
            if row.not_before is not None and row.not_before > (facts.paced_until or when):
                facts = attrs.evolve(facts, paced_until=row.not_before, paced_by="not_before")
        told = _as_known(_explained(f"message:{row.id}", when, decide(Kind.NOTICE, facts, now=when), history), now=now)
        if not _settled(row, when):
            return told
        reason = row.error_message if row.status is MessageStatus.FAILED else row.status.value
        return attrs.evolve(told, outcome="done", reason=reason, until=None)


def _settled(row: Message, when: datetime) -> bool:
    """Whether a message had come to something by then."""
    if row.status not in _DONE | {MessageStatus.FAILED}:
        return False
    return (row.sent_at or row.updated_at) <= when


def _is_over(notice: Notification, when: datetime) -> bool:
    """Whether a notice had been told, or was not told any more, by then."""
    if notice.status in {NotificationStatus.PENDING, NotificationStatus.QUEUED}:
        return False
    return (notice.sent_at or notice.updated_at) <= when


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


def _as_known(told: Explanation, *, now: datetime, undated: Collection[str] = UNDATED) -> Explanation:
    """Of an earlier moment only what had happened by then; a rule whose facts no row dates says so."""
    if told.at >= now:
        return told
    rules = tuple(_dated(rule) if rule["rule"] in undated else rule for rule in told.rules)
    return attrs.evolve(told, rules=rules, history=_until(told.at, told.history))


def _until(when: datetime, history: Iterable[JsonObject]) -> tuple[JsonObject, ...]:
    return tuple(step for step in history if str(step["at"]) <= iso(when))


def _traced(trace: Mapping[str, Any]) -> tuple[JsonObject, ...]:
    """The rules of a trace, with what it left out for being empty."""
    return tuple({"because": "", "facts": {}, **one} for one in trace.get("rules", ()))


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


def _passed(one: Passed) -> list[JsonObject]:
    """A moment that came: due, held by what until when, over."""
    why = one.reason or "every rule allowed it"
    held = why if one.until is None else f"{why} until {iso(one.until)}"
    told = [_step(one.moment.at, "reminder due", held)]
    return [*told, _step(one.moment.dies_at, "reminder over", "its moment died")] if one.is_over else told


def _dated(rule: JsonObject) -> JsonObject:
    return {**rule, "facts": {**rule["facts"], "as_of": "now"}}


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
