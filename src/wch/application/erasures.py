"""Erasures: a customer is taken out of everything that is stored, whatever happens meanwhile."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol

import attrs

from wch.application.digests import Digests
from wch.application.draws import unused
from wch.application.emptying import PAGE, SWEPT, Emptying, Pass
from wch.application.failpoints import Failpoints
from wch.application.people import found, person
from wch.application.ports import Clock, Database, Ids, MediaStore, Shop, UnitOfWork
from wch.application.sagas import UNTIL_PARKED, Definition, Step, Waiting
from wch.application.tombstones import Tombstones
from wch.domain.attachment import AttachmentError, kept_names
from wch.domain.audit import AuditEntry
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.document import JsonObject, document
from wch.domain.erasure import ERASURE, Person
from wch.domain.errors import NotFoundError, WchError
from wch.domain.moment import iso, of_iso
from wch.domain.order_figures import known_orders
from wch.domain.placement import PLACEMENT
from wch.domain.reengagement import CampaignType
from wch.domain.saga import Saga, SagaState
from wch.domain.shop_error import ShopUnavailableError

OPTION = "erasure."
PAGES_AT_ONCE = 200
"""Pages that one call walks before the saga's lease is renewed."""

LOOK_AGAIN = timedelta(seconds=5)
LOOK_AT_SAGA_AGAIN = timedelta(seconds=60)

NOT_SEARCHED = ("names", "free words of other people's messages")
OUTSIDE = ("payment providers", "Meta", "backups until their own end", "log files (they hold none)")


class Keeper(Protocol):
    """A place beside the store that knows people by their number, such as the built-in shop."""

    @property
    def name(self) -> str:
        """Its name in exports and receipts."""
        ...

    async def known_of(self, keys: Sequence[str]) -> JsonObject:
        """Everything that it keeps of whoever has one of these keys."""
        ...

    async def erase(self, keys: Mapping[str, str]) -> Mapping[str, int]:
        """Take them out, each key replaced by its number where figures stay; how many rows of each table."""
        ...


class RolledBack(WchError):  # noqa: N818 - not a fault: how a rehearsal ends
    """Everything was done and taken back; `counts` says what it was."""

    counts: Mapping[str, Mapping[str, int]]


