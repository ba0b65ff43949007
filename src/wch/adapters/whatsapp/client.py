"""The Cloud API over the network: one call, one outcome, no retry of its own."""

import asyncio
import ssl
from datetime import timedelta
from typing import Any

import attrs
import httpx2

from wch.domain.document import JsonObject
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Accepted, Ambiguous, NotMade, Refused, SendResult

IDLE_SECONDS = 5.0
"""An idle connection is dropped after this, so that a stale one is rarely why an answer is missing."""

CONNECT_SECONDS = 5.0


def new_client(timeout_seconds: float) -> httpx2.AsyncClient:
    """A client as the Cloud API wants it: no redirects, no proxies from the environment."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(timeout_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=50, keepalive_expiry=IDLE_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


@attrs.frozen(kw_only=True)
class CloudApiWhatsApp:
    """Sends through `https://graph.facebook.com`, or whatever stands in for it.

    Attributes:
        url: the root, without the version.
        version: such as `v24.0`.
        token: the access token; it goes to `url` and nowhere else.
        timeout_seconds: how long one call may last as a whole.
    """

    url: str
    version: str
    token: str = attrs.field(repr=False)
    timeout_seconds: float
    http: httpx2.AsyncClient = attrs.field(repr=False)

    async def send(self, number: str, message: JsonObject) -> SendResult:
        """Post one message; every outcome is a value."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                answer = await self._post(number, message)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol) as error:
            return NotMade(reason=type(error).__name__)
        except (httpx2.HTTPError, TimeoutError, ssl.SSLError) as error:
            return Ambiguous(reason=type(error).__name__)
        return outcome(answer)

    async def mark_read(self, number: str, wa_message_id: str, *, typing: bool = False) -> bool:
        """Show that it was read, and that an answer is being written; best effort."""
        body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": wa_message_id}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                answer = await self._post(number, body)
        except (httpx2.HTTPError, TimeoutError, ssl.SSLError):
            return False
        return answer.is_success

    async def _post(self, number: str, body: JsonObject) -> httpx2.Response:
        return await self.http.post(
            f"{self.url.rstrip('/')}/{self.version}/{number}/messages",
            json=dict(body),
            headers={"Authorization": f"Bearer {self.token}"},
        )

    async def aclose(self) -> None:
        """Give the connections back."""
        await self.http.aclose()


def outcome(answer: httpx2.Response) -> SendResult:
    """What an answer of Graph's means."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return _without_document(answer)
    if isinstance(document.get("error"), dict):
        error = graph_error(document["error"], answer.status_code)
        failure = classify(error.code, http_status=error.http_status, is_transient=error.is_transient)
        return Refused(error=error, failure=failure, retry_after=_retry_after(answer))
    messages = document.get("messages")
    if answer.is_success and isinstance(messages, list) and messages and isinstance(messages[0], dict):
        wa_message_id = messages[0].get("id")
        if isinstance(wa_message_id, str) and wa_message_id:
            contacts = document.get("contacts")
            first = contacts[0] if isinstance(contacts, list) and contacts else {}
            wa_id = first.get("wa_id") if isinstance(first, dict) else None
            return Accepted(wa_message_id=wa_message_id, wa_id=wa_id if isinstance(wa_id, str) else None)
    return _without_document(answer)


def _without_document(answer: httpx2.Response) -> SendResult:
    """A refusal without Graph's words: a 4xx of something in front of it surely did not send."""
    if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        error = GraphError(code=None, title="Too many requests", http_status=answer.status_code)
        return Refused(error=error, failure=classify(None, http_status=429), retry_after=_retry_after(answer))
    return Ambiguous(reason=f"HTTP {answer.status_code} without an id")


def graph_error(error: dict[str, Any], http_status: int | None) -> GraphError:
    """The error object of an answer; its details may not name the customer, so only its own words are kept."""
    code = error.get("code")
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    return GraphError(
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        title=str(error.get("message") or error.get("title") or "")[:200],
        details=str(details or "")[:500],
        http_status=http_status,
        is_transient=error.get("is_transient") is True,
    )


def _retry_after(answer: httpx2.Response) -> timedelta | None:
    word = answer.headers.get("retry-after", "")
    return timedelta(seconds=int(word)) if word.isdigit() and len(word) < 6 else None
