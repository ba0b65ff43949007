"""Around: what wraps a store passes on whatever it does not do itself."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from wch.application.ports import Database, UnitOfWork

R = TypeVar("R")


class StoreAround:
    """A store around another.

    Attributes:
        database: the one beneath.
    """

    database: Database

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """As the store beneath."""
        return await self.database.transact(work)

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:
        """As the store beneath."""
        return await self.database.read(work)

    async def forget(self) -> bool:
        """As the store beneath."""
        return await self.database.forget()

    def redone(self) -> Mapping[str, int]:
        """As the store beneath."""
        return self.database.redone()

    async def clock_offset(self) -> timedelta:
        """As the store beneath."""
        return await self.database.clock_offset()

    async def aclose(self) -> None:
        """As the store beneath."""
        await self.database.aclose()
