"""A row is made in the short way as in the general one, or refused in the same words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql, sqlite

from wch.adapters.sql.decoding import Decoder
from wch.adapters.sql.tables import tables
from wch.adapters.sql.types import Json, Key, LongText, Side, UtcSeconds, Word, Words
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.cart import Cart
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.claim import Claim
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter
from wch.domain.errors import UndecodableError
from wch.domain.message import Message
from wch.domain.notification import Notification
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.reengagement import Reengagement
from wch.domain.saga import Saga
from wch.domain.sync import SyncTask

TABLES = tables("t_", names_per_table=False)
AGGREGATES: Mapping[Any, Any] = {
    Conversation: TABLES.conversations,
    Message: TABLES.messages,
    Cart: TABLES.carts,
    CustomerProfile: TABLES.customers,
    BroadcastRecipient: TABLES.recipients,
    SyncTask: TABLES.sync,
    Notification: TABLES.notifications,
    ProductView: TABLES.views,
    Reengagement: TABLES.reengagements,
    DeadLetter: TABLES.dead_letters,
    Claim: TABLES.claims,
    RateLimitWindow: TABLES.limits,
    CircuitBreaker: TABLES.breakers,
    Saga: TABLES.sagas,
}
WORDS = sorted(
    {str(word) for table in AGGREGATES.values() for column in table.c for word in getattr(column.type, "words", ())}
)
GIVEN = st.one_of(
    st.none(),
    st.sampled_from(
        ["2026-03-01 12:00:00", "2026-03-01T12:00:00+02:00", "0000-00-00 00:00:00", "491", "a" * 64, "", *WORDS]
    ),
    st.sampled_from(['{"v":1}', "[]", "{", "[1]", '[{"a":"b"}]', '["x"]', '{"n":18446744073709551616}']),
    st.integers(-2, 2),
    st.floats(-1e8, 1e8),
    st.decimals(-100, 100, places=2),
    st.datetimes(),
    st.text(max_size=5),
    st.binary(max_size=3),
)


def _sound(column: Any, dialect: Any) -> st.SearchStrategy[Any]:
    """What a column may well hold."""
    kind = column.type
    if isinstance(kind, (Word, Side)):
        return st.sampled_from([str(word) for word in kind.words])
    if isinstance(kind, UtcSeconds):
        return st.just(datetime(2026, 3, 1, 12) if dialect.name == "mysql" else "2026-03-01 12:00:00")  # noqa: DTZ001 - as the driver gives it
    if isinstance(kind, Json):
        return st.sampled_from(["[]", '[{"a":"b"}]'] if kind.read else ['{"v":1}', '{"v":1,"a":[1.5,null]}'])
    if isinstance(kind, (Key, Words, LongText)):
        return st.sampled_from(["a", "a" * 64])
    return st.integers(0, 2)


def _told(read: Any, raw: Any) -> Any:
    """The aggregate, or what was said of the row; one value may equal another of another type."""
    try:
        row = read(raw)
    except UndecodableError as error:
        return error.facts
    return [
        (field.name, value.__class__, value)
        for field in attrs.fields(row.__class__)
        for value in [getattr(row, field.name)]
    ]


@pytest.mark.parametrize("dialect", [sqlite.dialect(), mysql.dialect()], ids=["sqlite", "mysql"])
@given(data=st.data())
def test_the_short_way_makes_of_any_row_what_the_general_one_does(dialect: Any, data: st.DataObject) -> None:
    """A value that only the class refuses, or one of a wrong type, must not slip in because it came from a table."""
    row = data.draw(st.sampled_from(list(AGGREGATES)))
    decoder: Decoder[Any] = Decoder(AGGREGATES[row], row, dialect)
    columns = list(AGGREGATES[row].c)
    raw = [data.draw(_sound(column, dialect)) for column in columns]
    for place in data.draw(st.lists(st.sampled_from(range(len(columns))), max_size=2)):
        raw[place] = data.draw(GIVEN)

    assert decoder.is_filled
    assert _told(decoder.read, raw) == _told(decoder.read_by_name, raw)


def test_an_amount_that_is_none_is_told_by_its_column() -> None:
    """It raised an error of decimals, which stopped whoever read rows beside it."""
    decoder: Decoder[Cart] = Decoder(TABLES.carts, Cart, sqlite.dialect())
    raw = ["nothing" if name == "total" else None for name in TABLES.carts.c.keys()]  # noqa: SIM118 - no dict

    with pytest.raises(UndecodableError) as raised:
        decoder.read(raw)

    assert raised.value.facts["column"] == "total"
