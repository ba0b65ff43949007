"""`wch serve`: HTTP and the worker in one process, or in several on one listening socket; `wch worker`, watched."""

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, closing, contextmanager
from functools import partial
from importlib import import_module
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any

import attrs
import uvicorn
import uvloop

from wch.domain.errors import SettingsError
from wch.entrypoints.following import FOLLOW_SECONDS, WorkerPort, ended, looked
from wch.entrypoints.http import overseeing
from wch.entrypoints.http.front import ApplicationPort, Front
from wch.entrypoints.http.watched import Watched
from wch.entrypoints.loading import nothing_thrown_away
from wch.entrypoints.logs import begin_logs
from wch.settings import Settings

if TYPE_CHECKING:
    from wch.entrypoints.http.application import Application

log = logging.getLogger(__name__)

BACKLOG = 2_048
MOST_CONNECTIONS = 1_000
"""Connections and requests at a time; further ones get 503, which every provider tries again."""

KEEP_ALIVE_SECONDS = 75
LAST_ANSWERS_SECONDS = 3
"""How long answers under way may take once the worker has handed back."""

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


@attrs.frozen(kw_only=True)
class Plan:
    """What is to be served.

    Attributes:
        address: where this server is reached from this machine.
        sandbox: whether it stands in for WhatsApp too.
        phones: whether the sandbox's routes are there: with the sandbox, and in profile dev.
        with_worker: whether the worker runs beside it.
        kinds: what the worker does; None: everything.
        is_only_watched: whether nothing but health and metrics is reached.
        in_sandbox: whether the clock is that of a sandbox, this one's or another process's.
    """

    settings: Settings
    address: str
    sandbox: bool
    phones: bool
    with_worker: bool
    kinds: frozenset[str] | None = None
    is_only_watched: bool = False
    in_sandbox: bool = False


async def _nothing() -> None:
    """There is nothing to close, and nobody takes its place."""


