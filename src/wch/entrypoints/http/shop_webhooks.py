"""`POST /webhooks/woocommerce`: size, time, the shop's signature, then what it told."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from wch.application.shop_news import ShopReceipt
from wch.domain.errors import StoreUnavailableError
from wch.entrypoints.http.answers import Receive, Scope, Send, answer, values_of
from wch.entrypoints.http.webhooks import RETRY_AFTER, LimitsPort, read_delivery, refuse_unsigned

ROUTE = "/webhooks/woocommerce"
SIGNATURE = b"x-wc-webhook-signature"


class ShopNewsPort(Protocol):
    """What the webhook asks of the shop's news."""

    async def receive(self, body: bytes, *, signatures: Sequence[bytes], topic: str, webhook_id: str) -> ShopReceipt:
        """Take what the shop tells."""
        ...


@attrs.frozen(kw_only=True)
class ShopWebhook:
    """Takes what the shop tells.

    Attributes:
        most_bytes: the largest body that is taken.
        read_seconds: how long the whole body may take.
    """

    news: ShopNewsPort
    limits: LimitsPort
    most_bytes: int
    read_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but 200 to its ping would make the shop call this address broken."""
        if scope["method"] != "POST":
            await answer(send, 405, b"method not allowed", (b"allow", b"POST"))
            return
        body = await read_delivery(receive, send, most=self.most_bytes, seconds=self.read_seconds)
        if body is None:
            return
        try:
            receipt = await self.news.receive(
                body,
                signatures=values_of(scope, SIGNATURE),
                topic=_only(scope, b"x-wc-webhook-topic"),
                webhook_id=_only(scope, b"x-wc-webhook-id"),
            )
        except StoreUnavailableError:
            await answer(send, 503, b"not available now", RETRY_AFTER)
            return
        if receipt is ShopReceipt.UNSIGNED:
            await refuse_unsigned(self.limits, scope, send)
        else:
            await answer(send, 200, b"ok")


def _only(scope: Scope, name: bytes) -> str:
    """The value of a header that came once, else nothing."""
    values = values_of(scope, name)
    return values[0].decode("latin-1") if len(values) == 1 else ""
