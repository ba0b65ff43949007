"""Every table as rows of plain values."""

from collections.abc import Callable, Mapping
from datetime import datetime

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork
from wch.application.ports.beside import NO_MOMENTS
from wch.domain.audit import AuditEntry
from wch.domain.claim import Scope
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.document import document
from wch.domain.errors import NotFoundError, ReadOnlyError
from wch.domain.product_view import ProductView
from wch.testing.contract.census import TABLES
from wch.testing.contract.samples import (
    OTHER,
    PHONE,
    cart,
    contact,
    inbound,
    later,
    letter,
    notice,
    recipient,
    saga,
    thread,
    write,
)
from wch.testing.doubles import NOON


def _one_of_each(uow: UnitOfWork) -> None:
    threads = write(thread(), thread(OTHER))(uow)
    write(
        inbound(threads[0].id, content={"v": 1, "text": PHONE}, wa_message_id="wamid.1"),
        inbound(threads[1].id, content={"v": 1, "text": f"ask {PHONE}"}, raw_payload={"seen": [int(PHONE)]}),
        cart(),
        recipient(),
        notice(),
        contact(),
        letter(args={"v": 1, PHONE: "key"}),
        saga("s1"),
    )(uow)
    uow.views.add(ProductView(customer_phone=PHONE, product_id=1, viewed_at=NOON))
    profile = uow.customers.lock(PHONE, now=NOON)
    uow.customers.save(profile.tagged("vip", now=NOON).living_at({"address_1": f"c/o {PHONE}"}, now=NOON))
    uow.options.put("a.name", document(phone=PHONE))
    uow.audit.add(AuditEntry(at=NOON, actor="ana", action="x", object=f"customer:{PHONE}"))
    uow.breakers.lock("whatsapp", now=NOON)
    for key in ("k1", "k2"):
        uow.claims.claim(key, Scope.WEBHOOK, now=NOON, expires_at=later(60))
    uow.limits.lock("ab" * 32, "api")
    uow.limits.hit("ab" * 32, "api", NOON)


