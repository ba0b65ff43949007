"""The simulated gateways' doors: their APIs, and the page behind a payment link."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import unquote

import attrs
from litestar import get, post
from litestar.openapi.spec import Example
from litestar.params import Body, PathParameter

from wch.domain.document import JsonObject
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.moment import of_iso
from wch.entrypoints.http.answers import Receive, Scope, Send, answer, whole_body
from wch.entrypoints.http.payment_webhooks import headers_of, mapped_query

PAGES = "/sandbox/pay/"
APIS = ("/sandbox/stripe/", "/sandbox/razorpay/", "/sandbox/mercadopago/")
MOST_BYTES = 1024 * 1024

Deed = Literal["pay", "decline", "wrong_amount", "pay_silently", "pay_late"]

Until = Callable[[datetime], Awaitable[None]]
"""Moves the clock to this moment and does what is due by then; a moment that has passed is none to wait for."""


class GatewayAnswerPort(Protocol):
    """What a simulated gateway answers."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    def content(self) -> bytes:
        """The body."""
        ...


class GatewaysPort(Protocol):
    """What the doors ask of the simulated gateways."""

    def called(
        self,
        gateway: str,
        *,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> GatewayAnswerPort:
        """Answer one call to an API."""
        ...

    def payments(self) -> Sequence[JsonObject]:
        """Every payment."""
        ...

    def calls(self) -> Sequence[JsonObject]:
        """Every call to the APIs."""
        ...

    def payment(self, gateway: str, charge_id: str) -> JsonObject:
        """One payment."""
        ...

    async def act(self, gateway: str, charge_id: str, deed: str) -> JsonObject:
        """Do as a customer would."""
        ...


@attrs.frozen
class GatewaysDoor:
    """Carries calls to the simulated gateways, and shows the page that a payment link leads to."""

    gateways: GatewaysPort

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer one request."""
        body = await whole_body(receive, send, most=MOST_BYTES, drained=MOST_BYTES)
        if body is None:
            return
        if path.startswith(PAGES):
            await self._page(scope, send, path.removeprefix(PAGES))
            return
        gateway, *parts = (unquote(part) for part in path.removeprefix("/sandbox/").rstrip("/").split("/"))
        answered = self.gateways.called(
            gateway,
            method=scope["method"],
            path=parts,
            query=mapped_query(scope),
            headers=headers_of(scope),
            body=body,
        )
        await answer(send, answered.status, answered.content(), content_type=b"application/json")

    async def _page(self, scope: Scope, send: Send, where: str) -> None:
        """Show what is to be paid; sending the form pays it."""
        gateway, _, charge_id = where.partition("/")
        words = ""
        try:
            if scope["method"] == "POST":
                await self.gateways.act(gateway, charge_id, "pay")
            payment = self.gateways.payment(gateway, charge_id)
        except NotFoundError:
            await answer(send, 404, b"no such payment")
            return
        except ConflictError as over:
            payment, words = self.gateways.payment(gateway, charge_id), str(over)
        await answer(send, 200, _html(payment, words), content_type=b"text/html; charset=utf-8")


def _html(payment: JsonObject, words: str) -> bytes:
    told = {name: escape(str(value)) for name, value in payment.items()}
    button = (
        "<form method=post><button>Pay</button></form>" if payment["state"] == "open" else f"<p>{told['state']}</p>"
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Pay</title>"
        f"<h1>{told['gateway']} (sandbox)</h1><p>{told['amount']} {told['currency']}, in the gateway's own units, "
        f"for {told['reference']}</p><p>{escape(words)}</p>{button}</html>"
    ).encode()


@attrs.frozen(kw_only=True)
class CustomerDeed:
    """What the customer does with a payment."""

    do: Deed = "pay"


Which = Annotated[str, PathParameter(description="stripe, razorpay or mercadopago.")]
PaymentId = Annotated[str, PathParameter(description="The session, link or payment, as the list of payments has it.")]


def gateway_routes(gateways: GatewaysPort, *, until: Until) -> list[Any]:
    """The sandbox's routes about payments.

    Args:
        gateways: where payments are.
        until: brings a payment that is to be paid late past its end.
    """

    @get("/sandbox/api/payments", summary="Every payment that was opened at the simulated gateways, the oldest first")
    async def payments() -> dict[str, Any]:
        return {"data": gateways.payments()}

    @get("/sandbox/api/payments-log", summary="Every call to the simulated gateways, the oldest first")
    async def calls() -> dict[str, Any]:
        return {"data": gateways.calls()}

    @post(
        "/sandbox/api/payments/{gateway:str}/{payment_id:str}",
        status_code=200,
        summary="Pay as the customer, fail to, pay too little, pay while no notice arrives, or pay when it is over",
    )
    async def act(
        gateway: Which,
        payment_id: PaymentId,
        data: Annotated[CustomerDeed, Body(examples=[Example(value={"do": "pay"})])],
    ) -> dict[str, Any]:
        """Do as the customer would; `pay_late` moves the clock past the payment's end first, if it is not there yet."""
        payment = gateways.payment(gateway, payment_id)
        if data.do == "pay_late" and payment["state"] == "open":
            await until(of_iso(payment["expires_at"]))
        return dict(await gateways.act(gateway, payment_id, data.do))

    routes = [payments, calls, act]
    for route in routes:
        route.tags = ["sandbox"]
    return list(routes)