@attrs.frozen(kw_only=True)
class Erasures:
    """The saga that erases, forward only, and who asks for it.

    Attributes:
        keepers: places beside the store.
        numbers: the phone number ids that this hub serves.
        country: the shop's, for numbers without one.
    """

    database: Database
    clock: Clock
    ids: Ids
    digests: Digests
    tombstones: Tombstones
    failpoints: Failpoints
    shop: Shop
    store: MediaStore
    keepers: tuple[Keeper, ...]
    numbers: tuple[str, ...]
    country: str

    # --- asking for it

    async def ask(self, key: str, *, reason: str, by: str) -> Saga:
        """Begin to erase the one customer whom this key or number means; while it runs, the same erasure.

        Raises:
            NotFoundError: nobody, or more than one, answers to it; `matches` says how many.
        """

        def work(uow: UnitOfWork) -> Saga:
            running = self._running(uow, key)
            if running is not None:
                return running
            people = found(uow, key, country=self.country)
            if len(people) != 1:
                raise NotFoundError("No customer, or more than one, answers to this key.", matches=len(people))
            now = self.clock.now()
            token = unused(self.ids.token, lambda drawn: uow.options.get(OPTION + drawn) is not None)
            profile = uow.customers.lock(people[0].phone, now=now)
            whom = person(uow, profile, token=token)
            orders = sorted(map(int, known_orders(profile)))
            asked = document(reason=reason, by=by, asked_at=iso(now), orders=orders)
            saga = Saga.begun(f"erase-{token}", ERASURE, asked, now=now)
            for one in whom.keys:
                self.tombstones.set(uow, one, uow.customers.of(one) or profile, saga_id=saga.saga_id, now=now)
            numbers = self._numbers(uow, whom)
            uow.options.put(OPTION + token, document(person=whom.to_json(), numbers=list(numbers)))
            uow.audit.add(AuditEntry(at=now, actor=by, action="customer.erase", object=saga.saga_id, reason=reason))
            return uow.sagas.add(saga)

        return await self.database.transact(work)

    async def rehearse(self, key: str) -> Mapping[str, Mapping[str, int]]:
        """What erasing this customer would come to: the same steps, taken back in the end.

        Raises:
            NotFoundError: as `ask`.
        """
        token = self.ids.token()

        def work(uow: UnitOfWork) -> NoReturn:
            people = found(uow, key, country=self.country)
            if len(people) != 1:
                raise NotFoundError("No customer, or more than one, answers to this key.", matches=len(people))
            whom = person(uow, people[0], token=token)
            now = self.clock.now()
            emptying = self._emptying(whom, self._numbers(uow, whom), own=token, by="rehearsal")
            at = Pass()
            while not at.done:
                at = emptying.page(uow, at, now=now)
            raise RolledBack(counts=_all_tables(at.counts))

        try:
            await self.database.transact(work)
        except RolledBack as told:
            return told.counts
        raise RolledBack  # pragma: no cover - the work always raises

    async def receipt(self, saga_id: str) -> JsonObject | None:
        """The receipt of an erasure; None while it is not done.

        Raises:
            NotFoundError: there is none of this id.
        """
        saga = await self.state(saga_id)
        told: Any = saga.results.get("receipt")
        return told if saga.state is SagaState.COMPLETED else None

    async def state(self, saga_id: str) -> Saga:
        """Where an erasure stands.

        Raises:
            NotFoundError: there is none of this id.
        """
        saga = await self.database.read(lambda uow: uow.sagas.get(saga_id))
        if saga is None or saga.saga_type != ERASURE:
            raise NotFoundError(kind="erasure", id=saga_id)
        return saga

    def _running(self, uow: UnitOfWork, key: str) -> Saga | None:
        stone = self.tombstones.of(uow, key) or next(
            (
                stone
                for profile in found(uow, key, country=self.country)
                if (stone := self.tombstones.of(uow, profile.phone)) is not None
            ),
            None,
        )
        saga = None if stone is None else uow.sagas.get(str(stone.get("erasure")))
        return saga if saga is not None and saga.state is not SagaState.COMPLETED else None

    def _numbers(self, uow: UnitOfWork, whom: Person) -> tuple[str, ...]:
        """The numbers that the customer may have been written to from: their limits are counted for each."""
        known = [number for number in self.numbers if number != "*"]
        for key in whom.keys:
            thread = uow.conversations.latest_of(key)
            number = None if thread is None else thread.context.get("number")
            known += [number] if isinstance(number, str) else []
        return tuple(dict.fromkeys(["", *known]))

    # --- the saga

    def definition(self) -> Definition:
        """The saga as the engine registers it; it never turns back."""
        return Definition(
            saga_type=ERASURE,
            version=1,
            steps=self._steps,
            lock=lambda _uow, _saga, _now: None,
            undone=lambda _uow, saga, _now: saga,
        )

    def _steps(self, _saga: Saga) -> tuple[Step, ...]:
        minute = timedelta(seconds=50)
        return (
            Step(name="begin", apply=lambda _uow, _saga, _now: {}, pivot=True),
            Step(name="stop", call=self._stop, tries=UNTIL_PARKED, limit=minute),
            Step(name="count", call=self._count, tries=UNTIL_PARKED, limit=minute),
            Step(name="beside", call=self._beside, tries=UNTIL_PARKED, limit=minute),
            Step(name="tables", call=self._tables, tries=UNTIL_PARKED, limit=minute),
            Step(name="files", call=self._files, tries=UNTIL_PARKED, limit=minute),
            Step(name="receipt", apply=self._receipt, tries=UNTIL_PARKED),
        )

    async def _stop(self, saga: Saga) -> JsonObject:
        """What waits is ended, what is in work is awaited, and so is an order that is still being placed."""

        def work(uow: UnitOfWork) -> tuple[str, timedelta] | None:
            now = self.clock.now()
            whom, _, _ = self._held(uow, saga)
            for key in sorted(whom.keys):
                if uow.customers.of(key) is not None:
                    uow.customers.lock(key, now=now)
            for held in uow.holdings.of("messages", tuple(whom.keys), limit=100_000):
                status = held.values["status"]
                if status in {"processing", "sending"}:
                    return "messages in work", LOOK_AGAIN
                if status in {"received", "pending"}:
                    ended = "processed" if status == "received" else "failed"
                    uow.holdings.rewrite(held, {"status": ended, "error_message": "erased"})
            self._dismiss(uow, whom, str(saga.context["by"]), now)
            placement = self._placement(uow, whom)
            return None if placement is None else (f"order saga {placement}", LOOK_AT_SAGA_AGAIN)

        waits = await self.database.transact(work)
        if waits is not None:
            because, pause = waits
            raise Waiting(until=self.clock.now() + pause, because=because)
        return {}

    def _dismiss(self, uow: UnitOfWork, whom: Person, by: str, now: datetime) -> None:
        """Letters about the person's own messages have nothing left to replay."""
        after = 0
        while page := uow.dead_letters.listed(status=DeadLetterStatus.PENDING, after=after):
            for letter in page:
                after = letter.id
                row = uow.messages.get(int(letter.args["id"])) if letter.args.get("table") == "messages" else None
                thread = None if row is None else uow.conversations.get(row.conversation_id or 0)
                if thread is None or thread.customer_phone not in whom.keys:
                    continue
                held = uow.dead_letters.get(letter.id, lock=True)
                if held is not None and held.status is DeadLetterStatus.PENDING:
                    uow.dead_letters.save(held.dismissed("erased", now=now, by=by))

    def _placement(self, uow: UnitOfWork, whom: Person) -> str | None:
        """An order of this person's that is not at its end."""
        for state in (SagaState.RUNNING, SagaState.COMPENSATING, SagaState.FAILED):
            after = ""
            while page := uow.sagas.listed(saga_type=PLACEMENT, state=state, after=after, limit=200):
                after = page[-1].saga_id
                for saga in page:
                    ended = state is SagaState.FAILED and saga.outcome != "parked"
                    if not ended and saga.context.get("customer", {}).get("phone") in whom.keys:
                        return saga.saga_id
        return None

    async def _count(self, saga: Saga) -> JsonObject:
        """How much of the person lies outside the tables, before any of it goes: dying on the way changes no receipt."""
        whom, _, _ = await self.database.read(lambda uow: self._held(uow, saga))
        keys = tuple(whom.keys)
        names = await self.database.read(lambda uow: _kept_files(uow, keys))
        coupons = await self.database.read(lambda uow: _coupons(uow, keys))
        kept = {keeper.name: _sizes(await keeper.known_of(keys)) for keeper in self.keepers}
        return {"media_files": len(names), "coupons": len(coupons), **kept}

    async def _beside(self, saga: Saga) -> JsonObject:
        """What lies outside the tables, while they still say where: coupons, files, and whoever else keeps people."""
        whom, _, _ = await self.database.read(lambda uow: self._held(uow, saga))
        coupons = await self.database.read(lambda uow: _coupons(uow, tuple(whom.keys)))
        names = await self.database.read(lambda uow: _kept_files(uow, tuple(whom.keys)))
        try:
            for key in coupons:
                await self.shop.remove_coupon(key=key)
        except ShopUnavailableError:
            raise Waiting(until=self.clock.now() + LOOK_AT_SAGA_AGAIN, because="the shop, for its coupons") from None
        try:
            await self.store.forget(names)
        except AttachmentError:
            raise Waiting(until=self.clock.now() + LOOK_AT_SAGA_AGAIN, because="the store of files") from None
        for keeper in self.keepers:
            await keeper.erase(whom.keys)
        return {}

    async def _tables(self, saga: Saga) -> JsonObject:
        """Page after page, each a transaction that also writes how far it came, until a pass changes nothing."""

        def work(uow: UnitOfWork) -> Pass:
            whom, numbers, at = self._held(uow, saga, lock=True)
            if at.done:
                return at
            by = str(saga.context["by"])
            emptying = self._emptying(whom, numbers, own=_own(saga), by=by)
            at = emptying.page(uow, at, now=self.clock.now())
            self.failpoints("erase.table")
            uow.options.put(
                OPTION + _own(saga), document(person=whom.to_json(), numbers=list(numbers), at=_pass_to_json(at))
            )
            return at

        for _ in range(PAGES_AT_ONCE):
            at = await self.database.transact(work)
            if at.done:
                return {"passes": at.passes, "tables": _all_tables(at.counts)}
        raise Waiting(until=self.clock.now(), because="more pages")

    async def _files(self, _saga: Saga) -> JsonObject:
        """What was deleted goes out of the store's own files."""
        if not await self.database.forget():
            raise Waiting(until=self.clock.now() + LOOK_AGAIN, because="a reader of the database file")
        return {}

    def _receipt(self, uow: UnitOfWork, saga: Saga, now: datetime) -> JsonObject:
        """What was done, without anything of the person; the row that held them goes in the same transaction."""
        tables = dict(saga.results["tables"]["tables"])
        beyond = {name: tables.pop(name) for name in ("options", "audit_log")}
        told = {
            "id": saga.saga_id,
            "reason": saga.context.get("reason"),
            "by": saga.context.get("by"),
            "asked_at": saga.context.get("asked_at"),
            "finished_at": iso(now),
            "passes": saga.results["tables"]["passes"],
            "tables": tables,
            **beyond,
            **saga.results["count"],
            "not_searched": list(NOT_SEARCHED),
            "outside": [*_shop_orders(saga), *OUTSIDE],
        }
        told["sha256"] = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        uow.options.remove(OPTION + _own(saga))
        uow.audit.add(
            AuditEntry(
                at=now,
                actor="worker",
                action="customer.erased",
                object=saga.saga_id,
                detail=document(sha256=told["sha256"]),
            )
        )
        return told

    def _held(self, uow: UnitOfWork, saga: Saga, *, lock: bool = False) -> tuple[Person, tuple[str, ...], Pass]:
        kept = uow.options.get(OPTION + _own(saga), lock=lock) or {}
        return Person.of_json(kept["person"]), tuple(kept["numbers"]), _pass_of_json(kept.get("at"))

    def _emptying(self, whom: Person, numbers: Sequence[str], *, own: str, by: str) -> Emptying:
        callers = [f"{number}:{key}" for number in numbers for key in whom.keys] + list(whom.keys)
        return Emptying(
            person=whom,
            hidden=self.digests.of,
            limits=tuple(self.digests.of(caller) for caller in callers),
            own=own,
            by=by,
        )


