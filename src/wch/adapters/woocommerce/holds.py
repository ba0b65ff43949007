"""What our own buyers have reserved: WooCommerce cannot hold goods over REST, so the hub's options do.

One row for each counted sellable, `reserve:<id>`, with a list of key, quantity and until, changed
under its lock. What is free is the shop's count less what is held here. A row without entries is
removed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.catalogue import placement_of
from wch.domain.document import document
from wch.domain.moment import iso, of_iso
from wch.domain.shop_error import KeyReusedError

PREFIX = "reserve:"
_PAGE = 100


@attrs.frozen(kw_only=True)
class Hold:
    """So many of one sellable for one key, until then."""

    key: str
    quantity: int
    until: datetime


@attrs.frozen(kw_only=True)
class Taken:
    """What came of a reservation: done until then, or of which sellables there was how much too little.

    Attributes:
        until: of the reservation.
        short: what could be had of each sellable that was short.
        stale: goods moved from a hold into an order meanwhile, so that the count must be read again.
    """

    until: datetime
    short: Mapping[int, int] = attrs.field(factory=dict)
    stale: bool = False


@attrs.frozen(kw_only=True)
class Holds:
    """The rows of what is held."""

    database: Database
    clock: Clock

    async def of(self, ids: Iterable[int]) -> dict[int, tuple[Hold, ...]]:
        """What is held of each of these now."""
        wanted = sorted(set(ids))
        now = self.clock.now()
        if not wanted:
            return {}
        return await self.database.read(lambda uow: {one: _live(uow, one, now) for one in wanted})

    async def take(
        self,
        key: str,
        wanted: Mapping[int, int],
        *,
        counts: Mapping[int, int],
        until: datetime,
        before: Mapping[int, tuple[Hold, ...]],
    ) -> Taken:
        """Hold all of this, or nothing.

        Args:
            key: whose; what another step of the same placement holds is its own.
            wanted: pieces by sellable.
            counts: the shop's counts, read after `before`.
            until: when it ends by itself.
            before: what was held before the counts were read.

        Raises:
            KeyReusedError: the key holds something else.
        """

        def work(uow: UnitOfWork) -> Taken:
            now = self.clock.now()
            mine = {sellable: hold for sellable, hold in _all(uow, now) if hold.key == key}
            if mine and {sellable: hold.quantity for sellable, hold in mine.items()} != dict(wanted):
                raise KeyReusedError
            held = {one: _live(uow, one, now, lock=True) for one in sorted(wanted)}
            gone = {hold.key for one in wanted for hold in before.get(one, ())} - {
                hold.key for one in wanted for hold in held[one]
            }
            if gone:
                return Taken(until=until, stale=True)
            others = {one: [hold for hold in held[one] if not _same(hold.key, key)] for one in wanted}
            free = {one: counts[one] - sum(hold.quantity for hold in others[one]) for one in wanted}
            short = {one: max(free[one], 0) for one in wanted if free[one] < wanted[one]}
            if short:
                return Taken(until=until, short=short)
            ends = max([until, *(hold.until for one in wanted for hold in held[one] if hold.key == key)])
            for one in sorted(wanted):
                _put(uow, one, (*others[one], Hold(key=key, quantity=wanted[one], until=ends)))
            return Taken(until=ends)

        return await self.database.transact(work)

    async def holding(self, key: str) -> bool:
        """Whether any step of this placement holds something now."""
        now = self.clock.now()
        return await self.database.read(lambda uow: any(_same(hold.key, key) for _, hold in _all(uow, now)))

    async def drop(self, key: str, *, whole_placement: bool) -> None:
        """Give back what the key holds, or what all steps of its placement hold; nothing is no error."""

        def fits(hold: Hold) -> bool:
            return _same(hold.key, key) if whole_placement else hold.key == key

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            for sellable in sorted({sellable for sellable, hold in _all(uow, now) if fits(hold)}):
                left = [hold for hold in _live(uow, sellable, now, lock=True) if not fits(hold)]
                _put(uow, sellable, left)

        await self.database.transact(work)


def _same(one: str, other: str) -> bool:
    return placement_of(one) == placement_of(other)


def _all(uow: UnitOfWork, now: datetime) -> list[tuple[int, Hold]]:
    found: list[tuple[int, Hold]] = []
    after = ""
    while page := uow.options.named(PREFIX, after=after, limit=_PAGE):
        for name, value in page:
            sellable = name.removeprefix(PREFIX)
            if sellable.isdecimal():
                found += [(int(sellable), hold) for hold in _holds(value, now)]
        after = page[-1][0]
    return found


def _live(uow: UnitOfWork, sellable: int, now: datetime, *, lock: bool = False) -> tuple[Hold, ...]:
    return _holds(uow.options.get(f"{PREFIX}{sellable}", lock=lock) or {}, now)


def _holds(value: Mapping[str, object], now: datetime) -> tuple[Hold, ...]:
    """Those that are not over yet."""
    listed = value.get("held")
    return tuple(
        Hold(key=str(row["key"]), quantity=int(row["quantity"]), until=of_iso(str(row["until"])))
        for row in (listed if isinstance(listed, (list, tuple)) else ())
        if of_iso(str(row["until"])) > now
    )


def _put(uow: UnitOfWork, sellable: int, holds: Iterable[Hold]) -> None:
    rows = [{"key": hold.key, "quantity": hold.quantity, "until": iso(hold.until)} for hold in holds]
    if rows:
        uow.options.put(f"{PREFIX}{sellable}", document(held=rows))
    else:
        uow.options.remove(f"{PREFIX}{sellable}")
