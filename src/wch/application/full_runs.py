"""Full runs: every product of the shop is looked at once, and the catalogue is brought in step with it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from wch.application.catalogue_calls import STOPPED
from wch.application.catalogue_looks import CatalogueLooks
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.catalogue_item import Difference, NoCatalogueError
from wch.domain.document import JsonObject, amended, document
from wch.domain.errors import ConflictError
from wch.domain.moment import iso, of_iso
from wch.domain.shop_error import ShopUnavailableError
from wch.domain.sync import EntityType, SyncAction, SyncStatus

CURRENT = "sync.run"
"""The option that names the run under way."""

PREFIX = "sync:run:"
"""How the options of runs begin: `sync:run:<started>`."""

STUCK_AFTER = timedelta(minutes=15)
"""A run in which no row moved for so long may be taken over by a new one."""

KEPT = 100
REASONS = 100
_REASON = 255
_PAGE = 100
_CARDS = 30
_PRODUCT, _UPDATE = EntityType.PRODUCT, SyncAction.UPDATE


class RunUnderWayError(ConflictError):
    """A full run is under way; it goes on by itself where a worker runs, and `wch sync run --resume` works it off here."""

    started: str


@attrs.frozen(kw_only=True)
class Plan:
    """What a full run would do now.

    Attributes:
        products: how many were looked at.
        counts: items by what would become of them: created, changed, deleted, unfit.
        listed: the first of them, `{"product", "item", "change", "why"}`.
        unread: products that the shop did not tell of.
    """

    products: int
    counts: Mapping[str, int]
    listed: Sequence[JsonObject]
    unread: int


@attrs.frozen(kw_only=True)
class FullRuns:
    """Starts, carries on, and tells of full runs."""

    database: Database
    clock: Clock
    shop: Shop
    looks: CatalogueLooks

    async def start(self, *, by: str = "host") -> JsonObject:
        """Begin a full run; it is carried on by whoever works the sync queue.

        Raises:
            NoCatalogueError: there is no catalogue to bring in step.
            RunUnderWayError: one is under way, and rows moved in the last 15 minutes.
        """
        if self.looks.catalogue is None:
            raise NoCatalogueError

        def work(uow: UnitOfWork) -> JsonObject:
            now = self.clock.now()
            current = uow.options.get(CURRENT, lock=True)
            if current is not None and current.get("started"):
                self._must_be_stuck(uow, str(current["started"]))
            started = _free(uow, iso(now))
            run = document(
                started=started, by=by, state="collecting", stage="shop", moved_at=iso(now),
                total=0, done=0, failed=0, sent=0, deleted=0,
            )  # fmt: skip
            uow.options.put(f"{PREFIX}{started}", run)
            uow.options.put(CURRENT, document(started=started))
            uow.audit.add(AuditEntry(at=now, actor=by, action="sync.run", object=f"run:{started}"))
            for name, _ in _all(uow)[:-KEPT]:
                uow.options.remove(name)
            return run

        return await self.database.transact(work)

    def _must_be_stuck(self, uow: UnitOfWork, started: str) -> None:
        name = f"{PREFIX}{started}"
        run = uow.options.get(name, lock=True)
        if run is None:
            return
        moved = of_iso(run["moved_at"])
        if self.clock.now() - moved < STUCK_AFTER:
            raise RunUnderWayError(started=started)
        uow.options.put(name, amended(run, state="stuck", ended=iso(self.clock.now())))

    async def current(self) -> JsonObject | None:
        """The run under way, with its present figures."""

        def look(uow: UnitOfWork) -> JsonObject | None:
            run = _current(uow)
            return None if run is None else self._counted(uow, run)

        return await self.database.read(look)

    async def listed(self) -> Sequence[JsonObject]:
        """The last hundred runs, the newest first."""

        def look(uow: UnitOfWork) -> list[JsonObject]:
            return [
                self._counted(uow, run) if run["state"] in {"collecting", "working"} else run
                for _, run in reversed(_all(uow))
            ]

        return await self.database.read(look)

    async def get(self, started: str) -> JsonObject | None:
        """The run that began at this moment, with its present figures."""

        def look(uow: UnitOfWork) -> JsonObject | None:
            run = uow.options.get(f"{PREFIX}{started}")
            is_open = run is not None and run["state"] in {"collecting", "working"}
            return self._counted(uow, run) if is_open and run is not None else run

        return await self.database.read(look)

    async def stopped(self) -> str | None:
        """Why the catalogue takes nothing at the moment; None while it does."""
        found = await self.database.read(lambda uow: uow.options.get(STOPPED))
        return None if found is None else str(found["why"])

    async def carry_on(self) -> int:
        """The next page of the run under way, or its end; how much was done."""
        run = await self.database.read(_current)
        if run is None or self.looks.catalogue is None:
            return 0
        if run["state"] == "working":
            return await self.database.transact(lambda uow: self._close(uow, run["started"]))
        ids, stage, cursor = await self._page(run)
        if not ids and (stage, cursor) == (run["stage"], run.get("cursor")):
            return 0

        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            name = f"{PREFIX}{run['started']}"
            held = uow.options.get(name, lock=True)
            if held is None or _place(held) != _place(run) or _current(uow) is None:
                return 0
            for product in ids:
                self._arm(uow, product, run["started"])
            state = "working" if stage is None else "collecting"
            uow.options.put(name, amended(held, state=state, stage=stage, cursor=cursor, moved_at=iso(now)))
            return len(ids) or 1

        return await self.database.transact(work)

    def _arm(self, uow: UnitOfWork, product: int, started: str) -> None:
        """Once per run, however often a product is met."""
        there = uow.sync.of(_PRODUCT, product, _UPDATE)
        is_met = there is not None and there.status is SyncStatus.COMPLETED and there.created_at >= of_iso(started)
        if not is_met:
            uow.sync.enqueue(_PRODUCT, product, _UPDATE, now=self.clock.now())

    async def _page(self, run: JsonObject) -> tuple[list[int], str | None, str | None]:
        """The next hundred products, and where the page after them begins."""
        cursor = run.get("cursor")
        if run["stage"] == "shop":
            ids: list[int] = []
            try:
                while len(ids) + _CARDS <= _PAGE:
                    page = await self.shop.search(cursor=cursor, limit=_CARDS)
                    ids += [card.id for card in page.items]
                    cursor = page.next
                    if cursor is None:
                        return ids, "sent", None
            except ShopUnavailableError:
                pass
            return ids, "shop", cursor
        prefix = self.looks.prefix
        found = await self.database.read(lambda uow: uow.options.named(prefix, after=cursor or "", limit=_PAGE))
        ids = [int(name.removeprefix(prefix)) for name, _ in found]
        return (ids, "sent", found[-1][0]) if len(found) == _PAGE else (ids, None, None)

    def _close(self, uow: UnitOfWork, started: str) -> int:
        """The run is over once none of its rows is open."""
        name = f"{PREFIX}{started}"
        run = uow.options.get(name, lock=True)
        if run is None or run["state"] != "working":
            return 0
        counted = self._counted(uow, run)
        if counted["waiting"]:
            if counted["done"] + counted["failed"] != run["done"] + run["failed"]:
                figures = {key: counted[key] for key in ("total", "done", "failed")}
                uow.options.put(name, amended(run, moved_at=iso(self.clock.now()), **figures))
            return 0
        reasons = _reasons(uow, started)
        over = {key: value for key, value in counted.items() if key not in {"waiting", "seconds_left"}}
        uow.options.put(name, amended(over, state="done", ended=iso(self.clock.now()), reasons=reasons))
        uow.options.remove(CURRENT)
        return 1

    def _counted(self, uow: UnitOfWork, run: JsonObject) -> dict[str, Any]:
        """The run with figures from the rows, and an estimate of the seconds that are left."""
        started = of_iso(run["started"])
        counts = uow.sync.counts(_PRODUCT, since=started)
        done = counts.get(SyncStatus.COMPLETED, 0)
        failed = counts.get(SyncStatus.FAILED, 0)
        waiting = counts.get(SyncStatus.PENDING, 0) + counts.get(SyncStatus.PROCESSING, 0)
        ended = done + failed
        spent = (self.clock.now() - started).total_seconds()
        estimate = round(spent / ended * waiting) if ended else None
        return {
            **run, "total": ended + waiting, "done": done, "failed": failed, "waiting": waiting,
            "seconds_left": estimate,
        }  # fmt: skip

    async def plan(self, *, limit: int = 100) -> Plan:
        """What a full run would do now, by the code that does it; changes nothing and calls nobody but the shop.

        Args:
            limit: so many changes are listed; all are counted.

        Raises:
            NoCatalogueError: there is no catalogue to bring in step.
        """
        if self.looks.catalogue is None:
            raise NoCatalogueError
        counts = dict.fromkeys(("created", "changed", "deleted", "unfit"), 0)
        listed: list[JsonObject] = []
        seen: set[int] = set()
        unread = 0
        place: JsonObject = document(stage="shop")
        while place.get("stage"):
            ids, stage, cursor = await self._page(place)
            if place["stage"] == "shop" and not ids and stage == "shop":
                raise ShopUnavailableError
            fresh = [one for one in ids if one not in seen]
            seen.update(fresh)
            for product, difference in (await self.looks.differences(fresh)).items():
                if not isinstance(difference, Difference):
                    unread += 1
                    continue
                for entry in _entries(product, difference):
                    counts[entry["change"]] += 1
                    if len(listed) < limit:
                        listed.append(entry)
            place = document(stage=stage, cursor=cursor)
        return Plan(products=len(seen), counts=counts, listed=listed, unread=unread)


def count(uow: UnitOfWork, calls: Sequence[Mapping[str, str | None]]) -> None:
    """Items that the catalogue was sent are counted in the run under way, if any."""
    run = _current(uow)
    if run is None or not calls:
        return
    name = f"{PREFIX}{run['started']}"
    held = uow.options.get(name, lock=True)
    if held is not None:
        gone = sum(digest is None for call in calls for digest in call.values())
        sent = sum(len(call) for call in calls) - gone
        uow.options.put(name, amended(held, sent=held["sent"] + sent, deleted=held["deleted"] + gone))


def _entries(product: int, difference: Difference) -> list[JsonObject]:
    changes: list[tuple[str, str, str | None]] = [
        *(("created", one.id, None) for one in difference.created),
        *(("changed", one.id, None) for one in difference.changed),
        *(("deleted", name, None) for name in difference.deleted),
        *(("unfit", one.id, one.fault.value) for one in difference.unfit),
    ]
    return [{"product": product, "item": item, "change": change, "why": why} for change, item, why in changes]


def _current(uow: UnitOfWork) -> JsonObject | None:
    current = uow.options.get(CURRENT)
    return None if current is None else uow.options.get(f"{PREFIX}{current['started']}")


def _place(run: JsonObject) -> tuple[Any, ...]:
    return run["state"], run.get("stage"), run.get("cursor")


def _all(uow: UnitOfWork) -> Sequence[tuple[str, JsonObject]]:
    return uow.options.named(PREFIX, limit=KEPT + 10)


def _free(uow: UnitOfWork, started: str) -> str:
    """A run's name is its moment; no two begin in the same second."""
    if uow.options.get(f"{PREFIX}{started}") is not None:
        raise RunUnderWayError(started=started)
    return started


def _reasons(uow: UnitOfWork, started: str) -> list[str]:
    """Why the first hundred rows failed."""
    found: list[str] = []
    after = 0
    while len(found) < REASONS and (page := uow.sync.listed(status=SyncStatus.FAILED, after=after, limit=_PAGE)):
        found += [
            f"{task.entity_id}: {task.error_message or 'failed'}"[:_REASON]
            for task in page
            if task.entity_type is _PRODUCT and task.processed_at is not None and task.processed_at >= of_iso(started)
        ]
        after = page[-1].id
    return found[:REASONS]
