"""Threads, carts and customers."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork
from wch.domain.cart import CartStatus
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.errors import DuplicateError, NotLockedError, StoreMisusedError
from wch.testing.contract.samples import OTHER, PHONE, cart, inbound, item, later, thread, write
from wch.testing.doubles import NOON


class TestConversations:
    """`ConversationRepository`."""

    async def test_the_open_thread_is_the_latest(self, database: Database) -> None:
        """Open before resolved, then the highest id."""
        resolved = ConversationStatus.RESOLVED
        _, open_one, _, foreign = await database.transact(
            write(thread(status=resolved), thread(), thread(status=resolved), thread(OTHER))
        )

        assert await database.read(lambda uow: uow.conversations.latest_of(PHONE)) == open_one
        assert await database.read(lambda uow: uow.conversations.latest_of(OTHER)) == foreign
        assert await database.read(lambda uow: uow.conversations.latest_of("1")) is None

    async def test_of_resolved_threads_the_newest_is_the_latest(self, database: Database) -> None:
        """By id, whatever their times say."""
        resolved = ConversationStatus.RESOLVED
        _, newest = await database.transact(
            write(thread(status=resolved, created_at=later(9)), thread(status=resolved, created_at=NOON))
        )

        assert await database.read(lambda uow: uow.conversations.latest_of(PHONE)) == newest

    async def test_an_escalated_thread_is_open(self, database: Database) -> None:
        """A person has it; the customer's next message belongs there."""
        escalated, _ = await database.transact(
            write(thread(status=ConversationStatus.ESCALATED), thread(status=ConversationStatus.RESOLVED))
        )

        assert await database.read(lambda uow: uow.conversations.latest_of(PHONE)) == escalated

    async def test_the_latest_thread_can_be_locked_and_saved(self, database: Database) -> None:
        """As `get` with a lock."""
        await database.transact(write(thread()))

        def work(uow: UnitOfWork) -> None:
            row = uow.conversations.latest_of(PHONE, lock=True)
            assert row is not None
            uow.conversations.save(row.counted(now=later(1)))

        await database.transact(work)

        after = await database.read(lambda uow: uow.conversations.latest_of(PHONE))
        assert after is not None
        assert after.message_count == 1

    async def test_threads_are_listed_newest_first(self, database: Database) -> None:
        """By the latest message, then by id; those without any message are left out."""
        a, b, c, _, e = await database.transact(
            write(
                thread(last_message_at=later(1)),
                thread(last_message_at=later(2)),
                thread(OTHER, last_message_at=later(2), status=ConversationStatus.RESOLVED),
                thread(),
                thread(OTHER, last_message_at=later(-1)),
            )
        )

        assert list(await database.read(lambda uow: uow.conversations.listed())) == [c, b, a, e]
        assert list(await database.read(lambda uow: uow.conversations.listed(customer_phone=OTHER))) == [c, e]
        active = await database.read(lambda uow: uow.conversations.listed(status=ConversationStatus.ACTIVE))
        assert list(active) == [b, a, e]

    async def test_pages_of_threads_meet_without_gap_or_overlap(self, database: Database) -> None:
        """`before` is time and id of the last row of the page before."""
        rows = await database.transact(write(*(thread(last_message_at=later(place // 3)) for place in range(10))))

        seen: list[Conversation] = []
        before: tuple[datetime, int] | None = None
        while page := await database.read(partial(_page, before=before)):
            seen += page
            last = page[-1]
            assert last.last_message_at is not None
            before = (last.last_message_at, last.id)

        assert seen == sorted(rows, key=lambda row: (row.last_message_at, row.id), reverse=True)

    async def test_quiet_threads_are_active_ones(self, database: Database) -> None:
        """With a last message at or before the moment, by id, strictly after `after`, so many."""
        a, b, *_ = await database.transact(
            write(
                thread(last_message_at=later(0)),
                thread(last_message_at=later(-5)),
                thread(last_message_at=later(1)),
                thread(last_message_at=later(-5), status=ConversationStatus.ESCALATED),
                thread(),
            )
        )

        assert list(await database.read(lambda uow: uow.conversations.quiet_since(NOON))) == [a, b]
        assert list(await database.read(lambda uow: uow.conversations.quiet_since(NOON, after=a.id))) == [b]
        assert list(await database.read(lambda uow: uow.conversations.quiet_since(NOON, limit=1))) == [a]


def _page(uow: UnitOfWork, before: tuple[datetime, int] | None) -> Sequence[Conversation]:
    return uow.conversations.listed(before=before, limit=3)


class TestCarts:
    """`CartRepository`."""

    async def test_a_customer_has_one_row(self, database: Database) -> None:
        """The second is refused."""
        (mine,) = await database.transact(write(cart()))

        with pytest.raises(DuplicateError) as caught:
            await database.transact(write(cart()))

        assert caught.value.key == "customer_phone"  # type: ignore[attr-defined]  # facts are attributes
        assert await database.read(lambda uow: uow.carts.of(PHONE)) == mine
        assert await database.read(lambda uow: uow.carts.of(OTHER)) is None

    async def test_idle_carts_are_active_with_lines(self, database: Database) -> None:
        """Last touched at or before the moment, by id; an empty cart is nobody's to remind of."""
        a, b, *_ = await database.transact(
            write(
                cart("1"),
                cart("2", updated_at=later(-9)),
                cart("3", updated_at=later(1)),
                cart("4", items=(), total=Decimal("0.00")),
                cart("5", status=CartStatus.ABANDONED),
            )
        )

        assert list(await database.read(lambda uow: uow.carts.idle_since(NOON))) == [a, b]
        assert list(await database.read(lambda uow: uow.carts.idle_since(NOON, after=a.id))) == [b]
        assert list(await database.read(lambda uow: uow.carts.idle_since(NOON, limit=1))) == [a]

    async def test_a_page_of_idle_carts_is_full_behind_empty_ones(self, database: Database) -> None:
        """Empty carts take no place in a page."""
        empty = [cart(str(place), items=(), total=Decimal("0.00")) for place in range(1, 6)]
        *_, kept = await database.transact(write(*empty, cart("9")))

        assert list(await database.read(lambda uow: uow.carts.idle_since(NOON, limit=1))) == [kept]

    async def test_expiring_carts_are_active_or_abandoned(self, database: Database) -> None:
        """At their moment or past it, by id across both states."""
        a, b, *_ = await database.transact(
            write(
                cart("1", status=CartStatus.ABANDONED, expires_at=NOON),
                cart("2", expires_at=later(-1)),
                cart("3", expires_at=later(1)),
                cart("4", expires_at=None),
                cart("5", status=CartStatus.RECOVERED, expires_at=later(-1)),
            )
        )

        assert list(await database.read(lambda uow: uow.carts.expiring(NOON))) == [a, b]
        assert list(await database.read(lambda uow: uow.carts.expiring(NOON, after=a.id))) == [b]
        assert list(await database.read(lambda uow: uow.carts.expiring(NOON, limit=1))) == [a]

    async def test_carts_due_for_a_reminder_have_a_free_slot(self, database: Database) -> None:
        """Abandoned at or before the moment; a cart with three reminders is left in peace."""
        abandoned = CartStatus.ABANDONED
        slots = {"reminder_1_sent_at": NOON, "reminder_2_sent_at": NOON}
        a, b, *_ = await database.transact(
            write(
                cart("1", status=abandoned, abandoned_at=NOON),
                cart("2", status=abandoned, abandoned_at=later(-1), **slots),
                cart("3", status=abandoned, abandoned_at=NOON, reminder_3_sent_at=NOON, **slots),
                cart("4", status=abandoned, abandoned_at=later(1)),
                cart("5", abandoned_at=NOON),
            )
        )

        assert list(await database.read(lambda uow: uow.carts.due_for_reminder(NOON))) == [a, b]
        assert list(await database.read(lambda uow: uow.carts.due_for_reminder(NOON, after=a.id))) == [b]
        assert list(await database.read(lambda uow: uow.carts.due_for_reminder(NOON, limit=1))) == [a]

    async def test_recovered_carts_with_a_coupon_left_are_known(self, database: Database) -> None:
        """Recovered at or after the moment; by id, in pages."""
        given: dict[str, Any] = {"status": CartStatus.RECOVERED, "recovered_at": NOON, "recovery_coupon_code": "R1"}
        _, a, _, _, b = await database.transact(
            write(
                cart("1", **{**given, "recovered_at": later(-1)}),
                cart("2", **given),
                cart("3", **{**given, "recovery_coupon_code": None}),
                cart("4", **{**given, "status": CartStatus.EXPIRED}),
                cart("5", **given),
            )
        )

        assert list(await database.read(lambda uow: uow.carts.recovered_since(NOON))) == [a, b]
        assert list(await database.read(lambda uow: uow.carts.recovered_since(NOON, after=a.id))) == [b]
        assert list(await database.read(lambda uow: uow.carts.recovered_since(NOON, limit=1))) == [a]

    async def test_carts_are_listed_by_id(self, database: Database) -> None:
        """Of one state or of all."""
        a, b, c = await database.transact(write(cart("3"), cart("1", status=CartStatus.EXPIRED), cart("2")))

        assert list(await database.read(lambda uow: uow.carts.listed())) == [a, b, c]
        assert list(await database.read(lambda uow: uow.carts.listed(status=CartStatus.ACTIVE))) == [a, c]
        assert list(await database.read(lambda uow: uow.carts.listed(after=a.id, limit=1))) == [b]

    async def test_amounts_are_kept_in_two_places(self, database: Database) -> None:
        """Report figures are rounded half up; a line's price is exact."""
        exact = item(price_at_add=Decimal("0.005"), agreed_price=Decimal("0.001"))
        (row,) = await database.transact(write(cart(items=(exact,), total=Decimal("0.005"))))

        found = await database.read(lambda uow: uow.carts.get(row.id))

        assert found is not None
        assert (found.total, found.items) == (Decimal("0.01"), (exact,))

    async def test_an_amount_that_does_not_fit_is_refused(self, database: Database) -> None:
        """decimal(10,2) ends at 99,999,999.99; nothing is cut to it silently."""
        with pytest.raises(StoreMisusedError):
            await database.transact(write(cart(total=Decimal("100000000.00"))))

        assert await database.read(lambda uow: uow.carts.of(PHONE)) is None


class TestCustomers:
    """`CustomerRepository`."""

    async def test_what_does_not_fit_is_told_before_the_missing_lock(self, database: Database) -> None:
        """Of two things wrong at once every store tells the same one."""
        made = await database.transact(lambda uow: uow.customers.lock(PHONE, now=NOON))
        too_much = attrs.evolve(made, total_spent=Decimal("100000000.00"))

        with pytest.raises(StoreMisusedError):
            await database.transact(lambda uow: uow.customers.save(too_much))

    async def test_locking_makes_a_customer_who_is_not_there(self, database: Database) -> None:
        """Once; the second time the same row comes back."""
        made = await database.transact(lambda uow: uow.customers.lock(PHONE, now=NOON))
        again = await database.transact(lambda uow: uow.customers.lock(PHONE, now=later(5)))

        assert (made.phone, made.created_at, made.updated_at) == (PHONE, NOON, NOON)
        assert again == made
        assert await database.read(lambda uow: uow.customers.get(made.id)) == made

    async def test_two_hundred_new_customers_are_made_once_each(self, database: Database) -> None:
        """Three writers each meet a customer who is not there yet: one row, and every change in it."""
        phones = [str(491700000000 + place) for place in range(200)]

        def count(uow: UnitOfWork, phone: str) -> None:
            profile = uow.customers.lock(phone, now=NOON)
            uow.customers.save(attrs.evolve(profile, total_orders=profile.total_orders + 1))

        await asyncio.gather(*(database.transact(partial(count, phone=phone)) for _ in range(3) for phone in phones))

        profiles = await database.read(lambda uow: uow.customers.listed(limit=1000))
        assert sorted(profile.phone for profile in profiles) == phones
        assert {profile.total_orders for profile in profiles} == {3}

    async def test_all_are_locked_and_those_who_are_new_are_made(self, database: Database) -> None:
        """Once each, in whatever order they are named; what is saved of them then is kept."""
        await database.transact(lambda uow: uow.customers.lock(OTHER, now=NOON))

        def work(uow: UnitOfWork) -> None:
            uow.customers.lock_all([PHONE, OTHER, PHONE], now=later(1))
            for phone in (PHONE, OTHER):
                known = uow.customers.of(phone)
                assert known is not None
                uow.customers.save(attrs.evolve(known, name=f"of {phone}"))
                assert uow.customers.lock(phone, now=later(2)).name == f"of {phone}"

        await database.transact(work)

        found = await database.read(lambda uow: uow.customers.listed())
        assert [(one.phone, one.name) for one in found] == [(OTHER, f"of {OTHER}"), (PHONE, f"of {PHONE}")]

    async def test_looking_ahead_changes_no_answer(self, database: Database) -> None:
        """Whoever is looked at, made, saved or not there: `of` says what it would have said without."""
        await database.transact(lambda uow: uow.customers.lock(OTHER, now=NOON))

        def work(uow: UnitOfWork) -> None:
            uow.customers.look_ahead([PHONE, OTHER, "\0"])
            held = uow.customers.lock_if_free(OTHER)
            assert held is not None
            uow.customers.save(held.tagged("vip", now=NOON))
            assert (seen := uow.customers.of(OTHER)) is not None
            assert seen.tags == ("vip",)
            assert uow.customers.of(PHONE) is None
            assert uow.customers.of("\0") is None
            known = uow.customers.of(OTHER)
            assert known is not None

            made = uow.customers.lock(PHONE, now=NOON)
            assert uow.customers.of(PHONE) == made
            uow.customers.lock_all([OTHER], now=NOON)
            uow.customers.save(attrs.evolve(known, name="Other"))
            uow.customers.save(attrs.evolve(made, name="New"))
            assert [one and one.name for one in map(uow.customers.of, (PHONE, OTHER))] == ["New", "Other"]

        await database.transact(work)

    async def test_reading_ahead_changes_no_answer(self, database: Database) -> None:
        """What was read before it was asked for is true when it is asked for, whatever was written meanwhile."""
        await database.transact(write(thread(), inbound(None, wa_message_id="known")))

        def work(uow: UnitOfWork) -> None:
            uow.customers.lock_all([PHONE, OTHER], now=NOON)
            uow.read_ahead(phones=[PHONE, OTHER])
            assert list(uow.messages.look_ahead(["known", "new", "NEW"])) == ["known"]
            there = uow.conversations.latest_of(PHONE, lock=True)
            assert there is not None
            assert uow.conversations.latest_of(OTHER, lock=True) is None
            assert uow.messages.by_wa_id("known") is not None
            assert uow.messages.by_wa_id("new") is None

            uow.conversations.save(there.counted(now=later(1)))
            mine = uow.conversations.add(thread(OTHER))
            uow.messages.add(inbound(None, wa_message_id="new"))

            assert uow.conversations.latest_of(PHONE, lock=True) == there.counted(now=later(1))
            assert uow.conversations.latest_of(OTHER) == mine
            assert uow.messages.by_wa_id("new") is not None
            assert uow.messages.by_wa_id("NEW") is None
            with pytest.raises(DuplicateError):
                uow.messages.add(inbound(None, wa_message_id="known"))

        await database.transact(work)

    async def test_a_free_customer_is_locked_at_once(self, database: Database) -> None:
        """And may then be saved; one who is not there is not made."""
        made = await database.transact(lambda uow: uow.customers.lock(PHONE, now=NOON))

        def work(uow: UnitOfWork) -> None:
            held = uow.customers.lock_if_free(PHONE)
            assert held == made
            uow.customers.save(held.tagged("vip", now=NOON))

        await database.transact(work)

        assert await database.transact(lambda uow: uow.customers.lock_if_free(OTHER)) is None
        assert await database.read(lambda uow: uow.customers.of(OTHER)) is None
        after = await database.read(lambda uow: uow.customers.of(PHONE))
        assert after is not None
        assert after.tags == ("vip",)

    async def test_a_customer_who_was_only_looked_at_is_not_saved(self, database: Database) -> None:
        """`of` and `get` take no lock."""
        made = await database.transact(lambda uow: uow.customers.lock(PHONE, now=NOON))

        def work(uow: UnitOfWork) -> None:
            assert uow.customers.of(PHONE) == uow.customers.get(made.id) == made
            uow.customers.save(made)

        with pytest.raises(NotLockedError):
            await database.transact(work)

    async def test_customers_are_listed_by_id(self, database: Database) -> None:
        """In pages, strictly after."""
        rows = await database.transact(lambda uow: [uow.customers.lock(phone, now=NOON) for phone in ("3", "1", "2")])

        assert list(await database.read(lambda uow: uow.customers.listed())) == rows
        assert list(await database.read(lambda uow: uow.customers.listed(after=rows[0].id, limit=1))) == [rows[1]]

    async def test_quiet_buyers_have_bought_opted_in_and_not_written(self, database: Database) -> None:
        """Silent at and after the moment, or always; by id, in pages."""

        def made(uow: UnitOfWork) -> None:
            for phone, changes in (
                ("1", {"last_interaction_at": later(-1)}),
                ("2", {"last_interaction_at": NOON}),
                ("3", {}),
                ("4", {"total_orders": 0}),
                ("5", {"opt_in_marketing": False}),
            ):
                profile = uow.customers.lock(phone, now=NOON)
                uow.customers.save(attrs.evolve(profile, **{"total_orders": 1, "opt_in_marketing": True, **changes}))

        await database.transact(made)

        first, second = await database.read(lambda uow: uow.customers.quiet_buyers(NOON))
        assert (first.phone, second.phone) == ("1", "3")
        assert list(await database.read(lambda uow: uow.customers.quiet_buyers(NOON, after=first.id))) == [second]
        assert list(await database.read(lambda uow: uow.customers.quiet_buyers(NOON, limit=1))) == [first]

    async def test_customers_are_found_by_whom_they_are_linked_with(self, database: Database) -> None:
        """All of them, by id; nobody is linked with nobody."""

        def made(uow: UnitOfWork) -> None:
            for phone, number in (("3", 7), ("1", 7), ("2", 8), ("4", None)):
                profile = uow.customers.lock(phone, now=NOON)
                uow.customers.save(attrs.evolve(profile, wc_customer_id=number))

        await database.transact(made)

        assert [one.phone for one in await database.read(lambda uow: uow.customers.linked_to(7))] == ["3", "1"]
        assert list(await database.read(lambda uow: uow.customers.linked_to(9))) == []
