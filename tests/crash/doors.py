"""WhatsApp's end with a door for each process: who called when, how many at once, and whether the service is up, down or silent."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import attrs

from tests.processes import GraphApi


class Mode(StrEnum):
    """How callers are met."""

    UP = "up"
    DOWN = "down"
    """An error of the service's own, at once."""

    SILENT = "silent"
    """No answer before the caller leaves."""


@attrs.define(kw_only=True, eq=False)
class Visit:
    """One call: through which door, of a message or only of its being read; from when until when, by the test's own loop."""

    door: int
    is_receipt: bool
    began: float
    ended: float | None = None


class Doors(GraphApi):
    """The same stand-in behind several addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.mode = Mode.UP
        self.takes = 0.0
        self.visits: list[Visit] = []
        self.urls: Sequence[str] = ()
        self._ports: Sequence[int] = ()

    @classmethod
    @asynccontextmanager
    async def of(cls, processes: int) -> AsyncIterator["Doors"]:
        """Listen at so many addresses until the block ends."""
        doors = cls()
        servers = [await asyncio.start_server(doors.talk, "127.0.0.1", 0) for _ in range(processes)]
        doors._ports = [server.sockets[0].getsockname()[1] for server in servers]
        doors.urls = [f"http://127.0.0.1:{port}" for port in doors._ports]
        try:
            yield doors
        finally:
            for server in servers:
                server.close()

    @property
    def inside(self) -> list[Visit]:
        """Those that have not been answered yet, and whose callers are still there."""
        return [visit for visit in self.visits if visit.ended is None]

    async def reply(
        self, path: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[int, dict[str, Any]]:
        """Note the visit, and meet the caller as the mode says."""
        loop = asyncio.get_running_loop()
        visit = Visit(
            door=self._ports.index(writer.get_extra_info("sockname")[1]), is_receipt="status" in body, began=loop.time()
        )
        self.visits.append(visit)
        try:
            if self.mode is Mode.SILENT:
                await reader.read()
                raise ConnectionError
            await asyncio.sleep(self.takes)
            if self.mode is Mode.DOWN:
                return 500, {"error": {"code": 131000, "message": "Something went wrong", "type": "OAuthException"}}
            return 200, self.accept(path, body)
        finally:
            visit.ended = loop.time()


def most_at_once(visits: Sequence[Visit]) -> int:
    """How many were inside together at the worst moment."""
    edges = sorted([(visit.began, 1) for visit in visits] + [(visit.ended or float("inf"), -1) for visit in visits])
    now = worst = 0
    for _, change in edges:
        now += change
        worst = max(worst, now)
    return worst
