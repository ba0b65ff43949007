"""Messages: the inbox's lines, the outbox, and the fence of a take."""

import asyncio
from datetime import timedelta
from functools import partial

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork, Written
from wch.domain.document import document
from wch.domain.errors import DuplicateError, LeaseLostError, NotLockedError, ReadOnlyError, StoreMisusedError
from wch.domain.lease import TERM, Work
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.testing.contract.samples import OTHER, PHONE, inbound, later, outbound, thread, work_of, write
from wch.testing.doubles import NOON

PROCESSING = MessageStatus.PROCESSING
RECEIVED = MessageStatus.RECEIVED


class TestLines:
    """`heads` and `line`: whose turn it is."""

    async def test_the_first_waiting_row_of_each_conversation_is_its_head(self, database: Database) -> None:
        """By id; a conversation appears once, and only inbound rows that wait count."""
        one, two = await database.transact(write(thread(), thread(OTHER)))
        a, _, b, *_ = await database.transact(
            write(
                inbound(one.id),
                inbound(one.id),
                inbound(two.id),
                inbound(two.id),
                inbound(None),
                outbound(one.id),
            )
        )

        heads = await database.read(lambda uow: uow.messages.heads(now=NOON))

        assert [(head.work, head.conversation_id) for head in heads] == [(work_of(a), one.id), (work_of(b), two.id)]

    async def test_a_head_that_waits_for_its_back_off_still_stands_first(self, database: Database) -> None:
        """Due or not: what is behind it is not shown in its place."""
        (one,) = await database.transact(write(thread()))
        first, _ = await database.transact(
            write(inbound(one.id, retry_count=2, updated_at=later(3600)), inbound(one.id))
        )

        heads = await database.read(lambda uow: uow.messages.heads(now=NOON))

        assert [head.work for head in heads] == [work_of(first)]

    async def test_a_conversation_under_a_live_lease_shows_nothing(self, database: Database) -> None:
        """Somebody is at it; what waits behind is left alone."""
        (one,) = await database.transact(write(thread()))
        await database.transact(
            write(inbound(one.id, status=PROCESSING, updated_at=later(-59)), inbound(one.id), inbound(one.id))
        )

        assert list(await database.read(lambda uow: uow.messages.heads(now=NOON))) == []

    async def test_leases_that_ran_out_come_first(self, database: Database) -> None:
        """Sixty seconds after the stamp, to the second; oldest id first, then what waits."""
        one, two, three = await database.transact(write(thread("1"), thread("2"), thread("3")))
        waiting, late, later_still, _ = await database.transact(
            write(
                inbound(one.id),
                inbound(two.id, status=PROCESSING, retry_count=1, updated_at=NOON - TERM),
                inbound(three.id, status=PROCESSING, retry_count=1, updated_at=later(-3600)),
                inbound(three.id),
            )
        )

        heads = await database.read(lambda uow: uow.messages.heads(now=NOON))

        assert [head.work for head in heads] == [work_of(late), work_of(later_still), work_of(waiting)]

    async def test_heads_are_so_many_conversations(self, database: Database) -> None:
        """However long the line of the first one is."""
        one, two, three = await database.transact(write(thread("1"), thread("2"), thread("3")))
        rows = await database.transact(
            write(*(inbound(one.id) for _ in range(250)), inbound(two.id), inbound(three.id))
        )

        heads = await database.read(lambda uow: uow.messages.heads(now=NOON, limit=2))

        assert [head.work.id for head in heads] == [rows[0].id, rows[250].id]

    async def test_the_line_is_the_customers(self, database: Database) -> None:
        """Over all conversations of one customer, waiting and in work, by id."""
        old, new, foreign = await database.transact(write(thread(), thread(), thread(OTHER)))
        a, b, _, c, *_ = await database.transact(
            write(
                inbound(new.id),
                inbound(old.id, status=PROCESSING),
                inbound(old.id, status=MessageStatus.PROCESSED),
                inbound(new.id),
                inbound(foreign.id),
                inbound(new.id, status=MessageStatus.DEAD),
                outbound(new.id),
            )
        )

        line = await database.transact(lambda uow: uow.messages.line(PHONE))

        assert [row.work for row in line] == [work_of(a), work_of(b), work_of(c)]
        assert [row.conversation_id for row in line] == [new.id, old.id, new.id]
        assert list(await database.transact(lambda uow: uow.messages.line("1"))) == []

    async def test_the_rows_of_a_line_are_locked(self, database: Database) -> None:
        """They may be saved in the transaction that read the line."""
        (one,) = await database.transact(write(thread()))
        (row,) = await database.transact(write(inbound(one.id)))

        def work(uow: UnitOfWork) -> None:
            uow.messages.line(PHONE)
            uow.messages.save(row.handled({"did": "greet"}, now=NOON))

        await database.transact(work)

        after = await database.read(lambda uow: uow.messages.get(row.id))
        assert after is not None
        assert after.status is MessageStatus.PROCESSED


