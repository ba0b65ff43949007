"""What WhatsApp tells of the account changes what the hub does, not only what it writes down."""

from typing import Any

import pytest

from tests.application.rooms import ANNA, Rooms, rooms
from wch.application import known_templates, stops
from wch.application.accounts import LIMITS, tier_of
from wch.application.alarms import ALARM
from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.message import Class, Message, MessageStatus
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused

TEMPLATE = {"message_template_name": "spring", "message_template_language": "en-US", "message_template_id": 7}


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def alarms(hub: Rooms) -> list[str]:
    lines: list[AuditEntry] = await hub.see(lambda uow: uow.audit.listed(limit=500))
    return [line.action.removeprefix(ALARM) for line in lines if line.action.startswith(ALARM)]


async def template(hub: Rooms, name: str = "spring", language: str = "en_US") -> Any:
    return await hub.see(lambda uow: known_templates.known(uow, name, language))


async def outgoing(hub: Rooms, class_: Class = Class.REPLY, **content: Any) -> Message:
    """A row that waits to leave to Anna."""
    kind = content.pop("kind", "text")
    body = content.pop("body", {"type": "text", "text": {"body": "hello"}})
    thread = await hub.thread()

    def work(uow: UnitOfWork) -> Message:
        conversation = uow.conversations.get(thread.id, lock=True)
        assert conversation is not None
        row = Message.outgoing(
            conversation_id=thread.id,
            kind=kind,
            body=body,
            to={"wa_id": ANNA},
            number=content.pop("number", "106540352242922"),
            class_=class_,
            origin={"by": "test"},
            now=hub.clock.now(),
            **content,
        )
        added = uow.messages.add(row)
        uow.conversations.save(conversation.counted(now=hub.clock.now()))
        return added

    row: Message = await hub.do(work)
    return row


async def reread(hub: Rooms, row: Message) -> Message:
    found = await hub.see(lambda uow: uow.messages.get(row.id))
    assert found is not None
    return found  # type: ignore[no-any-return]  # the test's look-up returns anything


def refusing(code: int) -> Refused:
    return Refused(error=GraphError(code=code, title="no"), failure=classify(code))


SPRING = {"type": "template", "template": {"name": "spring", "language": {"code": "en_US"}}}


# --- templates


async def test_a_paused_template_is_known_and_raises_an_alarm(hub: Rooms) -> None:
    """Spelled `en-US` by the event, `en_US` in the store; approved again it may be used again."""
    await hub.post({"event": "PAUSED", "reason": "NONE", **TEMPLATE}, field="message_template_status_update")

    paused = await template(hub)
    assert (paused["status"], paused["id"], "reason" in paused) == ("PAUSED", "7", False)
    assert not known_templates.is_usable(paused)
    assert await alarms(hub) == ["template_banned"]

    await hub.post({"event": "APPROVED", **TEMPLATE}, field="message_template_status_update")
    assert known_templates.is_usable(await template(hub))


async def test_quality_text_and_category_are_noted(hub: Rooms) -> None:
    """A red one is not used; one that becomes advertising is an alarm, since consent and price change."""
    await hub.post({"new_quality_score": "RED", **TEMPLATE}, field="message_template_quality_update")
    await hub.post({"message_template_element": "new", **TEMPLATE}, field="message_template_components_update")
    await hub.post(
        {"new_category": "UTILITY", "correct_category": "MARKETING", **TEMPLATE}, field="template_category_update"
    )

    known = await template(hub)
    assert (known["quality"], known["category"], known["category_coming"]) == ("RED", "UTILITY", "MARKETING")
    assert "drift" in known
    assert not known_templates.is_usable(known)
    assert await alarms(hub) == ["template_quality", "template_became_marketing"]


async def test_events_of_another_account_are_only_written_down() -> None:
    """The hub serves one account; `0` is what the dashboard's test button sends."""
    hub = rooms(waba_id="42")

    await hub.post({"event": "PAUSED", **TEMPLATE}, field="message_template_status_update")
    await hub.post({"event": "ACCOUNT_DELETED"}, field="account_update")

    assert await template(hub) is None
    assert await alarms(hub) == []
    assert len(await hub.see(lambda uow: uow.audit.listed(actor="whatsapp"))) == 2


