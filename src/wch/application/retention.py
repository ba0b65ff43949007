"""Retention: what is old enough loses its words, then itself; what still waits never does."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import attrs

from wch.application.emptying import PAGE, emptied_message
from wch.application.erasures import Erasures
from wch.application.kept_figures import keep_figures
from wch.application.merges import MERGE, UNDONE_WITHIN
from wch.application.ports import Clock, Database, Held, Ids, MediaStore, UnitOfWork
from wch.domain.attachment import kept_names
from wch.domain.conversation import ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.document import document
from wch.domain.erasure import ERASURE, code_only, emptied_saga, erasure_number, is_erased
from wch.domain.errors import NotFoundError
from wch.domain.moment import iso, of_iso

RAN = "retention"
"""The option that says when it last ran, and what it did."""

EVERY = timedelta(days=1)

_WAITS = frozenset({"received", "processing", "pending", "sending", "unconfirmed", "queued"})
_CONTACTS = {"broadcast_recipients": "phone", "reengagement": "customer_phone", "notification_log": "customer_phone"}

Change = Mapping[str, Any] | None
"""The columns to write; an empty one leaves the row, None deletes it."""

Left = Callable[[Mapping[str, Any]], Change]


@attrs.frozen(kw_only=True)
class Kept:
    """How many days each class is kept; 0 keeps it without end."""

    raw: int = 30
    message: int = 365
    context: int = 90
    cart_expired: int = 30
    cart_recovered: int = 90
    view: int = 90
    contact: int = 365
    saga: int = 90
    dead_letter: int = 30
    sync: int = 30
    audit: int = 730
    profile: int = 0


@attrs.frozen(kw_only=True)
class Retention:
    """The daily duty that lets go of what nobody needs any more."""

    kind: ClassVar[str] = "retention"

    database: Database
    clock: Clock
    ids: Ids
    store: MediaStore
    erasures: Erasures
    kept: Kept

    async def work(self) -> int:
        """Run once a day, whichever process comes first."""
        now = self.clock.now()
        if not await self.database.transact(lambda uow: self._is_due(uow, now)):
            return 0
        done = await self.run()
        await self.database.transact(
            lambda uow: uow.options.put(RAN, document(at=iso(now), finished_at=iso(self.clock.now()), done=dict(done)))
        )
        return sum(done.values())

    async def run(self, *, dry_run: bool = False) -> Mapping[str, int]:
        """Everything that is over its time, page by page; how many rows of each class."""
        now = self.clock.now()
        done: dict[str, int] = {}
        for name, table, left in self._classes(now):
            done[name] = await self._walk(name, table, left, dry_run=dry_run)
        if self.kept.profile:
            done["profiles"] = await self._silent(now - timedelta(days=self.kept.profile), dry_run=dry_run)
        return done

    async def _silent(self, end: datetime, *, dry_run: bool) -> int:
        """Customers whom nobody has approached or heard of for so long are erased, each by an erasure of its own."""
        done = after = 0
        while True:
            start = after
            page = await self.database.read(lambda uow: uow.customers.listed(after=start, limit=PAGE))  # noqa: B023 - awaited here
            silent = await self.database.read(lambda uow: [one.phone for one in page if _is_silent(uow, one, end)])  # noqa: B023 - awaited here
            for phone in silent:
                try:
                    await (self.erasures.rehearse(phone) if dry_run else self._erase(phone))
                except NotFoundError:
                    continue  # two customers answer to this number: a person has to look
                done += 1
            if len(page) < PAGE:
                return done
            after = page[-1].id

    async def _erase(self, phone: str) -> None:
        await self.erasures.ask(phone, reason="silent for longer than customers are kept", by=RAN)

    def _is_due(self, uow: UnitOfWork, now: datetime) -> bool:
        ran = uow.options.get(RAN, lock=True)
        if ran is not None and now < of_iso(str(ran["at"])) + EVERY:
            return False
        uow.options.put(RAN, document(at=iso(now)))
        return True

    def _classes(self, now: datetime) -> list[tuple[str, str, Left]]:
        """Every class that has an end: its table, and what is left of one of its rows."""
        kept = self.kept
        classes: list[tuple[int, str, str, Callable[[Mapping[str, Any], datetime], Change]]] = [
            (kept.raw, "raw_payload", "messages", _raw),
            (kept.message, "message_content", "messages", _message),
            (kept.context, "conversation_context", "conversations", _context),
            (kept.cart_expired, "carts_expired", "carts", partial(_ended, "updated_at", ("expired",))),
            (kept.cart_recovered, "carts_recovered", "carts", partial(_ended, "updated_at", ("recovered",))),
            (kept.view, "product_views", "product_views", partial(_old, "viewed_at")),
            *((kept.contact, table, table, partial(self._contact, column)) for table, column in _CONTACTS.items()),
            (kept.saga, "sagas", "saga_state", _saga),
            (kept.dead_letter, "dead_letters", "dead_letter_queue", _letter),
            (kept.sync, "sync_rows", "sync_queue", partial(_ended, "processed_at", ("completed", "failed"))),
            (kept.audit, "audit_log", "audit_log", partial(_old, "at")),
            (UNDONE_WITHIN.days, "merges", "options", _merge),
        ]
        return [
            (name, table, partial(_before, left, now - timedelta(days=days)))
            for days, name, table, left in classes
            if days
        ]

    def _contact(self, column: str, row: Mapping[str, Any], end: datetime) -> Change:
        if row.get("status") in _WAITS or is_erased(row[column]) or row["created_at"] > end:
            return {}
        error = {"error_message": code_only(row["error_message"])} if "error_message" in row else {}
        return {column: erasure_number(self.ids.token()), **error}

    async def _walk(self, name: str, table: str, left: Left, *, dry_run: bool) -> int:
        done = 0
        after: tuple[Any, ...] | None = None
        while True:
            page = await self.database.read(
                lambda uow, after=after: uow.holdings.page(table, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
            )
            over = [held for held in page if left(held.values) != {}]
            if over and not dry_run:
                # Files first: when the words are gone nobody knows their names.
                await self.store.forget(_files_of(over) if name == "message_content" else ())
                done += await self.database.transact(lambda uow, over=over: self._let_go(uow, over, left))  # type: ignore[misc]  # bound early
            else:
                done += len(over)
            if len(page) < PAGE:
                return done
            after = page[-1].key

    def _let_go(self, uow: UnitOfWork, over: list[Held], left: Left) -> int:
        done = 0
        for seen in over:
            held = uow.holdings.locked(seen)
            if held is None:
                continue
            changes = left(held.values)
            if changes is None:
                done += uow.holdings.drop(held)
            elif changes:
                if held.table in _CONTACTS:
                    keep_figures(uow, held)
                done += uow.holdings.rewrite(held, changes)
        return done


def _is_silent(uow: UnitOfWork, profile: CustomerProfile, end: datetime) -> bool:
    """Whether nothing was heard of somebody since then, and no row says that they were approached or are served."""
    if (profile.last_interaction_at or profile.created_at) > end or profile.updated_at > end:
        return False
    thread = uow.conversations.latest_of(profile.phone)
    if thread is not None and thread.status is not ConversationStatus.RESOLVED:
        return False
    return not any(uow.holdings.of(table, (profile.phone,), limit=1) for table in ("carts", *_CONTACTS))


def _files_of(over: list[Held]) -> list[str]:
    """The files of messages whose words go."""
    contents = (held.values["content"] for held in over)
    return [name for content in contents if isinstance(content, Mapping) for name in kept_names(content)]


def _before(left: Callable[[Mapping[str, Any], datetime], Change], end: datetime, row: Mapping[str, Any]) -> Change:
    return left(row, end)


def _old(stamp: str, row: Mapping[str, Any], end: datetime) -> Change:
    return None if row[stamp] <= end else {}


def _ended(stamp: str, states: Collection[str], row: Mapping[str, Any], end: datetime) -> Change:
    return None if row["status"] in states and row[stamp] is not None and row[stamp] <= end else {}


def _raw(row: Mapping[str, Any], end: datetime) -> Change:
    old = row["raw_payload"] is not None and row["created_at"] <= end and row["status"] not in _WAITS
    return {"raw_payload": None} if old else {}


def _message(row: Mapping[str, Any], end: datetime) -> Change:
    old = row["created_at"] <= end and row["status"] not in _WAITS
    return _news(row, emptied_message(row)) if old else {}


def _context(row: Mapping[str, Any], end: datetime) -> Change:
    old = row["status"] == "resolved" and row["updated_at"] <= end
    return _news(row, {"context": document()}) if old else {}


def _saga(row: Mapping[str, Any], end: datetime) -> Change:
    """An erasure's own saga holds nobody, and its receipt."""
    old = row["state"] == "completed" and row["updated_at"] <= end and row["saga_type"] != ERASURE
    return _news(row, {"context": emptied_saga(row["context"])}) if old and isinstance(row["context"], Mapping) else {}


def _letter(row: Mapping[str, Any], end: datetime) -> Change:
    decided = row["replayed_at"] or row["dismissed_at"]
    return None if row["status"] != "pending" and decided is not None and decided <= end else {}


def _merge(row: Mapping[str, Any], end: datetime) -> Change:
    return None if row["name"].startswith(MERGE) and of_iso(row["value"]["at"]) < end else {}


def _news(row: Mapping[str, Any], changes: Mapping[str, Any]) -> Change:
    """The changes, unless the row is so already."""
    return {name: value for name, value in changes.items() if row[name] != value}
