"""Emptying: what an erasure and retention leave of each row, page by page, in the caller's transaction."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.application.ports import Held, UnitOfWork
from wch.domain.document import document
from wch.domain.erasure import (
    ERASURE,
    Person,
    Traces,
    code_only,
    emptied_content,
    emptied_saga,
    is_erased,
)
from wch.domain.moment import iso

PAGE = 500

OWNED = (
    "conversations",
    "carts",
    "customer_profiles",
    "broadcast_recipients",
    "notification_log",
    "product_views",
    "reengagement",
)
"""Tables with a customer's key in a column of their own; messages are reached by their thread, before these."""

SWEPT = (
    "conversations",
    "messages",
    "carts",
    "customer_profiles",
    "broadcast_recipients",
    "sync_queue",
    "notification_log",
    "product_views",
    "reengagement",
    "dead_letter_queue",
    "webhook_idempotency",
    "rate_limits",
    "circuit_breakers",
    "saga_state",
    "options",
    "audit_log",
)
"""Every table there is."""

Changes = Mapping[str, Any] | None
"""The columns to write; None: the row goes."""


@attrs.frozen(kw_only=True)
class Pass:
    """How far a pass over the tables has come.

    Attributes:
        place: the table that is being walked, counted over `steps`.
        after: the last key of the page before.
        passes: how many passes began.
        changed: rows changed in this pass.
        counts: by table: matched, deleted, changed, swept.
    """

    place: int = 0
    after: tuple[Any, ...] | None = None
    passes: int = 1
    changed: int = 0
    counts: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    done: bool = False

    def counted(self, table: str, **more: int) -> "Pass":
        """The same with so many rows more."""
        there = dict(self.counts.get(table, {}))
        for word, count in more.items():
            there[word] = there.get(word, 0) + count
        return attrs.evolve(
            self,
            counts={**self.counts, table: there},
            changed=self.changed + sum(count for word, count in more.items() if word != "matched"),
        )


