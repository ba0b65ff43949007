"""Money goes back through the API as it does by hand: once for each key, never more than came."""

import httpx2
import pytest

from tests.entrypoints.http.api.conftest import Desk

V1 = "/api/v1"


async def test_one_key_is_one_refund(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """A second click changes nothing; the order was paid at the door, so the money is given by hand."""
    wish = {"reason": "sent back"}
    answers = [
        await caller.post(f"{V1}/orders/{desk.order_id}/refunds", json=wish, headers={"Idempotency-Key": "click-1"})
        for _ in range(2)
    ]
    await desk.hub.worker.drain()

    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"] == f"refund-{desk.order_id}-1"
    order, _ = await desk.hub.orders.show(desk.order_id)
    assert order.refunded == order.total


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("999999.00", "EUR", "too_much"),
        ("1.00", "USD", "currency"),
        ("0.00", "EUR", "not_positive"),
        ("1.001", "EUR", "not_an_amount"),
        ("much", "EUR", "not_an_amount"),
        ("1.00", "XXX", "not_an_amount"),
    ],
)
async def test_what_cannot_go_back_is_refused(
    desk: Desk, caller: httpx2.AsyncClient, amount: str, currency: str, code: str
) -> None:
    """With its word, and nothing is written."""
    wish = {"reason": "x", "amount": {"amount": amount, "currency": currency}}
    answered = await caller.post(f"{V1}/orders/{desk.order_id}/refunds", json=wish)

    assert answered.json()["code"] == code
    assert 400 <= answered.status_code < 500
    assert list(await desk.hub.sagas.listed(saga_type="Refund")) == []


async def test_an_amount_that_is_right_needs_nobody_to_accept_it(desk: Desk, caller: httpx2.AsyncClient) -> None:
    answered = await caller.post(f"{V1}/orders/{desk.order_id}/accept-amount", json={"reason": "x"})
    missing = await caller.post(f"{V1}/orders/99/accept-amount", json={"reason": "x"})

    assert (answered.status_code, missing.status_code) == (409, 404)


async def test_only_what_the_shop_gave_back_is_settled(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """An order that nobody refunded in the shop has nothing to say of."""
    answered = await caller.post(f"{V1}/orders/{desk.order_id}/settle", json={"reason": "x"})
    missing = await caller.post(f"{V1}/orders/99/settle", json={"reason": "x"})

    assert (answered.status_code, missing.status_code) == (422, 404)
