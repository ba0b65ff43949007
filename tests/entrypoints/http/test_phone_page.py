"""The phone's page over HTTP: what it may load, where it lies, and the routes it reads."""

from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest

from tests.adapters.sandbox.world import MARIA, world
from tests.entrypoints.http.doubles import ScriptedHub, ScriptedShelf, ScriptedTraces, application, web
from wch.application.traces import Trace
from wch.domain.catalogue import ProductCard, Variant
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.money import Money
from wch.entrypoints.http.pages.phone import OF_THE_PHONE
from wch.testing import NOON

PRICE = Money(Decimal("9.50"), "EUR")


async def fetched(path: str, hub: ScriptedHub | None = None, headers: dict[str, str] | None = None) -> httpx2.Response:
    async with world() as here, web(application(hub or ScriptedHub(), sandbox=here.sandbox)) as client:
        return await client.get(path, headers=headers)


async def test_the_page_may_load_what_the_hub_ships_and_nothing_else() -> None:
    """No inline script or style, no other host."""
    answered = await fetched("/sandbox")

    policy = answered.headers["content-security-policy"]
    assert answered.status_code == 200
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "style=" not in answered.text
    assert "onclick" not in answered.text


@pytest.mark.parametrize("name", OF_THE_PHONE)
async def test_each_file_is_there_and_known_by_its_content(name: str) -> None:
    """A browser that has it is told so."""
    first = await fetched(f"/sandbox/static/{name}")
    again = await fetched(f"/sandbox/static/{name}", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code) == (200, 304)
    assert len(first.content) < 100_000
    assert again.content == b""


@pytest.mark.parametrize("name", ["nothing.js", "..%2f__init__.py", "sandbox.html", "files.py"])
async def test_nothing_else_is_served(name: str) -> None:
    """Neither other files of the package nor ways out of the folder."""
    assert (await fetched(f"/sandbox/static/{name}")).status_code == 404


async def test_an_address_with_a_slash_leads_to_the_page() -> None:
    """What the page loads is named relative to the address without."""
    answered = await fetched("/sandbox/")

    assert answered.status_code == 308
    assert answered.headers["location"] == "../sandbox"


async def test_without_a_sandbox_there_is_no_page() -> None:
    """A shop in earnest has no phone for strangers."""
    async with web(application(ScriptedHub())) as client:
        assert (await client.get("/sandbox")).status_code == 404
        assert (await client.get("/sandbox/static/sandbox.js")).status_code == 404


async def test_the_trace_tells_rows_and_not_words() -> None:
    """Which rows there are and in which state; what was said stays on the phone."""
    said = Message(
        id=5,
        conversation_id=3,
        direction=Direction.INBOUND,
        type="text",
        content={"text": "a secret wish"},
        status=MessageStatus.PROCESSED,
        created_at=NOON,
        updated_at=NOON,
    )
    traced = Trace(
        profile=CustomerProfile(id=1, phone=MARIA, name="Maria", created_at=NOON, updated_at=NOON),
        conversation=Conversation(id=3, customer_phone=MARIA, created_at=NOON, updated_at=NOON),
        messages=(said,),
        cart=None,
        placements=(),
        notices=(),
    )

    answered = await fetched(f"/sandbox/api/customers/{MARIA}/trace", ScriptedHub(traces=ScriptedTraces(traced=traced)))

    told = answered.json()["data"]
    assert [(row["id"], row["direction"], row["status"]) for row in told["messages"]] == [(5, "inbound", "processed")]
    assert told["conversation"]["window_closes_at"] > iso(NOON + timedelta(hours=23))
    assert "wish" not in answered.text


async def test_nobody_known_has_no_trace() -> None:
    """A phone that never wrote."""
    assert (await fetched(f"/sandbox/api/customers/{MARIA}/trace")).json() == {"data": None}


async def test_the_catalogue_has_each_variant_by_itself() -> None:
    """A catalogue order names variants, never the product above them."""
    shelf = ScriptedShelf(
        cards=(
            ProductCard(id=1, name="Mug", price_from=PRICE, regular_from=PRICE, stock=3),
            ProductCard(id=2, name="Shirt", price_from=PRICE, regular_from=PRICE, stock=None, has_variants=True),
        ),
        ways=(Variant(id=7, product_id=2, attributes={"Size": "M"}, price=PRICE, regular_price=PRICE, stock=None),),
    )

    answered = await fetched("/sandbox/api/catalogue", ScriptedHub(shop=shelf))

    price = {"amount": "9.50", "currency": "EUR"}
    assert answered.json()["data"] == [
        {"retailer_id": "1", "name": "Mug", "price": price, "stock": 3},
        {"retailer_id": "7", "name": "Shirt, M", "price": price, "stock": None},
    ]
