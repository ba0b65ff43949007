"""One call to a WooCommerce shop: one request, one answer, no retry, and the port's own ways to fail."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import attrs
import httpx2

from wch.domain.moment import whole
from wch.domain.shop_error import ShopMisconfiguredError, ShopNotFoundError, ShopRefusedError, ShopUnavailableError

SECONDS = 30.0
CALLS_AT_ONCE = 4
MOST_BYTES = 16 * 1024 * 1024
PER_PAGE = 100
REST = "wc/v3"
STORE = "wc/store/v1"
_LONGEST_WAIT = 3600
_DIGITS_OF_A_WAIT = 4


def client(transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    """A client for a shop: no redirects, nothing from the environment, 30 s for a call."""
    return httpx2.AsyncClient(
        transport=transport,
        timeout=httpx2.Timeout(SECONDS, connect=5.0),
        limits=httpx2.Limits(max_connections=CALLS_AT_ONCE, keepalive_expiry=5.0),
        follow_redirects=False,
        trust_env=False,
    )


@attrs.frozen(kw_only=True)
class Reply:
    """An answer that could be read.

    Attributes:
        body: the JSON value, its fractions exact.
        total: how many rows there are in all, of a list.
        pages: how many pages, of a list.
        at: the shop's own time; None when it did not say.
        cart_token: names the cart that the Store API made.
    """

    body: Any
    total: int | None = None
    pages: int | None = None
    at: datetime | None = None
    cart_token: str | None = None

    @property
    def item(self) -> Mapping[str, Any]:
        """The object; an answer of another shape is none."""
        if not isinstance(self.body, Mapping):
            raise ShopUnavailableError
        return self.body

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The objects of a list; an answer of another shape is none."""
        if not isinstance(self.body, list):
            raise ShopUnavailableError
        return [row for row in self.body if isinstance(row, Mapping)]


def _without_slash(address: str) -> str:
    return address.rstrip("/")


@attrs.define(kw_only=True)
class WooApi:
    """Calls one shop, at most four times at once.

    Attributes:
        http: the client; whoever made it closes it.
        root: the shop's address.
        key: the consumer key.
        secret: the consumer's secret.
        query_auth: both go in the query, for servers that drop the header.
    """

    http: httpx2.AsyncClient
    root: str = attrs.field(converter=_without_slash)
    key: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    query_auth: bool = False
    _plain_links: bool | None = attrs.field(default=None, init=False)
    _slots: asyncio.Semaphore = attrs.field(
        factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE), init=False, repr=False, eq=False
    )

    async def get(self, path: str, **params: object) -> Reply:
        """Read from REST v3; parameters that are None are left out, several values go with commas."""
        return await self.call("GET", f"{REST}/{path}", params=params)

    async def post(self, path: str, document: Mapping[str, Any]) -> Reply:
        """Make something by REST v3."""
        return await self.call("POST", f"{REST}/{path}", document=document)

    async def put(self, path: str, document: Mapping[str, Any]) -> Reply:
        """Change something by REST v3."""
        return await self.call("PUT", f"{REST}/{path}", document=document)

    async def delete(self, path: str) -> Reply:
        """Delete something by REST v3, not into the trash."""
        return await self.call("DELETE", f"{REST}/{path}", params={"force": "true"})

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        document: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make one call.

        Raises:
            ShopUnavailableError: nothing came, or nothing that could be read; a write is in doubt.
            ShopMisconfiguredError: our key was rejected, or WooCommerce is not there.
            ShopNotFoundError: nothing under this id.
            ShopRefusedError: any other refusal, under the shop's own code.
        """
        if not self.root:
            raise ShopMisconfiguredError(missing="WCH_WOOCOMMERCE_URL")
        plain = bool(self._plain_links)
        answer = await self._request(method, path, params, document, headers, plain=plain)
        if self._plain_links is None:
            if answer.status_code == httpx2.codes.NOT_FOUND and _json(answer) is _NONE:
                # A shop without pretty links answers a page of the web site; nothing was done there.
                second = await self._request(method, path, params, document, headers, plain=True)
                if _json(second) is not _NONE:
                    self._plain_links = True
                    return _read(second)
            elif _json(answer) is not _NONE:
                self._plain_links = False
        return _read(answer)

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None,
        document: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        plain: bool,
    ) -> httpx2.Response:
        query = {name: _text(value) for name, value in (params or {}).items() if value is not None}
        address = f"{self.root}/wp-json/{path}"
        if plain:
            address = f"{self.root}/index.php"
            query = {"rest_route": f"/{path}", **query}
        if self.query_auth:
            query |= {"consumer_key": self.key, "consumer_secret": self.secret}
        more = {"Content-Type": "application/json"} if document is not None else {}
        try:
            async with self._slots:
                return await self.http.request(
                    method,
                    address,
                    params=query,
                    content=None if document is None else json.dumps(document, default=str).encode(),
                    headers={"Accept": "application/json", **more, **(headers or {})},
                    auth=None if self.query_auth else (self.key, self.secret),
                )
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise ShopUnavailableError from error


_NONE = object()


def _json(answer: httpx2.Response) -> Any:
    """The JSON value, or a mark that there is none."""
    if len(answer.content) > MOST_BYTES:
        return _NONE
    try:
        return json.loads(answer.content.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        return _NONE


def _refuse(word: str) -> None:
    raise ValueError(word)


def _read(answer: httpx2.Response) -> Reply:
    status, body = answer.status_code, _json(answer)
    if status == httpx2.codes.TOO_MANY_REQUESTS or status >= httpx2.codes.INTERNAL_SERVER_ERROR or body is _NONE:
        raise ShopUnavailableError(_wait(answer.headers.get("retry-after")))
    if httpx2.codes.is_success(status):
        return Reply(
            body=body,
            total=_whole(answer.headers.get("x-wp-total")),
            pages=_whole(answer.headers.get("x-wp-totalpages")),
            at=_moment(answer.headers.get("date")),
            cart_token=answer.headers.get("cart-token"),
        )
    code = str(body.get("code") or "") if isinstance(body, Mapping) else ""
    if status in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN} or code == "rest_no_route":
        raise ShopMisconfiguredError(code=code or None)
    if status == httpx2.codes.NOT_FOUND or code.endswith("invalid_id"):
        raise ShopNotFoundError
    if httpx2.codes.is_redirect(status) or not code:
        raise ShopUnavailableError
    raise ShopRefusedError(code)


def _wait(value: str | None) -> timedelta | None:
    seconds = _whole(value) if value is not None and len(value) <= _DIGITS_OF_A_WAIT else None
    return None if seconds is None else timedelta(seconds=min(seconds, _LONGEST_WAIT))


def _whole(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdecimal() else None


def _moment(value: str | None) -> datetime | None:
    if value is not None:
        with contextlib.suppress(ValueError):
            moment = parsedate_to_datetime(value)
            return whole(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    return None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(one) for one in value)
    return str(value)
