"""Looks at products, and contacts that bring customers back, over the API."""

from datetime import timedelta

import httpx2

from tests.entrypoints.http.api.conftest import Desk
from tests.sale.script import ANNA
from wch.application.ports import UnitOfWork
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement

V1 = "/api/v1"


async def looked(desk: Desk) -> None:
    """Anna looked at one product twice and at another once; Boris at the first."""

    def work(uow: UnitOfWork) -> None:
        now = desk.clock.now()
        for phone, product_id, hours in ((ANNA, 901, 9), (ANNA, 901, 3), (ANNA, 902, 2), ("4915100000000", 901, 1)):
            view = ProductView(customer_phone=phone, product_id=product_id, viewed_at=now - timedelta(hours=hours))
            uow.views.add(view)

    await desk.hub.database.transact(work)


async def test_products_are_told_by_their_views(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """The most seen first; of one customer where asked."""
    await looked(desk)

    everybody = (await caller.get(f"{V1}/products/views", params={"days": 1, "limit": 1})).json()
    hers = (await caller.get(f"{V1}/products/views", params={"customer": f"+{ANNA}"})).json()

    assert [(one["product_id"], one["views"], one["customers"]) for one in everybody["data"]] == [(901, 3, 2)]
    assert {901: 2, 902: 1}.items() <= {one["product_id"]: one["views"] for one in hers["data"]}.items()
    assert (await caller.get(f"{V1}/products/views", params={"customer": "1"})).status_code == 404


async def test_each_look_is_told_page_by_page(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """The latest first; without `pii` nobody is seen."""
    await looked(desk)
    asked: dict[str, str | int] = {"product_id": 901, "limit": 2}

    first = (await caller.get(f"{V1}/products/views/each", params=asked)).json()
    last = (await caller.get(f"{V1}/products/views/each", params={**asked, "after": first["next_cursor"]})).json()
    async with desk.client(await desk.key("read")) as reader:
        masked = (await reader.get(f"{V1}/products/views/each", params=asked)).json()

    assert [one["customer"] for one in first["data"] + last["data"]] == ["4915100000000", ANNA, ANNA]
    assert last["next_cursor"] is None
    assert ANNA not in str(masked)


async def test_contacts_are_told_in_figures_that_add_up(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Money has its currency; a run needs a key for campaigns."""
    now = desk.clock.now()
    await desk.hub.database.transact(
        lambda uow: uow.reengagements.add(
            Reengagement(customer_phone=ANNA, campaign_type=CampaignType.WE_MISS_YOU, created_at=now, sent_at=now)
        )
    )

    (line,) = [one for one in (await caller.get(f"{V1}/reengagement")).json()["data"] if one["kind"] == "we_miss_you"]
    run = await caller.post(f"{V1}/reengagement/run", params={"dry_run": "true"})
    async with desk.client(await desk.key("read")) as reader:
        refused = await reader.post(f"{V1}/reengagement/run")

    assert (line["contacts"], line["sent"], line["revenue"]) == (1, 1, {"amount": "0.00", "currency": "EUR"})
    assert (run.status_code, run.json()["dry_run"], run.json()["planned"]) == (200, True, {})
    assert refused.status_code == 403


async def test_carts_that_were_left_lying_are_told_in_figures(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """One was, nobody was reminded of it, and nothing came of it."""
    now = desk.clock.now()
    await desk.hub.database.transact(
        lambda uow: uow.reengagements.add(
            Reengagement(customer_phone=ANNA, campaign_type=CampaignType.CART_REMINDER, created_at=now)
        )
    )

    told = (await caller.get(f"{V1}/carts/report", params={"days": 1})).json()

    assert told == {
        "carts": 1,
        "reminded": 0,
        "reminders": [0, 0, 0],
        "recovered": 0,
        "revenue": {"amount": "0.00", "currency": "EUR"},
        "rate_percent": "0.0",
    }
