"""Transactions: whole or not at all, one after another where they meet, whatever becomes of the caller."""

import asyncio
from typing import Any

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.errors import DuplicateError, NotLockedError, StoreMisusedError
from wch.testing.contract.samples import PHONE, cart, inbound, outbound, thread, write
from wch.testing.doubles import NOON

_WRITERS = 100


class TestTransactions:
    """`transact` and `read`."""

    async def test_the_result_is_what_the_work_returned(self, database: Database) -> None:
        """Results come back by returning them, since a work may run twice."""
        assert await database.transact(lambda _uow: ("a", 1)) == ("a", 1)
        assert await database.read(lambda _uow: ("b", 2)) == ("b", 2)

    async def test_what_the_work_raises_comes_out_as_it_is(self, database: Database) -> None:
        """An error of the caller's is the caller's, with its own traceback."""
        error = KeyError("mine")

        def work(_uow: UnitOfWork) -> None:
            raise error

        for run in (database.transact, database.read):
            with pytest.raises(KeyError) as caught:
                await run(work)
            assert caught.value is error

    async def test_everything_of_one_transaction_is_rolled_back(self, database: Database) -> None:
        """Also what went well before the part that did not."""

        def work(uow: UnitOfWork) -> None:
            kept = uow.conversations.add(thread())
            uow.messages.add(inbound(kept.id))
            uow.options.put("order.1", {"v": 1})
            uow.customers.lock(PHONE, now=NOON)
            uow.carts.save(cart(id=12345))

        with pytest.raises(NotLockedError):
            await database.transact(work)

        counts = await database.read(lambda uow: uow.census.states())
        assert (counts["conversations"], counts["messages"], counts["customer_profiles"]) == ({}, {}, {})
        assert await database.read(lambda uow: uow.options.get("order.1")) is None

    async def test_an_error_that_is_answered_inside_leaves_the_rest_standing(self, database: Database) -> None:
        """A duplicate that the work expects does not cost what else it did."""

        def work(uow: UnitOfWork) -> int:
            first = uow.conversations.add(thread())
            uow.carts.add(cart())
            with pytest.raises(DuplicateError):
                uow.carts.add(cart())
            with pytest.raises(StoreMisusedError):
                uow.messages.add(inbound(first.id, wa_message_id="w" * 256))
            uow.messages.add(inbound(first.id))
            return first.id

        kept = await database.transact(work)

        assert len(await database.read(lambda uow: uow.messages.thread(kept))) == 1
        assert len(await database.read(lambda uow: uow.carts.listed())) == 1

    async def test_a_read_sees_one_state(self, database: Database) -> None:
        """While a writer moves rows in pairs, no reader ever sees half a pair."""
        (kept,) = await database.transact(write(thread()))

        def both(uow: UnitOfWork) -> None:
            row = uow.conversations.get(kept.id, lock=True)
            assert row is not None
            uow.messages.add(inbound(kept.id))
            uow.conversations.save(row.counted(now=NOON))

        def look(uow: UnitOfWork) -> tuple[int, int]:
            row = uow.conversations.get(kept.id)
            assert row is not None
            return row.message_count, len(uow.messages.thread(kept.id, limit=1000))

        looks = [asyncio.create_task(database.read(look)) for _ in range(20)]
        writers = [asyncio.create_task(database.transact(both)) for _ in range(20)]
        seen = await asyncio.gather(*looks)
        await asyncio.gather(*writers)

        assert all(counted == rows for counted, rows in seen)
        assert await database.read(look) == (20, 20)

    async def test_no_increment_is_lost_among_a_hundred_writers(self, database: Database) -> None:
        """Each reads with a lock, adds one and saves; the sum is exact."""
        (kept,) = await database.transact(write(thread()))

        def add_one(uow: UnitOfWork) -> None:
            row = uow.conversations.get(kept.id, lock=True)
            assert row is not None
            uow.conversations.save(attrs.evolve(row, message_count=row.message_count + 1))

        await asyncio.gather(*(database.transact(add_one) for _ in range(_WRITERS)))

        after = await database.read(lambda uow: uow.conversations.get(kept.id))
        assert after is not None
        assert after.message_count == _WRITERS

    async def test_no_element_of_a_list_is_lost(self, database: Database) -> None:
        """A list in a document is read, appended to and written back by fifty at once."""
        await database.transact(lambda uow: uow.options.put("list", {"v": 1, "of": []}))

        def append(number: int) -> Any:
            def work(uow: UnitOfWork) -> None:
                held = uow.options.get("list", lock=True)
                assert held is not None
                uow.options.put("list", {**held, "of": [*held["of"], number]})

            return work

        await asyncio.gather(*(database.transact(append(number)) for number in range(50)))

        after = await database.read(lambda uow: uow.options.get("list"))
        assert after is not None
        assert sorted(after["of"]) == list(range(50))

    async def test_a_cancelled_caller_never_leaves_half_a_transaction(self, database: Database) -> None:
        """Callers leave at every moment; what they asked for is there whole, or not at all."""

        def work(uow: UnitOfWork) -> None:
            kept = uow.conversations.add(thread())
            uow.messages.add(inbound(kept.id))
            uow.messages.add(outbound(kept.id))

        async def leave(task: "asyncio.Task[None]", turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()

        callers = [asyncio.create_task(database.transact(work)) for _ in range(60)]
        await asyncio.gather(*(leave(task, turns) for turns, task in enumerate(callers)))
        await asyncio.gather(*callers, return_exceptions=True)
        await database.transact(lambda _uow: None)

        def look(uow: UnitOfWork) -> tuple[int, int]:
            threads = uow.census.states()["conversations"].get("active", 0)
            return threads, sum(uow.census.states()["messages"].values())

        threads, messages = await database.read(look)
        assert messages == 2 * threads

    async def test_the_store_works_on_after_callers_left(self, database: Database) -> None:
        """No lock, gate or connection is left behind by those who were cancelled."""
        for _ in range(10):
            callers = [
                asyncio.create_task(database.transact(lambda uow: uow.options.put("x", {"v": 1}))) for _ in range(10)
            ]
            await asyncio.sleep(0)
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)

        (kept,) = await asyncio.wait_for(database.transact(write(thread())), timeout=20)

        assert isinstance(kept, Conversation)

    async def test_the_offset_of_its_clock_is_a_small_span(self, database: Database) -> None:
        """Where the host is the clock it is zero; a server is asked."""
        offset = await database.clock_offset()

        assert offset is not None