async def test_an_advertising_fallback_needs_consent(hub: Rooms) -> None:
    """A reply that is too late goes out as its template only if the customer may get that category."""
    await hub.hear("hi")
    fallback = {"template": "spring", "language": "en_US", "parameters": []}
    await hub.post({"new_category": "MARKETING", **TEMPLATE}, field="template_category_update")
    row = await outgoing(hub, fallback=fallback)
    hub.clock.advance(25 * 3600)

    await hub.outbox.work()

    assert (await reread(hub, row)).error_message == "window_closed"
    assert hub.whatsapp.sent == []


async def test_a_refused_template_is_no_fallback_any_more(hub: Rooms) -> None:
    """132015 says paused, 132001 that there is no such one."""
    await hub.hear("hi")
    for code, word in ((132015, "status"), (132001, "faulty")):
        hub.whatsapp.outcomes = [refusing(code)]
        await outgoing(hub, Class.NOTICE, kind="template", body=SPRING)
        await hub.outbox.work()

        known = await template(hub)
        assert word in known
        assert not known_templates.is_usable(known)
    assert await alarms(hub) == ["template_refused", "template_refused"]


# --- limits


@pytest.mark.parametrize(
    ("word", "most"),
    [
        (2000, 2000),
        (-1, -1),
        ("TIER_10K", 10_000),
        ("TIER_UNLIMITED", -1),
        ("500", 500),
        ("soon", None),
        (None, None),
        (True, None),
    ],
)
def test_a_tier_is_read_in_every_spelling(word: object, most: int | None) -> None:
    """Numbers since v24, words before."""
    assert tier_of(word) == most


async def test_the_tier_holds_templates_outside_windows(hub: Rooms) -> None:
    """Different customers count, not messages; a reply inside a window goes on; a higher tier lets go."""
    await hub.post({"max_daily_conversations_per_business": 1}, field="business_capability_update")
    for sender in (ANNA, "4915112345678"):
        await hub.hear("hi", sender=sender)
    hub.clock.advance(48 * 3600)
    first = [await outgoing(hub, Class.NOTICE, kind="template", body=SPRING) for _ in range(2)]
    for _ in first:
        await hub.outbox.work()
    await hub.hear("again", sender="4915112345678", wa_id="w9")
    assert [(await reread(hub, row)).status for row in first] == [MessageStatus.SENT] * 2

    other = await _to(hub, "34612345678")
    await hub.outbox.work()
    assert (await reread(hub, other)).status is MessageStatus.PENDING

    await hub.post({"max_daily_conversations_per_business": 2000}, field="business_capability_update")
    await hub.outbox.work()
    assert (await reread(hub, other)).status is MessageStatus.SENT


async def _to(hub: Rooms, phone: str, *, number: str = "106540352242922") -> Message:
    def work(uow: UnitOfWork) -> Message:
        now = hub.clock.now()
        profile = uow.customers.lock(phone, now=now)
        conversation = hub.speaker.thread(uow, profile, now=now)
        row = Message.outgoing(
            conversation_id=conversation.id,
            kind="template",
            body=SPRING,
            to={"wa_id": phone},
            number=number,
            class_=Class.NOTICE,
            origin={"by": "test"},
            now=now,
        )
        uow.conversations.save(conversation.counted(now=now))
        return uow.messages.add(row)

    row: Message = await hub.do(work)
    return row


async def test_a_numbers_changes_are_kept(hub: Rooms) -> None:
    """Throughput by number, the tier for all; being flagged is an alarm."""
    told = {"display_phone_number": "+1 555-0783881", "current_limit": "TIER_10K"}
    await hub.post({"event": "THROUGHPUT_UPGRADE", **told}, field="phone_number_quality_update")
    await hub.post({"event": "FLAGGED", **told}, field="phone_number_quality_update")

    limits = await hub.see(lambda uow: uow.options.get(LIMITS))
    assert (limits["throughput"], limits["tier"]) == ({"15550783881": 1000}, 10_000)
    assert await alarms(hub) == ["number_quality"]


