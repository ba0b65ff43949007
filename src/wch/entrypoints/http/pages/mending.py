"""What failed and what holds the hub back: dead letters, sagas, breakers, limits."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wch.application.dead_letters import MOST_AT_ONCE
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.document import JsonObject
from wch.domain.errors import ConflictError, NotFoundError, WchError
from wch.domain.moment import of_iso
from wch.domain.operator import Right
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.saga import Saga, SagaState
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
    Code,
    Facts,
    Field,
    Form,
    Forms,
    Page,
    Section,
    Step,
    Steps,
    Table,
    code,
    moment,
    state,
    text,
)
from wch.entrypoints.http.pages.visiting import (
    PAGE_SIZE,
    Route,
    Visit,
    filters,
    states_of,
)

_LETTER = "letters"
_PENDING = DeadLetterStatus.PENDING


class NotJsonError(WchError):
    """These bytes are not a JSON object: mend them at the field and try again."""


async def letters(visit: Visit) -> Page:
    """Groups by hook and reason, then the letters by id."""
    hook, reason = visit.query.get("hook"), visit.query.get("reason")
    chosen = visit.query.get("status", _PENDING.value)
    status = DeadLetterStatus(chosen) if chosen in set(DeadLetterStatus) else _PENDING
    counts = await visit.hub.dead_letters.stats()
    rows = await visit.hub.dead_letters.listed(
        status=status, hook=hook, reason=reason, after=visit.number("after"), limit=PAGE_SIZE
    )
    groups = [(one[1], one[2], count) for one, count in sorted(counts.items()) if one[0] == status]
    sections: list[Section] = [
        Table(
            title="Groups",
            columns=("What it was about", "Why it failed", "Letters"),
            rows=[
                (
                    text(about, href=visit.href("letters", status=status.value, hook=about, reason=why)),
                    text(why.replace("_", " ")),
                    text(count),
                )
                for about, why, count in groups
            ],
            empty="Nothing failed for good." if status is _PENDING else "None.",
        ),
        Table(
            title="Letters" if hook is None else f"Letters: {hook}, {reason}",
            columns=("Letter", "About", "Why", "Error", "Tries", "Since"),
            rows=[
                (
                    text(f"#{one.id}", href=visit.href(f"letters/{one.id}")),
                    text(one.hook),
                    text(one.reason.replace("_", " ")),
                    text(clean(one.error_message)[:120] if one.error_message else None),
                    text(one.attempts),
                    moment(one.created_at),
                )
                for one in rows
            ],
            empty="None.",
        ),
    ]
    if visit.may(Right.MEND) and status is _PENDING and hook is not None and reason is not None and rows:
        sections.append(_group_forms(hook, reason))
    more = None
    if len(rows) == PAGE_SIZE:
        more = visit.href("letters", status=status.value, hook=hook, reason=reason, after=rows[-1].id)
    return Page(
        title="Dead letters",
        place=_LETTER,
        lead="Work that failed for good. Each waits until a named person decides.",
        sections=sections,
        choices=filters(visit, "letters", states_of(DeadLetterStatus)[1:], status.value),
        topics=("letters",),
        more=more,
    )


def _group_forms(hook: str, reason: str) -> Forms:
    which = {"hook": hook, "reason": reason}
    why = Field(name="because", label="Why")
    return Forms(
        title="The whole group",
        lead=f"Up to {MOST_AT_ONCE} letters of this group at a press, the oldest first.",
        forms=(
            Form(to="letters/group/rehearse", label="Preview the replay", hidden=which),
            Form(to="letters/group/replay", label="Replay all", hidden=which),
            Form(to="letters/group/dismiss", label="Dismiss all", hidden=which, fields=(why,), tone="danger"),
        ),
    )


async def letter(visit: Visit) -> Page:
    """One letter: what it was about, what went wrong, what can be done."""
    one = await visit.hub.dead_letters.show(visit.number("id"))
    body = _bytes_of(one)
    parent = one.metadata.get("parent")
    sections: list[Section] = [
        Facts(
            title="Letter",
            rows=(
                ("State", state(one.status)),
                ("About", text(one.hook)),
                ("Why", text(one.reason.replace("_", " "))),
                ("Error", text(clean(one.error_message) if one.error_message else None)),
                ("Tries", text(one.attempts)),
                ("Since", moment(one.created_at)),
                ("Replayed", moment(one.replayed_at)),
                ("Dismissed", moment(one.dismissed_at)),
                ("Because", text(clean(one.metadata.get("dismissed_because") or ""))),
                ("Came of", text(f"#{parent}", href=visit.href(f"letters/{parent}")) if parent else text(None)),
                ("Edited by", text(one.metadata.get("edited_by"))),
            ),
        ),
        Code(title="What it holds", text=visit.eyes.document(_readable(one, body))),
    ]
    if visit.may(Right.MEND) and one.status is _PENDING:
        here = f"letters/{one.id}"
        forms = [
            Form(to=f"{here}/rehearse", label="Preview the replay"),
            Form(to=f"{here}/replay", label="Replay", tone="primary"),
            Form(to=f"{here}/dismiss", label="Dismiss", fields=(Field(name="because", label="Why"),), tone="danger"),
        ]
        lead = "A preview does all of it and takes it back. A replay happens once, however many press."
        sections.append(Forms(title="Decide", forms=forms, lead=lead))
        if body is not None:
            sections.append(_edit_form(here, body))
    return Page(
        title=f"Dead letter #{one.id}",
        place=_LETTER,
        sections=sections,
        topics=("letters",),
        back=(visit.href("letters"), "Dead letters"),
    )


def _edit_form(here: str, body: bytes) -> Forms:
    field = Field(name="body", label="The delivery as JSON", kind="document", value=body.decode("utf-8", "replace"))
    return Forms(
        title="Edit the bytes",
        forms=(Form(to=f"{here}/edit", label="Save", fields=(field,)),),
        lead="The original's fingerprint is kept, and who changed it.",
    )


def _bytes_of(one: DeadLetter) -> bytes | None:
    body = one.args.get("body")
    if not isinstance(body, str):
        return None
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return None


def _readable(one: DeadLetter, body: bytes | None) -> JsonObject:
    """The letter's own words, with the bytes as JSON where they are."""
    held: dict[str, Any] = {"args": {key: value for key, value in one.args.items() if key != "body"}}
    if body is not None:
        try:
            held["body"] = json.loads(body)
        except (ValueError, RecursionError):
            held["body"] = body.decode("utf-8", "replace")
    held["metadata"] = dict(one.metadata)
    return held


