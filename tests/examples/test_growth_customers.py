"""The examples of the page on growth that are about customers and their privacy, by their numbers."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, OFFER
from tests.entrypoints.http.doubles import web
from tests.examples.stage import DOOR, Stage, stage
from tests.processes import delivery, mariadb_store, signature_of
from tests.sale.lived import BORIS, decoded, dump, life, needles
from tests.sale.script import ANNA
from wch import asgi
from wch.application.hub import Hub
from wch.application.order_notes import note_order
from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError
from wch.domain.message import Class, Message, MessageStatus
from wch.domain.message_template import option_of
from wch.domain.moment import unix
from wch.domain.order import Order, OrderDraft
from wch.domain.order_figures import Counting, OrderSeen, Segment, exact_spending
from wch.domain.quote import Buyer, Line
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga
from wch.domain.sync import EntityType, SyncAction
from wch.testing.scripted_shop import put_customer

S, OTHER = "34612345678", "34699999999"
EUR = Counting(home="EUR")


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with stage(currency="EUR", WCH_COUNTRY="ES") as opened:
        yield opened


@pytest.fixture(params=["memory", pytest.param("mariadb", marks=pytest.mark.mariadb)])
async def stored(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Where a database has locks and columns of its own."""
    if request.param == "memory":
        async with stage(currency="EUR", WCH_COUNTRY="ES") as opened:
            yield opened
        return
    with mariadb_store(request.getfixturevalue("mariadb_url"), "growth") as made:
        async with stage(currency="EUR", install=True, WCH_COUNTRY="ES", WCH_DATABASE_URL=made.url) as opened:
            yield opened


def seen(number: int, at: datetime, **more: Any) -> OrderSeen:
    facts: dict[str, Any] = {"status": "completed", "total": Decimal("59.90"), "currency": "EUR", "modified": at}
    return OrderSeen(id=number, at=at, **{**facts, **more})


async def noted(shop: Stage, *orders: OrderSeen, phone: str = S, counting: Counting = EUR) -> CustomerProfile:
    """Told at once by as many as there are orders; the customer then."""
    now = shop.clock.now()
    await asyncio.gather(
        *(shop.do(lambda uow, one=one: note_order(uow, counting, phone, one, now=now)) for one in orders)
    )
    return await shop.profile(phone)


async def bought_outside(hub: Hub, phone: str) -> Order:
    """Somebody with this number buys in the shop itself."""
    cards = (await hub.shop.search(in_stock=True)).items
    buyer, card = Buyer(phones=(phone,), name="A"), next(one for one in cards if not one.has_variants)
    lines = (Line(product_id=card.id, quantity=1),)
    quote = await hub.shop.quote(lines=lines, customer=buyer)
    draft = OrderDraft(customer=buyer, lines=lines, payment_method="cod", expected_total=quote.total)
    return await hub.shop.create_order(key="web-1-create_order", draft=draft)


async def meets(shop: Stage, *phones: str, to: str = "in") -> None:
    def work(uow: UnitOfWork) -> None:
        for phone in phones:
            profile = uow.customers.lock(phone, now=shop.clock.now())
            uow.customers.save(profile.consenting("marketing", to, source="keyword", now=shop.clock.now()))

    await shop.do(work)


# --- customers


async def test_example_1_who_is_meant_by_a_number(shop: Stage) -> None:
    await meets(shop, S, "5215512345678", "525512345678")

    for written in ("+34 612 34 56 78", "0034612345678", "612345678"):
        assert [one.phone for one in await shop.hub.customers.found(written)] == [S]
    both = await shop.hub.customers.found("+52 55 1234 5678")
    assert {one.phone for one in both} == {"5215512345678", "525512345678"}
    numbers = [await put_customer(shop.shop.shop, one.phone) for one in both]
    for one in both:
        await shop.says("hola", sender=one.phone)
        profile = await shop.profile(one.phone)
        assert (profile.wc_customer_id, profile.shop_candidates) == (None, tuple(sorted(numbers)))


async def test_example_3_an_order_told_five_times_at_once(stored: Stage) -> None:
    now = stored.clock.now()
    later, last = now + timedelta(seconds=10), now + timedelta(seconds=20)
    told = await noted(stored, *[seen(1042, now)] * 5)
    assert (told.total_orders, told.total_spent) == (1, Decimal("59.90"))

    for order in (seen(1042, now, modified=later, refunded=Decimal("20.00")), seen(1042, now)):
        told = await noted(stored, order)
        assert (told.total_orders, told.total_spent) == (1, Decimal("39.90"))

    told = await noted(stored, seen(1042, now, modified=last, status="cancelled"))
    assert (told.total_orders, told.total_spent, EUR.segment(told)) == (0, Decimal("0.00"), Segment.NEW)


