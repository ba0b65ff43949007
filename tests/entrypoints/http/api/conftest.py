"""A shop with one sale behind it, and programs with keys of all kinds in front of it."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx2
import pytest

import wch
from tests.processes import SECRET
from tests.sale.script import Sale
from wch import Settings, open_hub
from wch.adapters.clock import SystemClock
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.api_key import KeyScope
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

ENVIRONMENT = {
    "WCH_PROFILE": "test",
    "WCH_APP_SECRET": SECRET,
    "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
    "WCH_VERIFY_TOKEN": "a-token",
    "WCH_ACCESS_TOKEN": "an-access-token",
    "WCH_PHONE_NUMBER_ID": "*",
    "WCH_CURRENCY": "EUR",
    "WCH_COUNTRY": "ES",
    "WCH_DATABASE_URL": "memory://",
    "WCH_LIMITS_API": "1000/60",
}
EVERYTHING = tuple(scope.value for scope in KeyScope)


@attrs.frozen(kw_only=True)
class Desk:
    """The hub, its time, and a way to call it."""

    hub: Hub
    clock: FrozenClock
    app: Any
    order_id: int

    async def key(self, *scopes: str) -> str:
        """A fresh key with these scopes."""
        return (await self.hub.keys.create(scopes, by="test")).text

    def client(self, key: str | None) -> httpx2.AsyncClient:
        """Somebody who calls with this key."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        transport = httpx2.ASGITransport(app=self.app)
        return httpx2.AsyncClient(transport=transport, base_url="http://hub.test", headers=headers)

    async def row(self, look: Any) -> Any:
        """Look into the tables."""
        return await self.hub.database.read(look)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """After one sale, with one dead letter about a message and one that holds the bytes of a delivery."""
    settings, _, _ = Settings.load(ENVIRONMENT, {}, None)
    clock, whatsapp = FrozenClock(SystemClock().now()), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp) as hub:
        await Sale(hub=hub, clock=clock, whatsapp=whatsapp).run()
        await hub.database.transact(lambda uow: _letters(uow, clock))
        (placed,) = await hub.orders.placements()
        order_id = int(placed.results["create_order"]["order_id"])
        yield Desk(hub=hub, clock=clock, app=wch.asgi(hub), order_id=order_id)


def _letters(uow: UnitOfWork, clock: FrozenClock) -> None:
    now = clock.now()
    uow.dead_letters.add(
        DeadLetter.of_row(Hook.NOTIFICATION, "notification_log", 1, Reason.EXCEPTION, error="x", attempts=5, now=now)
    )
    uow.dead_letters.add(
        DeadLetter(
            hook=Hook.WEBHOOK,
            args={"v": 1, "body": "bm90IGpzb24="},
            reason=Reason.VALIDATION_FAILED,
            created_at=now,
        )
    )


@pytest.fixture
async def caller(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    """A program that may do everything."""
    async with desk.client(await desk.key(*EVERYTHING)) as client:
        yield client