async def replay(visit: Visit) -> str:
    """Let the work wait again."""
    done = await visit.hub.dead_letters.replay(visit.number("id"), by=visit.by)
    return visit.href(f"letters/{done.id}", done="replayed")


async def edit(visit: Visit) -> str:
    """Put other bytes in the place of those that could not be used."""
    body = visit.form.get("body", "")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotJsonError from error
    if not isinstance(found, Mapping):
        raise NotJsonError
    done = await visit.hub.dead_letters.edit(visit.number("id"), body.encode(), by=visit.by)
    return visit.href(f"letters/{done.id}", done="edited")


async def dismiss(visit: Visit) -> str:
    """Decide that nothing more is done."""
    because = visit.word("because", most=500)
    done = await visit.hub.dead_letters.dismiss(visit.number("id"), reason=because, by=visit.by)
    return visit.href(f"letters/{done.id}", done="dismissed")


async def replay_group(visit: Visit) -> str:
    """Replay the letters of a group; those that somebody else decided meanwhile are left."""
    return await _each(visit, lambda one: visit.hub.dead_letters.replay(one.id, by=visit.by))


async def dismiss_group(visit: Visit) -> str:
    """Dismiss the letters of a group."""
    because = visit.word("because", most=500)
    return await _each(visit, lambda one: visit.hub.dead_letters.dismiss(one.id, reason=because, by=visit.by))


async def _each(visit: Visit, decide: Any) -> str:
    hook, reason = visit.word("hook"), visit.word("reason")
    after = worked = decided = 0
    while worked < MOST_AT_ONCE:
        page = await visit.hub.dead_letters.listed(hook=hook, reason=reason, after=after, limit=100)
        if not page:
            break
        for one in page:
            after = one.id
            worked += 1
            try:
                await decide(one)
            except (ConflictError, NotFoundError):
                continue
            decided += 1
    return visit.href("letters", hook=hook, reason=reason, done="group", n=decided)


