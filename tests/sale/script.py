"""One sale from the first word to the parcel, told once for every store, and all that it leaves in the tables."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from tests.processes import NUMBER, SECRET, delivery, signature_of
from wch import Settings
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.moment import unix
from wch.entrypoints.cli.demo import options_of
from wch.entrypoints.shown import plain
from wch.testing import FrozenClock, RecordingWhatsApp

ANNA = "34600111222"
ADDRESS = "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=5)
"""Between two words of a person; a frozen clock stands still otherwise."""


def settings_of(url: str, **more: str) -> Settings:
    """Of a shop in Spain on this database, whose messages go to a stand-in, and what else is said."""
    environment = {
        "WCH_PROFILE": "test",
        "WCH_DATABASE_URL": url,
        "WCH_APP_SECRET": SECRET,
        "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
        "WCH_ACCESS_TOKEN": "an-access-token",
        "WCH_PHONE_NUMBER_ID": "*",
        "WCH_CURRENCY": "EUR",
        "WCH_COUNTRY": "ES",
    }
    return Settings.load({**environment, **more}, {}, None)[0]


@attrs.define(kw_only=True)
class Sale:
    """The customer, her phone, and the shop's people."""

    hub: Hub
    clock: FrozenClock
    whatsapp: RecordingWhatsApp
    said: int = 0
    told: int = 0

    async def run(self) -> None:
        """All of it; what is bought, where it goes and what is tapped is the same wherever it runs."""
        await self.text("hi")
        await self.tap("categories")
        await self.tap("category_")
        await self.tap("product_")
        await self.tap("add_to_cart_", "variant_")
        await self.text("lamp")
        await self.tap("product_")
        await self.tap("add_to_cart_", "variant_")
        await self.text("cart")
        await self.tap("checkout")
        await self.text(ADDRESS)
        await self.tap("use_address")
        if self.offers("shipping_"):
            await self.tap("shipping_")
        if self.offers("payment_"):
            await self.tap("payment_")
        await self.tap("confirm_order")
        await self.wait(timedelta(minutes=1))
        order_id = await self._order_id()
        await self.text("where is my order")
        await self.hub.shop.ship(order_id=order_id, carrier="DHL", tracking="JD014600003")  # type: ignore[attr-defined]  # wrong on purpose, or narrower than mypy can see
        await self.hub.orders.changed(order_id, action="order.ship", by="a person")
        await self.wait(timedelta(minutes=1))
        await self.hub.shop.complete(order_id=order_id)  # type: ignore[attr-defined]  # wrong on purpose, or narrower than mypy can see
        await self.hub.orders.changed(order_id, action="order.complete", by="a person")
        await self.wait(timedelta(minutes=1))

    async def text(self, words: str) -> None:
        """She types."""
        await self._say({"type": "text", "text": {"body": words}})

    async def tap(self, *prefixes: str) -> None:
        """She taps the first thing on her screen whose id begins so, the newest message first."""
        for sent in reversed(self.whatsapp.sent):
            for prefix in prefixes:
                for option in options_of(sent.message):
                    if option.id.startswith(prefix):
                        is_button = "buttons" in sent.message["interactive"]["action"]
                        kind = "button_reply" if is_button else "list_reply"
                        chosen = {"type": kind, kind: {"id": option.id, "title": option.title}}
                        await self._say({"type": "interactive", "interactive": chosen})
                        return
        message = f"nothing to tap that begins with {prefixes}; the latest words were {self.whatsapp.texts[-2:]}"
        raise AssertionError(message)

    def offers(self, prefix: str) -> bool:
        """Whether the latest message has such a thing to tap."""
        return any(option.id.startswith(prefix) for option in options_of(self.whatsapp.sent[-1].message))

    async def wait(self, span: timedelta) -> None:
        """Time passes; what is due is done, and what was sent arrives."""
        self.clock.advance(span)
        await self.hub.worker.drain()
        while self.told < len(self.whatsapp.sent):
            self.told += 1
            for word in ("sent", "delivered", "read"):
                await self._status(f"wamid.sent.{self.told}", word)
        await self.hub.worker.drain()

    async def _say(self, body: dict[str, Any]) -> None:
        self.said += 1
        stamp = str(unix(self.clock.now()))
        message = {"from": ANNA, "id": f"wamid.said.{self.said}", "timestamp": stamp, **body}
        await self._post(delivery(message))
        heard = len(self.whatsapp.sent)
        await self.wait(STEP)
        assert len(self.whatsapp.sent) > heard, f"no answer to {body}"

    async def _status(self, key: str, word: str) -> None:
        status = {"id": key, "status": word, "timestamp": str(unix(self.clock.now())), "recipient_id": ANNA}
        value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER}, "statuses": [status]}
        entry = {"id": "2", "changes": [{"field": "messages", "value": value}]}
        await self._post(json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode())

    async def _post(self, body: bytes) -> None:
        await self.hub.inbox.receive_raw(body, signature=signature_of(body, SECRET))

    async def _order_id(self) -> int:
        (saga,) = await self.hub.database.read(lambda uow: uow.sagas.listed())
        assert saga.state == "completed", (saga.state, saga.context, self.whatsapp.texts[-2:])
        return int(saga.results["create_order"]["order_id"])


async def export(hub: Hub) -> dict[str, Any]:
    """All 14 tables as JSON has them, ids and times masked."""
    return {table: masked(rows) for table, rows in (await hub.database.read(_tables)).items()}


def _tables(uow: UnitOfWork) -> dict[str, Any]:
    """Every row that a repository lists; of claims and recipients, which it does not, how many there are."""
    states = uow.census.states()
    threads = sorted(uow.conversations.listed(limit=500), key=lambda one: one.id)
    return {
        "conversations": plain(threads),
        "messages": plain([list(reversed(uow.messages.thread(one.id, limit=500))) for one in threads]),
        "carts": plain(uow.carts.listed(limit=500)),
        "customer_profiles": plain(uow.customers.listed(limit=500)),
        "broadcast_recipients": dict(states.get("broadcast_recipients", {})),
        "sync_queue": plain(uow.sync.listed(limit=500)),
        "notification_log": plain(uow.notifications.listed(limit=500)),
        "product_views": plain(uow.views.of(ANNA, since=LONG_AGO, limit=500)),
        "reengagement": plain(uow.reengagements.of(ANNA, since=LONG_AGO, limit=500)),
        "dead_letter_queue": plain(uow.dead_letters.listed(limit=500)),
        "webhook_idempotency": dict(states.get("webhook_idempotency", {})),
        "rate_limits": plain(sorted(uow.limits.listed(limit=500), key=repr)),
        "circuit_breakers": plain(uow.breakers.listed()),
        "saga_state": plain(uow.sagas.listed(limit=500)),
    }


_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\+00:00|Z)?")
_SAGA = re.compile(r"\b(order)-\d+-\d{10}\b")
_TOKEN = re.compile(r"\b[0-9a-f]{32}\b")
_IDS = re.compile(r"(^|_)ids?$")


def masked(value: Any, name: str = "") -> Any:
    """The value without what differs from run to run: ids, tokens and moments."""
    if isinstance(value, dict):
        return {key: masked(one, str(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one, name) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and _IDS.search(name):
        return "ID"
    if isinstance(value, str):
        return _SAGA.sub(r"\1-SAGA", _TOKEN.sub("TOKEN", _TIME.sub("TIME", value)))
    return value
