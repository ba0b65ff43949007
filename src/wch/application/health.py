"""Whether the hub is ready to take deliveries, and to send."""

import asyncio
from collections.abc import Awaitable, Callable

import attrs

from wch.application.ports import Database
from wch.domain.errors import WchError

ANSWERS_WITHIN = 2.0
"""Seconds in which the database must answer."""

STOPPED = "sending.stopped"
"""The option that is there while nothing may be sent: sign-in refused, account restricted."""


@attrs.frozen(kw_only=True)
class Health:
    """What a load balancer asks; answers are words, never values.

    Attributes:
        schema: raises SchemaError when the tables are not the ones this program knows.
        missing: names of secrets that are not set.
    """

    database: Database
    schema: Callable[[], Awaitable[object]]
    missing: tuple[str, ...]

    async def ready_for_ingress(self) -> tuple[str, ...]:
        """What keeps a delivery from being stored; empty when nothing does."""
        return tuple(word for word in await self._words() if word != "sign_in")

    async def ready(self) -> tuple[str, ...]:
        """What keeps the hub from its work; empty when nothing does."""
        return await self._words()

    async def _words(self) -> tuple[str, ...]:
        words = ["secrets"] if self.missing else []
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                stopped = await self.database.read(lambda uow: uow.options.get(STOPPED))
        except (WchError, TimeoutError):
            return (*words, "database")
        if stopped is not None:
            words.append("sign_in")
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                await self.schema()
        except (WchError, TimeoutError):
            words.append("schema")
        return tuple(words)