def _replacing(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


class TestHoldings:
    """`Holdings`."""

    async def test_every_table_can_be_walked(self, database: Database) -> None:
        """Page by page in the order of its key, each row once, `options` and `audit_log` too."""
        await database.transact(_one_of_each)

        for table in (*sorted(TABLES), "options", "audit_log"):
            whole = await database.read(lambda uow, table=table: uow.holdings.page(table))  # type: ignore[misc]  # bound early
            seen, after = [], None
            while page := await database.read(
                lambda uow, table=table, after=after: uow.holdings.page(table, after=after, limit=1)  # type: ignore[misc]  # bound early
            ):
                seen += page
                after = page[-1].key
            named = [held for held in seen if held.values.get("scope") != Scope.OPERATION]
            assert [held for held in whole if held.values.get("scope") != Scope.OPERATION] == named
            assert named or table == "sync_queue", table

    async def test_values_are_plain(self, database: Database) -> None:
        """Texts as stored, JSON decoded, moments and flags as values."""
        await database.transact(_one_of_each)

        (row,) = await database.read(lambda uow: uow.holdings.page("customer_profiles"))

        assert row.values["phone"] == PHONE
        assert row.values["tags"] == ["vip"]
        assert row.values["created_at"] == NOON
        assert row.values["saved_addresses"][0]["address_1"] == f"c/o {PHONE}"
        (first, _) = await database.read(lambda uow: uow.holdings.page("messages"))
        assert first.values["content"] == {"v": 1, "text": PHONE}
        assert first.values["status"] == "received"

    async def test_a_walk_reads_only_the_columns_that_are_named(self, database: Database) -> None:
        """The key's beside them, since the walk goes on by it; JSON is decoded all the same."""
        await database.transact(_one_of_each)

        (row,) = await database.read(lambda uow: uow.holdings.page("customer_profiles", columns=("phone", "tags")))

        assert row.values == {"id": row.key[0], "phone": PHONE, "tags": ["vip"]}

    async def test_a_walk_is_narrowed_to_what_moved_since(self, database: Database) -> None:
        """Any of the moments is enough; one that is not set is no moment, and the bound itself counts."""
        await database.transact(
            write(
                letter(created_at=NOON),
                attrs.evolve(letter(created_at=NOON), status=DeadLetterStatus.REPLAYED, replayed_at=later(60)),
                letter(created_at=later(60)),
            )
        )

        async def walked(**moments: datetime) -> list[int]:
            page = await database.read(lambda uow: uow.holdings.page("dead_letter_queue", since=moments))
            return [held.key[0] for held in page]

        first, second, third = await walked()
        assert await walked(created_at=later(60)) == [third]
        assert await walked(created_at=later(60), replayed_at=later(60)) == [second, third]
        assert await walked(replayed_at=later(61)) == []
        assert await walked(created_at=NOON) == [first, second, third]

    async def test_a_walk_is_narrowed_to_what_holds_a_piece(self, database: Database) -> None:
        """In the one spelling of JSON, any script included; beside a moment either is enough, page by page."""
        await database.transact(
            write(
                saga("s1", context={"money": {"refunds": []}}),
                saga("s2", context={"money": {"refunds": [{"to": "Zoë"}]}}),
                saga("s3", context={}, updated_at=later(60)),
            )
        )

        def walk(uow: UnitOfWork, piece: str, moments: Mapping[str, datetime] = NO_MOMENTS) -> list[str]:
            found: list[str] = []
            while page := uow.holdings.page(
                "saga_state",
                after=(found[-1],) if found else None,
                limit=1,
                since=moments,
                holding={"context": piece},
            ):
                found += [held.key[0] for held in page]
            return found

        assert await database.read(lambda uow: walk(uow, '"refunds":[{')) == ["s2"]
        assert await database.read(lambda uow: walk(uow, '"Zoë"')) == ["s2"]
        assert await database.read(lambda uow: walk(uow, "nowhere")) == []
        touched = {"updated_at": later(60)}
        assert await database.read(lambda uow: walk(uow, '"refunds":[{', touched)) == ["s2", "s3"]

    async def test_a_customers_rows_are_found_by_their_key(self, database: Database) -> None:
        """By the customer's column, messages by their thread, nothing where nobody is named."""
        await database.transact(_one_of_each)

        async def count(table: str, *phones: str) -> int:
            return len(await database.read(lambda uow: uow.holdings.of(table, phones)))

        for table in ("conversations", "messages", "carts", "customer_profiles", "broadcast_recipients"):
            assert await count(table, PHONE) == 1, table
        assert await count("messages", PHONE, OTHER) == 2
        assert await count("messages", "1") == 0
        assert await count("saga_state", PHONE) == 0

    async def test_columns_are_rewritten(self, database: Database) -> None:
        """Those that are named, with whatever they may hold."""
        await database.transact(_one_of_each)

        def work(uow: UnitOfWork) -> bool:
            (held, _) = uow.holdings.page("messages")
            changes = {"content": {"v": 1}, "status": "processed", "raw_payload": None, "wa_message_id": "erased:1"}
            return uow.holdings.rewrite(held, changes)

        assert await database.transact(work)

        row = await database.read(lambda uow: uow.messages.by_wa_id("erased:1"))
        assert row is not None
        assert (row.status, row.content, row.raw_payload) == ("processed", {"v": 1}, None)

    async def test_every_text_of_a_row_is_put_through(self, database: Database) -> None:
        """In columns and JSON, names of fields and large numbers too; the key stays."""
        await database.transact(_one_of_each)

        def work(uow: UnitOfWork) -> dict[str, list[bool]]:
            clean = _replacing(PHONE, "nobody")
            tables = ("messages", "customer_profiles", "dead_letter_queue", "options", "audit_log", "circuit_breakers")
            return {table: [uow.holdings.clean(held, clean) for held in uow.holdings.page(table)] for table in tables}

        told = await database.transact(work)

        assert told["messages"] == [True, True]
        assert told["circuit_breakers"] == [False]
        for table in ("messages", "customer_profiles", "dead_letter_queue", "audit_log"):
            rows = await database.read(lambda uow, table=table: uow.holdings.page(table))  # type: ignore[misc]  # bound early
            assert PHONE not in str([held.values for held in rows]), table
        assert await database.read(lambda uow: uow.options.get("a.name")) == {"v": 1, "phone": "nobody"}
        assert (await database.transact(work))["messages"] == [False, False]

    async def test_what_no_store_can_keep_is_replaced(self, database: Database) -> None:
        """A NUL or a lone surrogate that a text is made into, in columns and in JSON: as with any other write."""
        await database.transact(_one_of_each)

        def work(uow: UnitOfWork) -> list[bool]:
            return [uow.holdings.clean(held, _replacing(PHONE, "\ud800\x00")) for held in uow.holdings.page("messages")]

        assert await database.transact(work) == [True, True]

        first = await database.read(lambda uow: uow.messages.by_wa_id("wamid.1"))
        assert first is not None
        assert first.content == {"v": 1, "text": "\ufffd\ufffd"}

    async def test_a_cart_that_was_put_through_is_still_a_cart(self, database: Database) -> None:
        """Its lines are values of their own; what the parts of a line are called is no text of anybody's."""
        await database.transact(_one_of_each)

        def work(uow: UnitOfWork) -> list[bool]:
            (held,) = uow.holdings.page("carts")
            return [uow.holdings.clean(held, _replacing(*one)) for one in (("Mug", "Cup"), ("product", "number"))]

        assert await database.transact(work) == [True, False]
        found = await database.read(lambda uow: uow.carts.of(PHONE))
        assert found is not None
        assert [line.product_name for line in found.items] == ["Cup"]

    async def test_a_row_that_is_gone_is_no_error(self, database: Database) -> None:
        """Somebody else may have deleted it since it was seen."""
        await database.transact(_one_of_each)
        (held,) = await database.read(lambda uow: uow.holdings.page("product_views"))

        assert await database.transact(lambda uow: uow.holdings.drop(held))
        assert not await database.transact(lambda uow: uow.holdings.drop(held))
        assert not await database.transact(lambda uow: uow.holdings.rewrite(held, {"product_id": 2}))
        assert not await database.transact(lambda uow: uow.holdings.clean(held, str.upper))
        assert await database.transact(lambda uow: uow.holdings.locked(held)) is None

    async def test_a_read_changes_nothing(self, database: Database) -> None:
        """As everywhere."""
        await database.transact(_one_of_each)
        (held,) = await database.read(lambda uow: uow.holdings.page("carts"))

        for change in (
            lambda uow: uow.holdings.drop(held),
            lambda uow: uow.holdings.rewrite(held, {"coupon_code": "X"}),
            lambda uow: uow.holdings.clean(held, str.upper),
            lambda uow: uow.holdings.locked(held),
        ):
            with pytest.raises(ReadOnlyError):
                await database.read(change)

    async def test_there_are_no_other_tables(self, database: Database) -> None:
        """A name that is wrong must not look like a table without rows."""
        for name in ("customers", "shop_orders", "__class__"):
            with pytest.raises(NotFoundError):
                await database.read(lambda uow, name=name: uow.holdings.page(name))  # type: ignore[misc]  # bound early

    async def test_a_store_can_forget(self, database: Database) -> None:
        """What was deleted goes out of its files too, and it works on as before."""
        await database.transact(_one_of_each)

        assert await database.forget()
        assert len(await database.read(lambda uow: uow.holdings.page("messages"))) == 2
