"""What customers say in the sandbox reaches the hub as Meta would bring it."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.sandbox.world import MARIA, NUMBER, World, world
from wch.adapters.sandbox.sayings import SayingRefusedError
from wch.adapters.whatsapp.codec import CloudApiCodec
from wch.domain.errors import NotFoundError
from wch.domain.inbound import InboundMessage, StatusUpdate
from wch.domain.moment import iso
from wch.testing import NOON

BUTTONS = {
    "type": "button",
    "body": {"text": "What next?"},
    "action": {
        "buttons": [
            {"type": "reply", "reply": {"id": "checkout", "title": "Checkout"}},
            {"type": "reply", "reply": {"id": "cart", "title": "Cart"}},
        ]
    },
}
LIST = {
    "type": "list",
    "body": {"text": "Choose"},
    "action": {
        "button": "Open",
        "sections": [{"rows": [{"id": "category_1", "title": "Lamps", "description": "Bright"}]}],
    },
}


async def test_a_text_comes_in_a_whole_delivery_escaped_as_meta_escapes() -> None:
    """A hub that signs what it has written anew is found out by the escapes."""
    async with world() as here:
        said = await here.hears("café / a@b", name="María")

        delivery = here.hub.caught[0]
        assert b"caf\\u00e9 \\/ a\\u0040b" in delivery.raw
        value = delivery.values[0]
        assert value["metadata"] == {"display_phone_number": "15550001111", "phone_number_id": NUMBER}
        assert value["contacts"][0]["profile"] == {"name": "María"}
        assert value["contacts"][0]["wa_id"] == MARIA
        message = delivery.messages[0]
        assert message["from"] == MARIA
        assert message["id"] == said["id"]
        assert message["timestamp"] == str(int(NOON.timestamp()))
        assert message["text"] == {"body": "café / a@b"}
        assert said == {"id": said["id"], "status": 200, "held": False}


async def test_an_id_holds_the_number_in_base64_and_is_never_given_twice() -> None:
    """As WhatsApp's do, which is why ids are personal data."""
    async with world() as here:
        first = (await here.hears())["id"]
        second = (await here.hears())["id"]

    assert first != second
    assert first.startswith("wamid.")
    assert MARIA.encode() in base64.b64decode(first.removeprefix("wamid."))


async def test_our_own_parser_understands_everything_that_the_sandbox_posts() -> None:
    """A stand-in that speaks a dialect of its own would prove nothing."""
    codec = CloudApiCodec(secrets=("x",))
    async with world() as here:
        await here.hears()
        await here.sandbox.say(MARIA, {"type": "location", "location": {"latitude": 40.4, "longitude": -3.7}})
        await here.sandbox.say(MARIA, {"type": "image", "image": {"caption": "this one"}})
        await here.say()
        here.sandbox.faults.order("bsuid_only")
        await here.hears()
        await here.sandbox.settle()
        events = [event for one in here.hub.caught for event in codec.read(one.raw, now=NOON)]

    kinds = [type(event) for event in events]
    assert kinds.count(InboundMessage) == 4
    assert kinds.count(StatusUpdate) == 3


async def test_a_script_may_say_the_id_and_the_time() -> None:
    """To send the same message twice, or one of long ago."""
    async with world() as here:
        await here.hears(id="wamid.same", timestamp=1749416383)

    assert here.hub.messages[0]["id"] == "wamid.same"
    assert here.hub.messages[0]["timestamp"] == "1749416383"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "text"},
        {"type": ""},
        {"type": 5},
        {"name": "nobody"},
        {"tap": 7},
    ],
)
async def test_what_is_no_message_is_refused_with_an_example(body: dict[str, Any]) -> None:
    """Whoever typed it reads what to type instead."""
    async with world() as here:
        with pytest.raises(SayingRefusedError, match="Say something like"):
            await here.sandbox.say(MARIA, body)
        assert not here.hub.caught


async def test_a_customer_is_named_by_digits() -> None:
    """A name that could never come from WhatsApp would only try our own parser."""
    async with world() as here:
        with pytest.raises(SayingRefusedError, match="digits"):
            await here.sandbox.say("maria", {"type": "text", "text": {"body": "hi"}})


async def test_an_unknown_type_goes_out_as_it_was_said() -> None:
    """The hub must live with what it has never heard of."""
    async with world() as here:
        await here.sandbox.say(MARIA, {"type": "hologram", "hologram": {"depth": 3}})

    assert here.hub.messages[0]["hologram"] == {"depth": 3}


async def test_media_gets_an_id_a_type_and_a_hash() -> None:
    """And the file is there to be fetched."""
    async with world() as here:
        await here.sandbox.say(MARIA, {"type": "image", "image": {"caption": "this one"}})
        image = here.hub.messages[0]["image"]
        told = await here.call(b"", method="GET", path=f"/v24.0/{image['id']}")
        assert isinstance(told.body, dict)
        path = told.body["url"].removeprefix("http://127.0.0.1:8080/sandbox/graph")
        fetched = await here.call(b"", method="GET", path=path)

    assert (image["mime_type"], image["caption"]) == ("image/png", "this one")
    assert base64.b64decode(image["sha256"]).hex() == told.body["sha256"]
    assert fetched.content_type == "image/png"
    assert len(fetched.content()) == int(told.body["file_size"])