async def test_example_5_more_than_the_column_holds(stored: Stage) -> None:
    dong, now = Counting(home="VND"), stored.clock.now()
    orders = [seen(number, now, total=Decimal(90_000_000), currency="VND") for number in (1, 2)]

    told = await noted(stored, *orders, counting=dong)
    await noted(stored, *orders, counting=dong)

    assert (told.total_orders, told.total_spent) == (2, Decimal("99999999.99"))
    assert told.preferences["stats"]["spent"] == "180000000"
    assert exact_spending(told) == Decimal(180_000_000)
    assert dong.segment(told) is Segment.PLATINUM
    assert len(await stored.see(lambda uow: uow.audit.listed(action="alarm.spending_beyond_column"))) == 1


@pytest.mark.parametrize("in_the_same_second", [False, True])
async def test_example_6_a_merge_and_its_undoing(stored: Stage, *, in_the_same_second: bool) -> None:
    for phone, number in ((S, 1), (OTHER, 3)):
        await stored.says(f"yesterday {number}", sender=phone)
        await noted(stored, *(seen(one, stored.clock.now()) for one in (1042, number)), phone=phone)
    await meets(stored, S)
    await meets(stored, OTHER, to="out")
    before = {phone: await stored.profile(phone) for phone in (S, OTHER)}
    await stored.later(days=1)

    merge_id, one = await stored.hub.merges.merge(S, OTHER, by="ana")
    assert (one.total_orders, one.total_spent, one.is_out) == (3, Decimal("179.70"), True)
    if not in_the_same_second:
        stored.clock.advance(60)
    await stored.says("STOP", sender=S)
    await stored.hub.merges.undo(merge_id, by="ana")

    for phone, was in before.items():
        now = await stored.profile(phone)
        assert (now.total_orders, now.total_spent, now.name) == (was.total_orders, was.total_spent, was.name)
        assert now.is_out, phone
        assert not now.opt_in_marketing
    words = [row.content.get("text") for row in await stored.rows(OTHER)]
    assert "yesterday 3" in words
    assert "STOP" not in words
    assert "STOP" in [row.content.get("text") for row in await stored.rows(S)]
    for phone in (S, OTHER):
        assert (await stored.thread(phone)).message_count == len(await stored.rows(phone))
    with pytest.raises(NotFoundError, match="undone already"):
        await stored.hub.merges.undo(merge_id, by="ana")


# --- privacy


async def test_example_7_an_export_is_whole() -> None:
    async with life("memory://") as lived:
        tables = (await lived.hub.exports.export(ANNA, by="ana"))["tables"]
        mine = await lived.hub.database.read(
            lambda uow: {
                "messages": sum(
                    len(uow.messages.thread(thread.values["id"], limit=1000))
                    for thread in uow.holdings.of("conversations", (ANNA,))
                ),
                **{
                    table: len(uow.holdings.of(table, (ANNA,)))
                    for table in ("carts", "notification_log", "broadcast_recipients", "product_views", "reengagement")
                },
            }
        )

    assert len(tables) == 14
    assert {name: len(tables[name]) for name in mine} == mine
    assert min(mine.values()) > 0


async def test_example_8_other_peoples_rows_stay_byte_for_byte() -> None:
    async with life("memory://") as lived:

        def named(row: Any) -> bool:
            text = decoded(str(row)).casefold()
            return any(needle.decode().casefold() in text for needle in needles())

        def keyed(tables: dict[str, list[Any]]) -> dict[tuple[str, Any], Any]:
            return {(table, row.get("id")): row for table, rows in tables.items() for row in rows}

        (thread,) = await lived.hub.database.read(lambda uow: uow.holdings.of("conversations", (BORIS,)))
        number = thread.values["id"]
        before = keyed(await dump(lived.hub))
        his = {
            key: row
            for key, row in before.items()
            if BORIS in (row.get("phone"), row.get("customer_phone")) or row.get("conversation_id") == number
        }
        assert {table for table, _ in his} >= {"customer_profiles", "conversations", "messages"}

        await lived.erase()

        after = keyed(await dump(lived.hub))
        changed = {key for key, row in his.items() if after.get(key) != row}

    # The card of S, and where the life beforehand put S into the thread's memory.
    assert all(named(his[key]) for key in changed)
    assert {table for table, _ in changed} == {"messages", "conversations"}
    for key in changed:
        differs = {name for name, value in his[key].items() if after[key][name] != value}
        assert differs <= {"content", "raw_payload", "context"}, (key, differs)
    assert [key for key in changed if key[0] == "messages" and his[key]["type"] != "contacts"] == []


async def test_example_10_what_was_delivered_before_comes_again() -> None:
    async with life("memory://") as lived, web(asgi(lived.hub)) as http:
        await lived.erase()
        before = await dump(lived.hub)

        for body in lived.old:
            signed = {"X-Hub-Signature-256": signature_of(body), "content-type": "application/json"}
            assert (await http.post(DOOR, content=body, headers=signed)).status_code == 200

        assert await dump(lived.hub) == before
        lived.clock.advance(timedelta(days=1))
        stamp = str(unix(lived.clock.now()))
        word = {"from": ANNA, "id": "wamid.new", "timestamp": stamp, "type": "text", "text": {"body": "hi"}}
        await lived.post(delivery(word))
        (back,) = await lived.hub.customers.found(ANNA)
        assert (back.opt_in_marketing, back.is_out) == (False, True)
        assert [one["source"] for one in back.preferences["consent"]["log"]] == ["erasure"]