async def sagas(visit: Visit) -> Page:
    """Sagas by id; parked ones call for an operator."""
    chosen = visit.query.get("state", "")
    parked = chosen == "parked"
    rows = await visit.hub.sagas.listed(
        state=SagaState(chosen) if chosen in set(SagaState) else None,
        needs_operator=parked,
        after=visit.query.get("after", "")[:100],
        limit=PAGE_SIZE,
    )
    table = Table(
        title="Sagas",
        columns=("Saga", "Type", "State", "Latest step", "Begun", "Next look"),
        rows=[
            (
                text(one.saga_id, href=visit.href(f"sagas/{one.saga_id}")),
                text(one.saga_type),
                state(one.outcome or one.state),
                text(_latest_step(one)),
                moment(one.created_at),
                moment(one.updated_at) if one.is_open else text(None),
            )
            for one in rows
        ],
        empty="None in this state.",
    )
    everything, *words = states_of(SagaState)
    return Page(
        title="Sagas",
        place="sagas",
        sections=(table,),
        choices=filters(visit, "sagas", (everything, ("parked", "Parked"), *words), chosen, by="state"),
        more=visit.href("sagas", state=chosen or None, after=rows[-1].saga_id) if len(rows) == PAGE_SIZE else None,
    )


def _latest_step(saga: Saga) -> str:
    return next((str(entry["step"]).replace("_", " ") for entry in reversed(saga.log) if entry.get("step")), "")


_TOLD = {
    "lease": ("A worker took it", ""),
    "start": ("{step}: begun", ""),
    "done": ("{step}: done", "good"),
    "wait": ("{step}: waits", "warn"),
    "refused": ("{step}: refused", "bad"),
    "undo": ("{step}: being undone", "warn"),
    "undone": ("{step}: undone", "warn"),
    "park": ("Parked: an operator is needed", "bad"),
    "signal": ("Something happened outside", ""),
}


async def saga(visit: Visit) -> Page:
    """One saga as a time line, with what can be done."""
    one = await visit.hub.sagas.show(visit.asked["id"][:100])
    sections: list[Section] = [
        Facts(
            title="Saga",
            rows=(
                ("State", state(one.outcome or one.state)),
                ("Type", text(one.saga_type)),
                ("Why it failed", text(clean(one.context.get("failure") or one.context.get("reason") or ""))),
                ("Begun", moment(one.created_at)),
                ("Next look" if one.is_open else "Ended", moment(one.updated_at)),
            ),
        ),
        Steps(title="Time line", entries=[_step(entry) for entry in one.log]),
    ]
    actions = one.context.get("actions") if one.outcome == "parked" else None
    if actions and visit.may(Right.MEND):
        forms = [
            Form(
                to=f"sagas/{one.saga_id}/act",
                label=str(action).replace("-", " ").capitalize(),
                hidden={"action": str(action)},
                fields=(Field(name="reason", label="Why"),),
                tone="danger" if action in {"compensate", "refund"} else "",
            )
            for action in actions
        ]
        sections.append(Forms(title="What can be done", forms=forms, lead="Each happens once, however many press."))
    results = {step: result for step, result in one.results.items() if result}
    if results:
        sections.append(Code(title="What the steps answered", text=visit.eyes.document(results), is_folded=True))
    frozen = visit.eyes.document(_frozen(one))
    sections.append(Code(title="What was frozen at the beginning", text=frozen, is_folded=True))
    return Page(
        title=one.saga_id,
        place="sagas",
        sections=sections,
        topics=(f"saga:{one.saga_id}",),
        back=(visit.href("sagas"), "Sagas"),
    )


def _frozen(one: Saga) -> JsonObject:
    return {name: value for name, value in one.context.items() if name != "results"}


def _step(entry: JsonObject) -> Step:
    title, tone = _TOLD.get(str(entry["ev"]), (str(entry["ev"]), ""))
    step = str(entry.get("step") or "").replace("_", " ").capitalize()
    told = [str(entry[name]) for name in ("key", "because", "error", "reason", "kind", "until") if entry.get(name)]
    return Step(
        title=title.format(step=step),
        detail=clean(", ".join(told)),
        at=moment(of_iso(str(entry["at"]))),
        tone=tone,
    )


