"""Every table in memory as rows of plain values."""

# ruff: noqa: D102 - what a method promises stands on its port

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from wch.adapters.memory.rows import Journal, Rows
from wch.adapters.memory.tables import Tables
from wch.application.ports import Held
from wch.application.ports.beside import NO_MOMENTS, NO_PIECES
from wch.domain.document import through
from wch.domain.errors import NotFoundError
from wch.domain.moment import iso

_NAMES = {
    "conversations": "conversations",
    "messages": "messages",
    "carts": "carts",
    "options": "options",
    "customer_profiles": "customers",
    "broadcast_recipients": "recipients",
    "sync_queue": "sync",
    "notification_log": "notifications",
    "product_views": "views",
    "reengagement": "reengagements",
    "dead_letter_queue": "dead_letters",
    "webhook_idempotency": "claims",
    "rate_limits": "limits",
    "circuit_breakers": "breakers",
    "saga_state": "sagas",
    "audit_log": "audit",
}
_CUSTOMER = ("customer_phone", "phone")


class MemoryHoldings:
    """See `wch.application.ports.Holdings`."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

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
        def fits(row: Any) -> bool:
            return any(
                (told := getattr(row, name)) is not None and told >= moment for name, moment in since.items()
            ) or any(piece in _spelled(getattr(row, name)) for name, piece in holding.items())

        held = self._many(table, fits if since or holding else lambda _row: True, after, limit)
        if not columns:
            return held
        wanted = {*columns, *self._table(table).columns["key"]}
        return [
            attrs.evolve(one, values={name: value for name, value in one.values.items() if name in wanted})
            for one in held
        ]

    def of(
        self, table: str, phones: Collection[str], *, after: tuple[Any, ...] | None = None, limit: int = 500
    ) -> Sequence[Held]:
        if table == "messages":
            mine = {row.id for row in self._tables.conversations.rows.values() if row.customer_phone in phones}
            return self._many(table, lambda row: row.conversation_id in mine, after, limit)
        fields = {field.name for field in attrs.fields(self._table(table).row)}
        name = next((one for one in _CUSTOMER if one in fields), None)
        return [] if name is None else self._many(table, lambda row: getattr(row, name) in phones, after, limit)

    def locked(self, held: Held) -> Held | None:
        _, row = self._held(held)
        return None if row is None else Held(table=held.table, key=held.key, values=_plain_row(row))

    def rewrite(self, held: Held, changes: Mapping[str, Any]) -> bool:
        rows, row = self._held(held)
        if row is None:
            return False
        rows.save(attrs.evolve(row, **{name: _like(getattr(row, name), value) for name, value in changes.items()}))
        return True

    def clean(self, held: Held, text: Callable[[str], str]) -> bool:
        rows, row = self._held(held)
        if row is None:
            return False
        key = set(self._table(held.table).columns["key"])
        cleaned = {
            field.name: _through(value, text)
            for field in attrs.fields(type(row))
            if field.name not in key and not isinstance(value := getattr(row, field.name), StrEnum)
        }
        if all(value == getattr(row, name) for name, value in cleaned.items()):
            return False
        rows.save(attrs.evolve(row, **cleaned))
        return True

    def drop(self, held: Held) -> bool:
        rows, row = self._held(held)
        if row is not None:
            rows.forget([row])
        return row is not None

    def _many(
        self, table: str, fits: Callable[[Any], bool], after: tuple[Any, ...] | None, limit: int
    ) -> Sequence[Held]:
        rows = self._table(table).rows
        found = []
        for key in sorted(rows):
            told = key if isinstance(key, tuple) else (key,)
            if (after is None or told > after) and fits(rows[key]):
                found.append(Held(table=table, key=told, values=_plain_row(rows[key])))
                if len(found) == limit:
                    break
        return found

    def _held(self, held: Held) -> tuple[Rows[Any], Any]:
        rows: Rows[Any] = Rows(self._table(held.table), self._journal)
        return rows, rows.get(held.key if len(held.key) > 1 else held.key[0], lock=True)

    def _table(self, name: str) -> Any:
        if name not in _NAMES:
            raise NotFoundError(kind="table", id=name)
        return getattr(self._tables, _NAMES[name])


def _plain_row(row: Any) -> dict[str, Any]:
    return {field.name: _stored(getattr(row, field.name)) for field in attrs.fields(type(row))}


def _stored(value: Any) -> Any:
    """A value of a column: JSON as plain JSON, the rest as it is."""
    if isinstance(value, StrEnum):
        return value.value
    return _json(value) if isinstance(value, (tuple, Mapping)) else value


def _spelled(value: Any) -> str:
    """A document in the one spelling that stores have for it."""
    return "" if value is None else json.dumps(_json(value), ensure_ascii=False, separators=(",", ":"))


def _json(value: Any) -> Any:
    if attrs.has(type(value)):
        return {field.name: _json(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {name: _json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(one) for one in value]
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, Decimal) else value


def _like(before: Any, value: Any) -> Any:
    """A plain value as the row's own: a member of its words, a tuple where it holds one."""
    if isinstance(before, StrEnum):
        return type(before)(value)
    return tuple(value) if isinstance(before, tuple) else value


def _through(value: Any, text: Callable[[str], str]) -> Any:
    if attrs.has(type(value)):
        return attrs.evolve(
            value,
            **{field.name: _through(getattr(value, field.name), text) for field in attrs.fields(type(value))},
        )
    if isinstance(value, tuple):
        return tuple(_through(one, text) for one in value)
    return through(value, text) if isinstance(value, (str, Mapping, list)) else value
