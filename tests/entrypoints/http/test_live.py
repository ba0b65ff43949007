"""Live pages: one look a second however many are open, bounded, masked by right, and over when they must be."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
import pytest

from tests.entrypoints.http.consoles import ANNA, Shop, shop
from wch.domain.errors import StoreUnavailableError
from wch.domain.operator import Role
from wch.entrypoints.http.pages import live as module
from wch.entrypoints.http.pages.live import COMMENT_AFTER, Live, TooManyStreamsError

STREAMS = 50


@attrs.define
class Marks:
    """What is looked at; a look can be waited for, so nothing here depends on how long one lasts."""

    now: dict[str, str] = attrs.field(factory=dict)
    looks: int = 0
    asked: list[tuple[str, ...]] = attrs.field(factory=list)
    is_away: bool = False

    async def marks(self, topics: Iterable[str]) -> Mapping[str, str]:
        self.looks += 1
        self.asked.append(tuple(topics))
        if self.is_away:
            raise StoreUnavailableError
        return dict(self.now)


@attrs.define
class Reader:
    """Who reads; may hear of everything until it is changed."""

    topics: tuple[str, ...] | None = ("inbox", "letters")
    asked: int = 0

    async def may_hear(self) -> tuple[str, ...] | None:
        self.asked += 1
        return self.topics


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """A look is made when it is let: once for each release."""
    gate = asyncio.Semaphore(0)
    whole = asyncio.sleep

    async def sleep(seconds: float) -> None:
        await (gate.acquire() if seconds == module.EVERY_SECONDS else whole(seconds))

    monkeypatch.setattr("wch.entrypoints.http.pages.live.asyncio.sleep", sleep)
    return gate


@attrs.define
class Room:
    marks: Marks = attrs.field(factory=Marks)
    is_leaving: bool = False

    def live(self, most: int = STREAMS) -> Live:
        return Live(watching=self.marks, most=most, leaving=lambda: self.is_leaving)  # type: ignore[arg-type] # a stand-in


async def settled() -> None:
    """Everything that can go on without another look has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def following(stream: AsyncIterator[str]) -> str:
    """The next thing it says."""
    return await asyncio.wait_for(anext(stream), 5)


async def begun(stream: AsyncIterator[str]) -> AsyncIterator[str]:
    assert await following(stream) == "retry: 2000\n\n"
    return stream


async def test_fifty_streams_are_one_look_a_second(turn: asyncio.Semaphore) -> None:
    """And each hears of its own topics alone."""
    room = Room(marks=Marks(now={"inbox": "1", "letters": "1"}))
    live = room.live()
    names = [("inbox",) if number % 2 else ("letters",) for number in range(STREAMS)]
    streams = [await begun(live.open(topics, Reader().may_hear)) for topics in names]
    first = [await following(one) for one in streams]
    before = room.marks.looks
    room.marks.now = {"inbox": "2", "letters": "2"}
    waiting = [asyncio.create_task(following(one)) for one in streams]
    turn.release()
    second = await asyncio.gather(*waiting)

    assert (before, room.marks.looks) == (STREAMS, STREAMS + 1)
    for topics, one, other in zip(names, first, second, strict=True):
        assert f'"topic": "{topics[0]}"' in one
        assert f'"topic": "{topics[0]}"' in other
        assert ("id: 1\n" in one, "id: 2\n" in other) == (True, True)


async def test_the_fifty_first_is_refused_until_one_ends(turn: asyncio.Semaphore) -> None:
    """The page keeps its refresh link; whose browser went away before the first word takes up no room."""
    del turn
    live = Room().live()
    read = await begun(live.open(("inbox",), Reader().may_hear))
    unread = [live.open(("inbox",), Reader().may_hear) for _ in range(STREAMS - 1)]
    with pytest.raises(TooManyStreamsError):
        live.open(("inbox",), Reader().may_hear)

    unread.pop()
    gc.collect()
    again = live.open(("inbox",), Reader().may_hear)
    with pytest.raises(TooManyStreamsError):
        live.open(("inbox",), Reader().may_hear)
    await read.aclose()  # type: ignore[attr-defined] # a generator

    assert live.open(("inbox",), Reader().may_hear) is not again


async def test_a_page_that_does_not_read_keeps_nothing(turn: asyncio.Semaphore) -> None:
    """A hundred changes are one line for it: the mark as it is when it reads again."""
    room = Room(marks=Marks(now={"inbox": "0"}))
    live = room.live()
    slow = await begun(live.open(("inbox",), Reader().may_hear))
    quick = await begun(live.open(("inbox",), Reader().may_hear))
    assert "id: 0\n" in await following(slow)
    assert "id: 0\n" in await following(quick)
    for number in range(1, 101):
        room.marks.now = {"inbox": str(number)}
        waiting = asyncio.create_task(following(quick))
        await settled()
        turn.release()
        assert f"id: {number}\n" in await waiting

    waiting = asyncio.create_task(following(slow))
    await settled()
    turn.release()
    assert "id: 100\n" in await waiting
    kept = [value for value in (live._streams, live._marks)]  # noqa: C416, SLF001 - what a process keeps is the claim
    assert [len(one) for one in kept] == [2, 1]


async def test_a_stream_without_news_says_that_it_lives(turn: asyncio.Semaphore) -> None:
    """Every fifteen looks, or a proxy takes the connection for dead; a store that is away is no news either."""
    room = Room(marks=Marks(now={"inbox": "1"}))
    stream = await begun(room.live().open(("inbox",), Reader().may_hear))
    await following(stream)
    for _ in range(2):
        waiting = asyncio.create_task(following(stream))
        await settled()
        before = room.marks.looks
        room.marks.is_away = True
        for _ in range(COMMENT_AFTER):
            assert not waiting.done()
            turn.release()
            await settled()
        assert await waiting == ": still here\n\n"
        assert room.marks.looks - before == COMMENT_AFTER