class TestWrittenTogether:
    """`add_later` and the saves that are written with it: few statements, and the same rows."""

    async def test_rows_that_are_written_together_learn_their_own_ids(self, database: Database) -> None:
        """The id that is told after the commit is the id of that row, whatever was there before and was removed."""
        (one,) = await database.transact(write(thread()))
        (gone,) = await database.transact(write(inbound(one.id, wa_message_id="gone")))

        def remove(uow: UnitOfWork) -> None:
            uow.messages.get(gone.id, lock=True)
            uow.messages.remove(gone.id)

        await database.transact(remove)
        names = ["c", "a", "b", "A"]

        def work(uow: UnitOfWork) -> list[Written]:
            return [uow.messages.add_later(inbound(one.id, wa_message_id=name)) for name in names]

        written = await database.transact(work)

        found = await database.read(lambda uow: [uow.messages.get(row.id) for row in written])
        assert [row and row.wa_message_id for row in found] == names
        assert len({gone.id, *(row.id for row in written)}) == 5

    async def test_an_id_that_is_known_to_be_free_is_not_locked_in_a_read(self, database: Database) -> None:
        """What was looked at ahead changes no rule."""

        def ask(uow: UnitOfWork) -> None:
            assert uow.messages.look_ahead(["w"]) == {}
            uow.messages.by_wa_id("w", lock=True)

        with pytest.raises(ReadOnlyError):
            await database.read(ask)

    async def test_whoever_asks_meets_what_waits_to_be_written(self, database: Database) -> None:
        """By its key, by its thread, by its id."""
        (one,) = await database.transact(write(thread()))

        def ask(uow: UnitOfWork) -> None:
            assert uow.messages.look_ahead(["w"]) == {}
            written = uow.messages.add_later(inbound(one.id, wa_message_id="w"))
            there = uow.messages.by_wa_id("w")
            assert there is not None
            assert there.id == written.id
            assert [row.id for row in uow.messages.thread(one.id)] == [written.id]

        await database.transact(ask)

    async def test_a_key_that_is_taken_undoes_all_of_them(self, database: Database) -> None:
        """Nobody can go on as if those that were written with it were there, or were not."""
        (one, _) = await database.transact(write(thread(), inbound(None, wa_message_id="taken")))

        def work(uow: UnitOfWork) -> None:
            for name in ("new", "taken", "newer"):
                uow.messages.add_later(inbound(one.id, wa_message_id=name))

        with pytest.raises(DuplicateError):
            await database.transact(work)

        found = await database.read(lambda uow: [uow.messages.by_wa_id(name) for name in ("new", "newer")])
        assert found == [None, None]

    async def test_the_last_of_several_saves_holds_in_every_column(self, database: Database) -> None:
        """Whichever columns each of them changed, and in whatever order, for many rows at once."""
        made = await database.transact(write(*(thread(f"49{n}") for n in range(5))))

        def work(uow: UnitOfWork) -> None:
            for place, row in enumerate(made):
                held = uow.conversations.get(row.id, lock=True)
                assert held is not None
                counted = held.counted(now=later(place), unread=True)
                uow.conversations.save(counted)
                told = counted.remembering(document(number=str(place)), now=later(place)) if place % 2 else counted
                uow.conversations.save(told)
                uow.conversations.save(told.seen(now=later(9)))

        await database.transact(work)

        rows = await database.read(lambda uow: [uow.conversations.get(row.id) for row in made])
        assert [row and (row.message_count, row.unread_count, row.updated_at) for row in rows] == [(1, 0, later(9))] * 5
        assert [row and row.last_message_at for row in rows] == [later(n) for n in range(5)]
        assert [row and row.context.get("number") for row in rows] == [None, "1", None, "3", None]


