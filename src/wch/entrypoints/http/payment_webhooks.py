"""`POST /webhooks/payments/{gateway}`: size, time, the gateway's own signature, then what it told."""

from typing import Protocol

import attrs

from wch.application.payments import PaymentReceipt
from wch.domain.errors import StoreUnavailableError
from wch.domain.payment import WebhookCall
from wch.entrypoints.http.answers import Receive, Scope, Send, answer
from wch.entrypoints.http.webhooks import RETRY_AFTER, LimitsPort, query_of, read_delivery, refuse_unsigned

ROUTE = "/webhooks/payments/"
MOST_BYTES = 1024 * 1024


class PaymentsPort(Protocol):
    """What the webhook asks of the payments."""

    async def receive(self, gateway: str, call: WebhookCall) -> PaymentReceipt:
        """Take what a gateway tells."""
        ...


@attrs.frozen(kw_only=True)
class PaymentWebhook:
    """Takes what gateways tell.

    Attributes:
        read_seconds: how long the whole body may take.
    """

    payments: PaymentsPort
    limits: LimitsPort
    read_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send, gateway: str) -> None:
        """Answer one request."""
        if scope["method"] != "POST":
            await answer(send, 405, b"method not allowed", (b"allow", b"POST"))
            return
        body = await read_delivery(receive, send, most=MOST_BYTES, seconds=self.read_seconds)
        if body is None:
            return
        call = WebhookCall(headers=headers_of(scope), query=mapped_query(scope), body=body)
        try:
            receipt = await self.payments.receive(gateway, call)
        except StoreUnavailableError:
            await answer(send, 503, b"not available now", RETRY_AFTER)
            return
        if receipt is PaymentReceipt.UNKNOWN_GATEWAY:
            await answer(send, 404, b"not found")
        elif receipt is PaymentReceipt.UNSIGNED:
            await refuse_unsigned(self.limits, scope, send)
        else:
            await answer(send, 200, b"ok")


def headers_of(scope: Scope) -> dict[str, str]:
    """Headers that came once; which of two would count, nobody knows."""
    seen: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        twice |= {key} if key in seen else set()
        seen[key] = value.decode("latin-1")
    return {name: value for name, value in seen.items() if name not in twice}


def mapped_query(scope: Scope) -> dict[str, str]:
    """The query as text; of a name that came twice the last counts."""
    asked = query_of(scope.get("query_string", b""))
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in asked}