async def test_a_stream_that_is_opened_again_begins_with_how_it_is_now(turn: asyncio.Semaphore) -> None:
    """What happened while it was cut is in the first lines, so nothing is missed."""
    del turn
    room = Room(marks=Marks(now={"inbox": "1", "letters": "1"}))
    live = room.live()
    await following(await begun(live.open(("inbox",), Reader().may_hear)))
    room.marks.now = {"inbox": "7", "letters": "1"}
    again = await begun(live.open(("inbox", "letters"), Reader().may_hear))

    assert [json.loads((await following(again)).partition("data: ")[2])["version"] for _ in range(2)] == ["7", "1"]


async def test_streams_end_with_the_process(turn: asyncio.Semaphore) -> None:
    """At the next look, so that a stop waits for none of them."""
    room = Room(marks=Marks(now={"inbox": "1"}))
    stream = await begun(room.live().open(("inbox",), Reader().may_hear))
    await following(stream)
    waiting = asyncio.create_task(following(stream))
    await settled()
    room.is_leaving = True
    turn.release()

    with pytest.raises(StopAsyncIteration):
        await waiting


@pytest.mark.parametrize("has_news", [False, True])
async def test_a_stream_ends_with_its_sign_in(turn: asyncio.Semaphore, *, has_news: bool) -> None:
    """A new password ends the page's next request, and so the stream: before its next news, and with a comment at the latest."""
    room, reader = Room(marks=Marks(now={"inbox": "1"})), Reader()
    stream = await begun(room.live().open(("inbox",), reader.may_hear))
    await following(stream)
    waiting = asyncio.create_task(following(stream))
    await settled()
    reader.topics = None
    if has_news:
        room.marks.now = {"inbox": "2"}
    for _ in range(1 if has_news else COMMENT_AFTER):
        turn.release()
        await settled()

    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_thread_that_became_another_s_is_heard_of_no_more(turn: asyncio.Semaphore) -> None:
    """Nor is it looked at for them."""
    room, reader = Room(marks=Marks(now={"inbox": "1", "conversation:1": "1"})), Reader(("inbox", "conversation:1"))
    stream = await begun(room.live().open(("inbox", "conversation:1"), reader.may_hear))
    for _ in range(2):
        await following(stream)
    reader.topics = ("inbox",)
    room.marks.now = {"inbox": "2", "conversation:1": "2"}
    waiting = asyncio.create_task(following(stream))
    await settled()
    turn.release()
    assert '"topic": "inbox"' in await waiting
    waiting = asyncio.create_task(following(stream))
    await settled()
    turn.release()
    await settled()
    waiting.cancel()

    assert room.marks.asked[-1] == ("inbox",)


# --- over the application


async def streamed(town: Shop, cookie: str, *topics: str, heard: int | None = None) -> tuple[int, str]:
    """Status and first lines, one for each topic or so many, of the stream that this cookie opens; then the browser goes away."""
    told: list[Any] = []
    gone, said = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        told.append(message)
        lines = b"".join(one.get("body", b"") for one in told)
        if lines.count(b"\n\n") > (len(topics) if heard is None else heard) or not message.get("more_body", True):
            said.set()

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/console/events", "raw_path": b"/console/events", "root_path": "",
        "query_string": urlencode({"topics": ",".join(topics)}).encode(),
        "headers": [(b"host", b"hub.test"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1), "server": ("hub.test", 80),
    }  # fmt: skip
    running = asyncio.create_task(town.app(scope, receive, send))
    try:
        async with asyncio.timeout(10):
            await said.wait()
    finally:
        gone.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    status = next(one["status"] for one in told if one["type"] == "http.response.start")
    return status, b"".join(one.get("body", b"") for one in told).decode()


def cookie_of(browser: Any) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.web.cookies.items())


async def test_a_stream_is_for_who_is_signed_in_and_names_nobody() -> None:
    """Without a cookie 401; an agent does not hear of a colleague's thread, and no line holds anything of anybody."""
    async with shop() as town:
        await town.hears("hi")
        ana, boris = await town.signed_in("ana", Role.AGENT), await town.signed_in("boris", Role.AGENT)
        stranger, _ = await streamed(town, "", "inbox")
        everybody = await streamed(town, cookie_of(boris), "inbox")
        await ana.post("/inbox/1/take-over", page="/inbox/1")
        own = await streamed(town, cookie_of(ana), "inbox", "conversation:1")
        others = await streamed(town, cookie_of(boris), "conversation:1", "inbox", heard=1)

    assert (stranger, everybody[0], own[0], others[0]) == (401, 200, 200, 200)
    assert '"conversation:1"' in own[1]
    assert "conversation:1" not in others[1]
    for text in (own[1], everybody[1]):
        assert (ANNA in text, "hi" in text) == (False, False)


async def test_a_stream_ends_with_a_new_password() -> None:
    """The cookie that opened it opens nothing more."""
    async with shop() as town:
        ana = await town.signed_in("ana", Role.AGENT)
        cookie = cookie_of(ana)
        before, _ = await streamed(town, cookie, "inbox")
        await town.hub.operators.set_password("ana", "another long one", by="cli")

        assert (before, (await streamed(town, cookie, "inbox"))[0]) == (200, 401)
