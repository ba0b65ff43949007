"""Killed at every edge of every step of an order, and of every undoing: at most one order, one charge, one key a step."""

import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.crash.nursery import Nursery
from tests.crash.stripe import StripeApi
from tests.crash.test_kills import _resent as resent
from tests.crash.test_work_kills import SELLS, let_everything_run_out
from tests.processes import NUMBER, GraphApi, Installed, until
from tests.sale.test_last_piece import HOME
from wch import Settings, open_hub
from wch.adapters.sandbox.gateways.charge import ChargeState
from wch.application.ports import UnitOfWork
from wch.application.sagas import signal
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import Conversation, State
from wch.domain.money import Money
from wch.domain.payment import Offer
from wch.domain.placement import PLACEMENT, freeze
from wch.domain.quote import Buyer, Line
from wch.domain.saga import Saga
from wch.testing.scripted_shop import Goods, put_on_shelf

pytestmark = pytest.mark.crash

WHOLE = os.environ.get("WCH_TEST_CAMPAIGN") == "whole"
STOCK = 1000
EDGES = ("saga.started", "saga.after_call", "saga.done")
OPEN = "SELECT COUNT(*) FROM wch_saga_state WHERE state IN ('running', 'compensating')"
UNDOING = ("saga.undo_call", "saga.after_undo", "saga.undone")


@attrs.frozen(kw_only=True)
class Way:
    """How an order is paid and ends, and where its worker is killed.

    Attributes:
        places: failpoint and passing; steps with a call are passed one by one, those of our own store by `saga.closed`.
    """

    pays_later: bool
    cancelled: bool = False
    places: tuple[tuple[str, int], ...]


CASH = Way(
    pays_later=True,
    places=(
        ("saga.taken", 1),
        *((edge, step) for step in range(1, 5) for edge in EDGES),
        *(("saga.closed", step) for step in range(1, 4)),
    ),
)
CARD = Way(
    pays_later=False,
    places=(("saga.taken", 1), *((edge, step) for step in range(1, 7) for edge in EDGES), ("saga.closed", 1)),
)
UNDONE = Way(
    pays_later=False, cancelled=True, places=tuple((edge, step) for step in range(1, 4) for edge in UNDOING)
)  # fmt: skip
SHORT = {
    "cash": [("saga.after_call", 3), ("saga.after_call", 4)],
    "card": [("saga.started", 4), ("saga.after_call", 4), ("saga.after_call", 5), ("saga.after_call", 6)],
    "undone": [("saga.after_undo", 1), ("saga.after_undo", 2), ("saga.after_undo", 3)],
}


@pytest.fixture
async def stripe() -> AsyncIterator[StripeApi]:
    """Where the money is."""
    async with StripeApi.open() as api:
        yield api


async def confirmed(installed: Installed, phone: str, way: Way) -> str:
    """This customer has tapped "Confirm" on one piece, some seconds ago; the id of the placement that waits."""
    settings, _, _ = Settings.load(installed.environment, {}, None)
    async with open_hub(settings) as hub:
        if not await hub.shop.resolve(retailer_ids=("PIECE",)):
            await put_on_shelf(hub.shop, [Goods(sku="PIECE", name="Piece", price=Decimal("9.50"), stock=STOCK)])  # type: ignore[arg-type]  # the built-in shop
        (product,) = (await hub.shop.resolve(retailer_ids=("PIECE",))).values()
        quote = await hub.shop.quote(
            lines=(Line(product_id=product.id, quantity=1),),
            address=HOME,
            shipping_id="standard",
            customer=Buyer(phones=(phone,)),
        )
        now = hub.clock.now()

        def work(uow: UnitOfWork) -> str:
            item = CartItem(
                product_id=product.id, quantity=1, price_at_add=Decimal("9.50"), currency="EUR", product_name="Piece",
                added_at=now,
            )  # fmt: skip
            profile = uow.customers.lock(phone, now=now)
            thread = uow.conversations.add(
                Conversation(
                    customer_phone=phone, state=State.AWAITING_PAYMENT, last_message_at=now, created_at=now,
                    updated_at=now,
                )
            )  # fmt: skip
            placement = freeze(
                cart=uow.carts.add(Cart.opened(phone, now=now).set_to(item, now=now)),
                conversation=thread,
                profile=profile,
                quote=quote,
                offer=Offer(
                    gateway="cod" if way.pays_later else "stripe",
                    title="-",
                    fee=Money.zero("EUR"),
                    pays_later=way.pays_later,
                ),
                address=HOME,
                number=NUMBER,
                language="en",
            )
            uow.sagas.add(Saga.begun(placement.saga_id, PLACEMENT, placement.context, now=now))
            if way.cancelled:
                signal(uow, placement.saga_id, "cancel", {}, now=now)
            return placement.saga_id

        return await hub.database.transact(work)


