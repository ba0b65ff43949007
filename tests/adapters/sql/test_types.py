"""What columns take, what they give back, and what they refuse before a statement is made of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, event, insert, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import StaticPool

from wch.adapters.sql import SqlDatabase
from wch.adapters.sql.documents import read_forgivingly, read_items, write_items
from wch.adapters.sql.json_text import read_json
from wch.adapters.sql.tables import tables
from wch.adapters.sql.types import Broken, Encoded, Json, Key, LongText, UtcSeconds, Words
from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import Conversation
from wch.domain.errors import StoreMisusedError, UndecodableError
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.saga import Saga
from wch.domain.widths import OPTION_NAME, WIDTHS
from wch.testing.strategies import amounts, cart_items

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DIALECT = sqlite.dialect()
ITEM = CartItem(
    product_id=7,
    variation_id=None,
    quantity=2,
    price_at_add=Decimal("12.50"),
    currency="EUR",
    product_name="Tea",
    variant_attributes={"Size": "M"},
    added_at=NOON,
)


def _inbound(**more: Any) -> Message:
    values: dict[str, Any] = {"wa_message_id": "wamid.1", "content": {"v": 1}, **more}
    return Message(
        direction=Direction.INBOUND,
        type="text",
        status=MessageStatus.RECEIVED,
        created_at=NOON,
        updated_at=NOON,
        **values,
    )


def test_a_moment_is_nineteen_characters_on_sqlite() -> None:
    """Two spellings of one moment would not compare as texts."""
    assert UtcSeconds().process_bind_param(NOON, DIALECT) == "2026-03-01 12:00:00"


def test_a_moment_of_another_zone_goes_in_as_utc() -> None:
    """A column has one zone."""
    moment = datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))

    assert UtcSeconds().process_bind_param(moment, DIALECT) == "2026-03-01 12:00:00"


@pytest.mark.parametrize("moment", [datetime(2026, 3, 1), NOON + timedelta(microseconds=1)])  # noqa: DTZ001 - naive
def test_a_naive_or_finer_moment_is_refused(moment: datetime) -> None:
    """MariaDB would cut a fraction, MySQL round it."""
    with pytest.raises(StoreMisusedError):
        UtcSeconds().process_bind_param(moment, DIALECT)


def test_a_moment_that_cannot_be_read_is_broken() -> None:
    """Imported rows hold dates that no calendar has."""
    assert isinstance(UtcSeconds().process_result_value("0000-00-00 00:00:00", DIALECT), Broken)
    assert UtcSeconds().process_result_value("2026-03-01 12:00:00", DIALECT) == NOON


def test_the_lines_of_a_cart_have_the_documented_shape() -> None:
    """The price is a text, a price that needs no consent is absent, the moment is RFC 3339."""
    assert write_items((ITEM,)) == [
        {
            "product_id": 7,
            "variation_id": None,
            "quantity": 2,
            "price_at_add": "12.50",
            "currency": "EUR",
            "product_name": "Tea",
            "variant_attributes": {"Size": "M"},
            "added_at": "2026-03-01T12:00:00Z",
        }
    ]
    agreed = attrs.evolve(ITEM, agreed_price=Decimal("11.00"))
    assert write_items((agreed,))[0]["agreed_price"] == "11.00"
    assert read_items(write_items((ITEM, agreed))) == (ITEM, agreed)


def test_imported_lines_are_read() -> None:
    """A number for the price, no currency, keys nobody knows, empty objects as PHP writes them, no zone."""
    text = (
        '[{"product_id":7,"quantity":2,"price_at_add":12.5,"product_name":"Tea","variant_attributes":[],'
        '"added_at":"2026-03-01 12:00:00","line_total":25}]'
    )

    (line,) = read_items(json.loads(text))

    expected = attrs.evolve(ITEM, price_at_add=Decimal("12.5"), currency="", variant_attributes={})
    assert line == expected
    assert Json().process_result_value("[]", DIALECT) == {}


_ABSENT = object()
_SLOPPY: list[Any] = [
    *(_ABSENT, None, True, False, -1, 0, 9, 2.5, [], {}, {"Size": 3}, {"Size": None}, ["Size"]),
    *("", "0", "7", "12.50", "1e2", "-1", "nan", "2026-03-01 12:00:00", "2026-03-01T12:00:00.5+02:00"),
]


@given(item=cart_items(), agreed=st.none() | amounts())
@pytest.mark.parametrize("name", [*attrs.fields_dict(CartItem), "line_total"])
def test_a_line_means_the_same_read_fast_or_forgivingly(name: str, item: CartItem, agreed: Decimal | None) -> None:
    """The fast way is for lines of our own shape: nobody can tell which way one was read, not even by its error."""
    (written,) = write_items((attrs.evolve(item, agreed_price=agreed),))

    for value in _SLOPPY:
        line = {**written, name: value}
        if value is _ABSENT:
            del line[name]
        assert _outcome(read_items, [line]) == _outcome(_forgivingly, [line])


def _forgivingly(lines: list[Any]) -> tuple[CartItem, ...]:
    return tuple(read_forgivingly(line) for line in lines)


def _outcome(read: Callable[[list[Any]], tuple[CartItem, ...]], lines: list[Any]) -> Any:
    try:
        return [[(type(value), value) for value in attrs.asdict(item).values()] for item in read(lines)]
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return type(error)


@pytest.mark.parametrize("text", ['{"v":1', "[1]", '"word"', "NaN"])
def test_a_text_that_is_no_object_is_broken(text: str) -> None:
    """It is a value, so that reading the other columns of the row goes on."""
    assert isinstance(Json().process_result_value(text, DIALECT), Broken)


def test_what_no_store_can_keep_is_replaced_at_any_depth() -> None:
    """NUL and lone surrogates; a backslash before one stays, and so does a text that only looks like one."""
    value = {"a": "x\x00y", "b\x00": ["\\\x00", "\ud800", "\\u0000"], "c": "\\\\"}

    fitted = Json().fit(value)

    assert isinstance(fitted, Encoded)
    assert "\\u0000" not in fitted.text.replace("\\\\u0000", "")
    assert json.loads(fitted.text) == {"a": "x\ufffdy", "b\ufffd": ["\\\ufffd", "\ufffd", "\\u0000"], "c": "\\\\"}
    assert Key(10).fit("a\x00\udfff") == "a\ufffd\ufffd"


def test_what_is_no_json_is_refused() -> None:
    """A moment in a document would come back as something else."""
    with pytest.raises(StoreMisusedError):
        Json().fit({"at": NOON})


def test_every_width_is_the_documented_one() -> None:
    """One list of widths binds the store in memory and the columns; a new column stands in both or in neither."""
    all_ = tables("t_", names_per_table=True)
    by_row = {
        row: table
        for table, row in zip(
            (
                all_.conversations,
                all_.messages,
                all_.carts,
                all_.customers,
                all_.recipients,
                all_.sync,
                all_.notifications,
                all_.views,
                all_.reengagements,
                all_.dead_letters,
                all_.claims,
                all_.limits,
                all_.breakers,
                all_.sagas,
            ),
            WIDTHS,
            strict=True,
        )
    }
    for row, widths in WIDTHS.items():
        found = {column.name: column.type.width for column in by_row[row].c if hasattr(column.type, "width")}
        assert found == widths, row
    assert all_.options.c.name.type.width == OPTION_NAME  # type: ignore[attr-defined]  # a key
    assert {column.name for column in all_.audit.c} == {field.name for field in attrs.fields(AuditEntry)}


CARTS = tables("t_", names_per_table=False).carts
MEMORY = create_engine("sqlite://", poolclass=StaticPool)
CARTS.create(MEMORY)


@given(
    amounts=st.lists(
        st.decimals(min_value=Decimal("-99999999.99"), max_value=Decimal("99999999.99"), places=2), max_size=20
    )
)
def test_amounts_come_back_exactly_and_in_order(amounts: list[Decimal]) -> None:
    """SQLite knows no decimals: ten digits survive as its number, and compare as numbers."""
    with MEMORY.begin() as connection:
        connection.execute(CARTS.delete())
        for place, amount in enumerate(amounts):
            values = {"customer_phone": str(place), "total": amount, "status": "active"}
            connection.execute(insert(CARTS).values(**values, created_at=NOON, updated_at=NOON))
        as_written = connection.execute(select(CARTS.c.total).order_by(CARTS.c.id)).scalars().all()
        by_worth = connection.execute(select(CARTS.c.total).order_by(CARTS.c.total)).scalars().all()

    assert as_written == amounts
    assert by_worth == sorted(amounts)


async def test_a_text_that_is_too_long_never_reaches_the_database(file: SqlDatabase) -> None:
    """SQLite would keep it silently, and MariaDB's words would hold it."""
    sent: list[str] = []

    def note(connection: Any, *_rest: Any) -> None:
        connection.set_trace_callback(sent.append)

    event.listen(file._engine, "checkout", note)  # noqa: SLF001 - to see what is sent

    def work(uow: UnitOfWork) -> None:
        with pytest.raises(StoreMisusedError) as caught:
            uow.messages.add(_inbound(wa_message_id="w" * 256))
        assert caught.value.facts == {"column": "wa_message_id", "width": 255}
        with pytest.raises(StoreMisusedError):
            uow.messages.by_wa_id("w" * 256)

    await file.transact(work)

    assert sent == ["BEGIN IMMEDIATE", "COMMIT"]