def _shop_orders(saga: Saga) -> tuple[str, ...]:
    """The orders that the shop has of this person, which its own law lets it keep."""
    orders = saga.context.get("orders") or ()
    return (f"shop orders {', '.join(map(str, orders))}",) if orders else ()


def _sizes(known: JsonObject) -> dict[str, int]:
    """How many rows of each table."""
    return {table: len(rows) for table, rows in known.items()}


def _coupons(uow: UnitOfWork, keys: tuple[str, ...]) -> list[str]:
    """The keys under which the shop may have made this person's coupons: they are known beforehand."""
    found: list[str] = []
    after: tuple[Any, ...] | None = None
    while page := uow.holdings.of("reengagement", keys, after=after, limit=PAGE):
        after = page[-1].key
        found += [
            f"{_COUPONS[held.values['campaign_type']]}-{held.values['id']}"
            for held in page
            if held.values["campaign_type"] in _COUPONS
        ]
    return found


def _kept_files(uow: UnitOfWork, keys: tuple[str, ...]) -> list[str]:
    """The names under which files of this person's messages are kept."""
    found: list[str] = []
    after: tuple[Any, ...] | None = None
    while page := uow.holdings.of("messages", keys, after=after, limit=PAGE):
        after = page[-1].key
        contents = (held.values["content"] for held in page)
        found += [name for content in contents if isinstance(content, Mapping) for name in kept_names(content)]
    return found


_COUPONS: Mapping[str, str] = {
    CampaignType.CART_REMINDER.value: "recover",
    CampaignType.LOYALTY_REWARD.value: "loyal",
}
"""What the keys of coupons begin with, by the kind of contact that brought them."""


def _own(saga: Saga) -> str:
    return saga.saga_id.removeprefix("erase-")


def _all_tables(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Every table with all its words, those where nothing was found too."""
    words = ("matched", "deleted", "changed", "swept")
    return {table: {word: counts.get(table, {}).get(word, 0) for word in words} for table in SWEPT}


def _pass_to_json(at: Pass) -> JsonObject:
    return {**attrs.asdict(at), "after": None if at.after is None else [_key(one) for one in at.after]}


def _pass_of_json(value: Any) -> Pass:
    if not isinstance(value, Mapping):
        return Pass()
    return Pass(**{**value, "after": None if value["after"] is None else tuple(_of_key(one) for one in value["after"])})


def _key(value: Any) -> Any:
    return {"at": iso(value)} if isinstance(value, datetime) else value


def _of_key(value: Any) -> Any:
    return of_iso(value["at"]) if isinstance(value, Mapping) else value
