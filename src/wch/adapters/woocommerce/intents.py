"""What was asked of the shop under which key: written before the call, so that a lost answer is looked for where it is."""

from datetime import datetime

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.document import JsonObject, document
from wch.domain.moment import iso, of_iso

PREFIX = "shop:key:"


@attrs.frozen(kw_only=True)
class Intent:
    """An order that was asked for.

    Attributes:
        at: when it was first asked for.
        order_id: the order that it made; None while that is in doubt.
        void: it was cancelled before anybody saw it, so one that comes late is not wanted.
    """

    at: datetime
    order_id: int | None = None
    void: bool = False


@attrs.frozen(kw_only=True)
class Intents:
    """The rows of what was asked for, one for each key of an order."""

    database: Database
    clock: Clock

    async def of(self, key: str) -> Intent | None:
        """What was asked for under this key."""
        return await self.database.read(lambda uow: _read(uow.options.get(_name(key))))

    async def begin(self, key: str) -> Intent:
        """Note that it is asked for now; whoever asked first set the time."""

        def work(uow: UnitOfWork) -> Intent:
            known = _read(uow.options.get(_name(key), lock=True))
            intent = Intent(at=self.clock.now()) if known is None else attrs.evolve(known, void=False)
            _put(uow, key, intent)
            return intent

        return await self.database.transact(work)

    async def made(self, key: str, order_id: int) -> None:
        """This order came of it."""
        await self._change(key, order_id=order_id)

    async def void(self, key: str) -> None:
        """Nobody wants it any more; without an intent there is nothing to note."""
        await self._change(key, void=True)

    async def _change(self, key: str, *, order_id: int | None = None, void: bool = False) -> None:
        def work(uow: UnitOfWork) -> None:
            known = _read(uow.options.get(_name(key), lock=True))
            if known is not None:
                _put(
                    uow,
                    key,
                    attrs.evolve(known, order_id=order_id or known.order_id, void=void or known.void),
                )

        await self.database.transact(work)


def _name(key: str) -> str:
    return f"{PREFIX}{key}"


def _read(value: JsonObject | None) -> Intent | None:
    if value is None:
        return None
    order_id = value.get("order_id")
    return Intent(
        at=of_iso(str(value["at"])),
        order_id=None if order_id is None else int(order_id),
        void=value.get("void") is True,
    )


def _put(uow: UnitOfWork, key: str, intent: Intent) -> None:
    uow.options.put(
        _name(key), document(at=iso(intent.at), order_id=intent.order_id, void=True if intent.void else None)
    )