# --- the account


@pytest.mark.parametrize(
    ("value", "stops_campaigns"),
    [
        ({"event": "ACCOUNT_DELETED"}, True),
        ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}, True),
        ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}, False),
        (
            {
                "event": "ACCOUNT_RESTRICTION",
                "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}],
            },
            True,
        ),
        (
            {
                "event": "ACCOUNT_RESTRICTION",
                "restriction_info": [{"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION"}],
            },
            False,
        ),
        ({"event": "VERIFIED_ACCOUNT"}, False),
    ],
)
async def test_restrictions_stop_campaigns_and_nothing_else(
    hub: Rooms, value: dict[str, Any], *, stops_campaigns: bool
) -> None:
    """Replies go on until Graph itself refuses; a person lifts the stop."""
    await hub.hear("hi")
    await hub.do(_opted_in)
    campaign, reply = await outgoing(hub, Class.CAMPAIGN), await outgoing(hub)

    await hub.post(value, field="account_update")
    await hub.outbox.work()
    await hub.outbox.work()

    assert (await reread(hub, reply)).status is MessageStatus.SENT
    wanted = MessageStatus.PENDING if stops_campaigns else MessageStatus.SENT
    assert (await reread(hub, campaign)).status is wanted
    assert "account" in await alarms(hub)
    await hub.do(lambda uow: stops.lift(uow, stops.CAMPAIGNS))
    await hub.outbox.work()
    assert (await reread(hub, campaign)).status is MessageStatus.SENT


def _opted_in(uow: UnitOfWork) -> None:
    from wch.testing import NOON  # noqa: PLC0415 - only here

    profile = uow.customers.lock(ANNA, now=NOON)
    uow.customers.save(profile.consenting("marketing", "in", source="api", now=NOON))


async def test_spam_stops_campaigns_and_rests_the_row_for_a_day_at_most(hub: Rooms) -> None:
    """15 minutes at a time; after a day the row is given up."""
    await hub.hear("hi")
    row = await outgoing(hub, Class.NOTICE, kind="template", body=SPRING)
    hub.whatsapp.outcomes = [refusing(131048), refusing(131048)]

    await hub.outbox.work()
    assert (await reread(hub, row)).status is MessageStatus.PENDING
    assert stops.CAMPAIGNS in await hub.see(lambda uow: stops.standing(uow, now=hub.clock.now()))

    hub.clock.advance(24 * 3600)
    await hub.outbox.work()
    assert (await reread(hub, row)).status is MessageStatus.FAILED


async def test_arrears_stop_templates_until_one_is_taken(hub: Rooms) -> None:
    """Text inside the window goes on; one template a minute is tried, and the first that is taken lifts it."""
    await hub.hear("hi")
    hub.whatsapp.outcomes = [refusing(131042)]
    template = await outgoing(hub, Class.NOTICE, kind="template", body=SPRING)
    await hub.outbox.work()
    text = await outgoing(hub)

    await hub.outbox.work()
    await hub.outbox.work()
    assert (await reread(hub, text)).status is MessageStatus.SENT
    held = await reread(hub, template)
    assert (held.status, held.retry_count) == (MessageStatus.PENDING, 0)

    hub.clock.advance(61)
    await hub.outbox.work()
    assert (await reread(hub, template)).status is MessageStatus.SENT
    assert await hub.see(lambda uow: stops.standing(uow, now=hub.clock.now())) == frozenset()


async def test_a_number_that_cannot_send_stops_alone(hub: Rooms) -> None:
    """Another number of the hub goes on."""
    await hub.hear("hi")
    hub.whatsapp.outcomes = [refusing(133010)]
    held = await outgoing(hub, Class.NOTICE, kind="template", body=SPRING)
    await hub.outbox.work()

    other = await _to(hub, "34612345678", number="2")
    hub.clock.advance(5)
    await hub.outbox.work()

    assert (await reread(hub, held)).status is MessageStatus.PENDING
    assert (await reread(hub, other)).status is MessageStatus.SENT