async def test_what_add_returns_is_what_is_stored(database: SqlDatabase) -> None:
    """Nobody goes on with a value that the next reader will not see."""
    row = _inbound(content={"v": 1, "text": "a\x00b", 5: ("x", "y")}, error_message="e" * 70_000)

    written = await database.transact(lambda uow: uow.messages.add(row))

    assert written == await database.read(lambda uow: uow.messages.get(written.id))
    assert written.content == {"v": 1, "text": "a\ufffdb", "5": ["x", "y"]}


async def test_a_row_that_cannot_be_read_is_told_by_get_and_passed_over_by_lists(database: SqlDatabase) -> None:
    """One broken text must not stop every worker; whoever asks for that row hears of it."""

    def spoil(connection: Connection) -> None:
        there = database.tables
        for table, column in ((there.carts, "items"), (there.conversations, "context"), (there.sagas, "context")):
            values = {column: Encoded('{"v')}
            connection.execute(table.update().where(table.c.created_at == NOON).values(**values))

    def write(uow: UnitOfWork) -> tuple[int, int]:
        first = uow.carts.add(Cart.opened("491", now=NOON))
        second = uow.carts.add(Cart.opened("492", now=NOON + timedelta(seconds=1)))
        uow.conversations.add(Conversation(customer_phone="491", created_at=NOON, updated_at=NOON))
        for number in range(15):
            at = NOON + timedelta(seconds=number // 14)
            uow.sagas.add(Saga.begun(f"s{number:02}", "OrderPlacement", {}, now=at))
        return first.id, second.id

    broken, sound = await database.transact(write)
    await database.run(spoil, write=True)

    for read in (
        lambda uow: uow.carts.get(broken),
        lambda uow: uow.carts.of("491"),
        lambda uow: uow.conversations.latest_of("491"),
        lambda uow: uow.sagas.get("s00"),
    ):
        with pytest.raises(UndecodableError):
            await database.read(read)
    assert [cart.id for cart in await database.read(lambda uow: uow.carts.listed(limit=1))] == [sound]
    due = await database.transact(lambda uow: uow.sagas.take_due(NOON + timedelta(hours=1), limit=10))
    assert [saga.saga_id for saga in due] == ["s14"]


async def test_a_word_that_nobody_knows_is_a_finding(database: SqlDatabase) -> None:
    """A newer program, or a hand in the database, has been here."""
    await database.transact(lambda uow: uow.messages.add(_inbound()))
    await database.run(lambda held: held.execute(text("UPDATE kept_messages SET status = 'lost'")), write=True)

    (finding,) = await database.read(lambda uow: uow.census.unknown_words())

    assert finding.table == "messages"
    assert "lost" in finding.what


@pytest.mark.parametrize("number", [10**18 - 1, 10**18, 2**63, 2**64, 10**30 + 1, -(10**30) - 1])
def test_a_large_number_is_read_to_its_last_digit(number: int) -> None:
    """The fast reader would make a float of it; digits of another script are no number."""
    assert read_json(f'{{"text": "\u0663 {"9" * 18}", "number": {number}}}') == {
        "text": f"\u0663 {'9' * 18}",
        "number": number,
    }


@pytest.mark.parametrize(
    "kind", [Key(5), Words(5), LongText(), LongText(long=False)], ids=["key", "words", "long text", "text"]
)
@given(written=st.text(st.characters(), max_size=7) | st.sampled_from(list(MessageStatus)))
def test_a_text_goes_in_by_the_short_way_as_it_fits(kind: Any, written: str) -> None:
    """What looks sound is written as it is: nothing that has to be cleaned or refused may look so."""

    def told(write: Callable[[], Any]) -> Any:
        try:
            return write()
        except StoreMisusedError as error:
            return error.facts

    assert told(lambda: kind.writer(DIALECT, "name")(written)) == told(lambda: kind.fit(written, "name"))
