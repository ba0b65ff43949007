"""A customer with a whole life behind them is exported, erased, and does not come back by what is old."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import MetaData, select

from tests.processes import NUMBER, SECRET, delivery, mariadb_store, signature_of
from tests.sale.script import ANNA, Sale
from wch import Settings, open_hub
from wch.adapters.sql import SqlDatabase
from wch.application.emptying import SWEPT
from wch.application.exports import ExportRefusedError
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.dead_letter import DeadLetter
from wch.domain.document import amended, document
from wch.domain.errors import NotFoundError
from wch.domain.moment import unix
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement
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


@pytest.fixture(params=["memory", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Every kind of store."""
    if request.param == "memory":
        yield "memory://"
    elif request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/hub.db"
    else:
        with mariadb_store(request.getfixturevalue("mariadb_url"), "wch_privacy") as made:
            yield made.url


@pytest.fixture
def quick() -> str:
    """The store for what no store does differently."""
    return "memory://"


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
        saga = await self.hub.erasures.ask(ANNA, reason="asked by mail", by="ana")
        for _ in range(20):
            await self.hub.worker.drain()
            receipt = await self.hub.erasures.receipt(saga.saga_id)
            if receipt is not None:
                return receipt
            self.clock.advance(60)
        raise AssertionError(await self.hub.erasures.state(saga.saga_id))


@asynccontextmanager
async def life(url: str) -> AsyncIterator[Life]:
    """A sale, then everything else that a person can leave behind, opted out in the end."""
    settings, _, _ = Settings.load(
        {
            "WCH_PROFILE": "test",
            "WCH_DATABASE_URL": url,
            "WCH_APP_SECRET": SECRET,
            "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
            "WCH_ACCESS_TOKEN": "an-access-token",
            "WCH_PHONE_NUMBER_ID": "*",
            "WCH_CURRENCY": "EUR",
            "WCH_COUNTRY": "ES",
        },
        {},
        None,
    )
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


async def test_nothing_of_an_erased_person_is_left(url: str) -> None:
    """In no table, spelling, base64 or file; other people's rows stay as they were but for the card."""
    async with life(url) as lived:
        before = await dump(lived.hub)
        assert all(needle.decode() in decoded(str(before)) for needle in [*needles()][:4:3])

        receipt = await lived.erase()

        after = await dump(lived.hub)
        for table, rows in after.items():
            text = decoded(str(rows)).casefold()
            for needle in needles():
                assert needle.decode().casefold() not in text, (table, needle)
        assert len(receipt["tables"]) == 14
        assert receipt["sha256"]
        assert not any(needle.decode() in json.dumps(receipt) for needle in needles())
        assert "kept words" in decoded(str(after))
        report = await lived.hub.verification.run()
        assert report["ok"], report
    if url.startswith("sqlite"):
        for file in Path(url.partition("///")[2]).parent.iterdir():
            content = file.read_bytes()
            assert [needle for needle in needles() if needle in content] == [], file.name


async def test_an_erasure_keeps_what_figures_are_made_of(quick: str) -> None:
    """Rows of broadcasts, notices and re-engagement stay, under a number that leads to nobody."""
    async with life(quick) as lived:
        hub = lived.hub
        before = await hub.database.read(lambda uow: dict(uow.census.states()))

        await lived.erase()

        after = await hub.database.read(lambda uow: dict(uow.census.states()))
        assert after["messages"].get("inbound:processed") == before["messages"].get("inbound:processed")
        assert after["notification_log"] == {"read": 2, "skipped": 1}
        assert after["broadcast_recipients"] == {"skipped_erased": 1, "sent": 1}
        assert after["reengagement"] == before["reengagement"]
        assert "product_views" not in after or not after["product_views"]
        assert after["customer_profiles"] == {"rows": 1}
        assert after["dead_letter_queue"] == {"dismissed": 1, "pending": 1}


