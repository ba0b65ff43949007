"""Live pages: one look a second for all open streams of a process, and a line to each page that has news."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from weakref import WeakSet

import attrs

from wch.application.watching import Watching
from wch.domain.errors import WchError

EVERY_SECONDS = 1.0
COMMENT_AFTER = 15
"""Looks without news until a comment keeps the connection from being taken for dead."""

MayHear = Callable[[], Awaitable[tuple[str, ...] | None]]
"""The topics that a reader may hear of now; None once they are signed out."""


class TooManyStreamsError(WchError):
    """Too many live pages are open in this process; this one is refreshed by hand."""


@attrs.define(eq=False)
class _Stream:
    """One open page; held by its own events alone, so that one nobody ever read takes up no room."""

    topics: tuple[str, ...]


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
    _streams: "WeakSet[_Stream]" = attrs.field(factory=WeakSet, init=False)
    _marks: Mapping[str, str] = attrs.field(factory=dict, init=False)
    _looked: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _looking: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)

    def open(self, topics: tuple[str, ...], may_hear: MayHear) -> AsyncIterator[str]:
        """The events of these topics: their marks at once, then each mark that changes.

        A stream that was cut and is opened again begins with the marks as they are now, so a
        page that compares them with its own misses nothing. Nothing is kept for a page that does
        not read: it gets the marks as they are when it does.

        Args:
            topics: what is told of.
            may_hear: asked before news is told, and with every comment.

        Raises:
            TooManyStreamsError: there is no room.
        """
        if len(self._streams) >= self.most:
            raise TooManyStreamsError
        stream = _Stream(topics)
        self._streams.add(stream)
        return self._told(stream, may_hear)

    async def _told(self, stream: _Stream, may_hear: MayHear) -> AsyncIterator[str]:
        try:
            told: dict[str, str] = {}
            quiet = 0
            yield "retry: 2000\n\n"
            marks = await self._seen(stream.topics)
            while not self.leaving():
                news = [topic for topic in stream.topics if topic in marks and told.get(topic) != marks[topic]]
                if news or quiet >= COMMENT_AFTER:
                    heard = await may_hear()
                    if heard is None:
                        return
                    stream.topics = tuple(topic for topic in stream.topics if topic in heard)
                    news = [topic for topic in news if topic in stream.topics]
                for topic in news:
                    told[topic] = marks[topic]
                    body = json.dumps({"topic": topic, "id": topic.partition(":")[2], "version": marks[topic]})
                    yield f"id: {marks[topic]}\ndata: {body}\n\n"
                if not news and quiet >= COMMENT_AFTER:
                    yield ": still here\n\n"
                quiet = 1 if news or quiet >= COMMENT_AFTER else quiet + 1
                await self._next_look()
                marks = self._marks
        finally:
            self._streams.discard(stream)

    async def _next_look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await self._looked.wait()

    async def _look(self) -> None:
        """Look once a second as long as anybody listens."""
        while self._streams:
            await asyncio.sleep(EVERY_SECONDS)
            self._marks = await self._seen(topic for stream in list(self._streams) for topic in stream.topics)
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()

    async def _seen(self, topics: Iterable[str]) -> Mapping[str, str]:
        """The marks of these; none while the store does not answer, which is no news."""
        try:
            return await self.watching.marks(topics)
        except WchError:
            return {}
