"""Importing: what a WordPress plugin keeps is taken over, row by row, once, and every refusal is told."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import Any

import attrs

from wch.application.digests import Digests
from wch.application.ports import Clock, Database, LegacySource, UnitOfWork
from wch.application.tombstones import Tombstones
from wch.domain.audit import AuditEntry
from wch.domain.claim import Scope
from wch.domain.conversation import Conversation, ConversationStatus, State
from wch.domain.document import JsonObject, document
from wch.domain.errors import DuplicateError, StoreMisusedError
from wch.domain.evolution import evolve
from wch.domain.legacy_row import LegacyRow, RefusedRowError
from wch.domain.legacy_tables import CONVERTERS, cart

PREFIX = "import:"
"""How the options begin that remember how far an import came: `import:<source>:<table>`."""

PAGE = 200
LISTED = 1000
"""Refusals that a report lists; all are counted."""

WINDOWS_COUNT = timedelta(hours=24)
_BREAKERS = ("whatsapp", "shop", "payments", "assistant")
_PHONES = ("phone", "customer_phone")
_UNIQUE: Mapping[str, str] = {"customer_profiles": "phone", "carts": "customer_phone"}

TABLES = (
    "customer_profiles",
    "conversations",
    "messages",
    "carts",
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
)
"""In this order: customers before their threads, threads before what was said in them."""


class _Rehearsed(Exception):  # noqa: N818 - no error: it takes back what a dry run wrote
    def __init__(self, answer: "_Page") -> None:
        super().__init__()
        self.answer = answer


@attrs.frozen(kw_only=True)
class Refusal:
    """A row that was not taken over; it stays in the source, and is tried again at the next import."""

    table: str
    row: str
    why: str


@attrs.frozen(kw_only=True)
class TableReport:
    """What became of the rows of one table: read = imported + already + refused."""

    read: int = 0
    imported: int = 0
    already: int = 0
    refused: int = 0
    is_missing: bool = False


@attrs.frozen(kw_only=True)
class ImportReport:
    """What became of an import; a dry run's says what would."""

    dry_run: bool
    tables: Mapping[str, TableReport]
    refusals: Sequence[Refusal]

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return sum(one.refused for one in self.tables.values())


@attrs.define(kw_only=True)
class _Page:
    """What one transaction did."""

    run: "_Run"
    table: str
    is_tried_again: bool = False
    imported: int = 0
    already: int = 0
    refusals: dict[tuple[Any, ...], str] = attrs.field(factory=dict)
    threads: dict[int, int] = attrs.field(factory=dict)
    firsts: dict[tuple[str, str], str] = attrs.field(factory=dict)


@attrs.define(kw_only=True)
class _Run:
    """What is known while an import runs.

    Attributes:
        threads: conversations here by their number there.
        firsts: rows by the unique key that they took, so that a second one in the source is told from one of ours.
    """

    source: LegacySource
    dry_run: bool
    zone: tzinfo
    threads: dict[int, int] = attrs.field(factory=dict)
    firsts: dict[tuple[str, str], str] = attrs.field(factory=dict)

    def option(self, table: str) -> str:
        """Where it is remembered how far a table came."""
        return f"{PREFIX}{self.source.name}:{table}"