class TestFence:
    """`move` and `finish`: nobody but the holder ends a take."""

    async def test_a_take_moves_what_its_fence_names(self, database: Database) -> None:
        """Status, attempts and stamp; everything else of the row stays."""
        (row,) = await database.transact(write(inbound(None, content={"v": 1, "text": "hello"})))
        before = work_of(row)
        taken = before.taken("processing", now=NOON)

        await database.transact(lambda uow: uow.messages.move(before, taken))

        found = await database.read(lambda uow: uow.messages.get(row.id))
        assert found == attrs.evolve(row, status=PROCESSING, retry_count=1, updated_at=later(1))

    @pytest.mark.parametrize("changed", ["status", "attempts", "stamp", "id"])
    async def test_a_fence_that_does_not_fit_is_refused(self, database: Database, changed: str) -> None:
        """Each part of it counts."""
        (row,) = await database.transact(write(inbound(None, retry_count=1)))
        wrong = {"status": "processing", "attempts": 2, "stamp": later(1), "id": row.id + 1000}
        before = attrs.evolve(work_of(row), **{changed: wrong[changed]})

        with pytest.raises(LeaseLostError):
            await database.transact(lambda uow: uow.messages.move(before, before.taken("processing", now=NOON)))
        with pytest.raises(LeaseLostError):
            await database.transact(lambda uow: uow.messages.finish(before, row.died("x", now=NOON)))

        assert await database.read(lambda uow: uow.messages.get(row.id)) == row

    async def test_one_of_fifty_takes_wins(self, database: Database) -> None:
        """All saw the same row; one is first, forty-nine hear that they are late."""
        (row,) = await database.transact(write(inbound(None)))
        before = work_of(row)
        taken = before.taken("processing", now=NOON)

        answers = await asyncio.gather(
            *(database.transact(lambda uow: uow.messages.move(before, taken)) for _ in range(50)),
            return_exceptions=True,
        )

        assert [type(answer) for answer in answers if answer is not None] == [LeaseLostError] * 49

    async def test_a_late_finish_takes_everything_of_its_transaction_back(self, database: Database) -> None:
        """The effects of a worker that was overtaken are not there twice, they are not there at all."""
        (row,) = await database.transact(write(inbound(None)))
        mine = work_of(row).taken("processing", now=NOON)
        await database.transact(lambda uow: uow.messages.move(work_of(row), mine))
        theirs = mine.taken("processing", now=later(60))
        await database.transact(lambda uow: uow.messages.move(mine, theirs))

        def finish(uow: UnitOfWork, lease: Work) -> None:
            kept = uow.conversations.add(thread())
            uow.messages.add(outbound(kept.id))
            held = uow.messages.get(row.id)
            assert held is not None
            uow.messages.finish(lease, held.handled({"did": "greet"}, now=later(61)))

        with pytest.raises(LeaseLostError):
            await database.transact(partial(finish, lease=mine))
        states = await database.read(lambda uow: uow.census.states())
        assert (states["conversations"], states["messages"]) == ({}, {"inbound:processing": 1})

        await database.transact(partial(finish, lease=theirs))
        states = await database.read(lambda uow: uow.census.states())
        assert states["messages"] == {"inbound:processed": 1, "outbound:pending": 1}

    async def test_a_finish_writes_the_row_whole(self, database: Database) -> None:
        """Without having read it with a lock."""
        (row,) = await database.transact(write(inbound(None, content={"v": 1})))
        ended = attrs.evolve(row, wa_message_id="wamid.1", content={"v": 1, "text": "x"}, status=MessageStatus.DEAD)

        await database.transact(lambda uow: uow.messages.finish(work_of(row), ended))

        assert await database.read(lambda uow: uow.messages.get(row.id)) == ended

    async def test_a_renewed_take_is_the_same_take(self, database: Database) -> None:
        """The stamp moves, the attempt does not; the old stamp ends nothing any more."""
        (row,) = await database.transact(write(inbound(None)))
        taken = work_of(row).taken("processing", now=NOON)
        renewed = taken.renewed(now=later(20))

        await database.transact(lambda uow: uow.messages.move(work_of(row), taken))
        await database.transact(lambda uow: uow.messages.move(taken, renewed))

        with pytest.raises(LeaseLostError):
            await database.transact(lambda uow: uow.messages.move(taken, taken.moved("received", now=later(21))))
        await database.transact(lambda uow: uow.messages.move(renewed, renewed.moved("received", now=later(21))))

    async def test_a_row_is_removed_under_its_lock_only(self, database: Database) -> None:
        """A placeholder that nobody holds may be taken over at this moment."""
        first, second = await database.transact(
            write(inbound(None, wa_message_id="wamid.1"), inbound(None, wa_message_id="wamid.2"))
        )

        with pytest.raises(NotLockedError):
            await database.transact(lambda uow: uow.messages.remove(first.id))

        def remove(uow: UnitOfWork) -> None:
            uow.messages.get(first.id, lock=True)
            uow.messages.remove(first.id)

        await database.transact(remove)

        assert await database.read(lambda uow: uow.messages.get(first.id)) is None
        assert await database.read(lambda uow: uow.messages.by_wa_id("wamid.1")) is None
        assert await database.read(lambda uow: uow.messages.get(second.id)) == second
        await database.transact(write(inbound(None, wa_message_id="wamid.1")))

    async def test_the_number_of_a_row_that_went_is_never_given_again(self, database: Database) -> None:
        """A late status names a row by its number; it must not find another customer's message there."""
        _, last = await database.transact(write(inbound(None), inbound(None)))

        def remove(uow: UnitOfWork) -> None:
            uow.messages.get(last.id, lock=True)
            uow.messages.remove(last.id)

        await database.transact(remove)
        (new,) = await database.transact(write(inbound(None)))

        assert new.id > last.id

    async def test_a_removal_that_is_rolled_back_did_not_happen(self, database: Database) -> None:
        """The row, its id of WhatsApp's and its place are there again."""
        (row,) = await database.transact(write(inbound(None, wa_message_id="wamid.1")))

        def work(uow: UnitOfWork) -> None:
            uow.messages.get(row.id, lock=True)
            uow.messages.remove(row.id)
            uow.messages.add(inbound(None, wa_message_id="w" * 256))

        with pytest.raises(StoreMisusedError):
            await database.transact(work)

        assert await database.read(lambda uow: uow.messages.by_wa_id("wamid.1")) == row


