"""What is old loses its words or goes; what waits stays, and ids decide duplicates for ever."""

from datetime import timedelta
from typing import Any, cast

import attrs
import pytest

from tests.application.campaigning import campaigning
from tests.application.outreaching import HOUR, SARA, TEN, shopping
from tests.application.rooms import ANNA, BORIS, Rooms, rooms, said
from wch.application.erasures import Erasures
from wch.application.failpoints import Failpoints
from wch.application.ports import Shop, UnitOfWork
from wch.application.retention import Kept, Retention
from wch.application.tombstones import Tombstones
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.cart import Cart, CartStatus
from wch.domain.conversation import ConversationStatus
from wch.domain.dead_letter import DeadLetter
from wch.domain.document import document
from wch.domain.erasure import ERASURE, is_erased
from wch.domain.message import Class, MessageStatus
from wch.domain.moment import unix
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.testing import SequentialIds
from wch.testing.contract.samples import outbound, thread


@pytest.fixture
def hub() -> Rooms:
    return rooms()


def retention(hub: Rooms, **kept: Any) -> Retention:
    return Retention(
        database=hub.database,
        clock=hub.clock,
        ids=SequentialIds(),
        store=hub.media_store,
        erasures=erasures(hub),
        kept=Kept(**kept),
    )


def erasures(hub: Rooms) -> Erasures:
    return Erasures(
        database=hub.database,
        clock=hub.clock,
        ids=SequentialIds(),
        digests=hub.digests,
        tombstones=Tombstones(digests=hub.digests),
        failpoints=Failpoints.disarmed(),
        shop=cast("Shop", None),  # nobody's coupon is asked for here
        store=hub.media_store,
        keepers=(),
        numbers=("*",),
        country="US",
    )


async def _lived(hub: Rooms) -> None:
    await hub.post({"messages": [said("my words", wa_id="wamid.old", at=unix(hub.clock.now()))]})
    await hub.worker().drain()

    def more(uow: UnitOfWork) -> None:
        now = hub.clock.now()
        uow.views.add(ProductView(customer_phone=ANNA, product_id=1, viewed_at=now))
        uow.carts.add(Cart(customer_phone=ANNA, status=CartStatus.EXPIRED, created_at=now, updated_at=now))
        for _ in range(2):
            uow.dead_letters.add(DeadLetter(hook="h", reason="r", created_at=now))
        letter = uow.dead_letters.get(1, lock=True)
        assert letter is not None
        uow.dead_letters.save(letter.dismissed("x", now=now, by="ana"))

    await hub.do(more)


async def test_words_go_and_ids_stay(hub: Rooms) -> None:
    """After a year nothing of what was said is left, and the same webhook is still a duplicate."""
    await _lived(hub)
    hub.clock.advance(timedelta(days=400))

    done = await retention(hub).run()

    rows = await hub.rows()
    assert "my words" not in str(rows)
    assert [row.raw_payload for row in rows] == [None] * len(rows)
    assert done["message_content"] == len(rows)
    before = len(rows)
    await hub.post({"messages": [said("my words", wa_id="wamid.old", at=unix(hub.clock.now()))]})
    assert [row for row in await hub.rows() if row.wa_message_id == "wamid.old"] == [rows[0]]
    assert len(await hub.rows()) == before


async def test_what_waits_is_never_touched(hub: Rooms) -> None:
    """A pending letter after years; the one that was decided goes."""
    await _lived(hub)
    hub.clock.advance(timedelta(days=4000))

    await retention(hub).run()

    assert [letter.status for letter in await hub.letters()] == ["pending"]
    assert await hub.see(lambda uow: uow.carts.of(ANNA)) is None


async def test_a_row_that_waits_keeps_its_words(hub: Rooms) -> None:
    """Nobody handled it yet, whatever its age."""
    await hub.hear("not handled")
    hub.clock.advance(timedelta(days=4000))

    await retention(hub).run()

    (row,) = await hub.rows()
    assert row.content["text"] == "not handled"
    assert row.raw_payload is not None


async def test_a_class_set_to_nothing_is_kept(hub: Rooms) -> None:
    """0 days is without end."""
    await _lived(hub)
    hub.clock.advance(timedelta(days=4000))

    done = await retention(hub, **dict.fromkeys((field.name for field in attrs.fields(Kept)), 0)).run()

    assert sum(done.values()) == 0


async def test_a_dry_run_counts_the_same(hub: Rooms) -> None:
    """And changes nothing; a second run finds nothing."""
    await _lived(hub)
    hub.clock.advance(timedelta(days=400))

    counted = await retention(hub).run(dry_run=True)

    assert counted == await retention(hub).run()
    assert sum((await retention(hub).run()).values()) == 0


async def test_it_runs_once_a_day(hub: Rooms) -> None:
    """Whichever process comes first."""
    await _lived(hub)
    hub.clock.advance(timedelta(days=400))

    assert await retention(hub).work() > 0
    await hub.hear("hi")
    assert await retention(hub, raw=1).work() == 0
    hub.clock.advance(timedelta(days=1))
    report = await hub.see(lambda uow: uow.options.get("retention"))
    assert report["done"]["message_content"] > 0


async def test_silent_customers_are_kept_unless_the_shop_says_otherwise(hub: Rooms) -> None:
    """Off by default; switched on, each gets an erasure of its own, once."""
    await _lived(hub)
    hub.clock.advance(timedelta(days=2))
    await hub.do(lambda uow: uow.customers.lock(BORIS, now=hub.clock.now()))
    hub.clock.advance(timedelta(days=399))
    await _resolved(hub)
    assert "profiles" not in await retention(hub).run()
    room = retention(hub, profile=400)
    assert (await room.run(dry_run=True))["profiles"] == 1
    assert await _erasures(hub) == []

    assert (await room.run())["profiles"] == 1
    await room.run()

    (asked,) = await _erasures(hub)
    assert (asked.context["by"], ANNA in str(asked.context)) == ("retention", False)


