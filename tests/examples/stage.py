"""A whole hub in memory, a shop with lamps and shirts, and everything that a page's examples ask of them."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import httpx2

import wch
from tests.application.dialogue.chat import GOODS
from tests.entrypoints.http.doubles import web
from tests.processes import NUMBER, SECRET, signature_of
from wch import Settings, open_hub
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.application.hub import Hub
from wch.application.ports import Gateway
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.message import Direction, Message
from wch.domain.moment import unix
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds
from wch.testing.scripted_gateway import ScriptedGateway
from wch.testing.scripted_shop import Goods, ScriptedShop

A, B = "16505551234", "4915112345678"
TOKEN = "a-word-of-ours"
DOOR = "/webhooks/whatsapp"
ENVIRONMENT = {
    "WCH_PROFILE": "test",
    "WCH_DATABASE_URL": "memory://",
    "WCH_APP_SECRET": f"{SECRET},the-old-secret",
    "WCH_VERIFY_TOKEN": TOKEN,
    "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
    "WCH_ACCESS_TOKEN": "an-access-token",
    "WCH_PHONE_NUMBER_ID": NUMBER,
    "WCH_CURRENCY": "USD",
    "WCH_COUNTRY": "US",
}


@attrs.define(kw_only=True)
class Stage:
    """The hub, its customers' phones and its shop."""

    hub: Hub
    clock: FrozenClock
    whatsapp: RecordingWhatsApp
    shop: ScriptedShop
    gateway: ScriptedGateway
    http: httpx2.AsyncClient
    _next: int = 0

    # --- what comes in

    def message(self, *, sender: str | None = A, **more: Any) -> dict[str, Any]:
        """A message of the wire; a text unless it says otherwise."""
        self._next += 1
        given = {"id": f"wamid.{self._next}", "timestamp": str(unix(self.clock.now())), **more}
        if "text" in given and isinstance(given["text"], str):
            given |= {"type": "text", "text": {"body": given["text"]}}
        return given if sender is None else {"from": sender, **given}

    async def post(self, *values: Mapping[str, Any], field: str = "messages", number: str = NUMBER) -> int:
        """A signed delivery; the status of its answer."""
        return await self.raw(body_of(*values, field=field, number=number))

    async def raw(self, body: bytes, *signatures: bytes | str, headers: Mapping[str, str] | None = None) -> int:
        """These bytes with these signatures, a good one if there is none."""
        signed = signatures or (signature_of(body),)
        sent = [(b"X-Hub-Signature-256", one if isinstance(one, bytes) else one.encode()) for one in signed]
        extra = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        return (await self.http.post(DOOR, content=body, headers=[*sent, *extra])).status_code

    async def says(self, text: str, *, sender: str = A, **more: Any) -> list[str]:
        """A customer writes; what they are answered."""
        return await self.sends(text=text, sender=sender, **more)

    async def taps(self, reply: str, *, sender: str = A) -> list[str]:
        """A customer taps a button."""
        tapped = {"type": "button_reply", "button_reply": {"id": reply, "title": "-"}}
        return await self.sends(type="interactive", interactive=tapped, sender=sender)

    async def sends(self, *, sender: str | None = A, **more: Any) -> list[str]:
        """A customer sends something; what they are answered."""
        before = len(self.whatsapp.sent)
        contacts = {"contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": A}]} if sender == A else {}
        await self.post({**contacts, "messages": [self.message(sender=sender, **more)]})
        await self.work()
        return self.whatsapp.texts[before:]

    async def told(self, wa_id: str, word: str, *, at: int | None = None, **more: Any) -> None:
        """WhatsApp tells what became of a message."""
        stamp = str(unix(self.clock.now()) if at is None else at)
        await self.post({"statuses": [{"id": wa_id, "status": word, "timestamp": stamp, "recipient_id": A, **more}]})
        await self.work()

    async def work(self) -> None:
        """Everything that is due is done."""
        await self.hub.worker.drain()

    async def later(self, **span: float) -> None:
        """Time passes, and what is due then is done."""
        self.clock.advance(timedelta(**span))
        await self.work()

    # --- what is kept

    async def see(self, look: Any) -> Any:
        return await self.hub.database.read(look)

    async def do(self, work: Any) -> Any:
        return await self.hub.database.transact(work)

    async def rows(self, sender: str = A) -> Sequence[Message]:
        """All rows of the customer's latest thread, oldest first."""

        def look(uow: Any) -> list[Message]:
            thread = uow.conversations.latest_of(sender)
            return [] if thread is None else list(reversed(uow.messages.thread(thread.id, limit=500)))

        found: list[Message] = await self.see(look)
        return found

    async def inbound(self, sender: str = A) -> Message:
        """The latest that the customer said."""
        return next(row for row in reversed(await self.rows(sender)) if row.direction is Direction.INBOUND)

    async def outbound(self, sender: str = A) -> Message:
        """The latest that we said."""
        return next(row for row in reversed(await self.rows(sender)) if row.direction is Direction.OUTBOUND)

    async def handled(self, sender: str = A) -> Mapping[str, Any]:
        """What became of the latest that the customer said."""
        found: Mapping[str, Any] = (await self.inbound(sender)).content["handled"]
        return found

    async def thread(self, sender: str = A) -> Conversation:
        found: Conversation = await self.see(lambda uow: uow.conversations.latest_of(sender))
        return found

    async def profile(self, sender: str = A) -> CustomerProfile:
        found: CustomerProfile = await self.see(lambda uow: uow.customers.of(sender))
        return found

    async def cart(self, sender: str = A) -> Any:
        return await self.see(lambda uow: uow.carts.of(sender))

    async def letters(self) -> list[tuple[str, str]]:
        """Dead letters: what they are about, and why."""
        return [(one.hook, one.reason) for one in await self.see(lambda uow: uow.dead_letters.listed(limit=500))]

    async def all_rows(self) -> dict[str, Any]:
        """How many rows of each state there are, the limits' counters aside."""
        found: dict[str, Any] = await self.see(lambda uow: uow.census.states())
        return {table: states for table, states in found.items() if table != "rate_limits"}

    # --- what is on the phone

    def ids(self, place: int = -1) -> list[str]:
        """The ids that can be tapped on a message that was sent."""
        inner = self.whatsapp.sent[place].message.get("interactive", {})
        action = inner.get("action", {})
        buttons = [one["reply"] for one in action.get("buttons", ())]
        rows = [row for section in action.get("sections", ()) for row in section.get("rows", ())]
        return [one["id"] for one in (*buttons, *rows)]

    async def press(self, beginning: str, *, sender: str = A) -> list[str]:
        """Tap what begins so on the newest message that has it."""
        for place in range(len(self.whatsapp.sent) - 1, -1, -1):
            for reply in self.ids(place):
                if reply.startswith(beginning):
                    return await self.taps(reply, sender=sender)
        message = f"nothing begins with {beginning}"
        raise AssertionError(message)

    async def id_of(self, name: str) -> int:
        found = (await self.shop.shop.search(text=name, limit=30)).items
        return next(card.id for card in found if card.name == name)

    async def to_review(self) -> list[str]:
        """One blue lamp, as far as the review."""
        await self.says("add 1 blue lamp to cart")
        await self.says("checkout")
        await self.says("221B Baker Street, London NW1 6XE, UK")
        return await self.press("use_address")

    async def bought_by_card(self) -> int:
        """From the review to an order that is paid and at work in the shop; its number."""
        await self.to_review()
        await self.press("payment_stripe")
        await self.press("confirm_order")
        self.gateway.pay()
        await self.later(minutes=2)
        (placed,) = await self.hub.orders.placements()
        return int(placed.results["create_order"]["order_id"])


