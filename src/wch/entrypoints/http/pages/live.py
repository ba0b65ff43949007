"""Live pages: one look a second for all open streams of a process, and a line to each page that has news."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping

import attrs

from wch.application.watching import Watching
from wch.domain.errors import WchError

EVERY_SECONDS = 1.0
COMMENT_AFTER = 15
"""Looks without news until a comment keeps the connection from being taken for dead."""


class TooManyStreamsError(WchError):
    """Too many live pages are open in this process; this one is refreshed by hand."""


@attrs.define
class Live:
    """The streams of one process.

    Attributes:
        watching: the one look.
        most: how many streams may be open.
        leaving: whether the process is on its way out.
    """

    watching: Watching
    most: int
    leaving: Callable[[], bool]
    _streams: dict[object, tuple[str, ...]] = attrs.field(factory=dict, init=False)
    _marks: Mapping[str, str] = attrs.field(factory=dict, init=False)
    _looked: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _looking: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)

    def open(self, topics: tuple[str, ...]) -> AsyncIterator[str]:
        """The events of these topics: their marks at once, then each mark that changes.

        A stream that was cut and is opened again begins with the marks as they are now, so a
        page that compares them with its own misses nothing.

        Raises:
            TooManyStreamsError: there is no room.
        """
        if len(self._streams) >= self.most:
            raise TooManyStreamsError
        stream = object()
        self._streams[stream] = topics
        return self._told(stream, topics)

    async def _told(self, stream: object, topics: tuple[str, ...]) -> AsyncIterator[str]:
        try:
            told: dict[str, str] = {}
            quiet = 0
            yield "retry: 2000\n\n"
            marks = await self.watching.marks(topics)
            while not self.leaving():
                news = {topic: marks[topic] for topic in topics if topic in marks and told.get(topic) != marks[topic]}
                for topic, mark in news.items():
                    told[topic] = mark
                    body = json.dumps({"topic": topic, "id": topic.partition(":")[2], "version": mark})
                    yield f"id: {mark}\ndata: {body}\n\n"
                quiet = 0 if news else quiet + 1
                if quiet >= COMMENT_AFTER:
                    quiet = 0
                    yield ": still here\n\n"
                await self._next_look()
                marks = self._marks
        finally:
            self._streams.pop(stream, None)

    async def _next_look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await self._looked.wait()

    async def _look(self) -> None:
        """Look once a second as long as anybody listens."""
        while self._streams:
            await asyncio.sleep(EVERY_SECONDS)
            topics = dict.fromkeys(topic for asked in self._streams.values() for topic in asked)
            try:
                self._marks = await self.watching.marks(topics)
            except WchError:
                self._marks = {}
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
