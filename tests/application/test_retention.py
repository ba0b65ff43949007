"""What is old loses its words or goes; what waits stays, and ids decide duplicates for ever."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, Rooms, rooms, said
from wch.application.ports import UnitOfWork
from wch.application.retention import Kept, Retention
from wch.domain.cart import Cart, CartStatus
from wch.domain.dead_letter import DeadLetter
from wch.domain.moment import unix
from wch.domain.product_view import ProductView
from wch.testing import SequentialIds


@pytest.fixture
def hub() -> Rooms:
    return rooms()


def retention(hub: Rooms, **kept: Any) -> Retention:
    return Retention(database=hub.database, clock=hub.clock, ids=SequentialIds(), kept=Kept(**kept))


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