@attrs.frozen(kw_only=True)
class Importing:
    """Takes the plugin's tables over.

    Attributes:
        currency: of carts that name none.
    """

    database: Database
    clock: Clock
    digests: Digests
    tombstones: Tombstones
    currency: str

    async def run(
        self,
        source: LegacySource,
        *,
        zone: tzinfo,
        dry_run: bool = False,
        by: str = "host",
        shown: Callable[[str, int, int], None] = lambda _table, _done, _total: None,
    ) -> ImportReport:
        """Import everything that is not here yet; done again, it goes on where it ended.

        Args:
            source: the plugin's tables.
            zone: in which they mean times without one.
            dry_run: the same, and every transaction is taken back.
            by: who asked.
            shown: hears the table, the rows done, and the rows there are.

        Raises:
            SourceError: the source does not answer, or has none of the tables.
        """
        counts = await source.counts()
        run = _Run(source=source, dry_run=dry_run, zone=zone)
        tables: dict[str, TableReport] = {}
        refusals: list[Refusal] = []
        for table in TABLES:
            if table not in counts:
                tables[table] = TableReport(is_missing=True)
                continue
            if table == "messages":
                await self._learn_threads(run)
            tables[table], told = await self._table(run, table, counts[table], shown)
            refusals += told[: LISTED - len(refusals)]
        report = ImportReport(dry_run=dry_run, tables=tables, refusals=refusals)
        if not dry_run:
            await self.database.transact(lambda uow: self._note(uow, source, report, by))
        return report

    def _note(self, uow: UnitOfWork, source: LegacySource, report: ImportReport, by: str) -> None:
        figures = {table: one.imported for table, one in report.tables.items() if one.imported}
        uow.audit.add(
            AuditEntry(
                at=self.clock.now(),
                actor=by,
                action="db.import",
                object=f"source:{source.name}",
                detail=document(imported=figures, refused=report.refused),
            )
        )

    async def _learn_threads(self, run: _Run) -> None:
        """Which conversations an earlier import made."""
        prefix, after = f"{run.option('conversations')}:", ""
        while page := await self.database.read(
            lambda uow, start=after: uow.options.named(prefix, after=start)  # type: ignore[misc]  # the default binds the value of this round
        ):
            for _, value in page:
                run.threads.update({int(there): here for there, here in value["threads"].items()})
            after = page[-1][0]

    async def _table(
        self, run: _Run, table: str, total: int, shown: Callable[[str, int, int], None]
    ) -> tuple[TableReport, list[Refusal]]:
        read = imported = already = refused = 0
        refusals: list[Refusal] = []
        after: tuple[Any, ...] | None = None
        while page := await run.source.page(table, after=after, limit=PAGE):
            done = await self._page(run, table, page)
            run.threads.update(done.threads)
            run.firsts.update(done.firsts)
            read += len(page)
            imported += done.imported
            already += done.already
            refused += len(done.refusals)
            room = LISTED - len(refusals)
            refusals += [
                Refusal(table=table, row=":".join(map(str, key)), why=why) for key, why in done.refusals.items()
            ][:room]
            after = page[-1][0]
            shown(table, read, max(total, read))
        return TableReport(read=read, imported=imported, already=already, refused=refused), refusals

    async def _page(self, run: _Run, table: str, page: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> _Page:
        """One page in one transaction, with the mark of how far it came."""
        is_numbered = len(page[0][0]) == 1 and isinstance(page[0][0][0], int)

        def work(uow: UnitOfWork) -> _Page:
            done = _Page(run=run, table=table)
            state = uow.options.get(run.option(table), lock=True) or document(after=0, refused=[])
            waiting = set(state["refused"])
            for key, values in page:
                done.is_tried_again = is_numbered and key[0] <= state["after"]
                if done.is_tried_again and key[0] not in waiting:
                    done.already += 1
                else:
                    self._tried(uow, done, key, values)
            if is_numbered:
                first, last = page[0][0][0], int(page[-1][0][0])
                kept = {one for one in waiting if not first <= one <= last}
                refused = sorted(kept | {key[0] for key in done.refusals})
                uow.options.put(run.option(table), document(after=max(last, state["after"]), refused=refused))
            if done.threads:
                name = f"{run.option('conversations')}:{page[0][0][0]:020d}"
                known = (uow.options.get(name, lock=True) or {}).get("threads", {})
                uow.options.put(name, document(threads={**known, **{str(a): b for a, b in done.threads.items()}}))
            if run.dry_run:
                raise _Rehearsed(done)
            return done

        try:
            return await self.database.transact(work)
        except _Rehearsed as rehearsed:
            return rehearsed.answer

    def _tried(self, uow: UnitOfWork, done: _Page, key: tuple[Any, ...], values: Mapping[str, Any]) -> None:
        """Take one row over, or note why not."""
        try:
            is_new = self._row(uow, done, key, LegacyRow(values=values, zone=done.run.zone))
        except RefusedRowError as error:
            done.refusals[key] = error.why
        except DuplicateError:
            done.already += 1
        except StoreMisusedError as error:
            done.refusals[key] = f"{error.facts.get('column') or 'a value'} does not fit into its column"
        except (TypeError, ValueError, ArithmeticError) as error:
            done.refusals[key] = f"it cannot be read: {str(error)[:100]}"
        else:
            done.imported += is_new
            done.already += not is_new

    def _row(self, uow: UnitOfWork, done: _Page, key: tuple[Any, ...], row: LegacyRow) -> bool:
        """Take one row over; whether it is new.

        Raises:
            RefusedRowError: it cannot be; nothing of it was written.
        """
        table = done.table
        for column in _PHONES:
            if column in row.values and self.tombstones.erased_at(uow, row.phone(column)) is not None:
                raise RefusedRowError("this customer was erased here, and stays so")
        match table:
            case "messages":
                return self._message(uow, done.run, row)
            case "webhook_idempotency":
                return self._claim(uow, row)
            case "carts":
                made: Any = cart(row, currency=self.currency)
            case _:
                made = CONVERTERS[table](row)
        if table in _UNIQUE:
            self._must_be_first(uow, done, key, made)
        if table == "conversations":
            done.threads[int(key[0])] = self._thread(uow, made)
            return True
        return _WRITERS[table](uow, made, self.clock)

    def _must_be_first(self, uow: UnitOfWork, done: _Page, key: tuple[Any, ...], made: Any) -> None:
        """Two rows of the source that are one customer here: the first is taken, what the other refused counts too."""
        phone = str(getattr(made, _UNIQUE[done.table]))
        name = (done.table, phone)
        first = done.run.firsts.get(name) or done.firsts.get(name)
        is_taken = done.is_tried_again and (uow.customers if done.table == "customer_profiles" else uow.carts).of(phone)
        if first is None and not is_taken:
            done.firsts[name] = str(key[0])
            return
        if done.table == "customer_profiles":
            _WRITERS[done.table](uow, made, self.clock)
        other = f"row {first}" if first is not None else "one that is here already"
        raise RefusedRowError(f"{_UNIQUE[done.table]} is the same as that of {other}")

    def _thread(self, uow: UnitOfWork, made: Conversation) -> int:
        """A thread that a person has stays open, unless the customer has an open one."""
        uow.customers.lock(made.customer_phone, now=self.clock.now())
        if made.is_open:
            latest = uow.conversations.latest_of(made.customer_phone)
            if latest is not None and latest.is_open:
                made = evolve(made, status=ConversationStatus.RESOLVED, state=State.IDLE, unread_count=0)
        return uow.conversations.add(made).id

    def _message(self, uow: UnitOfWork, run: _Run, row: LegacyRow) -> bool:
        made = CONVERTERS["messages"](row)
        there = row.whole("conversation_id")
        here = run.threads.get(there or 0)
        if here is None:
            raise RefusedRowError(f"conversation {there} was not imported")
        if made.wa_message_id is not None and uow.messages.by_wa_id(made.wa_message_id) is not None:
            return False
        uow.messages.add(evolve(made, conversation_id=here))
        return True

    def _claim(self, uow: UnitOfWork, row: LegacyRow) -> bool:
        """Who was first, under our own digest of the key: the plain one may hold a number."""
        key, scope = row.needed("message_id"), row.word("scope", Scope)
        claimed, expires = row.dated("processed_at", "expires_at"), row.dated("expires_at")
        if expires <= self.clock.now():
            raise RefusedRowError("it has expired, nothing hangs on it")
        plain = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return uow.claims.claim(self.digests.of(plain), scope, now=claimed, expires_at=expires)


def _profile(uow: UnitOfWork, made: Any, clock: Clock) -> bool:
    """A customer whom the hub knows stays as they are here, but what they refused there stays refused."""
    there = uow.customers.of(made.phone)
    held = uow.customers.lock(made.phone, now=clock.now())
    if there is None:
        uow.customers.save(evolve(made, id=held.id))
        return True
    after = held
    if made.notification_opt_out:
        after = evolve(after, notification_opt_out=True)
    if made.is_out and (held.marketing_opted_at is None or held.marketing_opted_at < made.marketing_opted_at):
        after = evolve(after, opt_in_marketing=False, marketing_opted_at=made.marketing_opted_at)
    if after != held:
        uow.customers.save(after)
    return False


def _cart(uow: UnitOfWork, made: Any, clock: Clock) -> bool:
    uow.customers.lock(made.customer_phone, now=clock.now())
    if uow.carts.of(made.customer_phone) is not None:
        return False
    uow.carts.add(made)
    return True


def _sync(uow: UnitOfWork, made: Any, _clock: Clock) -> bool:
    if uow.sync.of(made.entity_type, made.entity_id, made.action) is not None:
        return False
    row = uow.sync.enqueue(made.entity_type, made.entity_id, made.action, now=made.created_at)
    uow.sync.save(evolve(made, id=row.id))
    return True


def _saga(uow: UnitOfWork, made: Any, _clock: Clock) -> bool:
    if uow.sagas.get(made.saga_id) is not None:
        return False
    uow.sagas.add(made)
    return True


def _window(uow: UnitOfWork, made: Any, clock: Clock) -> bool:
    if made.window_start <= clock.now() - WINDOWS_COUNT:
        raise RefusedRowError("its window is over")
    uow.limits.lock(made.identifier_hash, made.limit_type)
    parts = uow.limits.since(made.identifier_hash, made.limit_type, made.window_start)
    if any(part.window_start == made.window_start for part in parts):
        return False
    uow.limits.hit(made.identifier_hash, made.limit_type, made.window_start, made.request_count)
    return True


def _breaker(uow: UnitOfWork, made: Any, clock: Clock) -> bool:
    if made.service.partition(":")[0] not in _BREAKERS:
        raise RefusedRowError(f"service: there is no breaker {made.service[:40]!r} here")
    if uow.breakers.of(made.service) is not None:
        return False
    uow.breakers.lock(made.service, now=clock.now())
    uow.breakers.save(made)
    return True


def _added(uow: UnitOfWork, made: Any, repository: str) -> bool:
    return getattr(uow, repository).add(made) is not None


_WRITERS: Mapping[str, Callable[[UnitOfWork, Any, Clock], bool]] = {
    "customer_profiles": _profile,
    "carts": _cart,
    "sync_queue": _sync,
    "saga_state": _saga,
    "rate_limits": _window,
    "circuit_breakers": _breaker,
    "broadcast_recipients": lambda uow, made, _: _added(uow, made, "recipients"),
    "notification_log": lambda uow, made, _: _added(uow, made, "notifications"),
    "product_views": lambda uow, made, _: _added(uow, made, "views"),
    "reengagement": lambda uow, made, _: _added(uow, made, "reengagements"),
    "dead_letter_queue": lambda uow, made, _: _added(uow, made, "dead_letters"),
}


def as_json(report: ImportReport) -> JsonObject:
    """The report as one document."""
    return {
        "dry_run": report.dry_run,
        "tables": {
            table: {
                "read": one.read, "imported": one.imported, "already": one.already, "refused": one.refused,
                "missing": one.is_missing,
            }
            for table, one in report.tables.items()
        },
        "refused": report.refused,
        "refusals": [attrs.asdict(one) for one in report.refusals],
    }  # fmt: skip
