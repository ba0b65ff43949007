"""The catalogue over the Graph API, against the sandbox's own, and against answers that nobody planned."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from wch.adapters.sandbox.catalogue_api import SimulatedCatalogue
from wch.adapters.sandbox.faults import Faults
from wch.adapters.sandbox.graph import GraphAnswer, GraphApi, GraphCall
from wch.adapters.sandbox.templates import TemplateBook
from wch.adapters.whatsapp.catalogue import CloudApiCatalogue
from wch.domain.catalogue_item import CatalogueError, deletion
from wch.domain.document import JsonObject
from wch.domain.send_failure import FailureClass
from wch.testing import FrozenClock, SequentialIds

TOKEN = "token"
ROOT = "https://graph.example"


async def _no_send(*_: Any) -> Any:
    raise AssertionError


class World:
    """A catalogue and the simulated Graph API that it talks to."""

    def __init__(self) -> None:
        self.faults = Faults()
        ids = SequentialIds()
        self.graph = GraphApi(
            token=TOKEN,
            numbers=("*",),
            waba_id="1",
            templates=TemplateBook(()),
            clock=FrozenClock(),
            ids=ids,
            faults=self.faults,
            take=_no_send,
            mark_read=lambda _: None,
            catalogue=SimulatedCatalogue(id="77", ids=ids, faults=self.faults),
            pay=lambda *_: GraphAnswer(body={}),
        )
        self.http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))

    def catalogue(self, number: str = "77", token: str = TOKEN) -> CloudApiCatalogue:
        return CloudApiCatalogue(
            catalogue_id=number, graph_url=ROOT, version="v24.0", access_token=token, http=self.http
        )

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self.graph.call(
            GraphCall(
                method=request.method,
                path=request.url.path,
                authorization=request.headers.get("authorization"),
                body=request.content,
                query=request.url.query.decode(),
            )
        )
        return httpx2.Response(answer.status, content=answer.content())


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.http.aclose()


def item(name: str, **more: Any) -> JsonObject:
    return {
        "method": "UPDATE",
        "data": {
            "id": name,
            "title": "Mug",
            "description": "Mug",
            "availability": "in stock",
            "condition": "new",
            "price": "9.50 EUR",
            "link": "https://shop.example/mug",
            "image_link": "https://shop.example/mug.jpg",
            **more,
        },
    }


async def test_items_are_taken_and_listed(world: World) -> None:
    """What was sent is what it holds."""
    catalogue = world.catalogue()
    handle = await catalogue.push([item("1", quantity_to_sell_on_facebook=3), item("2", sale_price="5.00 EUR")])
    assert (await catalogue.status(handle)).is_finished
    first, second = (await catalogue.items()).items

    assert (first.id, first.price, first.sale_price, first.is_available, first.quantity) == (
        "1",
        "9.50 EUR",
        None,
        True,
        3,
    )
    assert (second.sale_price, second.quantity) == ("5.00 EUR", None)


async def test_a_refused_item_is_named_and_the_others_are_taken(world: World) -> None:
    """HTTP 200 proves nothing; the handle says it."""
    catalogue = world.catalogue()
    bad = [item("a", price="9,50"), item("b", link="http://x"), item("c", title=""), item("d", availability="maybe")]
    long = item("e", title="x" * 201)
    handle = await catalogue.push([item("1"), *bad, long, deletion("gone")])
    status = await catalogue.status(handle)

    assert status.refused.keys() == {"a", "b", "c", "d", "e", "gone"}
    assert status.refused["a"] == "price must be a number and a currency, such as 12.50 EUR."
    assert [one.id for one in (await catalogue.items()).items] == ["1"]


async def test_deleted_items_are_gone(world: World) -> None:
    """By their id alone."""
    catalogue = world.catalogue()
    await catalogue.push([item("1"), item("2")])
    await catalogue.push([deletion("1")])

    assert [one.id for one in (await catalogue.items()).items] == ["2"]


async def test_the_list_is_read_page_by_page(world: World) -> None:
    """A hundred at a time, none twice."""
    catalogue = world.catalogue()
    await catalogue.push([item(f"{number:03}") for number in range(150)])
    first = await catalogue.items()
    second = await catalogue.items(after=first.next)

    assert (len(first.items), len(second.items), second.next) == (100, 50, None)
    assert len({one.id for one in (*first.items, *second.items)}) == 150


async def test_a_batch_may_be_slow_an_item_refused_and_a_call_too(world: World) -> None:
    """The sandbox's faults of the catalogue."""
    catalogue = world.catalogue()
    world.faults.order("catalogue_slow", calls=2)
    world.faults.order("catalogue_item")
    handle = await catalogue.push([item("1"), item("2")])
    assert [(await catalogue.status(handle)).is_finished for _ in range(3)] == [False, False, True]
    assert (await catalogue.status(handle)).refused == {"1": "This item was refused to order."}
    world.faults.order("catalogue_error", code=80014)
    with pytest.raises(CatalogueError) as throttled:
        await catalogue.push([item("3")])

    assert throttled.value.failure is FailureClass.WAIT_NUMBER
    assert [entry["fault"] for entry in world.graph.log() if entry["fault"]] == ["catalogue_item", "catalogue_error"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"item_type": "PRODUCT_ITEM", "requests": []}, "1 to 5000"),
        ({"item_type": "OTHER", "requests": [item("1")]}, "item_type"),
        ({"item_type": "PRODUCT_ITEM", "requests": [{"method": "PATCH", "data": {"id": "1"}}]}, "method"),
        ({"item_type": "PRODUCT_ITEM", "requests": [{"method": "UPDATE", "data": {}}]}, "method"),
        ({"item_type": "PRODUCT_ITEM", "requests": ["x"]}, "method"),
    ],
)
async def test_the_sandbox_refuses_what_the_catalogue_would(world: World, body: Any, why: str) -> None:
    """As a whole, with code 100."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = await world.http.post(f"{ROOT}/v24.0/77/items_batch", json=body, headers=headers)

    assert answer.status_code == 400
    assert why in answer.json()["error"]["error_data"]["details"]


@pytest.mark.parametrize(("number", "token"), [("78", TOKEN), ("77", "other")])
async def test_a_foreign_catalogue_and_a_dead_token_are_refused(world: World, number: str, token: str) -> None:
    """Nothing is taken for an empty catalogue."""
    with pytest.raises(CatalogueError) as refused:
        await world.catalogue(number, token).items()

    expected = FailureClass.SIGN_IN if token == "other" else FailureClass.REQUEST
    assert refused.value.failure is expected


async def test_an_unknown_handle_is_refused(world: World) -> None:
    """It was forgotten, or never given."""
    with pytest.raises(CatalogueError) as refused:
        await world.catalogue().status("x")

    assert refused.value.failure is FailureClass.REQUEST


def answering(answer: Callable[[httpx2.Request], httpx2.Response]) -> CloudApiCatalogue:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return CloudApiCatalogue(catalogue_id="77", graph_url=ROOT, version="v24.0", access_token=TOKEN, http=http)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (200, b"<html>", FailureClass.RETRY),
        (200, b'{"handles": []}', FailureClass.UNKNOWN),
        (500, b'{"error": {"code": 2, "message": "away"}}', FailureClass.RETRY),
        (503, b"{}", FailureClass.RETRY),
        (429, b"{}", FailureClass.WAIT_NUMBER),
        (400, b'{"error": {"code": 80014, "message": "too many"}}', FailureClass.WAIT_NUMBER),
        (200, b'{"error": {"code": 190}}', FailureClass.SIGN_IN),
        (302, b"{}", FailureClass.UNKNOWN),
    ],
)
async def test_any_other_answer_is_an_error_with_a_class(status: int, body: bytes, failure: FailureClass) -> None:
    """So that it is known whether to try again."""
    catalogue = answering(lambda _: httpx2.Response(status, content=body))
    with pytest.raises(CatalogueError) as refused:
        await catalogue.push([item("1")])

    assert refused.value.failure is failure


async def test_no_answer_is_tried_again() -> None:
    """Whatever the network did."""

    def away(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no")

    with pytest.raises(CatalogueError) as refused:
        await answering(away).push([item("1")])

    assert refused.value.failure is FailureClass.RETRY


async def test_a_status_may_name_its_items_in_two_ways() -> None:
    """By the list of ids, or by an error with an id; the error knows more."""
    told = b'{"data": [{"status": "finished", "ids_of_invalid_requests": ["1", 2], "errors": [{"id": "1", "message": "no"}, {"message": "x"}]}]}'
    status = await answering(lambda _: httpx2.Response(200, content=told)).status("h")

    assert status.refused == {"1": "no", "2": "refused by the catalogue"}
