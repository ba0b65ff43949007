"""Serving: HTTP and, unless told not to, the worker in the same process; a stop loses nothing."""

import asyncio
import contextlib
import errno
import logging
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from wch.application.hub import Hub
from wch.bootstrap import open_hub, open_sandbox
from wch.domain.errors import SettingsError, WchError
from wch.entrypoints.http.application import Application, Doors, asgi
from wch.entrypoints.logs import configure_logs
from wch.settings import Settings

log = logging.getLogger(__name__)

BACKLOG = 1024
LEAVING_SECONDS = 0.2
"""How long readiness says no before the doors close, so that a load balancer has seen it."""


def serve(settings: Settings, *, host: str, port: int, sandbox: bool, with_worker: bool, processes: int) -> int:
    """Serve until told to stop; the exit code.

    Args:
        settings: what can be set.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        sandbox: whether WhatsApp and its customers are stood in for.
        with_worker: whether the work is done here too.
        processes: how many processes answer HTTP on the one port.

    Raises:
        SettingsError: the port is taken, with the way out.
    """
    configure_logs(level=settings.log.level, as_json=settings.log.format == "json" or not sys.stderr.isatty())
    listener = _listen(host, port)
    address = f"http://{host if host not in {'0.0.0.0', '::'} else '127.0.0.1'}:{listener.getsockname()[1]}"  # noqa: S104
    if sandbox:
        settings = settings.for_sandbox(graph_url=f"{address}/sandbox/graph")
    others = [
        multiprocessing.get_context("fork").Process(
            target=_child, args=(settings, listener, address, sandbox, with_worker), daemon=True
        )
        for _ in range(processes - 1)
    ]
    for other in others:
        other.start()
    try:
        return asyncio.run(_serve(settings, listener, address, sandbox=sandbox, with_worker=with_worker, says=True))
    finally:
        for other in others:
            if other.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(other.pid, signal.SIGTERM)
        for other in others:
            other.join(timeout=30)
        listener.close()


def _child(settings: Settings, listener: socket.socket, address: str, sandbox: bool, with_worker: bool) -> None:  # noqa: FBT001
    raise SystemExit(
        asyncio.run(_serve(settings, listener, address, sandbox=sandbox, with_worker=with_worker, says=False))
    )


def _listen(host: str, port: int) -> socket.socket:
    """The one socket that all processes share."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"Port {port} on {host} is taken by another program; stop it, or choose another with --port."
            ) from error
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror}; choose another with --host or --port."
        ) from error
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


class _Server(uvicorn.Server):
    """uvicorn, but the signals are ours: readiness goes first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave them alone."""
        yield


async def _serve(
    settings: Settings,
    listener: socket.socket,
    address: str,
    *,
    sandbox: bool,
    with_worker: bool,
    says: bool,
) -> int:
    stop = asyncio.Event()
    for word in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(word, stop.set)
    try:
        async with (
            open_hub(settings, install=True, sandbox=sandbox) as hub,
            _world(settings, hub, address, sandbox=sandbox) as world,
        ):
            application = asgi(
                hub,
                Doors(
                    verify_token=settings.whatsapp.verify_token,
                    max_bytes=settings.ingress.max_bytes,
                    read_seconds=settings.ingress.read_seconds,
                ),
                sandbox=world,
            )
            server = _Server(_config(application))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            working = asyncio.create_task(_work(hub, stop)) if with_worker else None
            if says:
                _say(address, sandbox=sandbox)
            await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
            application.leaving = True
            await asyncio.sleep(LEAVING_SECONDS)
            server.should_exit = True
            stop.set()
            await asyncio.gather(serving, *([working] if working is not None else []), return_exceptions=True)
    except WchError as error:
        sys.stderr.write(f"wch: {error}\n")
        return 1
    return 0


def _config(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="none",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=20,
        limit_concurrency=2000,
    )


@asynccontextmanager
async def _world(settings: Settings, hub: Hub, address: str, *, sandbox: bool) -> AsyncIterator[Any]:
    """The simulated WhatsApp, if it is wanted."""
    if not sandbox:
        yield None
        return
    async with open_sandbox(settings, hub, webhook_url=f"{address}/webhooks/whatsapp") as world:
        yield world


async def _work(hub: Hub, stop: asyncio.Event) -> None:
    try:
        await hub.worker.run(stop)
    except Exception:
        log.exception("the worker ended")
        raise


def _say(address: str, *, sandbox: bool) -> None:
    """The addresses to open."""
    lines = [f"wch serves on {address}", f"  webhook   {address}/webhooks/whatsapp", f"  routes    {address}/docs"]
    if sandbox:
        lines.append(f"  sandbox   {address}/sandbox/api/customers")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
