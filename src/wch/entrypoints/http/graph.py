"""The simulated Graph API's door: any method, any body, and answers that never come."""

import asyncio
from typing import Protocol

import attrs

from wch.entrypoints.http.answers import (
    CLOSE,
    Receive,
    Scope,
    Send,
    answer,
    values_of,
    whole_body,
)

GRAPH = "/sandbox/graph/"
MOST_BYTES = 16 * 1024 * 1024


class AnswerPort(Protocol):
    """An answer as the sandbox gives it."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def content_type(self) -> str:
        """What it is."""
        ...

    @property
    def cut_after(self) -> float | None:
        """If set, it never comes: the connection is cut after so many seconds."""
        ...

    def content(self) -> bytes:
        """The body."""
        ...


class GraphPort(Protocol):
    """What the door asks of the sandbox."""

    async def called(
        self,
        *,
        method: str,
        path: str,
        authorization: str | None,
        body: bytes,
        content_type: str,
        host: str,
        query: str = "",
    ) -> AnswerPort:
        """Answer one call."""
        ...


@attrs.frozen
class GraphDoor:
    """Carries calls to the sandbox as they came."""

    sandbox: GraphPort

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer one request."""
        body = await whole_body(receive, send, most=MOST_BYTES, drained=MOST_BYTES)
        if body is None:
            return
        root = str(scope["path"]).removesuffix(path.removeprefix(GRAPH)).rstrip("/")
        answered = await self.sandbox.called(
            method=scope["method"],
            path=path.removeprefix(GRAPH.rstrip("/")),
            authorization=_header(scope, b"authorization"),
            body=body,
            content_type=_header(scope, b"content-type") or "application/json",
            host=f"{scope.get('scheme', 'http')}://{_header(scope, b'host') or 'localhost'}{root}",
            query=scope.get("query_string", b"").decode("latin-1"),
        )
        if answered.cut_after is not None:
            await cut(receive, send, answered.cut_after)
            return
        await answer(send, answered.status, answered.content(), content_type=answered.content_type.encode("latin-1"))


async def cut(receive: Receive, send: Send, seconds: float) -> None:
    """Say nothing until the client has gone or the time is over; then begin an answer and break it off."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        head = [(b"content-type", b"application/json"), (b"content-length", b"2"), CLOSE]
        await send({"type": "http.response.start", "status": 200, "headers": head})


def _header(scope: Scope, name: bytes) -> str | None:
    values = values_of(scope, name)
    return values[0].decode("latin-1") if len(values) == 1 else None
