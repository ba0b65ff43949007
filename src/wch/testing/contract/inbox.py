"""What people look for in the inbox: whose threads, what is unread, who is called so, who said it."""

from functools import partial

import attrs

from wch.application.ports import Database, UnitOfWork
from wch.domain.document import document
from wch.domain.message import Class
from wch.testing.contract.samples import OTHER, PHONE, inbound, later, outbound, thread, write
from wch.testing.doubles import NOON


class TestInboxQueries:
    """What agents ask of `ConversationRepository`, `MessageRepository` and `CustomerRepository`."""

    async def test_threads_of_a_person_of_nobody_and_unread_ones(self, database: Database) -> None:
        """Zero is nobody; what was seen is left out on demand."""
        mine, theirs, free = await database.transact(
            write(
                thread(assigned_agent_id=7, unread_count=2, last_message_at=later(1)),
                thread(OTHER, assigned_agent_id=8, last_message_at=later(2)),
                thread(OTHER, unread_count=1, last_message_at=later(3)),
            )
        )

        async def listed(*, agent: int | None = None, unread: bool = False) -> list[int]:
            found = await database.read(lambda uow: uow.conversations.listed(agent=agent, unread=unread))
            return [one.id for one in found]

        assert await listed(agent=7) == [mine.id]
        assert await listed(agent=0) == [free.id]
        assert await listed(unread=True) == [free.id, mine.id]
        assert await listed(agent=8, unread=True) == []
        assert await listed() == [free.id, theirs.id, mine.id]
        for agent, wanted in ((None, (2, 3)), (7, (1, 2)), (0, (1, 1)), (8, (0, 0))):
            assert await database.read(lambda uow, who=agent: uow.conversations.unread(who)) == wanted  # type: ignore[misc]  # the default binds the value of this round

    async def test_words_are_found_in_any_case_of_letters(self, database: Database) -> None:
        """In what either side said; newest first, below a message, and not among very old ones."""
        (talk,) = await database.transact(write(thread()))
        body = {"type": "text", "text": {"body": 'He said "Ünder the BLUE lamp"'}}
        first, _, second, third = await database.transact(
            write(
                inbound(talk.id, content=document(text="a Blue lamp")),
                inbound(talk.id, content=document(text="text of nothing")),
                outbound(talk.id, Class.REPLY, content=document(body=body)),
                inbound(talk.id, content=document(media={"id": "1"}, caption="blue lamp 100%")),
            )
        )
        await database.transact(write(inbound(None, content=document(text="blue lamp in a group"))))

        async def said(words: str, *, before: int | None = None, within: int = 20_000, limit: int = 50) -> list[int]:
            found = await database.read(
                lambda uow: uow.messages.containing(words, before=before, within=within, limit=limit)
            )
            return [one.id for one in found]

        assert await said("blue LAMP") == [third.id, second.id, first.id]
        assert await said("ünder") == [second.id]
        assert await said('"Ü') == [second.id]
        assert await said("100%") == [third.id]
        assert await said("text") != [first.id, second.id, third.id]
        assert await said("blue", before=third.id) == [second.id, first.id]
        assert await said("blue", limit=1) == [third.id]
        assert await said("blue", before=third.id, within=1) == [second.id]
        assert await said("nobody said this") == []

    async def test_customers_are_found_by_a_part_of_their_name(self, database: Database) -> None:
        """In any case of letters, by id; those without a name are nobody's namesake."""

        def meet(uow: UnitOfWork, phone: str, name: str | None) -> int:
            profile = uow.customers.lock(phone, now=NOON)
            uow.customers.save(attrs.evolve(profile, name=name))
            return profile.id

        anna = await database.transact(partial(meet, phone=PHONE, name="Anna Ölund"))
        hanna = await database.transact(partial(meet, phone=OTHER, name="HANNAH"))
        await database.transact(partial(meet, phone="3", name=None))

        async def called(name: str, *, after: int = 0, limit: int = 50) -> list[int]:
            found = await database.read(lambda uow: uow.customers.called(name, after=after, limit=limit))
            return [one.id for one in found]

        assert await called("anna") == [anna, hanna]
        assert await called("anna", limit=1) == [anna]
        assert await called("anna", after=anna) == [hanna]
        assert await called("öLU") == [anna]
        assert await called("a ö") == [anna]
        assert await called("boris") == []
