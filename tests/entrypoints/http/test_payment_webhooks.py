"""The door of the gateways: what is answered to what."""

import pytest

from tests.entrypoints.http.doubles import ScriptedHub, application, part, spoken, web
from wch.application.payments import PaymentReceipt
from wch.domain.errors import StoreUnavailableError

DOOR = "/webhooks/payments/stripe"


@pytest.mark.parametrize(
    ("receipt", "status"),
    [
        (PaymentReceipt.TAKEN, 200),
        (PaymentReceipt.KNOWN, 200),
        (PaymentReceipt.FOREIGN, 200),
        (PaymentReceipt.UNMATCHED, 200),
        (PaymentReceipt.UNREADABLE, 200),
        (PaymentReceipt.UNSIGNED, 401),
        (PaymentReceipt.UNKNOWN_GATEWAY, 404),
    ],
)
async def test_what_became_of_it_decides_the_answer(receipt: PaymentReceipt, status: int) -> None:
    hub = ScriptedHub()
    hub.payments.receipt = receipt
    async with web(application(hub)) as client:
        answered = await client.post(f"{DOOR}?data.id=7&type=payment", content=b"{}", headers={"X-Signature": "s"})

    assert answered.status_code == status
    ((gateway, call),) = hub.payments.calls
    assert (gateway, call.body, call.query) == ("stripe", b"{}", {"data.id": "7", "type": "payment"})
    assert call.headers["x-signature"] == "s"


async def test_a_bad_signature_is_counted_and_a_good_one_is_not() -> None:
    hub = ScriptedHub()
    async with web(application(hub)) as client:
        await client.post(DOOR, content=b"{}")
        before = len(hub.limits.hits)
        hub.payments.receipt = PaymentReceipt.UNSIGNED
        await client.post(DOOR, content=b"{}")

    assert (before, len(hub.limits.hits)) == (0, 1)


async def test_a_store_that_is_away_asks_for_the_event_again() -> None:
    hub = ScriptedHub()
    hub.payments.raises = StoreUnavailableError()
    async with web(application(hub)) as client:
        answered = await client.post(DOOR, content=b"{}")

    assert (answered.status_code, answered.headers["retry-after"]) == (503, "30")


async def test_only_post_is_taken_and_at_most_a_mebibyte() -> None:
    hub = ScriptedHub()
    async with web(application(hub)) as client:
        got = await client.get(DOOR)
        whole = await client.post(DOOR, content=b"x" * 1024 * 1024)
        too_much = await client.post(DOOR, content=b"x" * (1024 * 1024 + 1))

    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    assert (whole.status_code, too_much.status_code) == (200, 413)
    assert len(hub.payments.calls) == 1


async def test_a_header_that_came_twice_counts_as_none() -> None:
    """Which of the two would be believed, nobody knows."""
    hub = ScriptedHub()
    twice = [(b"x-signature", b"a"), (b"x-signature", b"b"), (b"x-request-id", b"r")]
    await spoken(application(hub), {"path": DOOR, "headers": twice}, [part(b"{}")])

    ((_, call),) = hub.payments.calls
    assert call.headers == {"x-request-id": "r"}
