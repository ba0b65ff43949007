"""Fifty customers confirm the last piece at the same moment: one order, and forty-nine hear that it is gone."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from tests.processes import NUMBER, mariadb_store
from tests.sale.script import settings_of
from wch import open_hub
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.address import Address
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import Conversation, State
from wch.domain.money import Money
from wch.domain.payment import Offer
from wch.domain.placement import PLACEMENT, freeze
from wch.domain.quote import Buyer, Line
from wch.domain.saga import Saga, SagaState
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds
from wch.testing.scripted_shop import Goods, put_on_shelf

BUYERS = tuple(f"346001110{number:02}" for number in range(50))
WORKERS = 4
HOME = Address(
    first_name="Maria", last_name="Garcia", address_1="Mayor 12", city="Madrid", postcode="28013", country="ES",
    state="M",
)  # fmt: skip


async def _confirmed(hub: Hub, phone: str) -> None:
    """This customer has tapped "Confirm" on a review with the last piece in it."""
    (product,) = (await hub.shop.resolve(retailer_ids=("LAST",))).values()
    quote = await hub.shop.quote(
        lines=(Line(product_id=product.id, quantity=1),),
        address=HOME,
        shipping_id="standard",
        customer=Buyer(phones=(phone,)),
    )
    now = hub.clock.now()
    item = CartItem(
        product_id=product.id, quantity=1, price_at_add=Decimal("9.50"), currency="EUR", product_name="Last", added_at=now
    )  # fmt: skip

    def work(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(phone, now=now)
        thread = uow.conversations.add(
            Conversation(
                customer_phone=phone, state=State.AWAITING_PAYMENT, last_message_at=now, created_at=now, updated_at=now
            )
        )
        cart = uow.carts.add(Cart.opened(phone, now=now).set_to(item, now=now))
        placement = freeze(
            cart=cart,
            conversation=thread,
            profile=profile,
            quote=quote,
            offer=Offer(gateway="cod", title="Cash", fee=Money(Decimal(0), "EUR"), pays_later=True),
            address=HOME,
            number=NUMBER,
            language="en",
        )
        uow.sagas.add(Saga.begun(placement.saga_id, PLACEMENT, placement.context, now=now))

    await hub.database.transact(work)


@pytest.fixture(params=["memory", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Every kind of store."""
    if request.param == "mariadb":
        with mariadb_store(request.getfixturevalue("mariadb_url"), "last_piece") as made:
            yield made.url
    else:
        yield "memory://" if request.param == "memory" else f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"


async def test_fifty_who_confirm_the_last_piece_are_one_order(url: str) -> None:
    """Four workers on one store; stock 0, nothing reserved, and nobody is told what is not true."""
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    one_hub = url == "memory://"
    settings = settings_of(url, WCH_PHONE_NUMBER_ID=NUMBER)
    async with AsyncExitStack() as stack:
        ids = SequentialIds()
        hubs = [
            await stack.enter_async_context(
                open_hub(settings, clock=clock, ids=ids, whatsapp=whatsapp, install=not one_hub)
            )
            for _ in range(1 if one_hub else WORKERS)
        ]
        hub = hubs[0]
        await put_on_shelf(hub.shop, [Goods(sku="LAST", name="Last", price=Decimal("9.50"), stock=1)])  # type: ignore[arg-type]  # the built-in shop
        for phone in BUYERS:
            await _confirmed(hub, phone)
        workers = hubs * (WORKERS // len(hubs))
        for _ in range(30):
            await asyncio.gather(*(one.worker.only(frozenset({"sagas"})).drain() for one in workers))
            clock.advance(10)
            open_ones = await hub.database.read(lambda uow: uow.sagas.listed(state=SagaState.RUNNING, limit=100))
            if not open_ones:
                break

        sagas = await hub.database.read(lambda uow: uow.sagas.listed(limit=100))
        (product,) = (await hub.shop.resolve(retailer_ids=("LAST",))).values()
        (check,) = await hub.shop.check(lines=(Line(product_id=product.id, quantity=1),))
        report = await hub.verification.run()
        miscounted = await hub.shop.miscounted()  # type: ignore[attr-defined]  # the built-in shop
        orders = [order for phone in BUYERS for order in (await hub.shop.orders_of(phones=(phone,), limit=5)).items]
        said = await hub.database.read(
            lambda uow: [
                row
                for phone in BUYERS
                if (thread := uow.conversations.latest_of(phone)) is not None
                for row in uow.messages.thread(thread.id, limit=10)
            ]
        )

    assert sorted((saga.state.value, saga.outcome or "") for saga in sagas) == [
        ("completed", ""),
        *[("failed", "compensated")] * 49,
    ]
    assert len([order for order in orders if order.status.value != "cancelled"]) == 1
    assert (check.available, miscounted) == (0, ())
    assert len(said) == 49
    assert all("sold out" in str(row.content) for row in said)
    assert sum("create_order" in saga.results for saga in sagas) == 1
    assert report["ok"], [one for one in report["checks"] if not one["ok"]]
