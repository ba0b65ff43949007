"""Serving over a real socket: what a client and a supervisor see."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest

from tests.adapters.sandbox.world import MARIA, NUMBER, world
from tests.entrypoints.http.doubles import BODY, DOORS, ScriptedHub, application, signed
from wch.adapters.whatsapp.client import CloudApiWhatsApp
from wch.domain.errors import SettingsError
from wch.domain.send_result import Accepted, Ambiguous
from wch.entrypoints.http.application import Application
from wch.entrypoints.http.serving import Opened, attend, listening, reached_at, serve
from wch.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


@attrs.define
class ScriptedWorker:
    """Works until told to stop, and then as long as it is told to."""

    handing_back: asyncio.Event = attrs.field(factory=asyncio.Event)
    told: asyncio.Event = attrs.field(factory=asyncio.Event)
    ended: bool = False
    breaks: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        if self.breaks:
            raise RuntimeError
        await stop.wait()
        self.told.set()
        await self.handing_back.wait()
        self.ended = True


@attrs.define
class Running:
    address: str
    stop: asyncio.Event
    over: asyncio.Task[int]


@asynccontextmanager
async def running(app: Application, worker: ScriptedWorker | None = None) -> AsyncIterator[Running]:
    listener = listening("127.0.0.1", 0)
    address = reached_at("127.0.0.1", listener.getsockname()[1])
    stop, up = asyncio.Event(), asyncio.Event()

    async def opening(_stack: AsyncExitStack) -> Opened:
        return Opened(application=app, worker=worker)

    over = asyncio.create_task(attend(opening, listener, stop=stop, stop_seconds=5, announce=up.set))
    await asyncio.wait({over, asyncio.create_task(up.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield Running(address=address, stop=stop, over=over)
    finally:
        stop.set()
        await over


@asynccontextmanager
async def web(here: Running) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=here.address, trust_env=False) as client:
        yield client


async def test_a_delivery_over_a_real_socket_is_taken() -> None:
    """The way that Meta's servers come."""
    hub = ScriptedHub()
    async with running(application(hub)) as here, web(here) as client:
        answered = await client.post("/webhooks/whatsapp", content=BODY, headers=signed())

    assert answered.status_code == 200
    assert hub.inbox.taken == [BODY]
    assert "server" not in answered.headers


async def test_five_megabytes_hear_413_instead_of_a_broken_connection() -> None:
    """A client that writes everything before it reads must hear why."""
    async with running(application(ScriptedHub())) as here, web(here) as client:
        answered = await client.post("/webhooks/whatsapp", content=b"x" * 5_000_000)

    assert answered.status_code == 413


