"""The thread that writes to a file does one call after another, and leaves nothing behind."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest

from wch.adapters.sql.database.writer import Writer

R = TypeVar("R")


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.stop()


def _raise(error: BaseException) -> None:
    raise error


async def _done(writer: Writer, call: Callable[[], R]) -> R:
    """What the call returns or raises, for whoever waits until then."""
    heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def tell(result: R | None, error: BaseException | None) -> None:
        if not heard.done():
            heard.set_result((result, error))

    writer.run(call, tell)
    result, error = await heard
    if error is not None:
        raise error
    done: R = result
    return done


async def test_calls_run_one_after_another_on_one_thread(writer: Writer) -> None:
    """In the order in which they were given."""
    done: list[tuple[int, str]] = []

    def note(number: int) -> None:
        done.append((number, threading.current_thread().name))

    await asyncio.gather(*(_done(writer, partial(note, number)) for number in range(9)))

    assert done == [(number, "wch-database-writer") for number in range(9)]


async def test_an_error_is_its_callers_and_the_next_call_runs(writer: Writer) -> None:
    """Whatever it is: a writer that died with a call would leave every later one waiting."""
    for error in (ValueError("x"), SystemExit(3)):
        with pytest.raises(type(error)):
            await _done(writer, partial(_raise, error))

    assert await _done(writer, lambda: 7) == 7


async def test_who_leaves_tears_nothing(writer: Writer) -> None:
    """The call comes to its end, and the next is answered."""
    begun, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        goes_on.wait(10)
        ended.set()

    caller = asyncio.create_task(_done(writer, call))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    goes_on.set()

    assert await _done(writer, lambda: 7) == 7
    assert ended.is_set()


def test_a_loop_that_is_closed_is_not_told(writer: Writer) -> None:
    """Its call may outlive it; the thread goes on for the next loop."""
    begun, goes_on = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        goes_on.wait(10)

    async def leave() -> None:
        caller = asyncio.create_task(_done(writer, call))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        caller.cancel()

    asyncio.run(leave())
    goes_on.set()

    assert asyncio.run(_seven(writer)) == 7


async def _seven(writer: Writer) -> int:
    return await _done(writer, lambda: 7)


async def test_a_writer_that_nobody_stopped_takes_its_thread_along() -> None:
    """Hosts forget; a thread that waits for ever would be left of each hub."""
    writer = Writer()
    thread = await _done(writer, threading.current_thread)

    del writer
    gc.collect()
    thread.join(10)

    assert not thread.is_alive()


async def test_a_writer_that_is_stopped_has_done_what_it_was_given() -> None:
    """Closing waits for the last commit, and ends the thread."""
    writer, done = Writer(), threading.Event()
    thread = await _done(writer, threading.current_thread)
    last = asyncio.create_task(_done(writer, done.set))
    await asyncio.sleep(0)

    writer.stop()

    assert done.is_set()
    assert not thread.is_alive()
    await last
