"""The first thing that answers: alive at once, while the rest is still being opened."""

import asyncio
import json
from collections import Counter
from typing import Protocol

from wch.entrypoints.http.answers import Receive, Scope, Send, answer, inner_path

STARTING = json.dumps({"ready": False, "problems": ["starting"]}).encode()


class ApplicationPort(Protocol):
    """What is served once it is there.

    Attributes:
        leaving: set once the process is on its way out.
    """

    leaving: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...


class Front:
    """Answers `/livez` and `/readyz` from the start; whatever else is asked waits until the application is there."""

    def __init__(self) -> None:
        self._application: ApplicationPort | None = None
        self._decided = asyncio.Event()
        self._inside: Counter[int] = Counter()
        self._left = asyncio.Condition()

    def open(self, application: ApplicationPort) -> None:
        """Let everything through from now on; what is under way elsewhere ends there."""
        self._application = application
        self._decided.set()

    async def left(self, application: ApplicationPort, *, within: float) -> bool:
        """Wait until nothing is under way in an application that was replaced, for so many seconds at most."""
        async with self._left:
            try:
                async with asyncio.timeout(within):
                    await self._left.wait_for(lambda: not self._inside[id(application)])
            except TimeoutError:
                return False
        return True

    def give_up(self) -> None:
        """Nothing will be opened any more: those who wait hear so."""
        self._decided.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        application = self._application
        if application is None:
            application = await self._opened(scope, send)
            if application is None:
                return
        self._inside[id(application)] += 1
        try:
            await application(scope, receive, send)
        finally:
            self._inside[id(application)] -= 1
            if application is not self._application:
                async with self._left:
                    self._left.notify_all()

    async def _opened(self, scope: Scope, send: Send) -> ApplicationPort | None:
        """The application once it is there; None when the request was answered without it."""
        if scope["type"] == "http":
            path = inner_path(scope)
            if path == "/livez":
                await answer(send, 200, b"alive")
                return None
            if path == "/readyz":
                await answer(send, 503, STARTING, content_type=b"application/json")
                return None
            await self._decided.wait()
        if self._application is None:
            await answer(send, 503, b"not available now", (b"retry-after", b"30"))
        return self._application
