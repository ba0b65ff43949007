"""What one transaction makes and changes at once: how a group of deliveries is stored."""

from datetime import datetime
from functools import partial

import attrs

from wch.application.ports import Database, UnitOfWork
from wch.testing.contract.samples import OTHER, PHONE, inbound, later, thread
from wch.testing.doubles import NOON


class TestNewWrittenTogether:
    """New rows that wait to be written, and what is asked of them meanwhile."""

    async def test_what_is_new_may_be_changed_before_it_is_written(self, database: Database) -> None:
        """New customers and threads, saved more than once in the transaction that made them, stand as they were left."""

        def work(uow: UnitOfWork) -> list[int]:
            uow.customers.lock_all([PHONE, OTHER], now=NOON)
            threads = [uow.conversations.add(thread(phone)) for phone in (OTHER, PHONE)]
            for place, one in enumerate(threads, 1):
                profile = uow.customers.lock(one.customer_phone, now=NOON)
                uow.customers.save(attrs.evolve(profile, name="Ada", total_orders=place))
                uow.conversations.save(one.counted(now=later(1), unread=True))
                uow.conversations.save(one.counted(now=later(2)))
                uow.messages.add_later(inbound(one.id, wa_message_id=f"w{place}"))
            return [one.id for one in threads]

        made = await database.transact(work)

        people = await database.read(lambda uow: uow.customers.listed())
        assert [(one.phone, one.name) for one in people] == [(phone, "Ada") for phone in sorted((OTHER, PHONE))]
        assert {one.phone: one.total_orders for one in people} == {OTHER: 1, PHONE: 2}
        for place, number in enumerate(made, 1):
            kept = await database.read(partial(_thread_of, number=number))
            assert kept == (1, 0, later(2), [f"w{place}"])

    async def test_an_id_that_was_given_is_not_given_again(self, database: Database) -> None:
        """One after another in one transaction, in the next, and when the first were asked for in between."""

        def work(uow: UnitOfWork) -> list[int]:
            one = uow.conversations.add(thread())
            two = uow.conversations.add(thread(OTHER))
            assert uow.conversations.latest_of(PHONE) == one
            assert uow.conversations.get(two.id) == two
            return [one.id, two.id, uow.conversations.add(thread(OTHER)).id]

        numbers = await database.transact(work) + await database.transact(work)

        assert sorted(set(numbers)) == numbers


def _thread_of(uow: UnitOfWork, *, number: int) -> tuple[int, int, datetime | None, list[str | None]]:
    there = uow.conversations.get(number)
    assert there is not None
    rows = [row.wa_message_id for row in uow.messages.thread(number)]
    return there.message_count, there.unread_count, there.last_message_at, rows
