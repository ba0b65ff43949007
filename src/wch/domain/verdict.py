"""The verdict: whether something that nobody asked for may be said to somebody now, rule by rule.

One pure function answers every rule. It is asked when a thing is planned, in a dry run, when a
row is taken for sending, and by `wch explain`; there is no second copy of any rule.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from wch.domain.document import JsonObject
from wch.domain.moment import iso

WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
LEAST_AWAKE = timedelta(hours=4)
"""Where a number's area leaves less than this of a day, the shop's zone counts instead."""

_QUARTER = timedelta(minutes=15)
_DAY = timedelta(days=1)


class Kind(StrEnum):
    """What is to be said."""

    REMINDER = "reminder"
    REENGAGEMENT = "reengagement"
    BROADCAST = "broadcast"
    NOTICE = "notice"


class Says(StrEnum):
    """What a rule answers."""

    ALLOW = "allow"
    HOLD = "hold"
    REFUSE = "refuse"


@attrs.frozen(kw_only=True)
class Quiet:
    """When nobody is disturbed.

    Attributes:
        start: from, in the customer's zone.
        end: until.
        zones: those that the customer may be in; a moment is quiet when it is in any of them.
        shop: the shop's zone.
        window: the hours that a plan keeps to, in the same zone; None for all day.
    """

    start: time = time(22)
    end: time = time(8)
    zones: tuple[str, ...] = ()
    shop: str = "UTC"
    window: tuple[time, time] | None = None

    def until(self, now: datetime) -> datetime | None:
        """When it is over; None when it is not quiet now."""
        zones = self._zones(now)
        moment = now
        for _ in range(10):
            ends = [end for zone in zones if (end := self._end(moment, zone)) is not None]
            if not ends:
                return None if moment == now else moment
            moment = max(ends)
        return moment

    def _zones(self, now: datetime) -> tuple[ZoneInfo, ...]:
        zones = tuple(ZoneInfo(name) for name in self.zones) or (ZoneInfo(self.shop),)
        if len({now.astimezone(zone).utcoffset() for zone in zones}) == 1:
            return zones[:1]
        awake = sum(
            not any(self._end(now + _QUARTER * place, zone) for zone in zones) for place in range(_DAY // _QUARTER)
        )
        return zones if _QUARTER * awake >= LEAST_AWAKE else (ZoneInfo(self.shop),)

    def _end(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet that this moment lies in ends in one zone."""
        local = moment.astimezone(zone)
        ends = []
        if _within(local.time(), self.start, self.end):
            ends.append(_next(local, self.end, zone))
        if self.window is not None and not _within(local.time(), *self.window):
            ends.append(_next(local, self.window[0], zone))
        return max(ends, default=None)


def _within(moment: time, start: time, end: time) -> bool:
    """Whether a time of the day lies from start to before end, over midnight where end is the earlier."""
    if start == end:
        return False
    return start <= moment < end if start < end else moment >= start or moment < end


def _next(local: datetime, at: time, zone: ZoneInfo) -> datetime:
    day = local.date() if local.time() < at else local.date() + _DAY
    return utc_of(day, at, zone)


def utc_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A local time in UTC: one that does not exist moves forward by the gap, one that exists twice is the first."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


@attrs.frozen(kw_only=True)
class Facts:
    """Everything that the rules look at; nothing is looked up by them.

    Attributes:
        off: why nothing of this kind is sent at all, such as `disabled`.
        stopped: why all sending stands still, such as `sign_in`.
        missing: why there is nobody to send to: `unknown`, `erased`, `unaddressed`.
        blocked: whether a person has blocked the customer.
        unreachable_until: three messages in a row did not arrive; tried again from then.
        opted_in: whether the customer asked for marketing.
        out: whether they refused it.
        out_of_notices: whether they refuse everything.
        needs_opt_in: whether silence is no consent here.
        subject: what became of the cause: its answer and the word for it.
        subject_until: where the cause holds for a while only, when that is over.
        person: whether a person has the conversation.
        cooldown_until: WhatsApp held marketing back.
        held_back_here: whether it did so for this very campaign, for good.
        country: two letters.
        no_marketing_to: countries where marketing is not allowed.
        contacts: when this customer was approached in the last 30 days; None in it: on its way.
        cap_week: contacts in 7 days.
        cap_month: contacts in 30 days.
        quiet: the quiet hours; None: they do not count here.
        window_until: until when free words may be sent.
        takes_text: whether it may go without a template inside the window.
        template: what is wrong with the template, if something is.
        gaps: variables without a value.
        dies_at: when it has nothing to say any more.
        paced_until: when there is room for it.
        paced_by: what there is no room in: `breaker`, `number`, `pair`, `tier`, or `not_before` of the message itself.
    """

    off: str | None = None
    stopped: str | None = None
    missing: str | None = None
    blocked: bool = False
    unreachable_until: datetime | None = None
    opted_in: bool = False
    out: bool = False
    out_of_notices: bool = False
    needs_opt_in: bool = True
    subject: tuple[Says, str] = (Says.ALLOW, "")
    subject_until: datetime | None = None
    person: bool = False
    cooldown_until: datetime | None = None
    held_back_here: bool = False
    country: str = ""
    no_marketing_to: frozenset[str] = frozenset()
    contacts: Sequence[datetime | None] = ()
    cap_week: int = 1
    cap_month: int = 4
    quiet: Quiet | None = None
    window_until: datetime | None = None
    takes_text: bool = False
    template: str | None = None
    gaps: tuple[str, ...] = ()
    dies_at: datetime | None = None
    paced_until: datetime | None = None
    paced_by: str = ""


