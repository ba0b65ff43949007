"""The thread that writes to a file does one call after another, and leaves nothing behind."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from wch.adapters.sql.database.writer import Writer


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.stop()


def _raise(error: BaseException) -> None:
    raise error


async def test_calls_run_one_after_another_on_one_thread(writer: Writer) -> None:
    """In the order in which they were given."""
    done: list[tuple[int, str]] = []

    def note(number: int) -> None:
        done.append((number, threading.current_thread().name))

    await asyncio.gather(*(writer.run(partial(note, number)) for number in range(9)))

    assert done == [(number, "wch-database-writer") for number in range(9)]


async def test_an_error_is_its_callers_and_the_next_call_runs(writer: Writer) -> None:
    """Whatever it is: a writer that died with a call would leave every later one waiting."""
    for error in (ValueError("x"), SystemExit(3)):
        with pytest.raises(type(error)):
            await writer.run(partial(_raise, error))

    assert await writer.run(lambda: 7) == 7


async def test_who_leaves_tears_nothing(writer: Writer) -> None:
    """The call comes to its end, and the next is answered."""
    begun, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        goes_on.wait(10)
        ended.set()

    caller = asyncio.create_task(writer.run(call))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    goes_on.set()

    assert await writer.run(lambda: 7) == 7
    assert ended.is_set()


def test_a_loop_that_is_closed_is_not_told(writer: Writer) -> None:
    """Its call may outlive it; the thread goes on for the next loop."""
    begun, goes_on = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        goes_on.wait(10)

    async def leave() -> None:
        caller = asyncio.create_task(writer.run(call))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        caller.cancel()

    asyncio.run(leave())
    goes_on.set()

    assert asyncio.run(_seven(writer)) == 7


async def _seven(writer: Writer) -> int:
    return await writer.run(lambda: 7)


async def test_a_writer_that_nobody_stopped_takes_its_thread_along() -> None:
    """Hosts forget; a thread that waits for ever would be left of each hub."""
    writer = Writer()
    thread = await writer.run(threading.current_thread)

    del writer
    gc.collect()
    thread.join(10)

    assert not thread.is_alive()


async def test_a_writer_that_is_stopped_has_done_what_it_was_given() -> None:
    """Closing waits for the last commit, and ends the thread."""
    writer, done = Writer(), threading.Event()
    thread = await writer.run(threading.current_thread)
    last = asyncio.create_task(writer.run(done.set))
    await asyncio.sleep(0)

    writer.stop()

    assert done.is_set()
    assert not thread.is_alive()
    await last