class TestOutbox:
    """What waits to be sent, what is on its way, and what never came back."""

    async def test_what_may_leave_comes_by_id_in_pages(self, database: Database) -> None:
        """Everything that is pending, with what decides whether it may leave now."""
        one, two = await database.transact(write(thread(), thread(OTHER)))
        held = outbound(two.id, Class.CAMPAIGN)
        held = attrs.evolve(held, content={**held.content, "not_before": iso(later(60))})
        a, b, *_ = await database.transact(
            write(
                outbound(one.id, Class.NOTICE, retry_count=1),
                held,
                outbound(one.id, status=MessageStatus.SENT),
                inbound(one.id),
            )
        )

        first = await database.read(lambda uow: uow.messages.leaving(limit=1))
        rest = await database.read(lambda uow: uow.messages.leaving(after=a.id))

        assert [(one.work, one.conversation_id, one.customer_phone) for one in (*first, *rest)] == [
            (work_of(a), one.id, PHONE),
            (work_of(b), two.id, OTHER),
        ]
        assert [(one.class_, one.number, one.not_before) for one in (*first, *rest)] == [
            (Class.NOTICE, "100200300", None),
            (Class.CAMPAIGN, "100200300", later(60)),
        ]

    async def test_a_row_that_does_not_say_its_class_is_a_reply(self, database: Database) -> None:
        """Better sent first than never."""
        (one,) = await database.transact(write(thread()))
        await database.transact(write(outbound(one.id, content={"v": 1, "class": "unheard of", "number": 5})))

        (found,) = await database.read(lambda uow: uow.messages.leaving())

        assert (found.class_, found.number, found.not_before) == (Class.REPLY, None, None)

    async def test_in_flight_is_about_one_customer(self, database: Database) -> None:
        """Over all conversations; only `sending` counts."""
        old, _, foreign = await database.transact(write(thread(), thread(), thread(OTHER)))
        await database.transact(
            write(outbound(old.id, status=MessageStatus.SENDING), outbound(foreign.id), inbound(foreign.id))
        )

        assert await database.read(lambda uow: uow.messages.in_flight(PHONE)) is True
        assert await database.read(lambda uow: uow.messages.in_flight(OTHER)) is False
        assert await database.read(lambda uow: uow.messages.in_flight("1")) is False

    async def test_overdue_rows_have_an_old_stamp(self, database: Database) -> None:
        """Of this status, stamped at or before the moment, by id, so many."""
        sending = MessageStatus.SENDING
        a, b, *_ = await database.transact(
            write(
                outbound(1, status=sending, updated_at=NOON),
                outbound(1, status=sending, updated_at=later(-5)),
                outbound(1, status=sending, updated_at=later(1)),
                outbound(1, status=MessageStatus.UNCONFIRMED),
            )
        )

        found = await database.read(lambda uow: uow.messages.overdue("sending", before=NOON))
        assert list(found) == [work_of(a), work_of(b)]
        found = await database.read(lambda uow: uow.messages.overdue("sending", before=NOON, limit=1))
        assert list(found) == [work_of(a)]

    async def test_waiting_campaign_rows_are_counted_up_to_a_limit(self, database: Database) -> None:
        """Pending ones only; the count ends where it is enough."""
        (one,) = await database.transact(write(thread()))
        await database.transact(
            write(
                *(outbound(one.id, Class.CAMPAIGN) for _ in range(7)),
                *(outbound(one.id) for _ in range(3)),
                outbound(one.id, Class.CAMPAIGN, status=MessageStatus.SENT),
            )
        )

        assert await database.read(lambda uow: uow.messages.waiting_campaign()) == 7
        assert await database.read(lambda uow: uow.messages.waiting_campaign(5)) == 5

    async def test_placeholders_are_found_by_their_age(self, database: Database) -> None:
        """Made at or before the moment, by id, so many."""
        a, b, *_ = await database.transact(
            write(
                outbound(None, type="foreign", status=MessageStatus.SENT),
                outbound(None, type="foreign", created_at=later(-9)),
                outbound(None, type="foreign", created_at=later(1)),
                outbound(None),
            )
        )

        assert list(await database.read(lambda uow: uow.messages.foreign_before(NOON))) == [a.id, b.id]
        assert list(await database.read(lambda uow: uow.messages.foreign_before(NOON, limit=1))) == [a.id]