async def test_a_body_that_trickles_is_408() -> None:
    """The whole body has its time, not each byte."""
    hub = ScriptedHub(doors=attrs.evolve(DOORS, read_seconds=0.05))
    async with running(application(hub)) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(here.address.rpartition(":")[2]))
        writer.write(b"POST /webhooks/whatsapp HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answered = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert answered.startswith(b"HTTP/1.1 408 ")


async def test_readiness_goes_first_then_the_worker_then_the_doors() -> None:
    """While the worker hands back, deliveries are still taken: not one is refused for a stop."""
    hub, worker = ScriptedHub(), ScriptedWorker()
    async with running(application(hub), worker) as here, web(here) as client:
        before = await client.get("/readyz")
        here.stop.set()
        await worker.told.wait()
        during = await client.get("/readyz")
        taken = await client.post("/webhooks/whatsapp", content=BODY, headers=signed())
        worker.handing_back.set()
        code = await here.over
        with pytest.raises(httpx2.ConnectError):
            await client.get("/livez", headers={"connection": "close"})

    assert (before.status_code, during.status_code, during.json()["problems"]) == (200, 503, ["stopping"])
    assert taken.status_code == 200
    assert worker.ended
    assert code == 0


async def test_a_worker_that_breaks_ends_the_process_with_1(caplog: pytest.LogCaptureFixture) -> None:
    """A hub that takes and never answers would look healthy; a supervisor starts it anew."""
    async with running(application(ScriptedHub()), ScriptedWorker(breaks=True)) as here:
        code = await here.over

    assert code == 1
    assert "a part of the server failed" in caplog.text


async def test_an_answer_that_never_comes_is_ambiguous_to_our_client() -> None:
    """`timeout_after_accept` over a real connection: cut, or left alone until the client gives up."""
    async with world() as there, running(application(ScriptedHub(), sandbox=there.sandbox)) as here:
        await there.hears()
        url = f"{here.address}/sandbox/graph"
        client = CloudApiWhatsApp(graph_url=url, version="v24.0", access_token="a-token", timeout_seconds=5)
        hasty = CloudApiWhatsApp(graph_url=url, version="v24.0", access_token="a-token", timeout_seconds=0.05)
        message = {"messaging_product": "whatsapp", "to": f"+{MARIA}", "type": "text", "text": {"body": "hello"}}
        try:
            sent = await client.send(NUMBER, message)
            there.sandbox.faults.order("timeout_after_accept", seconds=0.01)
            cut = await client.send(NUMBER, message)
            there.sandbox.faults.order("timeout_after_accept", seconds=60)
            waited = await hasty.send(NUMBER, message)
        finally:
            await client.aclose()
            await hasty.aclose()
        await there.sandbox.settle()

    assert isinstance(sent, Accepted)
    assert isinstance(cut, Ambiguous)
    assert isinstance(waited, Ambiguous)
    assert there.hub.words() == ["sent", "delivered"] * 3


async def test_it_is_alive_before_it_is_open_and_what_is_asked_meanwhile_waits() -> None:
    """A start that takes long is no reason to be killed, nor to lose a delivery."""
    hub, door = ScriptedHub(), asyncio.Event()

    async def opening(_stack: AsyncExitStack) -> Opened:
        await door.wait()
        return Opened(application=application(hub), worker=None)

    listener, stop = listening("127.0.0.1", 0), asyncio.Event()
    address = reached_at("127.0.0.1", listener.getsockname()[1])
    over = asyncio.create_task(attend(opening, listener, stop=stop, stop_seconds=5))
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        alive = await client.get("/livez")
        early = await client.get("/readyz")
        delivering = asyncio.create_task(client.post("/webhooks/whatsapp", content=BODY, headers=signed()))
        await client.get("/livez")
        waits = not delivering.done()
        door.set()
        delivered = await delivering
        ready = await client.get("/readyz")
    stop.set()

    assert (alive.status_code, early.status_code, early.json()["problems"]) == (200, 503, ["starting"])
    assert waits
    assert (delivered.status_code, ready.status_code) == (200, 200)
    assert await over == 0


async def test_what_cannot_be_opened_is_raised_and_those_who_wait_hear_so() -> None:
    """A database of a newer version: the sentence goes to whoever started it."""
    door = asyncio.Event()

    async def opening(_stack: AsyncExitStack) -> Opened:
        await door.wait()
        raise SettingsError

    listener = listening("127.0.0.1", 0)
    address = reached_at("127.0.0.1", listener.getsockname()[1])
    over = asyncio.create_task(attend(opening, listener, stop=asyncio.Event(), stop_seconds=5))
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        delivering = asyncio.create_task(client.post("/webhooks/whatsapp", content=BODY, headers=signed()))
        await client.get("/livez")
        door.set()
        delivered = await delivering
    with pytest.raises(SettingsError):
        await over

    assert (delivered.status_code, delivered.headers["retry-after"]) == (503, "30")


async def test_what_deliveries_do_without_is_loaded_once_they_are_taken_and_must_come() -> None:
    """A console that cannot be loaded is no hub: whoever supervises it sees it end."""
    heard: list[str] = []

    async def opening(_stack: AsyncExitStack) -> Opened:
        return Opened(application=application(ScriptedHub()), worker=None, complete=complete)

    async def complete() -> None:
        heard.append("complete")
        raise SettingsError

    listener = listening("127.0.0.1", 0)
    with pytest.raises(SettingsError):
        await attend(
            opening, listener, stop=asyncio.Event(), stop_seconds=5, announce=lambda: heard.append("announced")
        )

    assert heard == ["announced", "complete"]


# --- wrong use


@contextmanager
def taken_port() -> Iterator[int]:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_is_one_sentence_with_the_way_out() -> None:
    """And nothing has been opened by then."""
    with taken_port() as port, pytest.raises(SettingsError, match=rf"Port {port} on 127.0.0.1 is taken: .*--port"):
        listening("127.0.0.1", port)


def test_an_unknown_host_is_one_sentence_with_the_way_out() -> None:
    """A name that resolves to nothing, or an address of another machine."""
    with pytest.raises(SettingsError, match="--host"):
        listening("no-such-host.invalid", 0)
    with pytest.raises(SettingsError, match="--host"):
        listening("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"sandbox": True, "processes": 2}, "phones in one process"),
        ({"processes": 2}, "in memory"),
        ({"with_worker": False}, "in memory"),
    ],
)
def test_what_does_not_go_together_is_refused(more: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the port is even tried."""
    monkeypatch.setattr("wch.entrypoints.http.serving.begin_logs", lambda _settings: None)
    with pytest.raises(SettingsError, match=word):
        serve(Settings(database_url="memory://"), host="127.0.0.1", port=0, **more)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:8080"),  # noqa: S104 - not bound
        ("::", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("192.0.2.1", "http://192.0.2.1:8080"),
    ],
)
def test_the_address_is_the_one_to_open_here(host: str, address: str) -> None:
    """An address that means all of them is no place to go."""
    assert reached_at(host, 8080) == address


# --- several processes

SCRIPT = """
import asyncio, os, sys
from signal import SIGTERM, SIGINT
from tests.entrypoints.http.doubles import ScriptedHub, application
from wch.entrypoints.http.overseeing import oversee
from wch.entrypoints.http.serving import Opened, attend, listening

listener = listening("127.0.0.1", 0)

async def serve(ready, life_line):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(life_line, stop.set)
    for word in (SIGTERM, SIGINT):
        loop.add_signal_handler(word, stop.set)
    hub = ScriptedHub()
    hub.health.words = (str(os.getpid()),)

    async def opening(stack):
        return Opened(application=application(hub), worker=None)

    return await attend(opening, listener, stop=stop, stop_seconds=5, announce=ready)

def announce():
    print(listener.getsockname()[1], flush=True)

code = oversee(lambda ready, life_line: asyncio.run(serve(ready, life_line)), processes=2, announce=announce)
sys.exit(code)
"""


@contextmanager
def overseen() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield process, f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def answering(address: str) -> int:
    """The process that answers a fresh connection."""
    answered = httpx2.get(f"{address}/readyz", headers={"connection": "close"}, trust_env=False)
    return int(answered.json()["problems"][0])


def all_answering(address: str, *, without: int = 0) -> set[int]:
    """The two processes that share the work, once another has taken the place of one that is gone."""
    found: set[int] = set()
    for _ in range(2_000):
        found.add(answering(address))
        found.discard(without)
        if len(found) == 2:
            return found
    pytest.fail(f"only {len(found)} processes answered")


def test_several_processes_share_the_socket_and_one_that_dies_is_replaced() -> None:
    """And all end together, with 0."""
    with overseen() as (process, address):
        first = all_answering(address)
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        second = all_answering(address, without=victim)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=20)

    assert process.pid not in first
    assert victim not in second
    assert code == 0


def test_processes_whose_overseer_is_killed_stop_by_themselves() -> None:
    """Nobody is left behind on the port."""
    with overseen() as (process, address):
        everyone = all_answering(address)
        process.kill()
        process.wait(timeout=20)
        assert process.stdout is not None
        assert process.stdout.read() == ""  # both have closed it: they are gone
        with pytest.raises(httpx2.TransportError):
            answering(address)

    assert len(everyone) == 2


def test_a_hub_that_cannot_be_opened_in_a_process_is_one_sentence_and_1() -> None:
    """As it is without further processes."""
    script = """
import sys
from wch.domain.errors import SettingsError
from wch.entrypoints.http.overseeing import oversee

def serving(ready, life_line):
    raise SettingsError("Set WCH_DATABASE_URL to something.")

sys.exit(oversee(serving, processes=3, announce=lambda: print("never")))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "wch: Set WCH_DATABASE_URL to something.\n"


# --- settings that change


async def test_what_is_served_is_replaced_and_no_answer_is_lost() -> None:
    """What came before ends where it began, what comes after goes to the next; then the former is closed."""
    hubs = [ScriptedHub(), ScriptedHub()]
    held, closed, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    inside, followed = asyncio.Event(), asyncio.Event()
    applications = [application(hub) for hub in hubs]

    class Slow:
        leaving = False

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await held.wait()
            await applications[0](scope, receive, send)

    async def close() -> None:
        closed.set()

    second = Opened(application=applications[1], worker=None, close=close)

    async def follow() -> Opened | None:
        if not inside.is_set():
            return None
        followed.set()
        return second

    async def opening(_stack: AsyncExitStack) -> Opened:
        return Opened(application=Slow(), worker=None, follow=follow, close=close)

    listener = listening("127.0.0.1", 0)
    address = reached_at("127.0.0.1", listener.getsockname()[1])
    over = asyncio.create_task(attend(opening, listener, stop=stop, stop_seconds=5, follow_seconds=0.001))
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        early = asyncio.create_task(client.post("/webhooks/whatsapp", content=BODY, headers=signed()))
        await followed.wait()
        late = await client.get("/readyz")
        still_open = not closed.is_set()
        held.set()
        delivered = await early
        await asyncio.wait_for(closed.wait(), 5)
    stop.set()

    assert await over == 0
    assert (delivered.status_code, late.status_code, still_open) == (200, 200, True)