def body_of(*values: Mapping[str, Any], field: str = "messages", number: str = NUMBER) -> bytes:
    """A delivery with these values, one change each."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": number}
    changes = [
        {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}} for value in values
    ]
    envelope = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}
    return json.dumps(envelope).encode()


@asynccontextmanager
async def stage(
    *,
    goods: Sequence[Goods] = GOODS,
    cards: bool = False,
    online: Gateway | None = None,
    currency: str = "USD",
    install: bool = False,
    **environment: str,
) -> AsyncIterator[Stage]:
    """A hub that nobody has written to yet.

    It takes cash, or also `cards` at a gateway that does as it is told, or money at `online`.
    """
    settings, _, _ = Settings.load({**ENVIRONMENT, "WCH_CURRENCY": currency, **environment}, {}, None)
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    shop = await ScriptedShop.selling(goods, clock=clock, currency=currency, country="US")
    gateway = ScriptedGateway(clock=clock)
    payments = SwitchedOnPayments((CashOnDelivery(), *([gateway] if cards else []), *([online] if online else [])))
    try:
        async with (
            open_hub(
                settings,
                clock=clock,
                ids=SequentialIds(),
                whatsapp=whatsapp,
                shop=shop,
                payments=payments,
                install=install,
            ) as hub,
            web(wch.asgi(hub)) as http,
        ):
            yield Stage(hub=hub, clock=clock, whatsapp=whatsapp, shop=shop, gateway=gateway, http=http)
    finally:
        await shop.aclose()