@pytest.mark.timeout(1800 if WHOLE else 300)
@pytest.mark.whole("mariadb")
@pytest.mark.parametrize(("name", "way"), [("cash", CASH), ("card", CARD), ("undone", UNDONE)])
async def test_an_order_killed_at_any_edge_ends_by_itself_and_once(  # noqa: PLR0917 - fixtures
    installed: Installed, graph: GraphApi, nursery: Nursery, stripe: StripeApi, name: str, way: Way
) -> None:
    """A worker dies there, another comes; the book of the gateway and the shelf of the shop say what happened."""
    installed.more = {**SELLS, **stripe.environment}
    assert installed.wch("db", "upgrade").returncode == 0
    stripe.pays = not way.cancelled
    store = installed.store
    placed: list[str] = []

    for number, (place, at) in enumerate(way.places if WHOLE else SHORT[name]):
        placed.append(await confirmed(installed, f"34600{number:06}", way))
        armed = {"WCH_TESTING": "1", "WCH_FAILPOINTS": f"{place}=kill@{at}"}
        mortal = nursery.start("worker", environment={**installed.environment, **armed})
        await until(lambda one=mortal: one.ended)  # type: ignore[misc]  # bound early
        assert mortal.wait() == -9, (place, at, nursery.log[-2000:])
        let_everything_run_out(store)
        healthy = nursery.start("worker", environment=installed.environment)
        await until(lambda: not store.one(OPEN))
        assert healthy.kill() == -9
        _ended_well(installed, placed[-1], way, (place, at))

    _books_agree(installed, stripe, placed, way)
    assert graph.sent_twice() - resent(store) == Counter()
    assert installed.json("verify")["ok"] is True


def _ended_well(installed: Installed, saga_id: str, way: Way, where: tuple[str, int]) -> None:
    """One end, one key for each step, and undoing in exactly the other order."""
    look = "SELECT state, context, log FROM wch_saga_state WHERE saga_id = :saga_id"
    ((state, context, entries),) = installed.store.rows(look, saga_id=saga_id)
    log: Any = json.loads(entries)
    keys: dict[tuple[str, str], set[str]] = {}
    for entry in log:
        if entry["ev"] in {"start", "undo"}:
            keys.setdefault((entry["ev"], entry["step"]), set()).add(entry["key"])
    assert all(len(known) == 1 for known in keys.values()), (where, keys)
    undone = [entry["step"] for entry in log if entry["ev"] == "undone"]
    if way.cancelled:
        assert (state, json.loads(context)["outcome"]) == ("failed", "compensated"), where
        assert undone == ["await_payment", "open_payment", "create_order", "reserve", "check"], where
    else:
        assert (state, undone) == ("completed", []), where


def _books_agree(installed: Installed, stripe: StripeApi, placed: list[str], way: Way) -> None:
    """The gateway's book, the shop's orders and shelf, and the notices tell the same story."""
    store = installed.store
    orders = store.rows("SELECT idempotency_key, status FROM wch_shop_orders")
    alive = [key for key, status in orders if status != "cancelled"]
    sold = 0 if way.cancelled else len(placed)
    assert len(orders) == len({key for key, _ in orders}) == len(placed)
    assert len(alive) == sold
    shelf = store.rows("SELECT stock, reserved FROM wch_shop_products WHERE sku = 'PIECE'")
    assert shelf == [(STOCK - sold, 0)]
    confirmed_notices = "SELECT COUNT(*) FROM wch_notification_log WHERE notification_type = 'order_confirmed'"
    assert store.one(confirmed_notices) == sold
    charges = [] if way.pays_later else placed
    assert len(stripe.charges) == len({one.reference for one in stripe.charges}) == len(charges)
    assert len(stripe.keys) == len(charges)
    ended = ChargeState.EXPIRED if way.cancelled else ChargeState.PAID
    assert {one.state for one in stripe.charges} <= {ended, ChargeState.CANCELLED if way.cancelled else ended}
    assert sum(one.refunded for one in stripe.charges) == 0