async def test_old_deliveries_do_not_bring_them_back(quick: str) -> None:
    """They are answered and kept nowhere; a new word makes a new customer, still out of marketing."""
    async with life(quick) as lived:
        hub = lived.hub
        await lived.erase()
        before = await dump(hub)

        for body in lived.old:
            await lived.post(body)

        assert {
            name: rows for name, rows in (await dump(hub)).items() if rows != before[name] and "idempot" not in name
        } == {}
        assert await hub.customers.found(ANNA) == ()

        lived.clock.advance(timedelta(days=1))
        stamp = str(unix(lived.clock.now()))
        await lived.post(
            delivery({"from": ANNA, "id": "wamid.new", "timestamp": stamp, "type": "text", "text": {"body": "hi"}})
        )

        (back,) = await hub.customers.found(ANNA)
        assert back.is_out
        assert back.preferences["consent"]["log"][0]["source"] == "erasure"

        for body in lived.old:
            await lived.post(body)
        assert len(await _messages(hub)) == 1


async def _messages(hub: Hub) -> list[Any]:
    def look(uow: UnitOfWork) -> list[Any]:
        thread = uow.conversations.latest_of(ANNA)
        return [] if thread is None else [one for one in uow.messages.thread(thread.id) if one.direction == "inbound"]

    return await hub.database.read(look)


async def test_a_late_status_still_moves_the_row_of_an_erased_person(quick: str) -> None:
    """Its id is kept as a digest; what WhatsApp tells later finds it, and says no new id."""
    async with life(quick) as lived:
        hub = lived.hub
        await lived.erase()
        stamp = str(unix(lived.clock.now()) + 10)
        before = await hub.database.read(lambda uow: dict(uow.census.states()["messages"]))

        await lived.post(status_of("wamid.sent.1", stamp))

        assert await hub.database.read(lambda uow: dict(uow.census.states()["messages"])) == before
        assert "'wamid.sent.1'" not in str((await dump(hub))["messages"])


async def test_asking_twice_is_one_erasure(quick: str) -> None:
    """While it runs, the same one answers; when it is done there is nobody left to ask about."""
    async with life(quick) as lived:
        first = await lived.hub.erasures.ask(ANNA, reason="", by="ana")
        again = await lived.hub.erasures.ask(f"+{ANNA}", reason="", by="ana")

        assert first.saga_id == again.saga_id
        await lived.erase()
        with pytest.raises(NotFoundError):
            await lived.hub.erasures.ask(ANNA, reason="", by="ana")


async def test_a_rehearsal_counts_and_changes_nothing(quick: str) -> None:
    """The same code, taken back."""
    async with life(quick) as lived:
        before = await dump(lived.hub)

        counts = await lived.hub.erasures.rehearse(ANNA)

        assert counts["customer_profiles"]["deleted"] == 1
        assert await dump(lived.hub) == before
        receipt = await lived.erase()
        assert receipt["tables"]["messages"]["changed"] == counts["messages"]["changed"]


async def test_an_export_has_every_table(quick: str) -> None:
    """All 14 names, each row of the customer's, and what lies beside the tables; three in an hour."""
    async with life(quick) as lived:
        export = await lived.hub.exports.export("+34 600 111 222", by="ana")

        tables = export["tables"]
        assert len(tables) == 14
        for table in (
            "conversations",
            "messages",
            "customer_profiles",
            "broadcast_recipients",
            "notification_log",
            "product_views",
            "reengagement",
            "dead_letter_queue",
            "saga_state",
            "carts",
        ):
            assert tables[table], table
        assert {row["phone"] for row in tables["customer_profiles"]} == {ANNA}
        assert BORIS not in json.dumps(tables["messages"])
        assert export["beyond"]["local_shop"]["orders"]
        assert export["beyond"]["options"]
        assert export["subject"]["aliases"][-1] == "34600999888"

        for _ in range(2):
            await lived.hub.exports.export(ANNA, by="ana")
        with pytest.raises(ExportRefusedError):
            await lived.hub.exports.export(ANNA, by="ana")
        with pytest.raises(NotFoundError):
            await lived.hub.exports.export("34699999999", by="ben")