@pytest.mark.parametrize("why", ["talks", "cart", "contact"])
async def test_who_is_served_or_was_approached_is_not_silent(hub: Rooms, why: str) -> None:
    """An open conversation, a cart, a row of a campaign: there is something to keep them for."""
    await _lived(hub)
    now = hub.clock.now()
    hub.clock.advance(timedelta(days=401))
    if why != "talks":
        await _resolved(hub)
    if why == "contact":
        await hub.do(lambda uow: uow.recipients.add(BroadcastRecipient(campaign_id=1, phone=ANNA, created_at=now)))
    if why == "cart":
        await hub.do(_in_use)

    assert (await retention(hub, profile=400, cart_expired=30).run())["profiles"] == 0


async def test_two_customers_of_one_number_wait_for_a_person(hub: Rooms) -> None:
    """Nobody is erased by a guess."""
    now = hub.clock.now()
    await hub.do(lambda uow: [uow.customers.lock(phone, now=now) for phone in ("5511987654321", "551187654321")])
    hub.clock.advance(timedelta(days=401))

    assert (await retention(hub, profile=400).run())["profiles"] == 0
    assert await _erasures(hub) == []


def _in_use(uow: UnitOfWork) -> None:
    cart = uow.carts.of(ANNA, lock=True)
    assert cart is not None
    uow.carts.save(attrs.evolve(cart, status=CartStatus.ACTIVE))


async def _resolved(hub: Rooms) -> None:
    thread = await hub.thread()

    def end(uow: UnitOfWork) -> None:
        held = uow.conversations.get(thread.id, lock=True)
        assert held is not None
        uow.conversations.save(attrs.evolve(held, status=ConversationStatus.RESOLVED))

    await hub.do(end)


async def _erasures(hub: Rooms) -> Any:
    return await hub.see(lambda uow: uow.sagas.listed(saga_type=ERASURE))


async def test_files_go_with_the_words_of_their_message(hub: Rooms) -> None:
    """A picture that nobody can find any more must not lie on the disk for ever."""
    kept, other = "1" * 32, "2" * 32
    for name in (kept, other):
        await hub.media_store.put(name, b"picture")
    image = {"id": "m1", "mime_type": "image/png"}
    await hub.post({"messages": [{**said("", at=unix(hub.clock.now())), "type": "image", "image": image}]})
    await hub.worker().drain()

    def fetched(uow: UnitOfWork) -> None:
        row = uow.messages.get(1, lock=True)
        assert row is not None
        media = {**row.content["media"], "kept": kept}
        uow.messages.save(attrs.evolve(row, content={**row.content, "media": media}))

    await hub.do(fetched)
    hub.clock.advance(timedelta(days=400))

    await retention(hub).run(dry_run=True)
    assert await hub.media_store.get(kept) is not None
    await retention(hub).run()

    assert (await hub.media_store.get(kept), await hub.media_store.get(other)) == (None, b"picture")


async def test_figures_of_reminders_add_up_after_a_year() -> None:
    """Rows lead to nobody any more, and still say how many first, second and third reminders left."""
    shop = await shopping()
    await shop.fill()
    await shop.until(TEN + 26 * HOUR)
    before = await shop.reminders.report(since=TEN)
    shop.hub.clock.advance(timedelta(days=400))

    done = await retention(shop.hub).run()

    (row,) = await shop.contacts()
    assert done["reengagement"] == 1
    assert is_erased(row.customer_phone)
    assert before.reminders == (1, 1, 1)
    assert await shop.reminders.report(since=TEN) == before


async def test_a_contact_that_failed_has_failed_after_a_year() -> None:
    """Not dropped: a message of it was written."""
    shop = await shopping(reengages=True)
    at = shop.hub.clock.now()

    def failed(uow: UnitOfWork) -> None:
        contact = Reengagement(customer_phone=SARA, campaign_type=CampaignType.WE_MISS_YOU, created_at=at)
        contact = uow.reengagements.add(contact)
        talk = uow.conversations.add(thread(SARA, created_at=at, last_message_at=at))
        origin = {"by": "reengagement", "ref": f"reengagement:{contact.id}"}
        content = document(kind="template", class_="campaign", origin=origin)
        row = outbound(talk.id, Class.CAMPAIGN, created_at=at, updated_at=at)
        uow.messages.add(attrs.evolve(row, content=content, status=MessageStatus.FAILED))

    await shop.hub.do(failed)
    before = await shop.reengagements.report(since=TEN)
    shop.hub.clock.advance(timedelta(days=400))
    await retention(shop.hub).run()

    (line,) = await shop.reengagements.report(since=TEN)
    assert (line,) == before
    assert (line.contacts, line.failed, line.dropped) == (1, 1, 0)


async def test_failures_of_a_campaign_keep_their_code_after_a_year() -> None:
    """The report says of what they failed, although nobody can be found by them."""
    shop = campaigning()
    await shop.template()
    await shop.people(2)
    refused = Refused(error=GraphError(code=131026, title="T"), failure=classify(131026))
    shop.hub.whatsapp.outcomes = [refused]
    plan = await shop.begun()
    await shop.run(minutes=2)
    before = await shop.broadcasts.report(plan.id)
    shop.hub.clock.advance(timedelta(days=400))
    await retention(shop.hub).run()

    after = await shop.broadcasts.report(plan.id)
    assert before["failures"] == {"131026": 1}
    assert (after["failures"], after["counts"]) == (before["failures"], before["counts"])