@attrs.frozen(kw_only=True)
class Answer:
    """What one rule says.

    Attributes:
        rule: its name.
        says: allow, hold or refuse.
        because: a word for the reason.
        until: the end of a hold, where it is known.
        facts: what it looked at, without personal data.
    """

    rule: str
    says: Says
    because: str = ""
    until: datetime | None = None
    facts: Mapping[str, Any] = attrs.field(factory=dict)

    def to_json(self) -> JsonObject:
        """As explanations have it."""
        told = {"rule": self.rule, "verdict": self.says.value, "because": self.because, "facts": dict(self.facts)}
        return told if self.until is None else {**told, "until": iso(self.until)}

    def brief(self) -> JsonObject:
        """As traces have it: a row holds two of them in 2 KiB, so what says nothing is left out."""
        told = self.to_json()
        return {name: value for name, value in told.items() if value not in ("", {})}


@attrs.frozen(kw_only=True)
class Verdict:
    """The first refusal; else the latest end of the holds; else send."""

    answers: tuple[Answer, ...]

    @property
    def outcome(self) -> str:
        """`send`, `hold` or `refuse`."""
        says = {answer.says for answer in self.answers}
        return "refuse" if Says.REFUSE in says else ("hold" if Says.HOLD in says else "send")

    def answer(self, rule: str) -> Answer:
        """What one rule says."""
        return next(one for one in self.answers if one.rule == rule)

    @property
    def decisive(self) -> Answer | None:
        """The answer that decided; None when nothing stands in the way."""
        refused = next((one for one in self.answers if one.says is Says.REFUSE), None)
        if refused is not None:
            return refused
        held = [one for one in self.answers if one.says is Says.HOLD]
        return next((one for one in held if one.until is None), None) or max(
            held, key=lambda one: iso(one.until) if one.until else "", default=None
        )

    @property
    def until(self) -> datetime | None:
        """When it may be asked again; None when that is not known."""
        decisive = self.decisive
        return None if decisive is None or self.outcome != "hold" else decisive.until

    @property
    def reason(self) -> str | None:
        """`rule` or `rule:word` of what decided."""
        decisive = self.decisive
        if decisive is None:
            return None
        word = decisive.because
        return decisive.rule if word in {"", decisive.rule} else f"{decisive.rule}:{word}"

    def to_json(self) -> JsonObject:
        """The trace."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "until": None if self.until is None else iso(self.until),
            "rules": [answer.brief() for answer in self.answers],
        }


def decide(kind: Kind, facts: Facts, *, now: datetime) -> Verdict:
    """Ask every rule, also those behind a refusal."""
    return Verdict(answers=tuple(_answer(name, rule(kind, facts, now)) for name, rule in RULES.items()))


Told = tuple[Says, str, datetime | None, Mapping[str, Any]]
_FINE: Told = (Says.ALLOW, "", None, {})


def _answer(name: str, told: Told) -> Answer:
    says, because, until, facts = told
    return Answer(rule=name, says=says, because=because, until=until, facts=facts)


def _refused(because: str, **facts: Any) -> Told:
    return Says.REFUSE, because, None, facts


def _held(because: str, until: datetime | None, **facts: Any) -> Told:
    return Says.HOLD, because, until, facts


def _enabled(_kind: Kind, facts: Facts, _now: datetime) -> Told:
    if facts.off is not None:
        return _refused(facts.off)
    return _FINE if facts.stopped is None else _held(facts.stopped, None)


def _customer(kind: Kind, facts: Facts, now: datetime) -> Told:
    if facts.missing is not None:
        return _refused(facts.missing)
    if facts.blocked:
        return _refused("blocked")
    until = facts.unreachable_until
    if kind is not Kind.NOTICE and until is not None and now < until:
        return _refused("unreach", until=iso(until))
    return _FINE


def _consent(kind: Kind, facts: Facts, _now: datetime) -> Told:
    if facts.out_of_notices:
        return _refused("optout")
    if kind is Kind.NOTICE:
        return _FINE
    if facts.out:
        return _refused("optout")
    return _refused("noconsent") if facts.needs_opt_in and not facts.opted_in else _FINE


def _subject(_kind: Kind, facts: Facts, _now: datetime) -> Told:
    says, because = facts.subject
    return says, because, facts.subject_until if says is Says.HOLD else None, {}


def _person(kind: Kind, facts: Facts, _now: datetime) -> Told:
    return _held("person", None) if facts.person and kind is not Kind.NOTICE else _FINE


def _cooldown(kind: Kind, facts: Facts, now: datetime) -> Told:
    if kind is Kind.NOTICE:
        return _FINE
    if facts.held_back_here:
        return _refused("held_back")
    until = facts.cooldown_until
    return _held("cooldown", until) if until is not None and now < until else _FINE


def _country(kind: Kind, facts: Facts, _now: datetime) -> Told:
    if kind is Kind.NOTICE or facts.country not in facts.no_marketing_to:
        return _FINE
    return _refused("country", country=facts.country)


def _cap(kind: Kind, facts: Facts, now: datetime) -> Told:
    """At most so many contacts in any 7 and any 30 days, to the second; what is on its way counts."""
    if kind is Kind.NOTICE:
        return _FINE
    for span, most in ((WEEK, facts.cap_week), (MONTH, facts.cap_month)):
        counted = _counted(facts, span, now)
        if len(counted) >= most:
            room = counted[len(counted) - most] + span if most else None
            told = {"contacts": len(counted), "days": span.days}
            return _refused("cap", **told, **({} if room is None else {"room_at": iso(room)}))
    return _FINE


def _counted(facts: Facts, span: timedelta, now: datetime) -> list[datetime]:
    """When the contacts of this span were, the earliest first; what is on its way is one of now."""
    return sorted((at or now) for at in facts.contacts if at is None or at > now - span)


@attrs.frozen(kw_only=True)
class Room:
    """How often a customer may still be approached, by the caps alone.

    Attributes:
        week: so many more in 7 days.
        month: so many more in 30 days.
        again_at: from when on there is room; None: there is some now, or the caps leave none ever.
    """

    week: int
    month: int
    again_at: datetime | None

    @property
    def left(self) -> int:
        """How many may go now."""
        return min(self.week, self.month)


def room_for(facts: Facts, *, now: datetime) -> Room:
    """What the caps leave, counted as the rule `cap` counts."""
    left, waits = [], []
    for span, most in ((WEEK, facts.cap_week), (MONTH, facts.cap_month)):
        counted = _counted(facts, span, now)
        left.append(max(0, most - len(counted)))
        if len(counted) >= most > 0:
            waits.append(counted[len(counted) - most] + span)
    never = not (facts.cap_week and facts.cap_month)
    return Room(week=left[0], month=left[1], again_at=max(waits, default=None) if not never else None)


def _quiet(_kind: Kind, facts: Facts, now: datetime) -> Told:
    until = None if facts.quiet is None else facts.quiet.until(now)
    return _FINE if until is None else _held("quiet", until)


def _window(_kind: Kind, facts: Facts, now: datetime) -> Told:
    is_open = facts.window_until is not None and now < facts.window_until
    return Says.ALLOW, "text" if is_open and facts.takes_text else "template", None, {"open": is_open}


def _template(_kind: Kind, facts: Facts, _now: datetime) -> Told:
    return _FINE if facts.template is None else _refused(facts.template)


def _content(_kind: Kind, facts: Facts, _now: datetime) -> Told:
    return _refused("missing", variables=list(facts.gaps)) if facts.gaps else _FINE


def _life(_kind: Kind, facts: Facts, now: datetime) -> Told:
    over = facts.dies_at is not None and now >= facts.dies_at
    return _refused("over", died_at=iso(facts.dies_at)) if over and facts.dies_at is not None else _FINE


def _pace(_kind: Kind, facts: Facts, now: datetime) -> Told:
    until = facts.paced_until
    return _held(facts.paced_by, until) if until is not None and now < until else _FINE


RULES: Mapping[str, Callable[[Kind, Facts, datetime], Told]] = {
    "enabled": _enabled,
    "customer": _customer,
    "consent": _consent,
    "subject": _subject,
    "person": _person,
    "cooldown": _cooldown,
    "country": _country,
    "cap": _cap,
    "quiet": _quiet,
    "window": _window,
    "template": _template,
    "content": _content,
    "life": _life,
    "pace": _pace,
}
"""Every rule by name, in the order in which refusals count."""