class TestThreads:
    """What was said, and when the customer was last heard."""

    async def test_a_thread_is_read_backwards(self, database: Database) -> None:
        """Newest first, below `before`, so many, of one conversation, both directions."""
        one, two = await database.transact(write(thread(), thread(OTHER)))
        a, b, _, c = await database.transact(
            write(inbound(one.id), outbound(one.id), inbound(two.id), inbound(one.id, status=MessageStatus.DEAD))
        )

        assert list(await database.read(lambda uow: uow.messages.thread(one.id))) == [c, b, a]
        assert list(await database.read(lambda uow: uow.messages.thread(one.id, before=c.id, limit=1))) == [b]

    async def test_the_window_opens_with_what_a_customer_says(self, database: Database) -> None:
        """The provider's latest time; reactions, edits, revokes, system and group rows open none."""
        old, new = await database.transact(write(thread(), thread()))
        shut = [
            inbound(new.id, type=word, sent_at=later(900)) for word in ("reaction", "edit", "revoke", "system", "group")
        ]
        await database.transact(
            write(
                inbound(old.id, sent_at=later(50)),
                inbound(new.id, sent_at=later(20)),
                inbound(new.id),
                outbound(new.id, sent_at=later(900)),
                *shut,
            )
        )

        assert await database.read(lambda uow: uow.messages.latest_inbound_at(PHONE)) == later(50)
        assert await database.read(lambda uow: uow.messages.latest_inbound_at(OTHER)) is None

    async def test_the_window_of_a_number_is_its_own(self, database: Database) -> None:
        """What was written to another number opens nothing here."""
        (one,) = await database.transact(write(thread()))
        said: list[Message] = [
            inbound(one.id, sent_at=later(10), content={"v": 1, "number": "A"}),
            inbound(one.id, sent_at=later(20), content={"v": 1, "number": "B"}),
            *(inbound(one.id, sent_at=later(30 + place), content={"v": 1}) for place in range(250)),
        ]
        await database.transact(write(*said))

        assert await database.read(lambda uow: uow.messages.latest_inbound_at(PHONE, "A")) == later(10)
        assert await database.read(lambda uow: uow.messages.latest_inbound_at(PHONE, "B")) == later(20)
        assert await database.read(lambda uow: uow.messages.latest_inbound_at(PHONE, "C")) is None
        assert await database.read(lambda uow: uow.messages.latest_inbound_at(PHONE)) == later(279)

    async def test_directions_are_kept_apart(self, database: Database) -> None:
        """The same status word would mean two things."""
        (one,) = await database.transact(write(thread()))
        (row,) = await database.transact(write(outbound(one.id, created_at=NOON + timedelta(days=1))))

        found = await database.read(lambda uow: uow.messages.get(row.id))
        assert found is not None
        assert found.direction is Direction.OUTBOUND