async def test_a_country_is_skipped_for_a_day(hub: Rooms) -> None:
    """Its rows end, those of other countries leave."""
    await hub.hear("hi")
    hub.whatsapp.outcomes = [refusing(130497)]
    refused = await outgoing(hub)
    await hub.outbox.work()
    after = await outgoing(hub)
    await hub.outbox.work()

    assert (await reread(hub, refused)).status is MessageStatus.FAILED
    assert (await reread(hub, after)).error_message == "policy:country"

    hub.clock.advance(24 * 3600)
    await hub.hear("hi again")
    later = await outgoing(hub)
    await hub.outbox.work()
    assert (await reread(hub, later)).status is MessageStatus.SENT


async def test_what_needs_a_number_asks_for_it_once(hub: Rooms) -> None:
    """WhatsApp's own button, in a row of its own; refused again it is not asked again."""
    await hub.hear("hi")
    hub.whatsapp.outcomes = [refusing(131062), refusing(131062)]
    await outgoing(hub, Class.NOTICE, kind="template", body=SPRING)

    await hub.outbox.work()
    await hub.outbox.work()
    await hub.outbox.work()

    assert [one.message["type"] for one in hub.whatsapp.sent] == ["template", "interactive"]
    assert hub.whatsapp.sent[-1].message["interactive"]["action"] == {"name": "request_contact_info"}


@pytest.mark.parametrize(
    ("field", "value", "raised"),
    [
        ("account_alerts", {"alert_info": {"alert_severity": "CRITICAL", "alert_type": "X"}}, ["account_alert"]),
        ("account_alerts", {"alert_severity": "INFORMATIONAL"}, []),
        ("security", {"event": "PIN_RESET_REQUEST"}, ["security"]),
        ("messages", {"errors": [{"code": 131035, "title": "not delivered"}]}, ["webhook_error"]),
        ("something_new", {"x": 1}, []),
        ("message_template_status_update", {"event": "PAUSED"}, []),
        ("message_template_quality_update", {"new_quality_score": 3}, []),
        ("message_template_components_update", {}, []),
        ("template_category_update", {}, []),
        ("business_capability_update", {"max_phone_numbers_per_waba": 25}, []),
    ],
)
async def test_what_a_person_must_hear_of_is_an_alarm(
    hub: Rooms, field: str, value: dict[str, Any], raised: list[str]
) -> None:
    """Everything else is a line of the audit log; what is not as expected changes nothing."""
    await hub.post(value, field=field)

    assert await alarms(hub) == raised
    assert len(await hub.see(lambda uow: uow.audit.listed(actor="whatsapp"))) == 1


async def test_a_contact_book_names_customers_and_makes_none(hub: Rooms) -> None:
    """An empty name is filled; a name that is there, a removal and a stranger change nothing."""

    def contact(number: str, name: str, action: str = "add") -> dict[str, Any]:
        return {
            "type": "contact",
            "action": action,
            "contact": {"full_name": name, "phone_number": number},
        }

    await hub.hear("hi")
    await hub.hear("hi", sender="4915112345678")
    book = [
        contact(f"+{ANNA}", "Anna"),
        contact(ANNA, "Other"),
        contact("4915112345678", "Boris", "remove"),
        contact("34612345678", "Nobody"),
        contact("x", "Nobody"),
        {"type": "contact"},
        7,
    ]
    await hub.post({"state_sync": book}, field="smb_app_state_sync")

    people = await hub.see(lambda uow: uow.customers.listed())
    assert {one.phone: one.name for one in people} == {ANNA: "Anna", "4915112345678": None}


async def test_a_foreign_number_is_an_alarm_once() -> None:
    """The same delivery again is known."""
    hub = rooms(numbers=("1",))
    for _ in range(2):
        await hub.hear("hi", wa_id="w1")

    assert await alarms(hub) == ["foreign_number"]
