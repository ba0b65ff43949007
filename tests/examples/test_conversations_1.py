"""The examples of the page on conversations that say what is done, by their numbers: 1 to 22."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.application.test_words import CELLS
from tests.examples.stage import DOOR, TOKEN, A, B, Stage, body_of, stage
from tests.processes import SECRET, signature_of
from wch.application.words import Intent, understand
from wch.domain.moment import unix
from wch.domain.send_result import Accepted
from wch.testing import NOON


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with stage() as opened:
        yield opened


async def test_example_01_the_handshake(shop: Stage) -> None:
    async def shaken(**query: str) -> tuple[int, str]:
        answered = await shop.http.get(DOOR, params=query)
        return answered.status_code, answered.text

    right = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}
    assert await shaken(**right) == (200, "1158201444")
    assert (await shaken(**{**right, "hub.verify_token": "wrong"}))[0] == 403
    assert (await shaken(**{**right, "hub.challenge": "<script>"}))[0] == 400
    assert (await shaken(hub_mode="subscribe", **{"hub.verify_token": TOKEN, "hub.challenge": "1"}))[0] == 400


async def test_example_02_the_bytes_are_signed_as_they_came(shop: Stage) -> None:
    body = body_of({"messages": [shop.message(text="café / @")]}).replace(b" / ", b" \\/ ")
    assert b"\\u00e9" in body

    assert await shop.raw(body) == 200
    anew = json.dumps(json.loads(body), ensure_ascii=False).encode()
    assert await shop.raw(anew, signature_of(body)) == 401
    assert [row.content["text"] for row in await shop.rows()] == ["café / @"]


async def test_example_03_every_other_signature_is_refused(shop: Stage) -> None:
    body = body_of({"messages": [shop.message(text="hi")]})
    good = signature_of(body)
    before = await shop.all_rows()
    bad = (
        b"",
        good.replace("sha256", "sha1"),
        good[:-1],
        good.upper().replace("SHA", "sha"),
        good.encode()[:-1] + b"\xe9",
        signature_of(body, "another"),
    )

    assert [await shop.raw(body, one) for one in bad] == [401] * len(bad)
    assert await shop.raw(body, good, good) == 401
    assert (await shop.http.post(DOOR, content=body)).status_code == 401
    assert await shop.all_rows() == before
    assert [await shop.raw(body, signature_of(body, key)) for key in (SECRET, "the-old-secret")] == [200, 200]


async def test_example_04_signed_nonsense_is_kept_once(shop: Stage) -> None:
    nonsense = [
        b'{"object":"whatsapp_business_account","entry":[NaN]}',
        b'{"object":"whatsapp_business_account","object":"x"}',
        b'{"a":' * 65 + b"1" + b"}" * 65,
        '{"object":"whatsapp_business_account"}'.encode("utf-16"),
        b"[]",
        b'{"object":"whatsapp_business_account","entry":[]} x',
    ]

    for body in nonsense * 2:
        assert await shop.raw(body) == 200
    assert await shop.letters() == [("whatsapp.webhook", "validation_failed")] * len(nonsense)
    letters = await shop.see(lambda uow: uow.dead_letters.listed(limit=50))
    kept = [await shop.hub.dead_letters.show(one.id) for one in letters]
    assert len(kept) == len(nonsense)
    assert await shop.raw(b"[" + b" " * 5_000_000 + b"]") == 413


async def test_example_05_each_of_fifty_stands_alone(shop: Stage) -> None:
    people = [f"4915{number:08}" for number in range(48)]
    good = [shop.message(sender=one, text="hi") for one in people]
    nobody = shop.message(sender=None, text="hi")
    foreign = {"messages": [shop.message(sender=B, text="hi")], "metadata": {"phone_number_id": "1"}}

    assert await shop.post({"messages": good[:20]}, {"messages": [*good[20:], nobody]}, foreign) == 200
    for _ in range(4):
        await shop.later(seconds=2)

    assert sorted(await shop.letters()) == [
        ("whatsapp.event", "foreign_number"),
        ("whatsapp.event", "validation_failed"),
    ]
    assert len({one.message["to"] for one in shop.whatsapp.sent}) == 48


async def test_example_06_one_that_fails_holds_up_nobody(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.says("hi")
    statuses = type(shop.hub.inbox.intake.arrivals.statuses)

    def broken(*_given: Any, **_more: Any) -> bool:
        raise RuntimeError

    preference = {"wa_id": A, "category": "marketing_messages", "value": "stop", "timestamp": unix(NOON), "detail": "x"}
    value = {
        "messages": [shop.message(text="hello")],
        "statuses": [{"id": "wamid.sent.1", "status": "read", "timestamp": str(unix(NOON)), "recipient_id": A}],
        "user_preferences": [preference],
    }
    with monkeypatch.context() as patched:
        patched.setattr(statuses, "apply", broken)
        await shop.post(value)
    assert (await shop.inbound()).content["text"] == "hello"
    assert (await shop.profile()).is_out
    assert (await shop.outbound()).status == "sent"

    value["messages"] = [shop.message(text="again")]
    assert await shop.post(value) == 200
    assert [row.status for row in await shop.rows() if row.wa_message_id == "wamid.sent.1"] == ["read"]


async def test_example_07_the_same_body_a_hundred_times(shop: Stage) -> None:
    message = shop.message(text="hi")
    body = body_of({"messages": [message]})

    assert set(await asyncio.gather(*(shop.raw(body) for _ in range(100)))) == {200}
    await shop.work()
    thread = await shop.thread()
    assert (thread.unread_count, thread.message_count, len(shop.whatsapp.sent)) == (1, 2, 1)

    await shop.later(days=9)
    await shop.raw(body)
    await shop.work()
    assert len(shop.whatsapp.sent) == 1
    await shop.post({"messages": [{**message, "text": {"body": "another"}}]})
    assert (await shop.inbound()).content["text"] == "hi"
    assert [reason for _, reason in await shop.letters()] == ["conflict"]


async def test_example_09_a_stranger_says_hi(shop: Stage) -> None:
    shop.clock.set(datetime(2025, 6, 8, 20, 59, 50, tzinfo=UTC))
    async with stage() as old:
        old.clock._now = datetime(2025, 6, 8, 20, 59, 50, tzinfo=UTC)  # noqa: SLF001 - before the clock's own beginning
        contact = {"profile": {"name": "Sheena Nelson"}, "wa_id": A}
        await old.post({"contacts": [contact], "messages": [old.message(text="hi", timestamp="1749416383")]})
        await old.work()

        thread, row = await old.thread(), await old.inbound()
        assert (await old.profile()).name == "Sheena Nelson"
        assert (thread.status, thread.state, thread.message_count, thread.unread_count) == ("active", "browsing", 2, 1)
        assert row.sent_at == datetime(2025, 6, 8, 20, 59, 43, tzinfo=UTC)
        assert (row.type, row.status, row.content["handled"]["intent"]) == ("text", "processed", "greeting")
        (sent,) = old.whatsapp.sent
        assert sent.message["to"] == f"+{A}"
        assert sent.message["biz_opaque_callback_data"].startswith("wch1.")
        assert "categories" in old.ids()


async def test_example_09_a_message_of_two_days_ago_is_a_persons(shop: Stage) -> None:
    assert await shop.says("hi", timestamp=str(unix(NOON) - 2 * 86_400)) == []
    assert (await shop.handled())["silence"] == "too_old"


KINDS: list[tuple[str, dict[str, Any], str | None]] = [
    ("text", {"text": {"body": "hi"}}, None),
    ("image", {"image": {"id": "1", "mime_type": "image/png"}}, None),
    ("video", {"video": {"id": "1"}}, None),
    ("document", {"document": {"id": "1", "caption": "menu"}}, None),
    ("audio", {"audio": {"id": "1", "voice": True}}, None),
    ("sticker", {"sticker": {"id": "1"}}, "sticker"),
    ("location", {"location": {"latitude": 1.5, "longitude": 2}}, None),
    ("contacts", {"contacts": [{"name": {"formatted_name": "B"}}]}, None),
    ("interactive", {"interactive": {"type": "button_reply", "button_reply": {"id": "menu", "title": "m"}}}, None),
    ("interactive", {"interactive": {"type": "call_permission_reply", "call_permission_reply": {}}}, "no_action"),
    (
        "interactive",
        {"interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": '["not","an","object"]'}}},
        None,
    ),
    ("button", {"button": {"payload": "menu", "text": "Menu"}}, None),
    ("order", {"order": {"catalog_id": "c", "product_items": []}}, None),
    ("reaction", {"reaction": {"message_id": "x", "emoji": "👍"}}, "reaction"),
    ("edit", {"edit": {"original_message_id": "x", "message": {"type": "text", "text": {"body": "y"}}}}, "edit"),
    ("revoke", {"revoke": {"original_message_id": "x"}}, "revoke"),
    ("system", {"system": {"type": "customer_identity_changed", "identity": "x"}}, "system"),
    ("request_welcome", {}, None),
    ("unsupported", {"errors": [{"code": 131051}]}, None),
    ("hologram", {"hologram": {"a": 1}}, None),
]


@pytest.mark.parametrize(
    ("kind", "more", "silence"), KINDS, ids=[f"{kind}-{place}" for place, (kind, _, _) in enumerate(KINDS)]
)
async def test_example_10_each_type_has_an_answer_or_its_silence(
    shop: Stage, kind: str, more: dict[str, Any], silence: str | None
) -> None:
    said = await shop.sends(type=kind, **more)

    row = await shop.inbound()
    assert row.type == ("unsupported" if kind == "hologram" else kind)
    assert row.status == "processed"
    assert bool(said) == (silence is None)
    assert row.content["handled"].get("silence") == silence
    if kind == "hologram":
        assert row.content["kind"] == "hologram"
    if "not" in str(more):
        assert row.content["data_text"] == '["not","an","object"]'


@pytest.mark.parametrize("field", ["history", "standby"])
async def test_example_10_what_is_no_live_message_is_not_answered(shop: Stage, field: str) -> None:
    assert await shop.post({"messages": [shop.message(text="hi")]}, field=field) == 200
    await shop.work()
    assert shop.whatsapp.sent == []


async def test_example_11_reactions_and_edits_are_stored(shop: Stage) -> None:
    await shop.says("hi")
    first = await shop.inbound()
    await shop.sends(type="reaction", reaction={"message_id": "wamid.sent.1", "emoji": "👍"})
    await shop.sends(type="reaction", reaction={"message_id": "wamid.sent.1"})
    edited = {"original_message_id": first.wa_message_id, "message": {"type": "text", "text": {"body": "hello"}}}
    await shop.sends(type="edit", edit=edited)

    rows = await shop.rows()
    assert [row.type for row in rows if row.type == "reaction"] == ["reaction"] * 2
    assert (await shop.thread()).unread_count == 1
    assert len(shop.whatsapp.sent) == 1
    assert next(row for row in rows if row.id == first.id).content["edits"]


async def test_example_12_all_orders_of_statuses_end_alike(shop: Stage) -> None:
    told = {"sent": 1, "delivered": 2, "read": 3, "failed": 4}
    begins = unix(NOON)
    for place, order in enumerate(itertools.permutations(told), start=1):
        await shop.says("hi", sender=f"4915{place:08}")
        for word in (*order, *order):
            errors = {"errors": [{"code": 131026, "title": "T"}]} if word == "failed" else {}
            await shop.told(f"wamid.sent.{len(shop.whatsapp.sent)}", word, at=begins + told[word], **errors)
        row = await shop.outbound(f"4915{place:08}")
        times = [unix(moment) - begins for moment in (row.sent_at, row.delivered_at, row.read_at) if moment is not None]
        assert (row.status, times) == ("read", [1, 2, 3]), order
        assert row.error_message == "131026 T", order


async def test_example_13_read_alone_fills_delivered(shop: Stage) -> None:
    await shop.says("hi")
    at = unix(NOON) + 10
    await shop.told("wamid.sent.1", "read", at=at)
    row = await shop.outbound()
    assert (row.status, unix(row.read_at), unix(row.delivered_at)) == ("read", at, at)  # type: ignore[arg-type] # told

    await shop.told("wamid.sent.1", "delivered", at=at - 3)
    row = await shop.outbound()
    assert (row.status, unix(row.delivered_at)) == ("read", at - 3)  # type: ignore[arg-type] # told


async def test_example_14_a_status_before_the_answer(shop: Stage) -> None:
    async def slow(number: str, message: Any) -> Any:  # noqa: ARG001 - the port's arguments
        await shop.post(
            {
                "statuses": [
                    {"id": "wamid.early", "status": "delivered", "timestamp": str(unix(NOON)), "recipient_id": A}
                ]
            }
        )
        return Accepted(wa_message_id="wamid.early")

    setattr(shop.whatsapp, "send", slow)  # noqa: B010 - the method of one double
    await shop.says("hi")
    row = await shop.outbound()
    assert (row.status, row.wa_message_id) == ("delivered", "wamid.early")
    assert [one.type for one in await shop.rows()] == ["text", "interactive"]

    await shop.told("wamid.unknown", "in_orbit")
    await shop.told("wamid.unknown", "sent")
    foreign = await shop.see(lambda uow: uow.messages.by_wa_id("wamid.unknown"))
    assert foreign.type == "foreign"
    await shop.later(days=7, minutes=1)
    assert await shop.see(lambda uow: uow.messages.by_wa_id("wamid.unknown")) is None


@pytest.mark.parametrize("phrase", CELLS, ids=[f"{cell[0]}-{cell[1]}-{place}" for place, cell in enumerate(CELLS)])
def test_example_16_every_phrase_has_its_intent(phrase: tuple[Any, ...]) -> None:
    intent, _, words = phrase
    assert understand(words).intent is intent


async def test_example_16_what_comparable_systems_confuse(shop: Stage) -> None:
    assert understand("where is my order").intent is Intent.ORDER_STATUS
    assert understand("talk to a human").intent is Intent.HUMAN
    await shop.says("blue lamp")
    await shop.says("add to cart")
    assert [item.product_name for item in (await shop.cart()).items] == ["Blue Lamp"]
    await shop.says("remove the coupon")
    assert len((await shop.cart()).items) == 1


async def test_example_18_the_shop_is_asked_for_umbrellas(shop: Stage) -> None:
    (said,) = await shop.says("do you have umbrellas?")
    assert "Umbrella" in said
    assert (await shop.handled())["intent"] == "search"
    await shop.says("cartoon")
    assert "show_cart" not in (await shop.handled())["did"]


async def test_example_19_more_than_there_is(shop: Stage) -> None:
    (said,) = await shop.says("add 5 blue lamps to cart")
    assert "3" in said
    await shop.says("yes")
    cart = await shop.cart()
    assert [(item.product_name, item.quantity) for item in cart.items] == [("Blue Lamp", 3)]
    assert (str(cart.total), (await shop.thread()).state) == ("60.00", "cart_management")

    await shop.says("add 1 shirt to cart")
    await shop.says("2")
    assert [dict(item.variant_attributes) for item in (await shop.cart()).items if item.variant_attributes] == [
        {"Size": "M"}
    ]


async def test_example_20_an_order_of_the_catalogue(shop: Stage) -> None:
    lamp = await shop.id_of("Blue Lamp")
    item = {"product_retailer_id": str(lamp), "quantity": 2, "item_price": 18.0, "currency": "USD"}
    message = shop.message(type="order", order={"catalog_id": "c", "product_items": [item]})
    await shop.post({"messages": [message]})
    await shop.work()
    said = "\n".join(shop.whatsapp.texts)
    assert "18.00" in said
    assert "20.00" in said
    assert [one.quantity for one in (await shop.cart()).items] == [2]

    await shop.says("checkout")
    assert (await shop.thread()).state == "cart_management"
    await shop.post({"messages": [message]})
    await shop.work()
    assert [one.quantity for one in (await shop.cart()).items] == [2]
    (cart,) = await shop.taps("view_cart")
    assert "Blue Lamp" in cart
    await shop.press("accept_prices")
    await shop.says("checkout")
    assert (await shop.thread()).state == "checkout_address"


async def test_example_21_another_currency_and_what_is_not_there(shop: Stage) -> None:
    lamp, umbrella = await shop.id_of("Blue Lamp"), await shop.id_of("Umbrella")
    items = [
        {"product_retailer_id": str(lamp), "quantity": 1, "item_price": 18, "currency": "EUR"},
        {"product_retailer_id": "nobody", "quantity": 1, "item_price": 1, "currency": "EUR"},
        {"product_retailer_id": str(umbrella), "quantity": "x", "item_price": 1, "currency": "EUR"},
    ]
    said = "\n".join(await shop.sends(type="order", order={"catalog_id": "c", "product_items": items}))

    cart = await shop.cart()
    assert [(one.product_name, one.currency) for one in cart.items] == [("Blue Lamp", "USD")]
    assert "nobody" in said
    assert "Umbrella" in said


ADDRESSES: list[tuple[str, dict[str, str]]] = [
    (
        "221B Baker Street, London NW1 6XE, UK",
        {"address_1": "221B Baker Street", "city": "London", "postcode": "NW1 6XE", "country": "GB"},
    ),
    ("1600 Amphitheatre Pkwy\nMountain View, CA 94043\nUSA", {"state": "CA", "postcode": "94043", "country": "US"}),
    ("Av. Paulista 1000, São Paulo - SP, 01310-100, Brasil", {"state": "SP", "country": "BR"}),
]


@pytest.mark.parametrize(("written", "read"), ADDRESSES, ids=["GB", "US", "BR"])
async def test_example_22_an_address_in_words(shop: Stage, written: str, read: dict[str, str]) -> None:
    await shop.says("add 1 blue lamp to cart")
    await shop.says("checkout")
    await shop.says(written)
    assert "use_address" in shop.ids()
    await shop.press("use_address")

    kept = (await shop.cart()).shipping_address
    assert {name: kept[name] for name in read} == read
