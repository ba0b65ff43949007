"""Live tables compared with the data model: columns, types, what may be empty, collations, indexes."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs
from sqlalchemy import Column, Connection, Table, UniqueConstraint
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import Inspector

Over = tuple[tuple[str, ...], bool]
"""The columns of an index, and whether it is unique."""


@attrs.frozen(kw_only=True)
class Difference:
    """Something in the database that is not as the data model has it."""

    table: str
    what: str
    is_index: bool = False


def compare(inspector: Inspector, connection: Connection, table: Table) -> Iterator[Difference]:
    """What is different about this table, column by column, then key and indexes."""
    if not inspector.has_table(table.name):
        yield Difference(table=table.name, what="the table is missing")
        return
    live = {column["name"]: column for column in inspector.get_columns(table.name)}
    for name, column in table.c.items():
        if name not in live:
            yield Difference(table=table.name, what=f"column {name} is missing")
            continue
        for what in _column(connection, column, live[name]):
            yield Difference(table=table.name, what=f"column {name} {what}")
    for name in live:
        if name not in table.c:
            yield Difference(table=table.name, what=f"column {name} is not in the data model")
    wanted_key = [column.name for column in table.primary_key.columns]
    if inspector.get_pk_constraint(table.name)["constrained_columns"] != wanted_key:
        yield Difference(table=table.name, what=f"the primary key is not ({', '.join(wanted_key)})")
    for what in _indexes(inspector, connection, table):
        yield Difference(table=table.name, what=what, is_index=True)


def _column(connection: Connection, column: Column[Any], live: ReflectedColumn) -> Iterator[str]:
    kind = column.type.dialect_impl(connection.dialect)
    wanted, there = _type_words(kind, connection), _type_words(live["type"], connection)
    if wanted != there:
        yield f"is {there}, not {wanted}"
    if live["nullable"] != column.nullable and not column.primary_key:
        yield "may be NULL" if live["nullable"] else "may not be NULL"
    collation = getattr(kind, "collation", None)
    compared_by = getattr(live["type"], "collation", None) or "the table's collation"
    if collation is not None and compared_by != collation:
        yield f"is compared by {compared_by}, not {collation}"
    if column.server_default is not None and not _is_zero(live["default"]):
        yield "has another default than 0"


def _is_zero(default: str | None) -> bool:
    """Whether a default is the one that the data model has: nothing."""
    try:
        return default is not None and Decimal(default.strip("'()")) == 0
    except InvalidOperation:
        return False


_SAME = {"INTEGER": "INT", "DECIMAL(10, 2)": "DECIMAL(10,2)", "NUMERIC(10, 2)": "DECIMAL(10,2)"}


def _type_words(kind: Any, connection: Connection) -> str:
    """A type in one spelling, without its collation, and without a width that means nothing."""
    words = str(kind.compile(dialect=connection.dialect)).upper()
    words = words.partition(" CHARACTER SET")[0].partition(" COLLATE")[0]
    for width in ("BIGINT(20)", "INTEGER(11)", "INTEGER(10)", "INT(11)", "INT(10)"):
        if words.startswith(width):
            words = words.replace(width, width.partition("(")[0])
    return _SAME.get(words, words)


def _indexes(inspector: Inspector, connection: Connection, table: Table) -> Iterator[str]:
    """What is indexed, uniquely or not; by name too where an index's name belongs to its table."""
    wanted = _wanted(table)
    live = _live(inspector, table)
    for over, name in wanted.items():
        if over not in live:
            yield f"{_kind(over)} {name} is missing"
        elif connection.dialect.name != "sqlite" and live[over] != name:
            yield f"{_kind(over)} is called {live[over]}, not {name}"
    for over, name in live.items():
        if over not in wanted:
            yield f"{_kind(over)} {name} is not in the data model"
    if connection.dialect.name == "sqlite":
        yield from _folding(connection, table)


def _kind(over: Over) -> str:
    columns, unique = over
    return f"the {'unique ' if unique else ''}index over {', '.join(columns)}"


def _wanted(table: Table) -> dict[Over, str]:
    found: dict[Over, str] = {
        (tuple(column.name for column in index.columns), bool(index.unique)): str(index.name) for index in table.indexes
    }
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            found[tuple(column.name for column in constraint.columns), True] = str(constraint.name)
    return found


def _live(inspector: Inspector, table: Table) -> dict[Over, str]:
    found: dict[Over, str] = {}
    for index in inspector.get_indexes(table.name):
        found[tuple(str(name) for name in index["column_names"]), bool(index["unique"])] = str(index["name"])
    for constraint in inspector.get_unique_constraints(table.name):
        found[tuple(constraint["column_names"]), True] = str(constraint["name"])
    return found


def _folding(connection: Connection, table: Table) -> Iterator[str]:
    """Indexes of SQLite whose keys are compared otherwise than byte by byte."""
    for index in connection.exec_driver_sql(f'PRAGMA index_list("{table.name}")').all():
        for part in connection.exec_driver_sql(f'PRAGMA index_xinfo("{index.name}")').all():
            if part.key and part.name is not None and part.coll != "BINARY":
                yield f"the index {index.name} compares {part.name} by {part.coll}, not BINARY"
