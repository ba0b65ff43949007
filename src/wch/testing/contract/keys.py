"""Keys and texts: compared letter by letter, never cut, and what no store can keep is replaced alike."""

from collections.abc import Callable
from typing import Any

import pytest

from wch.application.ports import Database, UnitOfWork
from wch.domain.errors import DuplicateError, StoreMisusedError
from wch.testing.contract.samples import (
    ALIKE,
    HASH,
    PHONE,
    inbound,
    later,
    letter,
    recipient,
    saga,
    thread,
    write,
)
from wch.testing.doubles import NOON

TOO_LONG: dict[str, Callable[[UnitOfWork], Any]] = {
    "conversations.customer_phone": lambda uow: uow.conversations.add(thread("1" * 21)),
    "conversations.wa_conversation_id": lambda uow: uow.conversations.add(thread(wa_conversation_id="c" * 256)),
    "messages.wa_message_id": lambda uow: uow.messages.add(inbound(None, wa_message_id="w" * 256)),
    "messages.type": lambda uow: uow.messages.add(inbound(None, type="t" * 51)),
    "messages.by_wa_id": lambda uow: uow.messages.by_wa_id("w" * 256),
    "recipients.wa_message_id": lambda uow: uow.recipients.add(recipient(wa_message_id="w" * 256)),
    "dead_letters.hook": lambda uow: uow.dead_letters.add(letter(hook="h" * 256)),
    "sagas.saga_type": lambda uow: uow.sagas.add(saga(saga_type="t" * 101)),
    "options.name": lambda uow: uow.options.put("n" * 192, {"v": 1}),
    "claims.message_id": lambda uow: uow.claims.claim("k" * 256, "webhook", now=NOON, expires_at=later(1)),
    "claims.scope": lambda uow: uow.claims.claim(HASH, "s" * 101, now=NOON, expires_at=later(1)),
    "breakers.service": lambda uow: uow.breakers.lock("s" * 101, now=NOON),
    "limits.limit_type": lambda uow: uow.limits.lock(HASH, "t" * 51),
}
"""One character more than each column takes."""


class TestKeys:
    """What makes two rows the same row."""

    async def test_message_ids_differ_letter_by_letter(self, database: Database) -> None:
        """Case, accents and trailing blanks tell ids apart; a collation that folds them loses a message each."""
        added = await database.transact(write(*(inbound(None, wa_message_id=key) for key in ALIKE)))
        found = await database.read(lambda uow: [uow.messages.by_wa_id(key) for key in ALIKE])

        assert found == added

    async def test_a_message_id_is_unique_for_ever(self, database: Database) -> None:
        """The second row of an id is refused, added or saved, and says by which key."""
        first, second = await database.transact(write(inbound(None, wa_message_id="wamid.1"), inbound(None)))

        with pytest.raises(DuplicateError) as added:
            await database.transact(write(inbound(None, wa_message_id="wamid.1")))

        def save(uow: UnitOfWork) -> None:
            row = uow.messages.get(second.id, lock=True)
            assert row is not None
            uow.messages.save(row.with_id("wamid.1"))

        with pytest.raises(DuplicateError) as saved:
            await database.transact(save)

        assert (added.value.key, saved.value.key) == ("wa_message_id", "wa_message_id")  # type: ignore[attr-defined]  # facts are attributes
        assert await database.read(lambda uow: uow.messages.by_wa_id("wamid.1")) == first

    async def test_many_messages_have_no_id_yet(self, database: Database) -> None:
        """What is absent is not equal to anything."""
        rows = await database.transact(write(*(inbound(None) for _ in range(3))))

        assert len({row.id for row in rows}) == 3

    async def test_saga_ids_differ_letter_by_letter(self, database: Database) -> None:
        """An order's saga is never taken for another's."""
        await database.transact(write(*(saga(key, context={"v": 1, "of": key}) for key in ALIKE)))

        found = await database.read(lambda uow: [uow.sagas.get(key) for key in ALIKE])
        assert [row.context["of"] for row in found if row is not None] == list(ALIKE)

    async def test_a_saga_id_is_there_once(self, database: Database) -> None:
        """However many start it."""
        await database.transact(write(saga("order-1-1")))

        with pytest.raises(DuplicateError):
            await database.transact(write(saga("order-1-1", saga_type="Refund")))

    async def test_option_names_differ_letter_by_letter(self, database: Database) -> None:
        """Names are keys: `Key` and `key ` are two documents."""

        def work(uow: UnitOfWork) -> None:
            for key in ALIKE:
                uow.options.put(key, {"v": 1, "of": key})

        await database.transact(work)

        found = await database.read(lambda uow: [uow.options.get(key) for key in ALIKE])
        assert found == [{"v": 1, "of": key} for key in ALIKE]

    async def test_claims_differ_letter_by_letter(self, database: Database) -> None:
        """In key and in scope."""

        def work(uow: UnitOfWork) -> list[bool]:
            claimed = [uow.claims.claim(key, "api", now=NOON, expires_at=later(9)) for key in ALIKE]
            return claimed + [uow.claims.claim(HASH, key, now=NOON, expires_at=later(9)) for key in ALIKE]

        assert all(await database.transact(work))

    async def test_services_differ_letter_by_letter(self, database: Database) -> None:
        """Each breaker is of one service."""
        await database.transact(lambda uow: [uow.breakers.lock(key, now=NOON) for key in ALIKE])

        listed = await database.read(lambda uow: uow.breakers.listed())
        assert [breaker.service for breaker in listed] == sorted(ALIKE)

    async def test_filters_compare_letter_by_letter(self, database: Database) -> None:
        """A list by hook, reason or type holds exactly what was asked for."""
        await database.transact(write(*(letter(hook=key, reason=key) for key in ALIKE)))
        await database.transact(write(*(saga(f"s{place}", saga_type=key) for place, key in enumerate(ALIKE))))

        def look(uow: UnitOfWork) -> list[int]:
            hooks = [len(uow.dead_letters.listed(hook=key)) for key in ALIKE]
            reasons = [len(uow.dead_letters.listed(reason=key)) for key in ALIKE]
            return hooks + reasons + [len(uow.sagas.listed(saga_type=key)) for key in ALIKE]

        assert set(await database.read(look)) == {1}