async def act(visit: Visit) -> str:
    """Let a parked saga go on."""
    done = await visit.hub.sagas.act(
        visit.asked["id"][:100],
        visit.word("action", most=40),
        by=visit.by,
        reason=visit.word("reason", most=500) or None,
    )
    return visit.href(f"sagas/{done.saga_id}", done="acted")


async def guards(visit: Visit) -> Page:
    """What is not called while it is down, and who was counted how often."""
    breakers = await visit.hub.breakers.listed()
    parts = await visit.hub.limits.listed()
    sections: list[Section] = [
        Table(
            title="Breakers",
            columns=("Service", "State", "Failures in a row", "Opened", "Changed"),
            rows=[
                (
                    text(one.service),
                    state(one.state),
                    text(one.failures),
                    moment(one.opened_at),
                    moment(one.updated_at),
                )
                for one in breakers
            ],
            empty="No breaker was used yet: every service answers.",
        ),
        Table(
            title="Limits",
            columns=("Limit", "Allowed", "Caller", "Hits lately", "Latest part from"),
            rows=[
                (text(name), text(_allowed(visit, name)), code(caller[:12]), text(hits), moment(latest))
                for (name, caller), (hits, latest) in _use_of(parts).items()
            ],
            empty="Nobody was counted lately.",
        ),
    ]
    if visit.may(Right.MEND):
        services = sorted({*visit.hub.breakers.rules, *(one.service for one in breakers)})
        names = sorted(visit.hub.limits.rules)
        service = Field(name="service", label="Service", kind="select", choices=[(one, one) for one in services])
        limit = Field(name="limit", label="Limit", kind="select", choices=[(one, one) for one in names])
        sections.append(
            Forms(
                title="Change",
                forms=(
                    Form(to="guards/open", label="Open", fields=(service,), tone="danger"),
                    Form(to="guards/close", label="Close", fields=(service,)),
                    Form(to="guards/reset", label="Forget hits", fields=(limit,)),
                ),
                lead="An open breaker keeps every process from calling; the first probe goes after the usual time.",
            )
        )
    return Page(title="Breakers and limits", place="guards", sections=sections, topics=("breakers",))


def _use_of(parts: Sequence[RateLimitWindow]) -> Mapping[tuple[str, str], tuple[int, datetime]]:
    """The hits of each caller and when the latest part began; the parts come newest first."""
    use: dict[tuple[str, str], tuple[int, datetime]] = {}
    for part in parts:
        whose = part.limit_type, part.identifier_hash
        hits, latest = use.get(whose, (0, part.window_start))
        use[whose] = (hits + part.request_count, latest)
    return use


def _allowed(visit: Visit, name: str) -> str:
    rule = visit.hub.limits.rules.get(name)
    return "" if rule is None else f"{rule.most} in {rule.seconds} s"


async def open_breaker(visit: Visit) -> str:
    """Stop calling a service."""
    await visit.hub.breakers.open(visit.word("service", most=100), by=visit.by)
    return visit.href("guards", done="breaker")


async def close_breaker(visit: Visit) -> str:
    """Call a service again."""
    await visit.hub.breakers.close(visit.word("service", most=100), by=visit.by)
    return visit.href("guards", done="breaker")


async def reset_limit(visit: Visit) -> str:
    """Forget the hits of one limit."""
    rule = visit.hub.limits.rule(visit.word("limit", most=100))
    await visit.hub.limits.reset(name=rule.name, by=visit.by)
    return visit.href("guards", done="limit")


PAGES = (
    Route("letters", Right.SEE, letters),
    Route("letters/{id}", Right.SEE, letter),
    Route("sagas", Right.SEE, sagas),
    Route("sagas/{id}", Right.SEE, saga),
    Route("guards", Right.SEE, guards),
)
ACTS = (
    Route("letters/group/replay", Right.MEND, replay_group),
    Route("letters/group/dismiss", Right.MEND, dismiss_group),
    Route("letters/{id}/replay", Right.MEND, replay),
    Route("letters/{id}/edit", Right.MEND, edit),
    Route("letters/{id}/dismiss", Right.MEND, dismiss),
    Route("sagas/{id}/act", Right.MEND, act),
    Route("guards/open", Right.MEND, open_breaker),
    Route("guards/close", Right.MEND, close_breaker),
    Route("guards/reset", Right.MEND, reset_limit),
)
