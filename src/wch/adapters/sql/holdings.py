"""Every table as rows of plain values."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Result, String, Table, Text, and_, delete, func, or_, select, tuple_, type_coerce, update
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.documents import read_items
from wch.adapters.sql.json_text import clean, read_json
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import Encoded, Json, Key, LongText, Side, Word, Words
from wch.application.ports import Held
from wch.application.ports.beside import NO_MOMENTS, NO_PIECES
from wch.domain.document import through
from wch.domain.errors import NotFoundError

_TEXTS = (Key, Words, Word, Side, LongText)
_CUSTOMER = ("customer_phone", "phone")


class SqlHoldings:
    """See `wch.application.ports.Holdings`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._tables = {table.name.removeprefix(tables.prefix): table for table in tables.metadata.sorted_tables}
        self._threads = tables.conversations

    def page(
        self,
        table: str,
        *,
        after: tuple[Any, ...] | None = None,
        limit: int = 500,
        columns: Collection[str] = (),
        since: Mapping[str, datetime] = NO_MOMENTS,
        holding: Mapping[str, str] = NO_PIECES,
    ) -> Sequence[Held]:
        there = self._table(table).c
        any_of = [
            *(there[name] >= moment for name, moment in since.items()),
            *(func.instr(there[name], piece) > 0 for name, piece in holding.items()),
        ]
        return self._many(table, [or_(*any_of)] if any_of else [], after, limit, columns)

    def of(
        self, table: str, phones: Collection[str], *, after: tuple[Any, ...] | None = None, limit: int = 500
    ) -> Sequence[Held]:
        columns = self._table(table).c
        if table == "messages":
            threads = select(self._threads.c.id).where(self._threads.c.customer_phone.in_(sorted(phones)))
            mine = self._session.execute(threads).scalars().all()
            return self._many(table, [columns.conversation_id.in_(mine)], after, limit) if mine else []
        name = next((one for one in _CUSTOMER if one in columns), None)
        if name is None:
            return []
        return self._many(table, [columns[name].in_(sorted(phones))], after, limit)

    def locked(self, held: Held) -> Held | None:
        self._session.must_write()
        table = self._table(held.table)
        statement = self._session.locking(select(*_columns(table)).where(_is(table, held.key)))
        values = next(_plain(table, self._session.execute(statement)), None)
        return None if values is None else Held(table=held.table, key=held.key, values=values)

    def rewrite(self, held: Held, changes: Mapping[str, Any]) -> bool:
        self._session.must_write()
        table = self._table(held.table)
        values = {name: _written(table, name, value) for name, value in changes.items()}
        found = self._session.execute(self._session.locking(select(*_key(table)).where(_is(table, held.key)))).first()
        if found is None:
            return False
        self._session.execute(update(table).where(_is(table, held.key)).values(values))
        return True

    def clean(self, held: Held, text: Callable[[str], str]) -> bool:
        table = self._table(held.table)
        there = self.locked(held)
        if there is None:
            return False
        key = {column.name for column in _key(table)}
        values = {name: value for name, value in there.values.items() if name not in key and _is_text(table, name)}
        cleaned = {name: _cleaned(table, name, value, text) for name, value in values.items()}
        changes = {name: value for name, value in cleaned.items() if value != values[name]}
        return bool(changes) and self.rewrite(held, changes)

    def drop(self, held: Held) -> bool:
        self._session.must_write()
        table = self._table(held.table)
        return self._session.execute(delete(table).where(_is(table, held.key))).rowcount > 0

    def _many(
        self,
        name: str,
        where: list[ColumnElement[bool]],
        after: tuple[Any, ...] | None,
        limit: int,
        columns: Collection[str] = (),
    ) -> Sequence[Held]:
        table = self._table(name)
        key = _key(table)
        if after is not None:
            where = [*where, key[0] > after[0] if len(key) == 1 else tuple_(*key) > tuple_(*after)]
        wanted = {*columns, *(one.name for one in key)} if columns else {one.name for one in table.c}
        statement = select(*_columns(table, wanted)).where(*where).order_by(*key).limit(limit)
        return [
            Held(table=name, key=tuple(values[one.name] for one in key), values=values)
            for values in _plain(table, self._session.execute(statement))
        ]

    def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is None:
            raise NotFoundError(kind="table", id=name)
        return table


def _key(table: Table) -> list[Any]:
    """The columns that tell rows apart; claims have a unique key and no primary one."""
    return list(table.primary_key.columns) or [table.c.message_id, table.c.scope]


def _is(table: Table, key: tuple[Any, ...]) -> ColumnElement[bool]:
    return and_(*(column == value for column, value in zip(_key(table), key, strict=True)))


def _columns(table: Table, wanted: Collection[str] | None = None) -> list[Any]:
    """Every column, or those that are wanted; texts and JSON as stored, whatever their reader would make of them."""
    return [
        type_coerce(column, Text() if isinstance(column.type, Json) else String()).label(column.name)
        if isinstance(column.type, (Json, *_TEXTS))
        else column
        for column in table.c
        if wanted is None or column.name in wanted
    ]


def _is_text(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, (Json, Key, Words, LongText))


def _cleaned(table: Table, name: str, value: Any, text: Callable[[str], str]) -> Any:
    """The value of a column with its texts put through; what the parts of a cart's line are called is ours, and stays."""
    kind = table.c[name].type
    if isinstance(kind, Json) and kind.read is read_items and isinstance(value, list):
        return [
            {part: through(one, text) for part, one in line.items()}
            if isinstance(line, Mapping)
            else through(line, text)
            for line in value
        ]
    return through(value, text)


def _plain(table: Table, rows: Result[Any]) -> Iterator[dict[str, Any]]:
    """The values of each row by column; all rows are fetched at once, which costs a fraction of one by one."""
    names = list(rows.keys())
    documents = [name for name in names if isinstance(table.c[name].type, Json)]
    for row in rows.all():
        values = dict(zip(names, row, strict=True))
        for name in documents:
            if values[name] is not None:
                values[name] = _decoded(values[name])
        yield values


def _decoded(text: str) -> Any:
    """The value of a JSON text; what cannot be read stays a text."""
    try:
        return read_json(text)
    except ValueError:
        return text


def _written(table: Table, name: str, value: Any) -> Any:
    """A value as its column takes it; JSON by what it is, not by what its reader would make of it."""
    if not isinstance(table.c[name].type, Json) or value is None:
        return value
    return Encoded(clean(value)) if isinstance(value, str) else Json().fit(value, name)
