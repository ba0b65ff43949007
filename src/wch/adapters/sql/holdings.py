"""Every table as rows of plain values."""

# ruff: noqa: D102 - what each method promises stands in the port

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import String, Table, Text, and_, delete, select, tuple_, type_coerce, update
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.rows import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import Encoded, Json, Key, LongText, Side, Word, Words, clean
from wch.application.ports import Held
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

    def page(self, table: str, *, after: tuple[Any, ...] | None = None, limit: int = 500) -> Sequence[Held]:
        return self._many(table, [], after, limit)

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
        row = self._session.execute(self._session.locking(select(*_columns(table)).where(_is(table, held.key)))).first()
        return None if row is None else Held(table=held.table, key=held.key, values=_plain(table, row))

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
        cleaned = {name: through(value, text) for name, value in values.items()}
        changes = {name: value for name, value in cleaned.items() if value != values[name]}
        return bool(changes) and self.rewrite(held, changes)

    def drop(self, held: Held) -> bool:
        self._session.must_write()
        table = self._table(held.table)
        return self._session.execute(delete(table).where(_is(table, held.key))).rowcount > 0

    def _many(
        self, name: str, where: list[ColumnElement[bool]], after: tuple[Any, ...] | None, limit: int
    ) -> Sequence[Held]:
        table = self._table(name)
        key = _key(table)
        if after is not None:
            where = [*where, key[0] > after[0] if len(key) == 1 else tuple_(*key) > tuple_(*after)]
        statement = select(*_columns(table)).where(*where).order_by(*key).limit(limit)
        found = []
        for row in self._session.execute(statement):
            values = _plain(table, row)
            found.append(Held(table=name, key=tuple(values[one.name] for one in key), values=values))
        return found

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


def _columns(table: Table) -> list[Any]:
    """Every column; texts and JSON as they are stored, whatever their reader would make of them."""
    return [
        type_coerce(column, Text() if isinstance(column.type, Json) else String()).label(column.name)
        if isinstance(column.type, (Json, *_TEXTS))
        else column
        for column in table.c
    ]


def _is_text(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, (Json, Key, Words, LongText))


def _plain(table: Table, row: Any) -> dict[str, Any]:
    values = dict(row._mapping)  # noqa: SLF001 - its public name for mappings
    for column in table.c:
        if isinstance(column.type, Json) and values[column.name] is not None:
            try:
                values[column.name] = json.loads(values[column.name])
            except ValueError:
                continue
    return values


def _written(table: Table, name: str, value: Any) -> Any:
    """A value as its column takes it; JSON by what it is, not by what its reader would make of it."""
    if not isinstance(table.c[name].type, Json) or value is None:
        return value
    return Encoded(clean(value)) if isinstance(value, str) else Json().fit(value, name)
