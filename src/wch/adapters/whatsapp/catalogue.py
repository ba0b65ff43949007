"""The catalogue over the Graph API: items in batches, their outcome by handle, and what it holds."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import httpx2

from wch.adapters.whatsapp import lookup, strict_json
from wch.adapters.whatsapp.graph_error import graph_error
from wch.domain.catalogue_item import BatchStatus, CatalogueError, CataloguePage, ListedItem
from wch.domain.document import JsonObject
from wch.domain.send_failure import FailureClass, classify

FIELDS = "retailer_id,price,sale_price,availability,quantity_to_sell_on_facebook"
PAGE = 100

THROTTLES = frozenset({80014})
"""Codes that only the catalogue has: too many calls of its batches."""

_REASON = 255


class CloudApiCatalogue:
    """See `wch.application.ports.Catalogue`."""

    def __init__(
        self, *, catalogue_id: str, graph_url: str, version: str, access_token: str, http: httpx2.AsyncClient,
        timeout_seconds: float = 30.0,
    ) -> None:  # fmt: skip
        """Keep the address and the token; the client stays its owner's.

        Args:
            catalogue_id: the catalogue's number.
            graph_url: the root, without the version.
            version: such as `v24.0`.
            access_token: goes to `graph_url` and nowhere else: no redirect is followed.
            http: the client.
            timeout_seconds: how long one call may last as a whole.
        """
        self._id = catalogue_id
        self._root = f"{graph_url.rstrip('/')}/{quote(version, safe='')}/{quote(catalogue_id, safe='')}"
        self._headers = {"Authorization": f"Bearer {access_token}"}
        self._http = http
        self._timeout_seconds = timeout_seconds

    @property
    def id(self) -> str:
        """The catalogue's number."""
        return self._id

    async def push(self, requests: Sequence[JsonObject]) -> str:
        """Hand over the entries of one call; the handle under which its outcome is asked for."""
        body = {"item_type": "PRODUCT_ITEM", "allow_upsert": True, "requests": list(requests)}
        answer = await self._call("POST", "items_batch", body=body)
        handle = lookup.text(next(iter(lookup.sequence(answer.get("handles"))), None))
        if handle is None:
            raise CatalogueError(FailureClass.UNKNOWN, "the catalogue named no handle")
        return handle

    async def status(self, handle: str) -> BatchStatus:
        """How far that call was worked off."""
        asked = {"handle": handle, "load_ids_of_invalid_requests": "true"}
        answer = await self._call("GET", "check_batch_request_status", params=asked)
        told = lookup.mapping(next(iter(lookup.sequence(answer.get("data"))), None))
        refused = {
            name: "refused by the catalogue"
            for one in lookup.sequence(told.get("ids_of_invalid_requests"))
            if (name := lookup.word(one)) is not None
        }
        for error in map(lookup.mapping, lookup.sequence(told.get("errors"))):
            name = lookup.word(error.get("id")) or lookup.word(error.get("retailer_id"))
            if name is not None:
                refused[name] = (lookup.text(error.get("message")) or "refused by the catalogue")[:_REASON]
        return BatchStatus(is_finished=told.get("status") == "finished", refused=refused)

    async def items(self, *, after: str | None = None) -> CataloguePage:
        """Some of the items that it holds."""
        asked = {"fields": FIELDS, "limit": str(PAGE), **({} if after is None else {"after": after})}
        answer = await self._call("GET", "products", params=asked)
        paging = lookup.mapping(answer.get("paging"))
        following = lookup.text(lookup.mapping(paging.get("cursors")).get("after")) if paging.get("next") else None
        listed = [one for one in map(lookup.mapping, lookup.sequence(answer.get("data"))) if one.get("retailer_id")]
        return CataloguePage(items=[_listed(one) for one in listed], next=following)

    async def _call(
        self, method: str, edge: str, *, body: JsonObject | None = None, params: Mapping[str, str] | None = None
    ) -> JsonObject:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._http.request(
                    method,
                    f"{self._root}/{edge}",
                    json=body,
                    params=params,
                    headers=self._headers,
                    follow_redirects=False,
                )
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise CatalogueError(FailureClass.RETRY, f"no answer: {type(error).__name__}") from error
        try:
            told = lookup.mapping(strict_json.read(answer.content).value)
        except strict_json.StrictJsonError as error:
            raise CatalogueError(FailureClass.RETRY, f"HTTP {answer.status_code} without JSON") from error
        if answer.is_success and "error" not in told:
            return told
        said = graph_error(told.get("error"))
        failure = classify(said.code, http_status=answer.status_code, is_transient=said.is_transient)
        if said.code in THROTTLES:
            failure = FailureClass.WAIT_NUMBER
        raise CatalogueError(failure, (said.line or f"HTTP {answer.status_code}")[:_REASON])


def _listed(item: JsonObject) -> ListedItem:
    return ListedItem(
        id=str(lookup.word(item.get("retailer_id"))),
        price=lookup.word(item.get("price")) or "",
        sale_price=lookup.text(item.get("sale_price")),
        is_available=item.get("availability") in {"in stock", "IN_STOCK", "available for order"},
        quantity=lookup.integer(item.get("quantity_to_sell_on_facebook")),
    )
