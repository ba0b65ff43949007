"""The simulated shop's door: its APIs as they came, and answers that never come."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
from litestar import get

from wch.domain.document import JsonObject
from wch.entrypoints.http.answers import (
    Receive,
    Scope,
    Send,
    answer,
    whole_body,
)
from wch.entrypoints.http.graph import cut
from wch.entrypoints.http.payment_webhooks import headers_of, mapped_query

SHOP = "/sandbox/woocommerce/"
MOST_BYTES = 4 * 1024 * 1024


class ShopAnswerPort(Protocol):
    """What the simulated shop answers."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """More headers."""
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


class SimulatedShopPort(Protocol):
    """What the door asks of the simulated shop."""

    @property
    def calls(self) -> Sequence[JsonObject]:
        """Every call, the oldest first."""
        ...

    def answer(
        self, method: str, path: str, *, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> ShopAnswerPort:
        """Answer one call."""
        ...


@attrs.frozen
class SimulatedShopDoor:
    """Carries calls to the simulated shop."""

    shop: SimulatedShopPort

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer one request."""
        body = await whole_body(receive, send, most=MOST_BYTES, drained=MOST_BYTES)
        if body is None:
            return
        answered = self.shop.answer(
            scope["method"],
            path.removeprefix(SHOP),
            query=mapped_query(scope),
            headers=headers_of(scope),
            body=body,
        )
        if answered.cut_after is not None:
            await cut(receive, send, answered.cut_after)
            return
        more = [(name.lower().encode(), value.encode()) for name, value in answered.headers.items()]
        await answer(
            send, answered.status, answered.content(), *more, content_type=answered.content_type.encode("ascii")
        )


def simulated_shop_routes(shop: SimulatedShopPort) -> list[Any]:
    """The sandbox's route about the shop."""

    @get("/sandbox/api/shop-log", summary="Every call to the simulated WooCommerce shop, the oldest first")
    async def calls() -> dict[str, Any]:
        return {"data": shop.calls}

    calls.tags = ["sandbox"]
    return [calls]