@attrs.frozen(kw_only=True)
class Emptying:
    """Takes one person out of the tables.

    Attributes:
        person: whom.
        hidden: digests for message ids.
        limits: digests under which the person's hits are counted.
        own: the erasure's saga and its option, which hold the person until the last step.
        by: who asked for it.
    """

    person: Person
    hidden: Callable[[str], str]
    limits: tuple[str, ...]
    own: str
    by: str
    _known: dict[int, frozenset[str]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """What a pass walks: rows by their key, messages first since they are reached by their thread; then all."""
        return (
            ("owned", "messages"),
            *(("owned", table) for table in OWNED),
            ("limits", "rate_limits"),
            *(("swept", table) for table in SWEPT),
        )

    def page(self, uow: UnitOfWork, at: Pass, *, now: datetime) -> Pass:
        """Do the next page; after the last table again from the beginning, until a pass changes nothing."""
        kind, table = self.steps[at.place]
        if kind == "limits":
            count = sum(uow.limits.reset(identifier_hash=digest) for digest in self.limits)
            return self._next(at.counted(table, matched=count, deleted=count) if count else at)
        walk = self._owned if kind == "owned" else self._swept
        at, last, full = walk(uow, table, at, now)
        return attrs.evolve(at, after=last) if full else self._next(at)

    def _next(self, at: Pass) -> Pass:
        following = at.place + 1
        if following < len(self.steps):
            return attrs.evolve(at, place=following, after=None)
        if at.changed == 0:
            return attrs.evolve(at, done=True)
        return attrs.evolve(at, place=0, after=None, passes=at.passes + 1, changed=0)

    # --- rows by their key

    def _owned(self, uow: UnitOfWork, table: str, at: Pass, now: datetime) -> tuple[Pass, tuple[Any, ...] | None, bool]:
        page = uow.holdings.of(table, tuple(self.person.keys), after=at.after, limit=PAGE)
        deleted = changed = 0
        for held in page:
            changes = self._left_of(table, held.values, now)
            if changes is None:
                deleted += uow.holdings.drop(held)
            elif any(held.values[name] != value for name, value in changes.items()):
                changed += uow.holdings.rewrite(held, changes)
        counted = {"matched": len(page), "deleted": deleted, "changed": changed}
        if table == "messages":
            # They still hang on the thread in the next pass, and are no news then.
            counted["matched"] = changed
        at = at.counted(table, **{word: count for word, count in counted.items() if count})
        return at, page[-1].key if page else None, len(page) == PAGE

    def _left_of(self, table: str, row: Mapping[str, Any], now: datetime) -> Changes:
        """What remains of a row that was the person's own."""
        if table in {"carts", "customer_profiles", "product_views"}:
            return None
        if table == "messages":
            return self._message(row, now)
        if table == "conversations":
            return {
                "customer_phone": self.person.keys[row["customer_phone"]],
                "wa_conversation_id": None,
                "context": document(),
                "status": "resolved",
                "state": "idle",
                "assigned_agent_id": None,
                "unread_count": 0,
            }
        if table == "broadcast_recipients":
            waits = row["status"] in {"pending", "queued"}
            return {
                "phone": self.person.keys[row["phone"]],
                "wa_message_id": self._id(row["wa_message_id"]),
                "status": "skipped_erased" if waits else row["status"],
            }
        number = {"customer_phone": self.person.keys[row["customer_phone"]]}
        if table == "reengagement":
            return {**number, "conversion_order_id": None}
        waits = row["status"] in {"pending", "queued"}
        return {
            **number,
            "wa_message_id": self._id(row["wa_message_id"]),
            "error_message": "erased" if waits else code_only(row["error_message"]),
            "status": "skipped" if waits else row["status"],
        }

    def _message(self, row: Mapping[str, Any], now: datetime) -> Changes:
        changes = {**emptied_message(row), "wa_message_id": self._id(row["wa_message_id"])}
        ended = {"received": "processed", "pending": "failed", "unconfirmed": "failed"}.get(row["status"])
        if ended is not None:
            changes |= {"status": ended, "error_message": "erased"}
            if ended == "processed":
                changes["content"] = {**changes["content"], "handled": {"at": iso(now), "silence": "erased"}}
        return changes

    def _id(self, wa_message_id: str | None) -> str | None:
        return None if wa_message_id is None else self._traces().hidden_id(wa_message_id)

    def _traces(self, ids: frozenset[str] = frozenset()) -> Traces:
        return Traces(self.person, hidden=self.hidden, ids=ids)

    # --- everything else

    def _swept(self, uow: UnitOfWork, table: str, at: Pass, now: datetime) -> tuple[Pass, tuple[Any, ...] | None, bool]:
        page = uow.holdings.page(table, after=at.after, limit=PAGE)
        if at.passes not in self._known:
            self._known[at.passes] = self._ids(uow)
        traces = self._traces(self._known[at.passes])
        swept = deleted = 0
        for held in page:
            if self._is_own(held) or not traces.stands_in(_texts(held)):
                continue
            if table == "options" and _goes(held.key[0]):
                deleted += uow.holdings.drop(held)
                continue
            changes = self._left_by_the_way(held, traces, now)
            done = uow.holdings.rewrite(held, changes) if changes else False
            swept += bool(uow.holdings.clean(held, traces.cleaned) or done)
        at = at.counted(table, **{word: count for word, count in (("swept", swept), ("deleted", deleted)) if count})
        return at, page[-1].key if page else None, len(page) == PAGE

    def _ids(self, uow: UnitOfWork) -> frozenset[str]:
        """The digests of the person's message ids, as their emptied rows have them."""
        found: set[str] = set()
        after: tuple[Any, ...] | None = None
        while page := uow.holdings.of("messages", tuple(self.person.keys.values()), after=after, limit=PAGE):
            found |= {str(held.values["wa_message_id"]).partition(":")[2] for held in page}
            after = page[-1].key
        return frozenset(found - {""})

    def _is_own(self, held: Held) -> bool:
        return held.table in {"options", "saga_state"} and held.key[0].endswith(self.own)

    def _left_by_the_way(self, held: Held, traces: Traces, now: datetime) -> dict[str, Any]:
        """What is more than swept: a saga of this person, a letter about nobody else."""
        row = held.values
        if held.table == "saga_state" and row["saga_type"] != ERASURE and isinstance(row["context"], Mapping):
            customer: Any = row["context"].get("customer")
            if isinstance(customer, Mapping) and customer.get("phone") in self.person.keys:
                return {"context": emptied_saga(row["context"])}
        if held.table == "dead_letter_queue" and not is_about_others(row["args"], traces):
            changes: dict[str, Any] = {
                "args": document(erased=True),
                "metadata": document(),
                "error_message": code_only(row["error_message"]),
            }
            if row["status"] == "pending":
                told = document(dismissed_by=self.by, dismissed_because="erased")
                changes |= {"status": "dismissed", "dismissed_at": now, "metadata": told}
            return changes
        return {}


def emptied_message(row: Mapping[str, Any]) -> dict[str, Any]:
    """What stays of a message when its words go: that there was one, of what kind, and what became of it."""
    content = row["content"] if isinstance(row["content"], Mapping) else {}
    return {
        "content": emptied_content(content),
        "raw_payload": None,
        "error_message": code_only(row["error_message"]),
    }


def is_about_others(args: Any, traces: Traces) -> bool:
    """Whether a letter's delivery holds events of somebody else too."""
    people = set(_people(args))
    return any(not traces.holds(key) and not is_erased(key) for key in people)


def _people(value: Any) -> Any:
    """The keys of people in a stored event or delivery; a body in base64 is read."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            if name in {"from", "recipient_id", "wa_id", "to"} and isinstance(one, str):
                yield one
            elif name == "body" and isinstance(one, str):
                yield from _people(_body(one))
            else:
                yield from _people(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _people(one)


def _body(text: str) -> Any:
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        return None


def _goes(name: str) -> bool:
    """Options that are about the person alone."""
    return name.startswith(("customer.alias.", "customer.merge."))


def _texts(held: Held) -> Any:
    return {name: value for name, value in held.values.items() if isinstance(value, (str, Mapping, list, int))}
