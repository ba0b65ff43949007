"""A WordPress plugin's tables in MariaDB, MySQL or SQLite: read page by page, never written."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnClause, Connection, Engine, Select, column, func, inspect, select, table, tuple_
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from wch.adapters.sql.database.engines import source_engine
from wch.domain.errors import SourceError

R = TypeVar("R")

KEYS: Mapping[str, tuple[str, ...]] = {
    "webhook_idempotency": ("message_id", "scope"),
    "rate_limits": ("identifier_hash", "limit_type", "window_start"),
    "circuit_breakers": ("service",),
    "saga_state": ("saga_id",),
}
"""What the rows of a table are told apart by, where that is not a number `id`."""

TABLES = (
    "conversations", "messages", "carts", "customer_profiles", "broadcast_recipients", "sync_queue", "notification_log",
    "product_views", "reengagement", "dead_letter_queue", *KEYS,
)  # fmt: skip


class SqlLegacySource:
    """See `wch.application.ports.LegacySource`."""

    def __init__(self, engine: Engine, prefix: str, name: str) -> None:
        self._engine = engine
        self._prefix = prefix
        self._name = name

    @classmethod
    def open(cls, url: str, *, prefix: str) -> Self:
        """The tables under this prefix in the database of this URL; nothing is connected to yet.

        Raises:
            SettingsError: no such database is supported, or its driver is not installed.
        """
        engine = source_engine(url)
        where = f"{engine.url.host or ''}/{engine.url.database or ''}/{prefix}"
        return cls(engine, prefix, hashlib.sha256(where.encode()).hexdigest()[:12])

    @property
    def name(self) -> str:
        """The same for the same host, database and prefix."""
        return self._name

    async def counts(self) -> Mapping[str, int]:
        """How many rows each table has."""

        def ask(connection: Connection) -> dict[str, int]:
            there = set(inspect(connection).get_table_names())
            found = [name for name in TABLES if f"{self._prefix}{name}" in there]
            return {
                name: connection.execute(select(func.count()).select_from(table(f"{self._prefix}{name}"))).scalar_one()
                for name in found
            }

        counts = await self._asked(ask)
        if not counts:
            message = f"There is no table of the plugin under the prefix {self._prefix}; a usual one is wp_wch_."
            raise SourceError(message)
        return counts

    async def page(
        self, name: str, *, after: tuple[Any, ...] | None, limit: int
    ) -> Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]]:
        """Rows in the order of their key."""
        keys: list[ColumnClause[Any]] = [column(one) for one in KEYS.get(name, ("id",))]
        statement: Select[Any] = select(column("*", is_literal=True)).select_from(table(f"{self._prefix}{name}", *keys))
        if after is not None:
            bound = after[0] if len(keys) == 1 else None
            statement = statement.where(keys[0] > bound if len(keys) == 1 else tuple_(*keys) > after)
        statement = statement.order_by(*keys).limit(limit)

        def ask(connection: Connection) -> list[tuple[tuple[Any, ...], Mapping[str, Any]]]:
            rows = [dict(row) for row in connection.execute(statement).mappings()]
            return [(tuple(row[key.name] for key in keys), row) for row in rows]

        return await self._asked(ask)

    async def aclose(self) -> None:
        """Give the connection back."""
        await asyncio.to_thread(self._engine.dispose)

    async def _asked(self, ask: Callable[[Connection], R]) -> R:
        def work() -> R:
            with self._engine.connect() as connection:
                return ask(connection)

        try:
            return await asyncio.to_thread(work)
        except DBAPIError as error:
            message = "The source database does not answer, or refuses the read; check --source-url and its rights."
            raise SourceError(message) from error
        except SQLAlchemyError as error:
            message = "The source database cannot be read; check --source-url."
            raise SourceError(message) from error