class TestTexts:
    """What columns hold."""

    @pytest.mark.parametrize("write_it", list(TOO_LONG.values()), ids=list(TOO_LONG))
    async def test_a_text_longer_than_its_column_is_refused(
        self, database: Database, write_it: Callable[[UnitOfWork], Any]
    ) -> None:
        """Never cut: half a key is another key."""
        with pytest.raises(StoreMisusedError):
            await database.transact(write_it)

    async def test_width_is_counted_in_characters(self, database: Database) -> None:
        """255 emoji fit where 255 letters fit."""
        key = "\N{SMILING FACE WITH SUNGLASSES}" * 255
        await database.transact(write(inbound(None, wa_message_id=key)))

        found = await database.read(lambda uow: uow.messages.by_wa_id(key))
        assert found is not None
        assert found.wa_message_id == key

    async def test_nul_and_lone_surrogates_are_replaced(self, database: Database) -> None:
        """No engine keeps them all; everywhere they become the replacement character, in keys and at any depth."""
        bad, good = "a\x00b\ud800c", "a\ufffdb\ufffdc"
        content = {"v": 1, bad: [bad, {"deep": bad}], "slash": "\\\x00", "kept": "\\u0000"}
        (row,) = await database.transact(write(inbound(None, wa_message_id=bad, content=content, error_message=bad)))

        found = await database.read(lambda uow: uow.messages.get(row.id))

        assert found is not None
        assert (found.wa_message_id, found.error_message) == (good, good)
        assert found.content == {"v": 1, good: [good, {"deep": good}], "slash": "\\\ufffd", "kept": "\\u0000"}
        assert await database.read(lambda uow: uow.messages.by_wa_id(bad)) == found

    async def test_documents_come_back_as_json_has_them(self, database: Database) -> None:
        """A tuple is a list and a number as a name is a text, on every store alike."""
        (row,) = await database.transact(write(inbound(None, content={"v": 1, "pair": (1, 2), 3: None})))

        found = await database.read(lambda uow: uow.messages.get(row.id))

        assert found is not None
        assert found.content == {"v": 1, "pair": [1, 2], "3": None}

    async def test_what_json_cannot_hold_is_refused(self, database: Database) -> None:
        """Before anything is written."""
        with pytest.raises(StoreMisusedError):
            await database.transact(write(inbound(None, content={"v": 1, "when": NOON})))

        assert (await database.read(lambda uow: uow.census.states()))["messages"] == {}

    async def test_nobody_holds_a_part_of_a_stored_row(self, database: Database) -> None:
        """Changing what was handed over, after the commit, changes nothing in the store."""
        said: dict[str, Any] = {"v": 1, "list": [1]}
        (row,) = await database.transact(write(inbound(None, content=said)))
        said["list"].append(2)

        found = await database.read(lambda uow: uow.messages.get(row.id))

        assert found is not None
        assert found.content == {"v": 1, "list": [1]}

    async def test_a_long_error_keeps_its_beginning(self, database: Database) -> None:
        """A TEXT column takes 65,535 bytes; words about an error may lose their end, nothing else may."""
        (row,) = await database.transact(write(inbound(None, error_message="é" * 40_000)))

        found = await database.read(lambda uow: uow.messages.get(row.id))

        assert found is not None
        assert found.error_message is not None
        assert len(found.error_message) > 10_000
        assert set(found.error_message) == {"é"}

    async def test_a_large_document_is_kept_whole(self, database: Database) -> None:
        """LONGTEXT: a delivery of a megabyte is an ordinary row."""
        (row,) = await database.transact(write(inbound(None, raw_payload={"v": 1, "text": "é" * 1_000_000})))

        found = await database.read(lambda uow: uow.messages.get(row.id))

        assert found is not None
        assert found.raw_payload == {"v": 1, "text": "é" * 1_000_000}

    async def test_customers_of_like_keys_are_two(self, database: Database) -> None:
        """A surrogate in capitals is nobody's key, and finds nobody."""
        await database.transact(lambda uow: uow.customers.lock("uabc", now=NOON))

        assert await database.read(lambda uow: uow.customers.of("UABC")) is None
        assert await database.read(lambda uow: uow.customers.of("uabc ")) is None
        assert await database.read(lambda uow: uow.conversations.latest_of(PHONE)) is None
