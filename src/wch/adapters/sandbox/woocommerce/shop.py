"""The simulated shop as a server: its APIs behind a key, bad days to order, and a log of every call."""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import attrs
import httpx2

from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.adapters.sandbox.woocommerce.answering import WooAnswer
from wch.adapters.sandbox.woocommerce.floor import Floor, FloorRefusedError
from wch.adapters.sandbox.woocommerce.reckoning import Row, Till
from wch.adapters.sandbox.woocommerce.rest_api import RestApi, body_of, order_shown, refusal
from wch.adapters.sandbox.woocommerce.store_api import StoreApi
from wch.adapters.sandbox.woocommerce.telling import Webhooks
from wch.application.ports import Clock
from wch.domain.document import JsonObject
from wch.domain.moment import iso
from wch.domain.money import places

REST = ("wc", "v3")
STORE = ("wc", "store", "v1")
MOST_LOGGED = 5000
PAGE = b"<!doctype html><html><body><h1>Briefly unavailable for scheduled maintenance.</h1></body></html>"


@attrs.frozen(kw_only=True)
class ShopRequest:
    """One call to the shop's API; header names are in lower case, the path begins below the shop's address."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class SimulatedWooCommerce:
    """Stands in for a WooCommerce shop, over the same HTTP.

    Args:
        clock: the hub's, so that moving it moves the shop too.
        key: the consumer key that calls must carry.
        secret: the consumer's secret.
        till: how it counts.
        country: where it is.
        address: where it is reached.
        http: posts the webhooks; whoever made it closes it.
        faults: bad days to order.
        tells_by_itself: deliver webhooks shortly after a change; else when `webhooks.deliver` is called.
        pretty_links: whether `/wp-json/` leads to the API.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        key: str,
        secret: str,
        till: Till,
        country: str,
        http: httpx2.AsyncClient,
        address: str = "http://shop.example",
        faults: Faults | None = None,
        tells_by_itself: bool = False,
        pretty_links: bool = True,
    ) -> None:
        self.floor = Floor(clock=clock, till=till, country=country, address=address)
        self.faults = faults or Faults()
        self.webhooks = Webhooks(
            body_of=self._resource, source=address, clock=clock, http=http, by_itself=tells_by_itself
        )
        self.floor.tell = self.webhooks.tell
        self.calls: list[JsonObject] = []
        self._rest = RestApi(floor=self.floor, webhooks=self.webhooks)
        self._store = StoreApi(floor=self.floor)
        self._clock = clock
        self._key = key
        self._secret = secret
        self._pretty_links = pretty_links
        self._late: list[tuple[datetime, ShopRequest]] = []

    def answer(
        self, method: str, path: str, *, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> WooAnswer:
        """Answer one call; the path begins below the shop's address, header names are in lower case."""
        return self.called(ShopRequest(method=method, path=path, query=query, headers=headers, body=body))

    def called(self, asked: ShopRequest) -> WooAnswer:
        """Answer one call."""
        self._arrive()
        route = asked.path.strip("/")
        query = dict(asked.query)
        if route == "index.php":
            route = query.pop("rest_route", "").strip("/")
        elif self._pretty_links and (route == "wp-json" or route.startswith("wp-json/")):
            route = route.removeprefix("wp-json").strip("/")
        else:
            return self._logged(asked, WooAnswer(status=404, page=PAGE))
        return self._logged(asked, self._on_a_bad_day(asked, route, query) or self._answer(asked, route, query))

    def _on_a_bad_day(self, asked: ShopRequest, route: str, query: dict[str, str]) -> WooAnswer | None:
        """What was ordered to go wrong with this call."""
        if self.faults.take(FaultKind.SHOP_DOWN):
            return refusal(503, "service_unavailable", "Service unavailable")
        if throttled := self.faults.take(FaultKind.SHOP_THROTTLED):
            return WooAnswer(
                status=429,
                body={"code": "too_many_requests", "message": "Slow down."},
                headers={"Retry-After": str(int(throttled.seconds))},
            )
        if self.faults.take(FaultKind.SHOP_HTML):
            return WooAnswer(page=PAGE)
        return self._on_a_bad_order(asked, query) if (asked.method, route) == ("POST", "wc/v3/orders") else None

    def _on_a_bad_order(self, asked: ShopRequest, query: dict[str, str]) -> WooAnswer | None:
        if late := self.faults.take(FaultKind.SHOP_LATE):
            self._late.append((self._clock.now() + timedelta(seconds=late.seconds), asked))
            return WooAnswer(cut_after=0.0)
        if self.faults.take(FaultKind.SHOP_DRIFT):
            self.floor.drift = Decimal(1).scaleb(-places(self.floor.till.currency))
        if lost := self.faults.take(FaultKind.SHOP_LOST_ANSWER):
            self._answer(asked, "wc/v3/orders", query)
            return WooAnswer(cut_after=lost.seconds)
        return None

    def _answer(self, asked: ShopRequest, route: str, query: dict[str, str]) -> WooAnswer:
        parts = tuple(part for part in route.split("/") if part)
        told = body_of(asked.body)
        if not parts:
            return WooAnswer(body={"name": self.floor.name, "timezone_string": "UTC", "home": self.floor.address})
        try:
            if parts[:3] == STORE:
                return self._store.answer(asked.method, parts[3:], query, told, asked.headers.get("cart-token"))
            if parts[:2] != REST:
                return refusal(404, "rest_no_route", "No route was found matching the URL and request method.")
            if not self._is_known(asked, query):
                return refusal(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
            return self._rest.answer(asked.method, parts[2:], query, told)
        except FloorRefusedError as error:
            return refusal(error.status, error.code, str(error))

    def _is_known(self, asked: ShopRequest, query: dict[str, str]) -> bool:
        basic = base64.b64encode(f"{self._key}:{self._secret}".encode()).decode()
        if asked.headers.get("authorization") == f"Basic {basic}":
            return True
        return (query.pop("consumer_key", None), query.pop("consumer_secret", None)) == (self._key, self._secret)

    def _arrive(self) -> None:
        """Calls that were held up on the way arrive when their time has come."""
        due = [asked for at, asked in self._late if at <= self._clock.now()]
        self._late = [(at, asked) for at, asked in self._late if at > self._clock.now()]
        for asked in due:
            self._answer(asked, "wc/v3/orders", {})

    def _logged(self, asked: ShopRequest, answered: WooAnswer) -> WooAnswer:
        told = body_of(asked.body)
        keys = [row.get("value") for row in told.get("meta_data", ()) if row.get("key") == "_wch_key"]
        self.calls.append(
            {
                "at": iso(self._clock.now()),
                "call": f"{asked.method} {asked.path}",
                "key": next(iter(keys), None),
                "status": 0 if answered.cut_after is not None else answered.status,
            }
        )
        del self.calls[:-MOST_LOGGED]
        date = format_datetime(self._clock.now(), usegmt=True)
        return attrs.evolve(answered, headers={**answered.headers, "Date": date})

    def _resource(self, topic: str, row_id: int) -> Row | None:
        if topic.startswith("order"):
            order = self.floor.orders.get(row_id)
            return None if order is None else order_shown(order)
        product = self.floor.products.get(row_id)
        return None if product is None else self.floor.shown(product)

    def transport(self) -> httpx2.AsyncBaseTransport:
        """Calls of a client without a socket; an answer that never comes is a time-out."""
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        answered = self.called(
            ShopRequest(
                method=request.method,
                path=request.url.path,
                query=dict(request.url.params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=request.content,
            )
        )
        if answered.cut_after is not None:
            message = "no answer came"
            raise httpx2.ReadTimeout(message, request=request)
        return httpx2.Response(
            answered.status,
            headers={**answered.headers, "Content-Type": answered.content_type},
            content=answered.content(),
        )

    async def aclose(self) -> None:
        """Stop telling."""
        await self.webhooks.aclose()