async def test_example_11_neither_list_nor_order_brings_them_back() -> None:
    async with life("memory://", WCH_NOTIFICATIONS_SCOPE="all") as lived:
        hub = lived.hub
        (order,) = (await hub.shop.changed_since(limit=100)).items[-1:]
        await lived.erase()
        notices = (await hub.database.read(lambda uow: dict(uow.census.states())))["notification_log"]

        await hub.shop.complete(order_id=order.id)  # type: ignore[attr-defined]  # the built-in shop can
        task = await hub.sync.enqueue(EntityType.ORDER, order.id, SyncAction.UPDATE, by="ana")
        await hub.worker.drain()

        assert await hub.customers.found(ANNA) == ()
        assert (await hub.database.read(lambda uow: dict(uow.census.states())))["notification_log"] == notices
        done = await hub.database.read(lambda uow: uow.sync.get(task.id))
        assert done is not None
        assert (done.status, done.error_message) == ("completed", "erased")
        assert [n for n in needles() if n.decode().casefold() in decoded(str(await dump(hub))).casefold()] == []

        listed = f"phone,name,opted_in_at,source\n+{ANNA},Anna,2026-01-01,till\n".encode()
        await hub.database.transact(lambda uow: uow.options.put(option_of("offer", "en"), OFFER.to_json()))
        told = {**EVERYONE, "audience": {"all": [{"upload": True}]}}
        _, upload = await hub.broadcasts.draft(told, by="ana", upload=listed)
        web = await bought_outside(hub, ANNA)
        task = await hub.sync.enqueue(EntityType.ORDER, web.id, SyncAction.CREATE, by="ana")
        await hub.worker.drain()

        assert upload is not None
        assert upload.erased == [2]
        done = await hub.database.read(lambda uow: uow.sync.get(task.id))
        assert done is not None
        assert (done.status, done.error_message) == ("completed", "erased")
        assert await hub.customers.found(ANNA) == ()


async def test_example_12_figures_before_and_after() -> None:
    async with life("memory://") as lived:
        hub, now = lived.hub, lived.clock.now()

        def brought(uow: UnitOfWork) -> None:
            """A cart that was reminded of, and came back."""
            one = Reengagement(
                customer_phone=ANNA, campaign_type=CampaignType.CART_REMINDER, created_at=now, sent_at=now
            )
            one = uow.reengagements.add(one)
            held = uow.reengagements.get(one.id, lock=True)
            thread = uow.conversations.latest_of(ANNA)
            assert held is not None
            assert thread is not None
            uow.reengagements.save(held.credited(7, Decimal("59.90"), now=now))
            origin = {"by": "reminder", "ref": f"reminder:{one.id}:1", "number": 1}
            row = Message.outgoing(
                conversation_id=thread.id,
                kind="template",
                body={"template": {"name": "x"}},
                to={"to": ANNA},
                number="1",
                class_=Class.CAMPAIGN,
                origin=origin,
                now=now,
            )
            uow.messages.add(attrs.evolve(row, status=MessageStatus.DELIVERED, sent_at=now))

        async def figures() -> tuple[Any, list[int]]:
            found = await hub.database.read(lambda uow: [uow.recipients.counts(number) for number in (5, 6)])
            return await hub.reminders.report(since=now), [sum(one.values()) for one in found]

        await hub.database.transact(brought)
        before = await figures()
        assert (before[0].reminders, before[0].recovered, before[0].revenue) == ((1, 0, 0), 1, Decimal("59.90"))
        assert before[1] == [1, 1]

        await lived.erase()

        assert await figures() == before


async def test_example_13_retention_touches_nothing_that_waits(shop: Stage) -> None:
    words = shop.message(text="my words", id="wamid.old")
    body = json.dumps(words)
    await shop.post({"messages": [words]})
    await shop.work()
    now = shop.clock.now()
    context = {"v": 1, "customer": {"phone": S}, "words": "kept"}
    parked = Saga.begun("order-1-1", "placement", context, now=now).parked("shop", None, ("retry",), now=now)
    await shop.do(lambda uow: uow.sagas.add(parked))
    await shop.raw(b'{"object": "whatsapp_business_account", "entry": "?"}')
    letters = await shop.letters()
    shop.clock.advance(timedelta(days=400))
    await shop.work()

    kept = await shop.see(lambda uow: uow.sagas.get("order-1-1"))
    assert kept == parked
    assert letters
    assert await shop.letters() == letters
    before = await shop.rows()
    assert "my words" not in str(before)
    assert [row.wa_message_id for row in before].count("wamid.old") == 1
    await shop.post({"messages": [json.loads(body)]})
    await shop.work()
    assert await shop.rows() == before
