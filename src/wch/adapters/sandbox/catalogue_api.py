"""The simulated catalogue: takes batches of items, works them off, and tells by handle what it refused."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.adapters.sandbox.refusals import GraphRefusalError
from wch.application.ports import Ids
from wch.domain.document import JsonObject

MOST_REQUESTS = 5000
MOST_BATCHES = 1000
PAGE = 100

_PRICE = re.compile(r"\d+(\.\d+)? [A-Z]{3}\Z")
_REQUIRED = ("title", "description", "availability", "condition", "price", "link", "image_link")
_LIMITS: Mapping[str, int] = {"title": 200, "description": 9999, "brand": 100}
_AVAILABILITY = ("in stock", "out of stock", "preorder", "available for order", "discontinued")
_METHODS = ("CREATE", "UPDATE", "DELETE")


@attrs.define(kw_only=True)
class _Batch:
    errors: Sequence[JsonObject]
    questions_left: int


@attrs.define(kw_only=True)
class SimulatedCatalogue:
    """One catalogue of the account.

    Attributes:
        id: its number; without one there is none.
        items: what it holds: the `data` of each item, by retailer id.
    """

    id: str
    ids: Ids
    faults: Faults
    items: dict[str, JsonObject] = attrs.field(factory=dict, init=False)
    _batches: dict[str, _Batch] = attrs.field(factory=dict, init=False)

    def take(self, body: Any, entry: dict[str, Any]) -> JsonObject:
        """Take one batch: it is worked off at once, and told about by its handle."""
        fault = self.faults.take(FaultKind.CATALOGUE_ERROR)
        if fault is not None:
            entry["fault"] = fault.kind.value
            raise GraphRefusalError(fault.code, "This error was ordered.")
        requests = self._requests(body)
        errors: list[JsonObject] = []
        for line, request in enumerate(requests):
            item = request["data"]
            name = str(item["id"])
            refused = self.faults.take(FaultKind.CATALOGUE_ITEM)
            if refused is not None:
                entry["fault"] = refused.kind.value
            wrong = "This item was refused to order." if refused is not None else self._work_off(request)
            if wrong is not None:
                errors.append({"line": line, "id": name, "message": wrong})
        slow = self.faults.take_all(FaultKind.CATALOGUE_SLOW)
        handle = f"Ac{self.ids.token()}"
        self._batches[handle] = _Batch(errors=errors, questions_left=slow)
        while len(self._batches) > MOST_BATCHES:
            del self._batches[next(iter(self._batches))]
        return {"handles": [handle]}

    def told(self, query: Mapping[str, str]) -> JsonObject:
        """How far a batch was worked off."""
        batch = self._batches.get(query.get("handle", ""))
        if batch is None:
            raise GraphRefusalError(100, "The parameter handle is required, and must be one of this catalogue's.")
        if batch.questions_left:
            batch.questions_left -= 1
            return {"data": [{"handle": query["handle"], "status": "started", "errors": [], "errors_total_count": 0}]}
        return {
            "data": [
                {
                    "handle": query["handle"],
                    "status": "finished",
                    "errors": list(batch.errors),
                    "errors_total_count": len(batch.errors),
                    "ids_of_invalid_requests": [error["id"] for error in batch.errors],
                    "warnings": [],
                    "warnings_total_count": 0,
                }
            ]
        }

    def listed(self, query: Mapping[str, str]) -> JsonObject:
        """The items by retailer id, a page at a time."""
        after = query.get("after", "")
        limit = min(int(query.get("limit", "25")), PAGE)
        names = [name for name in sorted(self.items) if name > after]
        page = names[:limit]
        paging: dict[str, Any] = {"cursors": {"after": page[-1]}} if page else {}
        if len(names) > limit:
            paging["next"] = f"after {page[-1]}"
        return {"data": [self._shown(name) for name in page], "paging": paging}

    def _shown(self, name: str) -> JsonObject:
        item = self.items[name]
        shown = {"id": f"9{int(hashlib.sha256(name.encode()).hexdigest()[:12], 16):015d}", "retailer_id": name}
        keys = ("price", "sale_price", "availability", "quantity_to_sell_on_facebook")
        return {**shown, "name": item["title"], **{key: item[key] for key in keys if key in item}}

    def _requests(self, body: Any) -> Sequence[JsonObject]:
        if not isinstance(body, Mapping) or body.get("item_type") != "PRODUCT_ITEM":
            raise GraphRefusalError(100, "Param item_type must be PRODUCT_ITEM.")
        requests = body.get("requests")
        if not isinstance(requests, list) or not 1 <= len(requests) <= MOST_REQUESTS:
            raise GraphRefusalError(100, f"Param requests must be a list of 1 to {MOST_REQUESTS} entries.")
        for request in requests:
            data = request.get("data") if isinstance(request, Mapping) else None
            if not isinstance(data, Mapping) or not data.get("id") or request.get("method") not in _METHODS:
                raise GraphRefusalError(100, "Each entry needs a method (CREATE, UPDATE, DELETE) and data with an id.")
        return requests

    def _work_off(self, request: JsonObject) -> str | None:
        """Do what an entry asks for; what is wrong with it, if anything."""
        item = request["data"]
        name = str(item["id"])
        if request["method"] == "DELETE":
            return None if self.items.pop(name, None) is not None else "There is no item with this id."
        wrong = next(_faults(item), None)
        if wrong is None:
            self.items[name] = dict(item)
        return wrong


def _faults(item: JsonObject) -> Iterator[str]:
    """What the catalogue would refuse of an item."""
    for field in _REQUIRED:
        if not isinstance(item.get(field), str) or not item[field]:
            yield f"A required field is missing: {field}."
    for field, most in _LIMITS.items():
        if len(str(item.get(field, ""))) > most:
            yield f"{field} is longer than {most} characters."
    if item.get("availability") not in _AVAILABILITY:
        yield f"availability must be one of {', '.join(_AVAILABILITY)}."
    for field in ("price", "sale_price"):
        if field in item and not _PRICE.match(str(item[field])):
            yield f"{field} must be a number and a currency, such as 12.50 EUR."
    for field in ("link", "image_link"):
        if not str(item.get(field, "")).startswith("https://"):
            yield f"{field} must be an https address."
