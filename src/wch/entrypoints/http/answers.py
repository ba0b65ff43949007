"""Answers by hand, for the doors that do without the framework; and the headers that every answer bears."""

import asyncio
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, MutableMapping
from types import coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

R = TypeVar("R")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

PROBLEM = "application/problem+json"

SECURITY_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

CLOSE: Header = (b"connection", b"close")


class GoneError(Exception):
    """Whoever asked has gone."""


class BodyTooLargeError(Exception):
    """More came than may come."""


def prepared(
    status: int, body: bytes = b"", *headers: Header, content_type: bytes = b"text/plain; charset=utf-8"
) -> Callable[[Send], Coroutine[Any, Any, None]]:
    """What sends this whole answer, as often as it is called; one without a body has no type."""
    typed = [(b"content-type", content_type)] if body else []
    all_headers = [*typed, (b"content-length", b"%d" % len(body)), *SECURITY_HEADERS, *headers]

    async def told(send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": all_headers.copy()})
        await send({"type": "http.response.body", "body": body})

    return told


async def answer(
    send: Send, status: int, body: bytes = b"", *headers: Header, content_type: bytes = b"text/plain; charset=utf-8"
) -> None:
    """Send a whole answer."""
    await prepared(status, body, *headers, content_type=content_type)(send)


def problem_of(status: int, title: str, detail: str, *, code: str, errors: Iterable[Any] = ()) -> dict[str, Any]:
    """The document of RFC 9457, with our word for the case and a line for each fault."""
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": list(errors),
    }


FAULT = problem_of(500, "Internal Server Error", "Something went wrong here; it has been logged.", code="fault")
"""What is told of an error that nobody foresaw."""


def log_fault(error: Exception) -> None:
    """Write down the class of an error and where it was; its words may hold what a customer wrote."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("an answer failed", extra={"error": type(error).__qualname__, "places": places})


async def answer_problem(send: Send, document: Mapping[str, Any], *headers: Header) -> None:
    """Send a problem."""
    await answer(send, document["status"], json.dumps(document).encode(), *headers, content_type=PROBLEM.encode())


def with_security_headers(send: Send, *, instead: Mapping[bytes, bytes]) -> Send:
    """Send with the security headers that the answer has not set itself; some of them with other values."""

    async def dressed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            missing = [(name, instead.get(name, value)) for name, value in SECURITY_HEADERS if name not in present]
            message = {**message, "headers": [*message.get("headers", ()), *missing]}
        await send(message)

    return dressed


async def read_body(receive: Receive, *, most: int, drained: int) -> bytes:
    """The whole body, counted while it comes; the declared length is not believed.

    What is too long is read on and thrown away up to `drained` bytes, so that a client
    which writes before it reads hears the refusal instead of a broken connection.

    Raises:
        BodyTooLargeError: more than `most` bytes came.
        GoneError: the client went away in the middle.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > most:
            raise BodyTooLargeError
        return body
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        size += len(part)
        if size <= most:
            parts.append(part)
        elif size > drained or not message.get("more_body", False):
            raise BodyTooLargeError
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


async def whole_body(
    receive: Receive, send: Send, *, most: int, drained: int, seconds: float | None = None
) -> bytes | None:
    """The body, within size and time; None when the refusal was answered, or nobody is there to hear it."""
    reading = read_body(receive, most=most, drained=drained)
    try:
        try:
            waits_for = reading.send(None)
        except StopIteration as there:  # no timer is set for what is there already, as nearly every body is
            body: bytes = there.value
            return body
        async with asyncio.timeout(seconds):
            return await _rest(reading, waits_for)
    except GoneError:
        return None
    except BodyTooLargeError:
        await answer(send, 413, b"too large", CLOSE)
    except TimeoutError:
        await answer(send, 408, b"too slow", CLOSE)
    return None


@coroutine
def _rest(begun: Coroutine[Any, Any, R], waits_for: Any) -> Generator[Any, Any, R]:
    """Go on with what has begun already, and waits for this."""
    try:
        while True:
            try:
                came = yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever comes from outside is the reading's
                waits_for = begun.throw(error)
            else:
                waits_for = begun.send(came)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # as above


def values_of(scope: Scope, name: bytes) -> list[bytes]:
    """Every value of a header, as bytes."""
    return [value for key, value in scope["headers"] if key == name]


def inner_path(scope: Scope) -> str:
    """The path below where the application is mounted, whichever way the host tells it."""
    path, root = str(scope["path"]), scope.get("root_path")
    if not root:
        return path or "/"
    root = str(root).rstrip("/")
    inside = path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path
    return inside or "/"
