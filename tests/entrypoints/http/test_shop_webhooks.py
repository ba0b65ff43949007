"""The shop's door: what is answered to what."""

import pytest

from tests.entrypoints.http.doubles import ScriptedHub, application, part, spoken, web
from wch.application.shop_news import ShopReceipt
from wch.domain.errors import StoreUnavailableError

DOOR = "/webhooks/woocommerce"


@pytest.mark.parametrize("receipt", list(ShopReceipt))
async def test_only_a_bad_signature_is_refused(receipt: ShopReceipt) -> None:
    """Refusals count: after some of them the shop switches its webhook off, so nothing else gets one."""
    hub = ScriptedHub()
    hub.shop_news.receipt = receipt
    headers = {"X-WC-Webhook-Topic": "product.updated", "X-WC-Webhook-ID": "7", "X-WC-Webhook-Signature": "s"}
    async with web(application(hub)) as client:
        answered = await client.post(f"{DOOR}/", content=b"{}", headers=headers)

    unsigned = receipt is ShopReceipt.UNSIGNED
    assert answered.status_code == (401 if unsigned else 200)
    assert hub.shop_news.calls == [(b"{}", [b"s"], "product.updated", "7")]
    assert len(hub.limits.hits) == unsigned


async def test_a_store_that_is_away_takes_nothing() -> None:
    hub = ScriptedHub()
    hub.shop_news.raises = StoreUnavailableError()
    async with web(application(hub)) as client:
        answered = await client.post(DOOR, content=b"{}")

    assert (answered.status_code, answered.headers["retry-after"]) == (503, "30")


async def test_only_post_is_taken_and_only_so_much() -> None:
    hub = ScriptedHub()
    async with web(application(hub)) as client:
        got = await client.get(DOOR)
        too_much = await client.post(DOOR, content=b"x" * (hub.doors.max_bytes + 1))

    assert (got.status_code, got.headers["allow"], too_much.status_code) == (405, "POST", 413)
    assert hub.shop_news.calls == []


async def test_a_topic_that_came_twice_counts_as_none() -> None:
    """Which of the two would be believed, nobody knows; of signatures all are handed on, to be refused together."""
    hub = ScriptedHub()
    headers = [(b"x-wc-webhook-topic", b"a"), (b"x-wc-webhook-topic", b"b")] + [(b"x-wc-webhook-signature", b"s")] * 2
    await spoken(application(hub), {"path": DOOR, "headers": headers}, [part(b"{}")])

    assert hub.shop_news.calls == [(b"{}", [b"s", b"s"], "", "")]
