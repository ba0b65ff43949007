"""A customer gets another number while their order is being placed: the order and all that follows is theirs still."""

from datetime import timedelta
from typing import Any

import pytest

from tests.processes import NUMBER, delivery
from tests.sale.script import ADDRESS, ANNA, Sale, settings_of
from wch import Settings, open_hub
from wch.adapters.local_shop import LocalShop
from wch.application.ports import UnitOfWork
from wch.domain.moment import unix
from wch.domain.notification import NotificationStatus
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

NEW = "34600999888"


class Moving(Sale):
    """Anna, who changes her number between her confirmation and the order."""

    async def confirm(self) -> None:
        """The saga is begun and has done nothing."""
        (tapped,) = [
            option
            for sent in self.whatsapp.sent[-1:]
            for option in _options(sent.message)
            if option["id"].startswith("confirm_order")
        ]
        reply = {"type": "button_reply", "button_reply": {"id": tapped["id"], "title": tapped["title"]}}
        await self.arrive(type="interactive", interactive=reply)
        await self.duty("inbound")

    async def move(self) -> None:
        """WhatsApp tells of the new number."""
        await self.arrive(type="system", system={"type": "user_changed_number", "wa_id": NEW, "body": "x"})

    async def arrive(self, **message: Any) -> None:
        self.said += 1
        stamp = str(unix(self.clock.now()))
        await self._post(delivery({"from": ANNA, "id": f"wamid.said.{self.said}", "timestamp": stamp, **message}))

    async def duty(self, kind: str) -> None:
        await next(one for one in self.hub.worker.duties if one.kind == kind).work()


def _options(message: Any) -> list[dict[str, Any]]:
    return [one["reply"] for one in message["interactive"]["action"].get("buttons", ())]


@pytest.fixture
def settings() -> Settings:
    return settings_of("memory://", WCH_PHONE_NUMBER_ID=NUMBER)


@pytest.mark.parametrize("amid", [False, True], ids=["before the first step", "amid the call that makes it"])
async def test_an_order_that_is_being_placed_moves_with_its_customer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *, amid: bool
) -> None:
    """No dead letter, one order, and the notices go to the new number; the old one is free for somebody else."""
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp) as hub:
        sale = Moving(hub=hub, clock=clock, whatsapp=whatsapp)
        for words in ("hi", "add 1 lamp to cart"):
            await sale.text(words)
        if not await hub.database.read(lambda uow: uow.carts.of(ANNA)):
            await sale.tap("product_")
            await sale.tap("add_to_cart_", "variant_")
        await sale.text("checkout")
        await sale.text(ADDRESS)
        await sale.tap("use_address")
        for prefix in ("shipping_", "payment_"):
            if sale.offers(prefix):
                await sale.tap(prefix)
        await sale.confirm()
        if amid:
            made = LocalShop.create_order

            async def moving(shop: LocalShop, **draft: Any) -> Any:
                order = await made(shop, **draft)
                await sale.move()
                return order

            monkeypatch.setattr(LocalShop, "create_order", moving)
        else:
            await sale.move()
        await hub.worker.drain()
        clock.advance(timedelta(minutes=2))
        await hub.worker.drain()

        def look(uow: UnitOfWork) -> None:
            (placement,) = uow.sagas.listed()
            assert len(
                [entry for entry in placement.log if entry["ev"] == "start" and entry["step"] == "create_order"]
            ) == (2 if amid else 1)
            assert (placement.state, placement.customer) == ("completed", NEW)
            assert uow.customers.of(ANNA) is None
            profile = uow.customers.of(NEW)
            assert profile is not None
            assert profile.total_orders == 1
            cart = uow.carts.of(NEW)
            assert cart is not None
            assert cart.items == ()
            (notice, *_) = uow.notifications.listed()
            assert (notice.customer_phone, notice.status) == (NEW, NotificationStatus.SENT)
            assert uow.dead_letters.listed(limit=10) == []

        await hub.database.read(look)
        assert whatsapp.sent[-1].message["to"] == f"+{NEW}"
        assert (await hub.verification.run())["ok"]
