"""What the shop tells by webhook becomes rows of the sync queue, once."""

import json
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from wch.adapters.memory import MemoryDatabase
from wch.adapters.woocommerce import WooCommerceWebhooks, sign
from wch.application.bell import Bell
from wch.application.digests import Digests
from wch.application.shop_news import ShopNews, ShopReceipt
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.shop_hint import HINT_TTL
from wch.domain.sync import SyncAction, SyncTask
from wch.testing import FrozenClock

SECRET = "aWordOfOurs7"


@attrs.frozen(kw_only=True)
class Door:
    """The room, and what it leaves in the store."""

    news: ShopNews
    clock: FrozenClock

    async def tell(
        self, body: Any, topic: str = "product.updated", *, webhook_id: str = "7", signed: bytes | None = None
    ) -> ShopReceipt:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = sign(raw if signed is None else signed, SECRET).encode()
        return await self.news.receive(raw, signatures=[signature], topic=topic, webhook_id=webhook_id)

    async def rows(self) -> Sequence[SyncTask]:
        return await self.news.database.read(lambda uow: uow.sync.listed())

    async def letters(self) -> Sequence[DeadLetter]:
        return await self.news.database.read(lambda uow: uow.dead_letters.listed())


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def door(request: pytest.FixtureRequest) -> Door:
    return opened(MemoryDatabase(twice=request.param), FrozenClock())


def opened(database: MemoryDatabase, clock: FrozenClock, *keys: str) -> Door:
    news = ShopNews(
        database=database,
        clock=clock,
        webhooks=WooCommerceWebhooks(secret=SECRET),
        digests=Digests(keys=keys or ("key",)),
        bell=Bell(),
    )
    return Door(news=news, clock=clock)


async def test_a_delivery_is_one_row_and_its_copy_none(door: Door) -> None:
    first = await door.tell({"id": 7, "price": "5"})
    again = await door.tell({"id": 7, "price": "5"})

    assert (first, again) == (ShopReceipt.TAKEN, ShopReceipt.KNOWN)
    assert [(row.entity_type, row.entity_id, row.action) for row in await door.rows()] == [("product", 7, "update")]


async def test_changes_are_folded_into_the_row_that_waits(door: Door) -> None:
    """Each delivery differs, and what they all ask for is one look at the shop."""
    for price in ("5", "6", "7"):
        assert await door.tell({"id": 7, "price": price}) is ShopReceipt.TAKEN

    assert len(await door.rows()) == 1


async def test_two_products_in_one_second_are_two_rows(door: Door) -> None:
    """The shop gives both deliveries the same id, so it is no key."""
    await door.tell({"id": 7})
    await door.tell({"id": 8})

    assert [row.entity_id for row in await door.rows()] == [7, 8]


async def test_the_ping_changes_nothing(door: Door) -> None:
    """It comes unsigned, and exactly so; whoever writes more than that is a stranger."""
    unsigned: dict[str, Any] = {"signatures": (), "topic": "", "webhook_id": ""}
    pings = [b"webhook_id=7", b"webhook_id=7\n", b"webhook_id=7&x=1", b"webhook_id=", b"webhook_id=\xd9\xa7", b""]
    receipts = [await door.news.receive(body, **unsigned) for body in pings]

    assert receipts == [ShopReceipt.PING, *[ShopReceipt.UNSIGNED] * 5]
    assert (list(await door.rows()), list(await door.letters())) == ([], [])


async def test_a_body_that_was_written_anew_is_not_believed(door: Door) -> None:
    receipt = await door.tell(b'{"id": 7}', signed=b'{"id":7}')

    assert (receipt, list(await door.rows())) == (ShopReceipt.UNSIGNED, [])


async def test_what_is_not_kept_in_step_leaves_nothing(door: Door) -> None:
    assert await door.tell({"id": 7}, "coupon.updated") is ShopReceipt.OTHER
    assert (list(await door.rows()), list(await door.letters())) == ([], [])


async def test_signed_nonsense_is_one_dead_letter(door: Door) -> None:
    receipts = [await door.tell(b"<html>") for _ in range(2)]
    (letter,) = await door.letters()

    assert receipts == [ShopReceipt.UNREADABLE, ShopReceipt.KNOWN]
    assert (letter.hook, letter.reason) == (Hook.SHOP, Reason.VALIDATION_FAILED)
    assert letter.args["topic"] == "product.updated"


async def test_a_second_deletion_is_heard(door: Door) -> None:
    """What is told of a deletion is the same text each time; a product may be restored in between."""
    await door.tell({"id": 7}, "product.deleted")
    door.clock.advance(HINT_TTL)
    second = await door.tell({"id": 7}, "product.deleted")

    assert second is ShopReceipt.TAKEN
    assert [row.action for row in await door.rows()] == [SyncAction.DELETE]


async def test_a_copy_is_known_under_a_former_key(door: Door) -> None:
    """Changing the secret key forgets nothing."""
    await door.tell({"id": 7})
    later = opened(door.news.database, door.clock, "new", "key")  # type: ignore[arg-type] # it is the memory's own

    assert await later.tell({"id": 7}) is ShopReceipt.KNOWN
