"""What a shop has of what it sells, and for whom it is kept."""

import asyncio
import contextlib
from datetime import timedelta

import attrs
import pytest

from wch.domain.catalogue import LARGEST_ID
from wch.domain.order import OrderStatus
from wch.domain.quote import Line, Verdict
from wch.domain.shop_error import KeyReusedError, OutOfStockError, ShopRefusedError
from wch.testing.shop_contract.shelf import (
    LAMP,
    MUG,
    SHIRT,
    SHIRT_M,
    Shelf,
    free,
    line_of,
    placed,
)


class StockContract:
    """Checks, reservations, and what orders take and give back."""

    async def test_every_verdict_is_given(self, shelf: Shelf) -> None:
        """One verdict a line, in the order of the lines."""
        shop = await shelf.open(
            LAMP,
            SHIRT,
            SHIRT_M,
            attrs.evolve(MUG, sku="GONE", stock=0),
            attrs.evolve(MUG, sku="FEW", max=2),
            attrs.evolve(MUG, sku="LATER", stock=0, backorders=True),
        )
        shirt = await line_of(shop, "SHIRT-M")
        off = await line_of(shop, "FEW", 1)
        lines = [
            await line_of(shop, "LAMP", 3),
            Line(product_id=LARGEST_ID, quantity=1),
            Line(product_id=off.product_id, variation_id=shirt.variation_id, quantity=1),
            Line(product_id=shirt.product_id, quantity=1),
            await line_of(shop, "GONE"),
            await line_of(shop, "LAMP", 4),
            await line_of(shop, "FEW", 3),
            await line_of(shop, "LATER", 7),
            shirt,
        ]
        checks = await shop.check(lines=lines)

        assert [check.verdict for check in checks] == [
            Verdict.OK,
            Verdict.NOT_FOUND,
            Verdict.NOT_FOUND,
            Verdict.VARIANT_REQUIRED,
            Verdict.OUT_OF_STOCK,
            Verdict.NOT_ENOUGH,
            Verdict.LIMIT,
            Verdict.OK,
            Verdict.OK,
        ]
        assert [check.line for check in checks] == lines
        assert (checks[5].available, checks[7].available) == (3, None)
        assert checks[8].attributes == {"Size": "M"}
        await shelf.put(shop, attrs.evolve(LAMP, active=False))
        (check,) = await shop.check(lines=[lines[0]])
        assert check.verdict is Verdict.UNAVAILABLE

    async def test_fifty_reach_for_the_last_piece(self, shelf: Shelf) -> None:
        """One gets it, forty-nine hear that it is gone, nobody gets another error."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=1))
        line = await line_of(shop, "LAMP")
        until = shelf.clock.now() + timedelta(hours=1)
        answers = await asyncio.gather(
            *(shop.reserve(key=f"order-{n}-1-reserve", lines=[line], until=until) for n in range(50)),
            return_exceptions=True,
        )

        assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
        assert sum(isinstance(answer, OutOfStockError) for answer in answers) == 49
        assert await free(shop, "LAMP") == 0

    async def test_all_lines_are_kept_or_none(self, shelf: Shelf) -> None:
        """Four lines could be kept, the third of five could not: nothing is, and the short one is named."""
        goods = [attrs.evolve(MUG, sku=f"M{n}", stock=0 if n == 2 else 10) for n in range(5)]
        shop = await shelf.open(*goods)
        lines = [await line_of(shop, each.sku, 2) for each in goods]

        with pytest.raises(OutOfStockError) as caught:
            await shop.reserve(key="order-1-1-reserve", lines=lines, until=shelf.clock.now() + timedelta(hours=1))

        assert [(short.line, short.available) for short in caught.value.lines] == [(lines[2], 0)]
        assert [await free(shop, each.sku) for each in goods] == [10, 10, 0, 10, 10]

    async def test_a_reservation_past_its_time_holds_nothing(self, shelf: Shelf) -> None:
        """The next customer gets the piece, though nobody has swept."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=1))
        line = await line_of(shop, "LAMP")
        await shop.reserve(key="order-1-1-reserve", lines=[line], until=shelf.clock.now() + timedelta(hours=1))
        held = await free(shop, "LAMP")
        shelf.clock.advance(timedelta(hours=1))

        assert (held, await free(shop, "LAMP")) == (0, 1)
        await shop.reserve(key="order-2-1-reserve", lines=[line], until=shelf.clock.now() + timedelta(hours=1))
        await shop.release(key="order-1-1-reserve")
        assert await free(shop, "LAMP") == 0

    async def test_reserving_again_is_the_same_reservation(self, shelf: Shelf) -> None:
        """Its time only moves later; other lines under its key are a mistake of the caller."""
        shop = await shelf.open(LAMP, MUG)
        line, now = await line_of(shop, "LAMP", 2), shelf.clock.now()
        untils = [
            (await shop.reserve(key="k-reserve", lines=[line], until=now + timedelta(hours=hours))).until
            for hours in (2, 1, 3)
        ]

        assert untils == [now + timedelta(hours=hours) for hours in (2, 2, 3)]
        assert await free(shop, "LAMP") == 1
        with pytest.raises(KeyReusedError):
            await shop.reserve(key="k-reserve", lines=[await line_of(shop, "MUG")], until=now + timedelta(hours=1))

    async def test_releasing_twice_gives_back_once(self, shelf: Shelf) -> None:
        """Unknown, released, used up: no error, no piece more than there was."""
        shop = await shelf.open(LAMP)
        line = await line_of(shop, "LAMP", 2)
        await shop.reserve(key="k-reserve", lines=[line], until=shelf.clock.now() + timedelta(hours=1))
        for key in ("k-reserve", "k-reserve", "never"):
            await shop.release(key=key)
        order = await placed(shop, shelf, [line])
        await shop.accept_order(order_id=order.id, key="order-1-1-accept")
        await shop.release(key="order-1-1-reserve")

        assert await free(shop, "LAMP") == 1

    async def test_accepting_takes_the_goods_once(self, shelf: Shelf) -> None:
        """What was held leaves the stock; a repeated call changes nothing."""
        shop = await shelf.open(LAMP)
        order = await placed(shop, shelf, [await line_of(shop, "LAMP", 2)])
        accepted = [await shop.accept_order(order_id=order.id, key="order-1-1-accept") for _ in range(3)]

        assert {each.status for each in accepted} == {OrderStatus.PROCESSING}
        assert await free(shop, "LAMP") == 1
        shelf.clock.advance(timedelta(days=1))
        assert await free(shop, "LAMP") == 1

    async def test_goods_that_went_elsewhere_meanwhile_are_missed(self, shelf: Shelf) -> None:
        """The reservation ran out and somebody else bought: accepting says so and changes nothing."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=1))
        line = await line_of(shop, "LAMP")
        late = await placed(shop, shelf, [line])
        shelf.clock.advance(timedelta(hours=3))
        quick = await placed(shop, shelf, [line], "order-2-1")
        await shop.accept_order(order_id=quick.id, key="order-2-1-accept")

        with pytest.raises(OutOfStockError):
            await shop.accept_order(order_id=late.id, key="order-1-1-accept")
        assert (await shop.order(order_id=late.id)).status is OrderStatus.PENDING

    async def test_cancelling_gives_back_once(self, shelf: Shelf) -> None:
        """Waiting or accepted, by number or by key, once or three times: the stock is what it was."""
        shop = await shelf.open(LAMP)
        line = await line_of(shop, "LAMP", 2)
        waiting = await placed(shop, shelf, [line])
        for _ in range(3):
            await shop.cancel_order(key=waiting.key, reason="changed my mind")
        after_waiting = await free(shop, "LAMP")
        accepted = await placed(shop, shelf, [line], "order-2-1")
        await shop.accept_order(order_id=accepted.id, key="order-2-1-accept")
        cancelled = [await shop.cancel_order(order_id=accepted.id, reason="changed my mind") for _ in range(3)]

        assert (after_waiting, await free(shop, "LAMP")) == (3, 3)
        assert {order.status for order in cancelled if order is not None} == {OrderStatus.CANCELLED}
        assert await shop.cancel_order(key="never", reason="in doubt") is None
        with pytest.raises(ShopRefusedError, match="cancelled"):
            await shop.accept_order(order_id=accepted.id, key="order-2-1-accept")

    async def test_a_cancelled_task_leaves_nothing_half_done(self, shelf: Shelf) -> None:
        """A caller that goes away leaves either all of its reservation or none of it."""
        goods = [attrs.evolve(MUG, sku=f"M{n}", stock=10) for n in range(5)]
        shop = await shelf.open(*goods)
        lines = [await line_of(shop, each.sku) for each in goods]
        until = shelf.clock.now() + timedelta(hours=1)
        tasks = []
        for turn in range(10):
            task = asyncio.create_task(shop.reserve(key=f"order-{turn}-1-reserve", lines=lines, until=until))
            tasks.append(task)
            for _ in range(turn):
                await asyncio.sleep(0)
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, OutOfStockError):
                await task
        # What a cancelled call had begun may still be on its way to its end; each look sees it whole or not at all.
        for _ in range(5):
            assert len({check.available for check in await shop.check(lines=lines)}) == 1
        shelf.clock.advance(timedelta(hours=1))
        assert {check.available for check in await shop.check(lines=lines)} == {10}
