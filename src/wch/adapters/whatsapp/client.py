"""The Cloud API over the network: one call, one outcome, no retry of its own."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2

from wch.adapters.whatsapp import lookup, strict_json
from wch.adapters.whatsapp.encoder import receipt
from wch.adapters.whatsapp.graph_error import graph_error
from wch.application.ports import TemplatePage
from wch.domain.document import JsonObject
from wch.domain.message_template import TemplatesUnavailableError
from wch.domain.outgoing import MarkRead
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Accepted, Ambiguous, NotMade, Refused, SendResult

TEMPLATE_FIELDS = "id,name,language,status,category,quality_score,rejected_reason,parameter_format,components"

IDLE_SECONDS = 5.0
"""An idle connection is dropped after this: a stale one is a common reason for a missing answer."""

CONNECT_SECONDS = 5.0
RECEIPT_SECONDS = 5.0
ANSWER_BYTES = 256 * 1024
_LONGEST_WAIT = 86_400

_NEVER_LEFT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
)


class CloudApiWhatsApp:
    """Sends through `https://graph.facebook.com`, or whatever stands in for it.

    Every outcome of a send is a value; nothing is raised but the cancellation of the caller.
    """

    def __init__(
        self,
        *,
        graph_url: str,
        version: str,
        access_token: str,
        timeout_seconds: float = 20.0,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        """Keep the address and the token; a client that the host hands over stays the host's.

        Args:
            graph_url: the root, without the version.
            version: such as `v24.0`.
            access_token: goes to `graph_url` and nowhere else: no redirect is followed.
            timeout_seconds: how long one call may last as a whole, the connection included.
            http: the host's own client; None makes one that drops idle connections after 5 s.
        """
        self._root = f"{graph_url.rstrip('/')}/{quote(version, safe='')}"
        self._headers = {"Authorization": f"Bearer {access_token}"}
        self._timeout_seconds = timeout_seconds
        self._is_ours = http is None
        self._http = http if http is not None else _client(timeout_seconds)

    async def send(self, number: str, message: JsonObject) -> SendResult:
        """Post one whole message from this phone number id, once."""
        progress = _Progress()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._post(number, message, progress)
        except _NEVER_LEFT as error:
            return NotMade(reason=_reason(error))
        except TimeoutError as error:
            return NotMade(reason="connect_timeout") if progress.is_connecting else Ambiguous(reason=_reason(error))
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            return Ambiguous(reason=_reason(error))

    async def mark_read(self, number: str, wa_message_id: str, *, typing: bool = False) -> bool:
        """Show that it was read, and that an answer is being written; best effort, False when it failed."""
        body = receipt(MarkRead(wa_message_id=wa_message_id, typing=typing))
        try:
            async with (
                asyncio.timeout(min(RECEIPT_SECONDS, self._timeout_seconds)),
                self._call(number, body, _Progress()) as answer,
            ):
                return bool(answer.is_success)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError):
            return False

    async def message_templates(self, account: str, *, after: str | None = None) -> TemplatePage:
        """One page of the account's templates, in all states.

        Raises:
            TemplatesUnavailableError: no answer came, or it was no list.
        """
        asked = {"limit": "100", "fields": TEMPLATE_FIELDS, **({} if after is None else {"after": after})}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._http.get(
                    f"{self._root}/{quote(account, safe='')}/message_templates",
                    params=asked,
                    headers=self._headers,
                    follow_redirects=False,
                )
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise TemplatesUnavailableError(why=_reason(error)) from error
        try:
            document = lookup.mapping(strict_json.read(answer.content).value)
        except strict_json.StrictJsonError as error:
            raise TemplatesUnavailableError(why=f"http_{answer.status_code}") from error
        listed = document.get("data")
        if not answer.is_success or not isinstance(listed, list):
            raise TemplatesUnavailableError(why=f"http_{answer.status_code}")
        paging = lookup.mapping(document.get("paging"))
        cursors = lookup.mapping(paging.get("cursors"))
        following = lookup.text(cursors.get("after")) if paging.get("next") else None
        templates = [one for one in map(lookup.mapping, listed) if one.get("name") and one.get("language")]
        return TemplatePage(templates=templates, next=following)

    async def aclose(self) -> None:
        """Give the connections back, unless the client is the host's."""
        if self._is_ours:
            await self._http.aclose()

    def _call(self, number: str, body: JsonObject, progress: "_Progress") -> Any:
        return self._http.stream(
            "POST",
            f"{self._root}/{quote(number, safe='')}/messages",
            json=dict(body),
            headers=self._headers,
            follow_redirects=False,
            extensions={"trace": progress.note},
        )

    async def _post(self, number: str, message: JsonObject, progress: "_Progress") -> SendResult:
        async with self._call(number, message, progress) as answer:
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES:
                    return Ambiguous(reason="answer_too_long")
            return outcome(answer.status_code, bytes(body), retry_after=answer.headers.get("retry-after"))


class _Progress:
    """How far a call came, as the transport tells it; a transport that tells nothing leaves it open."""

    def __init__(self) -> None:
        self.is_connecting = False

    async def note(self, event: str, _info: Mapping[str, Any]) -> None:
        if event.startswith("connection."):
            self.is_connecting = True
        elif ".send_request" in event:
            self.is_connecting = False


def _client(timeout_seconds: float) -> httpx2.AsyncClient:
    """Proxies and passwords of the environment are left aside: a host that needs them hands over a client.

    Waiting for a connection, making it and its handshake have a quarter of the time each: a
    handshake that ends by its own time closes its socket, one that is cancelled may not.
    """
    connect = min(CONNECT_SECONDS, timeout_seconds / 4)
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(timeout_seconds, connect=connect, pool=connect),
        limits=httpx2.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=IDLE_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


def outcome(status: int, body: bytes, *, retry_after: str | None = None) -> SendResult:
    """What an answer of Graph's means.

    Only an id says that a message was taken, and only Graph's own error, or the status 429,
    says that it was not; anything else may have been either.
    """
    try:
        document = lookup.mapping(strict_json.read(body).value)
    except strict_json.StrictJsonError:
        document = lookup.NOTHING
    is_success = httpx2.codes.is_success(status)
    if is_success and (wa_message_id := _first(document, "messages").get("id")):
        told = lookup.text(wa_message_id)
        if told is not None:
            return Accepted(wa_message_id=told, wa_id=lookup.text(_first(document, "contacts").get("wa_id")))
    if not is_success and isinstance(document.get("error"), Mapping):
        return _refused(graph_error(document["error"]), status, retry_after)
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return _refused(GraphError(title="Too many requests"), status, retry_after)
    return Ambiguous(reason=f"http_{status}_without_id")


def _first(document: JsonObject, name: str) -> JsonObject:
    return lookup.mapping(next(iter(lookup.sequence(document.get(name))), None))


def _refused(error: GraphError, status: int, retry_after: str | None) -> Refused:
    failure = classify(error.code, http_status=status, is_transient=error.is_transient)
    return Refused(error=error, failure=failure, retry_after=_wait(retry_after))


def _wait(retry_after: str | None) -> timedelta | None:
    seconds = lookup.integer(retry_after)
    return timedelta(seconds=seconds) if seconds is not None and 0 <= seconds <= _LONGEST_WAIT else None


def _reason(error: BaseException) -> str:
    """The kind of an error; its words may hold an address."""
    return type(error).__name__
