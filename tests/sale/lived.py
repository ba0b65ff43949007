"""A customer with a whole life behind them, and what to look for when they are gone."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
from sqlalchemy import MetaData, select

from tests.processes import NUMBER, SECRET, delivery, signature_of
from tests.sale.script import ANNA, Sale, settings_of
from wch import open_hub
from wch.adapters.sql import SqlDatabase
from wch.application.emptying import SWEPT
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.dead_letter import DeadLetter
from wch.domain.document import amended, document
from wch.domain.moment import unix
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

BORIS = "4915112345678"
MAIL = "anna.garcia@example.org"
BSUID = "ES.13491208655302741918"
WAMID = (
    "wamid." + base64.b64encode(b"\x1d\x18\x0b" + ANNA.encode() + b"\x15\x02\x00\x12\x18 0123456789ABCDEF\x00").decode()
)
SPELLINGS = (ANNA, f"+{ANNA}", f"00{ANNA}", "+34 600 111 222", "34-600-111-222", "(34) 600.111.222")


def needles() -> Iterator[bytes]:
    """Everything that must not be found: spellings, and the number in base64 at each of three offsets."""
    yield from (spelling.encode() for spelling in SPELLINGS)
    yield MAIL.encode()
    yield BSUID.encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + ANNA.encode()).decode().rstrip("=")
        yield encoded[(offset * 8 + 5) // 6 : -1].encode()


@attrs.define(kw_only=True)
class Life:
    """The hub, its clock, and what was delivered of the customer's."""

    hub: Hub
    clock: FrozenClock
    sale: Sale
    old: list[bytes]

    async def post(self, body: bytes) -> None:
        await self.hub.inbox.receive_raw(body, signature=signature_of(body, SECRET))

    async def erase(self) -> Any:
        return await self.erase_asked(await self.hub.erasures.ask(ANNA, reason="asked by mail", by="ana"))

    async def erase_asked(self, saga: Saga) -> Any:
        for _ in range(20):
            await self.hub.worker.drain()
            receipt = await self.hub.erasures.receipt(saga.saga_id)
            if receipt is not None:
                return receipt
            self.clock.advance(60)
        raise AssertionError(await self.hub.erasures.state(saga.saga_id))


@asynccontextmanager
async def life(url: str, **more: str) -> AsyncIterator[Life]:
    """A sale, then everything else that a person can leave behind, opted out in the end."""
    settings = settings_of(url, **more)
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp, install=True) as hub:
        sale = Sale(hub=hub, clock=clock, whatsapp=whatsapp)
        await sale.run()
        lived = Life(hub=hub, clock=clock, sale=sale, old=[])
        stamp = str(unix(clock.now()))
        card = {"name": {"formatted_name": "A"}, "phones": [{"phone": "+34 600 111 222", "wa_id": ANNA}]}
        mine = delivery({"from": ANNA, "id": WAMID, "timestamp": stamp, "type": "text", "text": {"body": "stop"}})
        his = delivery({"from": BORIS, "id": "wamid.b1", "timestamp": stamp, "type": "contacts", "contacts": [card]})
        for body in (mine, his):
            await lived.post(body)
        lived.old += [mine, status_of(WAMID + "x", stamp)]
        await hub.worker.drain()
        await hub.database.transact(lambda uow: _more(uow, clock, mine, delivery(*_two(stamp))))
        yield lived


def _two(stamp: str) -> list[dict[str, Any]]:
    return [
        {"from": ANNA, "id": "wamid.d1", "timestamp": stamp, "type": "text", "text": {"body": "call +34 600 111 222"}},
        {"from": BORIS, "id": "wamid.d2", "timestamp": stamp, "type": "text", "text": {"body": "kept words"}},
    ]


def status_of(wa_id: str, stamp: str) -> bytes:
    status = {"id": wa_id, "status": "delivered", "timestamp": stamp, "recipient_id": ANNA}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER}, "statuses": [status]}
    entry = {"id": "2", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def _more(uow: UnitOfWork, clock: FrozenClock, mine: bytes, both: bytes) -> None:
    now = clock.now()
    profile = uow.customers.lock(ANNA, now=now).identified(now=now, bsuid=BSUID, username="anna_g")
    uow.customers.save(attrs.evolve(profile, email=MAIL))
    for status in ("pending", "sent"):
        row = BroadcastRecipient(campaign_id=5 + (status == "sent"), phone=ANNA, created_at=now, wa_message_id=WAMID)
        row = uow.recipients.add(row) or row
        if status == "sent":
            uow.recipients.save(attrs.evolve(row, status=type(row.status)("sent"), sent_at=now))
    uow.views.add(ProductView(customer_phone=ANNA, product_id=1, viewed_at=now))
    uow.reengagements.add(
        Reengagement(customer_phone=ANNA, campaign_type=CampaignType.PRICE_DROP, created_at=now, sent_at=now)
    )
    for body in (mine, both):
        uow.dead_letters.add(
            DeadLetter(
                hook="whatsapp.webhook",
                reason="exception",
                error_message=f"TypeError: {ANNA} cannot be read",
                args=document(body=base64.b64encode(body).decode()),
                metadata=document(sha256="ab" * 32),
                created_at=now,
            )
        )
    uow.options.put("note.of.somebody", document(text="ask +34 600 111 222, or 600111222, or ANNA.GARCIA@example.org"))
    uow.options.put("customer.alias.34600999888", document(to=ANNA))
    thread = uow.conversations.latest_of(BORIS, lock=True)
    assert thread is not None
    uow.conversations.save(thread.remembering(amended(thread.context, quoted=WAMID, seen=int(ANNA)), now=now))


async def dump(hub: Hub) -> dict[str, list[Any]]:
    """All that the store holds, the built-in shop's tables too."""
    if isinstance(hub.database, SqlDatabase):

        def everything(connection: Any) -> dict[str, list[Any]]:
            metadata = MetaData()
            metadata.reflect(connection)
            return {
                table.name: [tuple(str(value) for value in row) for row in connection.execute(select(table))]
                for table in metadata.sorted_tables
            }

        return await hub.database.run(everything, write=False)
    return await hub.database.read(
        lambda uow: {table: [dict(held.values) for held in uow.holdings.page(table, limit=10_000)] for table in SWEPT}
    )


def decoded(text: str) -> str:
    """The text with what its runs of base64 stand for behind it."""
    found = [text]
    for run in re.findall(r"[A-Za-z0-9+/]{16,}", text):
        for start in range(4):
            part = run[start:]
            part = part[: len(part) // 4 * 4]
            found.append(base64.b64decode(part).decode("latin-1"))
    return "\n".join(found)
