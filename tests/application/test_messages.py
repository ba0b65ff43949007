"""A message that a program sends: through the same outbox, under the same rules."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.application.rooms import ANNA, Rooms, rooms
from wch.application.conversations import WindowClosedError
from wch.application.messages import AddresseeError, Messages, outgoing_of
from wch.domain.conversation import ConversationStatus
from wch.domain.errors import NotFoundError
from wch.domain.message import Class, MessageStatus
from wch.domain.outgoing import Location, Media, MediaKind, MessageLimitError, Template, Text

TEMPLATE = Template.text(name="order_ready", language="es", body=("Maria",))


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


@pytest.fixture
def messages(hub: Rooms) -> Messages:
    return Messages(database=hub.database, clock=hub.clock, speaker=hub.speaker)


async def test_words_go_while_the_window_is_open(hub: Rooms, messages: Messages) -> None:
    """As a reply, to the number in any spelling, and the dialogue goes on talking."""
    await hub.hear("hi")

    row = await messages.send("+1 (650) 555-1234", Text(body="your parcel is here"), by="key:1")

    assert (row.status, row.class_, row.content["to"]) == (MessageStatus.PENDING, Class.REPLY, {"wa_id": ANNA})
    assert (await messages.show(row.id)) == row
    assert (await hub.thread()).status is ConversationStatus.ACTIVE
    (line,) = await hub.see(lambda uow: uow.audit.listed(action="message.send"))
    assert (line.actor, line.object) == ("key:1", f"message:{row.id}")
    assert await hub.is_sound()


async def test_words_are_refused_once_the_window_is_closed(hub: Rooms, messages: Messages) -> None:
    """WhatsApp would refuse them; who asks hears it at once, and nothing is written."""
    await hub.hear("hi")
    hub.clock.advance(timedelta(hours=24))

    with pytest.raises(WindowClosedError):
        await messages.send(ANNA, Text(body="too late"), by="key:1")

    assert len(await hub.rows()) == 1


async def test_a_template_goes_to_somebody_who_never_wrote(hub: Rooms, messages: Messages) -> None:
    """It is what templates are for; no thread is opened by it."""
    row = await messages.send("0016505551234", TEMPLATE, class_=Class.NOTICE, by="key:1")

    assert row.class_ is Class.NOTICE
    assert (await hub.thread()).status is ConversationStatus.RESOLVED
    await hub.outbox.work()
    assert (await messages.show(row.id)).status is MessageStatus.SENT


async def test_marketing_without_consent_does_not_leave(hub: Rooms, messages: Messages) -> None:
    """A campaign is held to consent when it leaves, whoever ordered it."""
    row = await messages.send(ANNA, TEMPLATE, class_=Class.CAMPAIGN, by="key:1")

    await hub.outbox.work()

    left = await messages.show(row.id)
    assert (left.status, left.error_message) == (MessageStatus.FAILED, "policy:consent")


async def test_it_leaves_from_the_number_that_is_named(messages: Messages) -> None:
    """A hub of two numbers is told which."""
    row = await messages.send(ANNA, TEMPLATE, number="1234", by="key:1")

    assert row.content["number"] == "1234"


@pytest.mark.parametrize("to", ["", "anna", "+", "1" * 20])
async def test_who_is_no_number_gets_nothing(messages: Messages, to: str) -> None:
    """No profile is made for a slip of the pen."""
    with pytest.raises(AddresseeError):
        await messages.send(to, TEMPLATE, by="key:1")


async def test_an_unknown_message_is_not_found(messages: Messages) -> None:
    """As everywhere."""
    with pytest.raises(NotFoundError):
        await messages.show(4711)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("text", {"body": "hi"}, Text(body="hi")),
        (
            "document",
            {"link": "https://shop.example/1.pdf", "filename": "1.pdf"},
            Media(kind=MediaKind.DOCUMENT, link="https://shop.example/1.pdf", filename="1.pdf"),
        ),
        ("location", {"latitude": 40.5, "longitude": -3}, Location(latitude=Decimal("40.5"), longitude=Decimal(-3))),
        ("template", {"name": "order_ready", "language": "es", "body": ["Maria"]}, TEMPLATE),
    ],
)
def test_what_a_request_says(kind: str, body: dict[str, Any], said: object) -> None:
    """Each kind by the part that bears its name."""
    assert outgoing_of(kind, body) == said


@pytest.mark.parametrize(
    ("kind", "body"), [("text", {"body": ""}), ("image", {}), ("location", {"latitude": 91, "longitude": 0})]
)
def test_what_whatsapp_would_refuse_is_refused_here(kind: str, body: dict[str, Any]) -> None:
    """Before it becomes a row that fails later."""
    with pytest.raises(MessageLimitError):
        outgoing_of(kind, body)