async def offered(here: World) -> None:
    await here.hears()
    await here.send(type="interactive", interactive=LIST)
    await here.send(type="interactive", interactive=BUTTONS)


@pytest.mark.parametrize(
    ("word", "kind", "reply"),
    [
        ("checkout", "button_reply", {"id": "checkout", "title": "Checkout"}),
        ("cart", "button_reply", {"id": "cart", "title": "Cart"}),
        ("lamps", "list_reply", {"id": "category_1", "title": "Lamps", "description": "Bright"}),
    ],
)
async def test_a_tap_is_the_reply_of_the_latest_message_that_offers_it(
    word: str, kind: str, reply: dict[str, str]
) -> None:
    """By id or by title, and the reply names the message it belongs to."""
    async with world() as here:
        await offered(here)
        await here.sandbox.say(MARIA, {"tap": word})
        shown = here.sandbox.messages(MARIA)

    message = here.hub.messages[-1]
    assert message["interactive"] == {"type": kind, kind: reply}
    assert message["context"]["id"] == shown[1 if kind == "list_reply" else 2]["id"]


async def test_a_tap_on_nothing_says_what_there_is() -> None:
    """A script that lost its way is told where it is."""
    async with world() as here:
        await offered(here)
        with pytest.raises(NotFoundError, match=r"latest offer is: checkout, cart"):
            await here.sandbox.say(MARIA, {"tap": "refund"})


async def test_a_templates_button_is_tapped_as_a_button_message() -> None:
    """Which is another type than the reply to a button of ours."""
    async with world() as here:
        await here.send(
            type="template",
            template={
                "name": "order_update",
                "language": {"code": "en_US"},
                "components": [
                    {"type": "body", "parameters": [{"type": "text", "text": "7"}, {"type": "text", "text": "shipped"}]}
                ],
            },
        )
        await here.sandbox.say(MARIA, {"tap": "track"})

    assert here.hub.messages[-1]["button"] == {"payload": "Track", "text": "Track"}


async def test_the_thread_tells_both_sides_in_order() -> None:
    """Direction, type, body, id, time and statuses."""
    async with world() as here:
        said = await here.hears()
        answer = await here.say("welcome")
        first, second = here.sandbox.messages(MARIA)

    assert first == {
        "id": said["id"],
        "direction": "inbound",
        "type": "text",
        "body": {"type": "text", "text": {"body": "hi"}},
        "at": iso(NOON),
        "statuses": [],
        "webhook": 200,
    }
    assert isinstance(answer.body, dict)
    assert second["id"] == answer.body["messages"][0]["id"]
    assert (second["direction"], second["body"]["text"]) == ("outbound", {"body": "welcome"})
    assert second["statuses"] == ["sent", "delivered"]


async def test_whoever_answers_has_read() -> None:
    """And read comes once, after delivered."""
    async with world() as here:
        await here.hears()
        await here.say()
        await here.hears("thanks")
        await here.hears("bye")
        await here.sandbox.settle()

    assert here.hub.words() == ["sent", "delivered", "read"]


async def test_looking_at_the_phone_reads_without_a_word() -> None:
    """For a script that wants the blue ticks alone."""
    async with world() as here:
        await here.hears()
        await here.say()
        assert here.sandbox.read(MARIA) == {"read": 1}
        await here.sandbox.settle()
        assert here.sandbox.read(MARIA) == {"read": 0}

    assert here.hub.words()[-1] == "read"


async def test_the_business_reads_too() -> None:
    """A receipt marks that message and all before it on the phone."""
    async with world() as here:
        await here.hears("one")
        said = await here.hears("two")
        await here.hears("three")
        answer = await here.call(
            {
                "messaging_product": "whatsapp",
                "status": "read",
                "message_id": said["id"],
                "typing_indicator": {"type": "text"},
            }
        )
        shown = here.sandbox.messages(MARIA)

    assert answer.body == {"success": True}
    assert [one["statuses"] for one in shown] == [["read"], ["read"], []]


async def test_a_hub_in_trouble_gets_it_again_until_it_takes_it() -> None:
    """As Meta does: whatever was not answered 200 comes again."""
    async with world() as here:
        here.hub.answers = [503, None]
        said = await here.hears()
        await here.sandbox.settle()

    assert said["status"] == 503
    assert len(here.hub.caught) == 2
    assert here.hub.caught[0].raw == here.hub.caught[1].raw


async def test_the_clock_is_moved_for_all() -> None:
    """Through whoever keeps it."""
    async with world() as here:
        assert await here.sandbox.advance(timedelta(hours=6)) == NOON + timedelta(hours=6)