@attrs.frozen(kw_only=True)
class Opened:
    """What is served, and who works beside it.

    Attributes:
        follow: looks whether settings were changed, and opens what takes its place; None if nothing does.
        close: gives back what this alone stood on, once another took its place and nobody is inside.
        complete: loads what deliveries do without; they are taken meanwhile, and all else waits.
    """

    application: ApplicationPort
    worker: WorkerPort | None
    follow: Callable[[], Awaitable["Opened | None"]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing
    complete: Callable[[], Awaitable[None]] = _nothing


def serve(
    settings: Settings, *, host: str, port: int, sandbox: bool = False, with_worker: bool = True, processes: int = 1
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code.

    With several processes each has a hub, and a worker unless there shall be none; they
    share the socket, and one that dies is started anew.

    Raises:
        SettingsError: the port is taken or not ours to take, the host is not on this
            machine, or what is asked for does not go together.
        WchError: the hub could not be opened.
    """
    begin_logs(settings)
    _refuse_contradictions(settings, sandbox=sandbox, with_worker=with_worker, processes=processes)
    with closing(listening(host, port)) as listener:
        address = reached_at(host, listener.getsockname()[1])
        phones = sandbox or (settings.general.profile == "dev" and processes == 1)
        plan = Plan(
            settings=settings,
            address=address,
            sandbox=sandbox,
            phones=phones,
            with_worker=with_worker,
            in_sandbox=phones,
        )
        if processes == 1:
            return _run(_serve_one(plan, listener, announce=lambda: _announce(plan), life_line=None))
        return overseeing.oversee(
            lambda ready, life_line: _run(_serve_one(plan, listener, announce=ready, life_line=life_line)),
            processes=processes,
            announce=lambda: _announce(plan),
        )


async def work(
    settings: Settings, *, host: str, port: int, kinds: frozenset[str] | None = None, in_sandbox: bool = False
) -> int:
    """Work until SIGTERM or SIGINT, and show those who watch what this process counted; the exit code.

    In the sandbox it is as late as in the process that has the phones.

    Raises:
        SettingsError: the port is taken or not ours to take, or the host is not on this machine.
        NotFoundError: there is no work of one of these kinds.
        WchError: the hub could not be opened.
    """
    with closing(listening(host, port)) as listener:
        address = reached_at(host, listener.getsockname()[1])
        plan = Plan(
            settings=settings,
            address=address,
            sandbox=False,
            phones=False,
            with_worker=True,
            kinds=kinds,
            is_only_watched=True,
            in_sandbox=in_sandbox,
        )
        return await _serve_one(
            plan, listener, announce=lambda: _said(f"wch works, watched on {address}"), life_line=None
        )


def _refuse_contradictions(settings: Settings, *, sandbox: bool, with_worker: bool, processes: int) -> None:
    if processes > 1 and sandbox:
        message = "The sandbox keeps its phones in one process: leave out --workers, or --sandbox."
        raise SettingsError(message)
    if settings.database.url.startswith("memory:") and (processes > 1 or not with_worker):
        message = (
            "A database in memory belongs to one process, which must do the work too: leave out --workers and "
            "--no-worker, or set WCH_DATABASE_URL to one on disk."
        )
        raise SettingsError(message)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there, before anything else is opened.

    Raises:
        SettingsError: it cannot be; the sentence says why and what to do.
    """
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        message = f"There is no host named {host!r}: give --host an address of this machine, such as 127.0.0.1."
        raise SettingsError(message) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(_why(error, host, port)) from error
    listener.setblocking(False)  # noqa: FBT003 - positional only
    return listener


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: stop the program that listens there, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has: choose one from 1024 up with --port."
    return (
        f"Cannot listen on {host} port {port} ({os.strerror(error.errno or 0)}): choose others with --host and --port."
    )


def reached_at(host: str, port: int) -> str:
    """The server's address as this machine sees it."""
    near = "127.0.0.1" if host in _EVERYWHERE else host
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"


def _run(serving: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serving)


async def _serve_one(
    plan: Plan, listener: socket.socket, *, announce: Callable[[], None], life_line: int | None
) -> int:
    """Attend until a signal comes, or the overseer is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal in (SIGTERM, SIGINT):
        loop.add_signal_handler(signal, stop.set)
    if life_line is not None:
        loop.add_reader(life_line, stop.set)
    return await attend(
        partial(_open, plan),
        listener,
        stop=stop,
        stop_seconds=plan.settings.worker.stop_seconds,
        trusted_proxies=plan.settings.security.trusted_proxies,
        announce=announce,
    )


async def _open(plan: Plan, stack: AsyncExitStack) -> Opened:
    """Load what is heavy while the loop goes on turning, and open the hub."""
    with nothing_thrown_away():
        return await _loaded(plan, stack)


async def _loaded(plan: Plan, stack: AsyncExitStack) -> Opened:
    bootstrap = await asyncio.to_thread(import_module, "wch.bootstrap")
    application = await asyncio.to_thread(import_module, "wch.entrypoints.http.application")
    settings = plan.settings
    if plan.sandbox:
        settings = settings.for_sandbox(
            graph_url=f"{plan.address}/sandbox/graph", gateways_url=f"{plan.address}/sandbox"
        )
    living = await stack.enter_async_context(bootstrap.open_living(settings, install=True, sandbox=plan.in_sandbox))
    sandbox = None
    if plan.phones:
        webhook = f"{plan.address}/webhooks/whatsapp"
        sandbox = await stack.enter_async_context(bootstrap.open_sandbox(settings, living.hub, webhook_url=webhook))

    async def follow() -> Opened | None:
        former = await living.follow()
        if former is None:
            return None
        served = application.asgi(living.hub, sandbox=sandbox, meters=first.meters)
        return opened(served, close=former)

    def opened(served: "Application", **more: Callable[[], Awaitable[None]]) -> Opened:
        worker = living.hub.worker if plan.kinds is None else living.hub.worker.only(plan.kinds)
        return Opened(
            application=Watched(served) if plan.is_only_watched else served,
            worker=worker if plan.with_worker else None,
            follow=follow,
            **more,
        )

    async def complete() -> None:
        with nothing_thrown_away():
            await first.come_complete()

    first: Application = application.Application(living.hub, sandbox)
    return opened(first, complete=complete)


async def attend(
    opening: Callable[[AsyncExitStack], Awaitable[Opened]],
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    stop_seconds: float,
    trusted_proxies: tuple[str, ...] = (),
    announce: Callable[[], None] = lambda: None,
    follow_seconds: float = FOLLOW_SECONDS,
) -> int:
    """Answer and work until `stop`; then `/readyz` says so first, the worker hands back, and HTTP ends last.

    It is alive before anything is opened; `announce` is called once deliveries are taken. Every
    `follow_seconds` it is looked whether something else is to be served; what is under way then
    ends where it began.

    Returns:
        0 when it was told to stop; 1 when the worker or the server ended by itself.
    """
    front = Front()
    server = _Server(_config(front, trusted_proxies))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with AsyncExitStack() as stack:
        try:
            opened = await opening(stack)
            front.open(opened.application)
            announce()
            await opened.complete()
            failed = await _worked(front, opened, serving, stop, stop_seconds, follow_seconds)
        finally:
            front.give_up()
            server.should_exit = True
            broken = await _over(serving, 2 * LAST_ANSWERS_SECONDS)
    return int(failed or broken)


class _Duty:
    """What is served, with its worker at work."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.rest = asyncio.Event()
        worker = opened.worker
        self.working = None if worker is None else asyncio.create_task(worker.run(self.rest))

    async def end(self, stop_seconds: float) -> bool:
        """Let the worker hand back; whether it failed."""
        self.rest.set()
        return False if self.working is None else await _over(self.working, stop_seconds + LAST_ANSWERS_SECONDS)

    async def retire(self, front: Front, stop_seconds: float) -> None:
        """End beside what took its place: the worker hands back, answers are given, streams are sent on."""
        await self.end(stop_seconds)
        await front.left(self.opened.application, within=LAST_ANSWERS_SECONDS)
        self.opened.application.leaving = True
        await front.left(self.opened.application, within=stop_seconds)
        await self.opened.close()


async def _worked(  # noqa: PLR0917 - private: a process is all of it
    front: Front,
    opened: Opened,
    serving: asyncio.Task[None],
    stop: asyncio.Event,
    stop_seconds: float,
    follow_seconds: float,
) -> bool:
    """Work until told to stop, and hand back; whether anything ended by itself."""
    asked = asyncio.create_task(stop.wait())
    duty = _Duty(opened)
    retiring: dict[asyncio.Task[None], _Duty] = {}
    try:
        while not await ended(serving, asked, duty.working, within=follow_seconds):
            newer = await looked(duty.opened.follow)
            if newer is None:
                continue
            front.open(newer.application)
            former, duty = duty, _Duty(newer)
            task = asyncio.create_task(former.retire(front, stop_seconds))
            retiring[task] = former
            task.add_done_callback(lambda ended: retiring.pop(ended, None))
    finally:
        failed = not asked.done()
        asked.cancel()
        formers = tuple(retiring.items())
        for one in (duty, *(former for _, former in formers)):
            one.opened.application.leaving = True
        ends = await asyncio.gather(duty.end(stop_seconds), *(former.end(stop_seconds) for _, former in formers))
        failed |= ends[0]
        for task, _ in formers:
            task.cancel()
        await asyncio.gather(*(task for task, _ in formers), return_exceptions=True)
    return failed


async def _over(task: asyncio.Task[None], seconds: float) -> bool:
    """Wait for a part's end, and end it when the time is over; whether it failed."""
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=LAST_ANSWERS_SECONDS)
        return False
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("a part of the server failed", exc_info=error)
    return error is not None


def _config(front: Front, trusted_proxies: tuple[str, ...]) -> uvicorn.Config:
    return uvicorn.Config(
        front,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        backlog=BACKLOG,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
    )


class _Server(uvicorn.Server):
    """uvicorn without its own signals: who stops it, and in which order, is decided here."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave them alone."""
        yield


def _announce(plan: Plan) -> None:
    """Say on standard output where to go."""
    places = {"console": "/console", "webhook": "/webhooks/whatsapp", "routes": "/docs", "ready?": "/readyz"}
    if plan.phones:
        places = {"phone": "/sandbox"} | places
        places |= {"sends": "/sandbox/api/graph-log", "payments": "/sandbox/api/payments"}
    _said(f"wch serves on {plan.address}", *(f"  {name:<10} {plan.address}{path}" for name, path in places.items()))


def _said(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
