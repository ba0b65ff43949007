"""Deliveries become rows, once and event by event."""

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.application.rooms import ANNA, BORIS, NUMBER, SECRET, Rooms, answering, delivery, rooms, said, status
from wch.adapters.whatsapp.signature import sign
from wch.application.arrivals import MOST_RAW
from wch.application.dialogue.scene import Answer, Scene
from wch.application.facts import MessageReceived
from wch.application.failpoints import FailpointError, Failpoints
from wch.application.inbox import MOST_EVENTS
from wch.application.intake import BYTES_WITH_EACH
from wch.application.ports import UnitOfWork
from wch.domain.conversation import ConversationStatus, Event, State
from wch.domain.dead_letter import DeadLetterStatus, Reason
from wch.domain.errors import StoreUnavailableError
from wch.domain.message import FOREIGN, Direction, MessageStatus
from wch.domain.moment import unix


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def test_an_unsigned_delivery_leaves_nothing(hub: Rooms) -> None:
    """Nothing is parsed, logged or claimed before the signature holds."""
    body = delivery({"messages": [said("hi")]})

    receipts = [
        await hub.inbox.receive_raw(body, signature="sha256=" + "0" * 64),
        await hub.inbox.receive_raw(body, signature=None),
        await hub.inbox.receive_raw(body, signature=""),
        await hub.inbox.receive_raw(body, signature=b"\xe9"),
        await hub.inbox.receive_raw(body, signature="\udce9"),
        await hub.inbox.receive_raw(body, signature=[sign(body, SECRET).encode()] * 2),
        await hub.inbox.receive(body, []),
    ]

    assert {receipt.status for receipt in receipts} == {"unsigned"}
    assert await hub.see(lambda uow: all(not states for states in uow.census.states().values()))


async def test_a_first_message_makes_everything_at_once(hub: Rooms) -> None:
    """Profile, conversation, row and counters are one transaction."""
    contacts = [{"wa_id": ANNA, "profile": {"name": "Sheena Nelson"}}]

    receipt = await hub.post({"contacts": contacts, "messages": [said("hi", at=1749416383)]})

    assert (receipt.status, receipt.events, receipt.new, receipt.duplicates, receipt.dead) == ("accepted", 1, 1, 0, 0)
    thread, (row,) = await hub.thread(), await hub.rows()
    assert (thread.message_count, thread.unread_count, thread.status) == (1, 1, ConversationStatus.ACTIVE)
    assert (row.status, row.type, row.direction) == (MessageStatus.RECEIVED, "text", Direction.INBOUND)
    assert str(row.sent_at) == "2025-06-08 20:59:43+00:00"
    assert row.created_at == hub.clock.now()
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert (profile.name, profile.last_interaction_at) == ("Sheena Nelson", hub.clock.now())
    assert hub.facts == [MessageReceived(message_id=row.id, conversation_id=thread.id, type="text")]


async def test_what_a_message_older_than_its_customer_asks_for_is_foreseen(
    hub: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after a first contact every message is older than its customer's row; each would ask by itself."""
    await hub.post({"messages": [said("hi")]})
    asked: list[str] = []

    def look(uow: UnitOfWork) -> set[str]:
        older = delivery({"messages": [said("again", wa_id="wamid.again", at=unix(hub.clock.now()) - 60)]})
        events = hub.inbox.codec.read(older, now=hub.clock.now())
        foreseen = set(hub.inbox.intake.option_names(uow, events))
        monkeypatch.setattr(type(uow.options), "get", lambda _, name: asked.append(name))
        assert list(hub.inbox.intake.phones(uow, events)) == [ANNA]
        return foreseen

    foreseen = await hub.see(look)

    assert asked
    assert set(asked) <= foreseen


async def test_who_has_nothing_to_ask_locks_the_same_customers_unasked(hub: Rooms) -> None:
    """Whoever was known before an event was not erased since; whoever was not known is asked about."""
    await hub.post({"messages": [said("hi")]})
    now = unix(hub.clock.now())
    tombstones = hub.inbox.intake.arrivals.tombstones
    await hub.do(lambda uow: tombstones.set(uow, BORIS, None, saga_id="erasure-1", now=hub.clock.now()))
    echo = {"from": "15550783881", "type": "text", "text": {"body": "I am here"}}
    bodies = [
        body
        for phone in (ANNA, BORIS)
        for at in (now - 60, now, now + 60)
        for body in (
            delivery({"messages": [said("hi", sender=phone, at=at)]}),
            delivery({"messages": [said("hi", sender=phone, at=at, group_id="g")]}),
            delivery({"statuses": [status("wamid.x", "read", recipient=phone, at=at)]}),
            delivery(
                {"message_echoes": [{**echo, "to": phone, "id": "wamid.e", "timestamp": str(at)}]},
                field="smb_message_echoes",
            ),
        )
    ]

    def look(uow: UnitOfWork) -> list[tuple[bool, list[str], list[str]]]:
        intake, found = hub.inbox.intake, []
        for body in bodies:
            events = hub.inbox.codec.read(body, now=hub.clock.now())
            asked = bool(intake.option_names(uow, events))
            unasked = intake.phones(uow, events, none_erased=not asked)
            found.append((asked, unasked, intake.phones(uow, events)))
        return found

    found = await hub.see(look)

    assert all(unasked == wanted for _, unasked, wanted in found)
    assert {asked for asked, _, _ in found} == {False, True}
    assert {tuple(wanted) for _, _, wanted in found} == {(), (ANNA,), (BORIS,)}


async def test_a_delivery_of_nothing_is_accepted(hub: Rooms) -> None:
    """WhatsApp sends it again otherwise."""
    receipt = await hub.post()

    assert (receipt.status, receipt.events, receipt.new) == ("accepted", 0, 0)


async def test_a_hundred_at_once_are_one(hub: Rooms) -> None:
    """The unique id decides, however many deliveries race, and nobody gets an error."""
    body = delivery({"messages": [said("hi", wa_id="wamid.same")]})

    receipts = await asyncio.gather(*(hub.inbox.receive_raw(body, signature=sign(body, SECRET)) for _ in range(100)))

    assert sum(receipt.new for receipt in receipts) == 1
    assert sum(receipt.duplicates for receipt in receipts) == 99
    assert (await hub.thread()).message_count == 1
    assert len(hub.facts) == 1


async def test_overlapping_batches_come_out_even(hub: Rooms) -> None:
    """The key is of the event, never of the request."""
    messages = [said(f"m{n}", wa_id=f"wamid.{n}") for n in range(15)]

    await asyncio.gather(
        hub.post({"messages": messages[:10]}),
        hub.post({"messages": messages[5:]}),
        *(hub.post({"messages": [one]}) for one in messages),
    )

    rows = await hub.rows()
    assert sorted(row.wa_message_id or "" for row in rows) == sorted(one["id"] for one in messages)
    assert (await hub.thread()).message_count == 15


async def test_ids_differ_by_case(hub: Rooms) -> None:
    """A store that folds letters would lose a message."""
    await hub.post({"messages": [said("a", wa_id="wamid.A"), said("b", wa_id="wamid.a"), said("c", wa_id="wamid.a ")]})

    assert len(await hub.rows()) == 3


async def test_nine_days_later_it_is_still_known(hub: Rooms) -> None:
    """The unique id has no end, unlike a claim."""
    await hub.hear("hi", wa_id="wamid.1")
    hub.clock.advance(9 * 86_400)

    receipt = await hub.hear("hi", wa_id="wamid.1")

    assert (receipt.new, receipt.duplicates, len(await hub.letters())) == (0, 1, 0)


async def test_the_same_id_with_other_words_is_a_conflict(hub: Rooms) -> None:
    """The first stays; the second is kept for a person, once."""
    await hub.hear("first", wa_id="wamid.1")

    receipts = [await hub.hear("second", wa_id="wamid.1") for _ in range(2)]

    assert [receipt.dead for receipt in receipts] == [1, 0]
    (letter,) = await hub.letters()
    assert letter.reason == Reason.CONFLICT
    assert [row.content["text"] for row in await hub.rows()] == ["first"]


async def test_one_bad_event_never_holds_back_another(hub: Rooms) -> None:
    """Each event of a batch stands alone."""
    good = [said(f"m{n}", sender=f"4915{n:08}") for n in range(48)]
    bad: dict[str, Any] = {"id": "wamid.bad", "timestamp": "1", "type": "text"}

    receipt = await hub.post({"messages": [*good[:20], bad, *good[20:]]})

    assert (receipt.events, receipt.new, receipt.dead) == (49, 48, 1)
    (letter,) = await hub.letters()
    assert (letter.hook, letter.reason, letter.error_message) == (
        "whatsapp.event",
        "validation_failed",
        "message_without_sender",
    )
    assert json.loads(base64.b64decode(letter.args["body"]))["object"] == "whatsapp_business_account"


async def test_a_large_delivery_is_kept_once(hub: Rooms) -> None:
    """A thousand bad events in 4 MiB must not become 4 GiB of dead letters."""
    bad = [{"id": f"wamid.{n}", "timestamp": "1", "type": "text", "pad": "x" * 1000} for n in range(80)]
    body = delivery({"messages": bad})
    assert len(body) > BYTES_WITH_EACH

    await hub.inbox.receive_raw(body, signature=sign(body, SECRET))

    letters = await hub.letters()
    assert len(letters) == 80
    assert [base64.b64decode(one.args["body"]) for one in letters if "body" in one.args] == [body]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"a":1,"a":2}', b"\xff\xfe", b'{"object":"page","entry":[]}'])
async def test_signed_nonsense_is_kept_once(hub: Rooms, body: bytes) -> None:
    """A refusal would bring the same body back for days."""
    receipts = [await hub.inbox.receive_raw(body, signature=sign(body, SECRET)) for _ in range(2)]

    assert [(one.status, one.dead) for one in receipts] == [("accepted", 1), ("accepted", 0)]
    (letter,) = await hub.letters()
    assert (letter.hook, letter.reason) == ("whatsapp.webhook", "validation_failed")
    assert base64.b64decode(letter.args["body"]) == body
    assert letter.metadata["sha256"] == hashlib.sha256(body).hexdigest()


async def test_a_foreign_number_is_not_answered() -> None:
    """Its events are kept, since an operator may have forgotten a setting."""
    hub = rooms(numbers=(NUMBER,))

    receipt = await hub.post({"messages": [said("hi")], "statuses": [status("wamid.x", "sent")]}, number="999")

    assert (receipt.new, receipt.dead) == (0, 2)
    assert {letter.reason for letter in await hub.letters()} == {"foreign_number"}
    assert await hub.see(lambda uow: uow.customers.of(ANNA)) is None


async def test_more_than_two_hundred_events_are_several_transactions(hub: Rooms) -> None:
    """No transaction holds more locks than it must."""
    receipt = await hub.post({"messages": [said("m", sender=f"49{n:09}") for n in range(MOST_EVENTS + 5)]})

    assert receipt.new == MOST_EVENTS + 5


async def test_an_error_of_ours_costs_one_event_only() -> None:
    """The same events are run one by one, and the one that still raises is a dead letter."""
    hub = rooms()
    status_room = hub.inbox.intake.arrivals.statuses
    broken = type(status_room).apply

    def raising(*_given: Any, **_named: Any) -> bool:
        raise RuntimeError

    monkey = pytest.MonkeyPatch()
    monkey.setattr(type(status_room), "apply", raising)
    try:
        receipt = await hub.post({"messages": [said("hi")], "statuses": [status("wamid.x", "sent")]})
    finally:
        monkey.setattr(type(status_room), "apply", broken)

    assert (receipt.new, receipt.dead) == (1, 1)
    (letter,) = await hub.letters()
    assert (letter.reason, letter.error_message) == ("exception", "RuntimeError")
    assert await hub.is_sound()


class Unavailable:
    """A store that does not answer, until it does."""

    def __init__(self, hub: Rooms) -> None:
        self.store = hub.database
        self.down = False

    async def transact(self, work: Any) -> Any:
        if self.down:
            raise StoreUnavailableError
        return await self.store.transact(work)

    async def read(self, work: Any) -> Any:
        return await self.store.read(work)

    async def forget(self) -> bool:
        return True

    def redone(self) -> dict[str, int]:
        return {}

    async def clock_offset(self) -> Any:
        return await self.store.clock_offset()

    async def aclose(self) -> None:
        return await self.store.aclose()


async def test_a_store_that_does_not_answer_is_said_so() -> None:
    """Never 200, never a duplicate: the sender repeats, and then it is accepted once."""
    store = Unavailable(rooms())
    hub = rooms(database=store)
    store.down = True

    with pytest.raises(StoreUnavailableError):
        await hub.hear("hi", wa_id="wamid.1")
    with pytest.raises(StoreUnavailableError):
        await hub.inbox._single(None, None)  # type: ignore[arg-type]  # noqa: SLF001 - the way that is only taken after an error
    store.down = False

    assert (await hub.hear("hi", wa_id="wamid.1")).new == 1


async def test_a_crash_before_the_commit_leaves_nothing() -> None:
    """The sender repeats what was not answered."""
    hub = rooms(failpoints=Failpoints.read("ingress.parsed=raise", testing=True))

    with pytest.raises(FailpointError):
        await hub.hear("hi", wa_id="wamid.1")

    assert await hub.rows() == []
    assert (await hub.hear("hi", wa_id="wamid.1")).new == 1


async def test_a_failing_group_is_taken_apart() -> None:
    """Deliveries that share a transaction do not share their faults."""
    hub = rooms(failpoints=Failpoints.read("ingress.before_commit=raise@2", testing=True))

    receipts = await asyncio.gather(*(hub.hear(f"m{n}", sender=f"49{n:09}") for n in range(5)))

    assert [receipt.new for receipt in receipts] == [1] * 5


async def test_a_caller_who_leaves_tears_nothing() -> None:
    """The transaction goes on to its end; the sender repeats and hears that it is known."""
    hub = rooms()
    leaving = asyncio.create_task(hub.hear("hi", wa_id="wamid.1"))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    receipt = await hub.hear("hi", wa_id="wamid.1")

    assert receipt.events == 1
    assert len(await hub.rows()) == 1


async def test_a_change_of_keys_repeats_nothing() -> None:
    """While several secret keys are known, a claim under each of them counts."""
    old = rooms(keys=("old",))
    new = rooms(keys=("new", "old"), database=old.database)
    event = {"event": "PHONE_NUMBER_ADDED"}
    await old.post(event, field="account_update")

    receipt = await new.post(event, field="account_update")

    assert (receipt.new, receipt.duplicates) == (0, 1)


async def test_a_thread_is_reopened_within_a_day(hub: Rooms) -> None:
    """The same row, from the start; three days later a new one."""
    await hub.hear("hi")
    first = await hub.thread()
    await hub.do(lambda uow: _drained(uow, first.id, hub))
    hub.clock.advance(2 * 3600)

    await hub.hear("again")
    again = await hub.thread()

    assert (again.id, again.status, again.state) == (first.id, ConversationStatus.ACTIVE, State.IDLE)
    await hub.do(lambda uow: _drained(uow, first.id, hub))
    hub.clock.advance(3 * 86_400)
    await hub.hear("much later")
    assert (await hub.thread()).id != first.id


def _drained(uow: UnitOfWork, conversation_id: int, hub: Rooms) -> None:
    thread = uow.conversations.get(conversation_id, lock=True)
    assert thread is not None
    uow.conversations.save(thread.on(Event.RESOLVE, now=hub.clock.now()))


async def test_a_referral_keeps_first_and_latest(hub: Rooms) -> None:
    """Which advertisement brought the customer is asked long afterwards."""
    for source in ("one", "two", "three"):
        await hub.post({"messages": [said("hi", referral={"source_id": source, "source_type": "ad"})]})

    kept = (await hub.thread()).context["referral"]
    assert (kept["first"]["source_id"], kept["latest"]["source_id"]) == ("one", "three")


async def test_reactions_are_not_unread(hub: Rooms) -> None:
    """Two rows, unread unchanged."""
    await hub.hear("hi", wa_id="wamid.1")
    for emoji in ("👍", ""):
        reaction = {"message_id": "wamid.1", **({"emoji": emoji} if emoji else {})}
        await hub.post({"messages": [{**said("", wa_id=f"wamid.r{emoji}"), "type": "reaction", "reaction": reaction}]})

    thread = await hub.thread()
    assert (thread.message_count, thread.unread_count) == (3, 1)


async def test_an_edit_before_handling_changes_what_is_handled(hub: Rooms) -> None:
    """A target that still waits is handled with the new text; an edit of a handled one is only noted."""
    await hub.hear("lamb", wa_id="wamid.1")
    edit = {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "lamp"}}}
    await hub.post({"messages": [{**said("", wa_id="wamid.e"), "type": "edit", "edit": edit}]})

    target = (await hub.rows())[0]
    assert target.content["text"] == "lamp"
    assert len(target.content["edits"]) == 1
    receipt = await hub.hear("lamb", wa_id="wamid.1")
    assert receipt.duplicates == 1


async def test_a_message_taken_back_is_not_handled(hub: Rooms) -> None:
    """What still waits is ended with the reason; an unknown target changes nothing."""
    await hub.hear("oops", wa_id="wamid.1")
    for target, own in (("wamid.1", "wamid.v1"), ("wamid.unknown", "wamid.v2")):
        revoke = {"original_message_id": target}
        await hub.post({"messages": [{**said("", wa_id=own), "type": "revoke", "revoke": revoke}]})

    row = (await hub.rows())[0]
    assert (row.status, row.content["handled"]["silence"]) == (MessageStatus.PROCESSED, "revoke")
    assert "revoked_at" in row.content


async def test_a_handled_message_is_edited_and_revoked_quietly(hub: Rooms) -> None:
    """Nothing is handled twice because its author thought again."""
    await hub.hear("lamb", wa_id="wamid.1")
    await hub.handling.work()
    edit = {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "lamp"}}}
    await hub.post({"messages": [{**said("", wa_id="wamid.e"), "type": "edit", "edit": edit}]})
    revoke = {"original_message_id": "wamid.1"}
    await hub.post({"messages": [{**said("", wa_id="wamid.v"), "type": "revoke", "revoke": revoke}]})

    row = (await hub.rows())[0]
    assert row.content["text"] == "lamb"
    assert row.status is MessageStatus.PROCESSED
    assert {"edits", "revoked_at"} <= row.content.keys()


async def test_groups_belong_to_no_thread(hub: Rooms) -> None:
    """Kept, silent, and nobody's conversation; told twice it is known, told otherwise it is a conflict."""
    receipts = [
        await hub.post({"messages": [said(text, wa_id="wamid.g", group_id="g1")]}) for text in ("hi", "hi", "other")
    ]

    assert [(one.new, one.dead) for one in receipts] == [(1, 0), (0, 0), (0, 1)]
    row = await hub.see(lambda uow: uow.messages.by_wa_id("wamid.g"))
    assert (row.conversation_id, row.type, row.content["handled"]["silence"]) == (None, "group", "group")
    assert await hub.see(lambda uow: uow.customers.of(ANNA)) is None


@pytest.mark.parametrize(("field", "rows"), [("history", 0), ("standby", 1)])
async def test_what_is_not_live_is_not_answered(hub: Rooms, field: str, rows: int) -> None:
    """History is only counted; standby is kept with its reason."""
    await hub.post({"messages": [said("old")]}, field=field)

    kept = await hub.rows()
    assert [row.content["handled"]["silence"] for row in kept] == ["no_action"] * rows
    assert await hub.handling.work() == 0


async def test_a_call_is_one_row(hub: Rooms) -> None:
    """Later events of a call update its row; the same one again changes nothing."""
    for event in ("connect", "terminate", "connect", "terminate"):
        call = {"id": "wacid.1", "from": ANNA, "event": event, "timestamp": "1749416383", "direction": "USER_INITIATED"}
        await hub.post({"calls": [call]}, field="calls")

    (row,) = await hub.rows()
    assert (row.type, row.content["event"]) == ("call", "terminate")


async def test_an_alias_is_noted(hub: Rooms) -> None:
    """The key stays as received; another number in the contact block is an alias."""
    contact = {"wa_id": "5511987654321", "user_id": "BR.1", "profile": {"name": "Ana"}}
    message = said("oi", sender="551187654321", from_user_id="BR.1")

    await hub.post({"contacts": [contact], "messages": [message]})

    profile = await hub.see(lambda uow: uow.customers.of("551187654321"))
    identity = profile.preferences["identity"]
    assert (identity["bsuid"], identity.get("aliases")) == ("BR.1", ["5511987654321"])


async def test_who_writes_can_be_reached(hub: Rooms) -> None:
    """Failures that said otherwise are over when the customer writes."""

    def mark(uow: UnitOfWork) -> None:
        import attrs  # noqa: PLC0415 - only here

        profile = uow.customers.lock(ANNA, now=hub.clock.now())
        uow.customers.save(attrs.evolve(profile, preferences={"v": 1, "unreachable": {"in_a_row": 2}}))

    await hub.do(mark)
    await hub.hear("hi")

    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert "unreachable" not in profile.preferences


async def test_an_echo_calls_a_person(hub: Rooms) -> None:
    """The shop's owner wrote from the phone: the dialogue falls silent, nothing is unread."""
    await hub.hear("hi")
    echo = {"from": "15550783881", "to": ANNA, "id": "wamid.echo", "timestamp": "1749416383", "type": "text"}
    value = {"message_echoes": [{**echo, "text": {"body": "I am here"}}]}

    receipts = [await hub.post(value, field="smb_message_echoes") for _ in range(2)]

    assert [one.new for one in receipts] == [1, 0]
    thread = await hub.thread()
    assert (thread.status, thread.unread_count, thread.message_count) == (ConversationStatus.ESCALATED, 0, 2)
    assert thread.handoff["reason"] == "phone_app"
    row = (await hub.rows())[-1]
    assert (row.status, row.content["origin"]["by"]) == (MessageStatus.SENT, "phone_app")


async def test_an_echo_to_a_stranger_opens_nothing(hub: Rooms) -> None:
    """What the hub's side says first hangs on a resolved thread."""
    echo = {"to": ANNA, "id": "wamid.echo", "timestamp": "1749416383", "type": "text", "text": {"body": "hello"}}

    await hub.post({"message_echoes": [echo]}, field="smb_message_echoes")

    assert (await hub.thread()).status is ConversationStatus.RESOLVED


async def test_an_echo_takes_over_its_placeholder(hub: Rooms) -> None:
    """A status that came before its echo is not lost, and stays no second row."""
    await hub.post({"statuses": [status("wamid.echo", "read", at=1749416390)]})
    echo = {"to": ANNA, "id": "wamid.echo", "timestamp": "1749416383", "type": "text", "text": {"body": "hello"}}
    await hub.post({"message_echoes": [echo]}, field="smb_message_echoes")

    row = await hub.see(lambda uow: uow.messages.by_wa_id("wamid.echo"))
    assert (row.type, row.status) == ("text", MessageStatus.READ)
    assert await hub.see(lambda uow: uow.messages.foreign_before(hub.clock.now())) == []


async def test_an_echoed_revoke_changes_its_target(hub: Rooms) -> None:
    """The phone app takes back what it said."""
    echo = {"to": ANNA, "id": "wamid.e1", "timestamp": "1749416383", "type": "text", "text": {"body": "hello"}}
    revoke = {"to": ANNA, "id": "wamid.e2", "timestamp": "1749416384", "type": "revoke"}
    await hub.post({"message_echoes": [echo]}, field="smb_message_echoes")
    await hub.post(
        {"message_echoes": [{**revoke, "revoke": {"original_message_id": "wamid.e1"}}]}, field="smb_message_echoes"
    )

    assert "revoked_at" in (await hub.rows())[0].content


async def test_preferences_apply_by_their_own_time(hub: Rooms) -> None:
    """A stop at t2 holds against a resume stamped before it; each counts once."""
    for value, at in (("stop", 1749416400), ("stop", 1749416400), ("resume", 1749416300)):
        change = {"wa_id": ANNA, "category": "marketing_messages", "value": value, "timestamp": at}
        await hub.post({"user_preferences": [change]}, field="user_preferences")

    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert (profile.opt_in_marketing, profile.is_out) == (False, True)
    assert len(profile.preferences["consent"]["log"]) == 2


async def test_account_events_are_written_down(hub: Rooms) -> None:
    """Once each, and a very large one only by its beginning."""
    for _ in range(2):
        await hub.post({"event": "ACCOUNT_RESTRICTION", "pad": "x"}, field="account_update")
    await hub.post({"event": "BIG", "pad": "x" * (MOST_RAW - 10)}, field="account_update")

    lines = await hub.see(lambda uow: uow.audit.listed(actor="whatsapp"))
    assert [line.action for line in lines] == ["whatsapp.account_update"] * 2
    assert lines[0].detail["value"]["event"] == "ACCOUNT_RESTRICTION"
    assert lines[1].detail["cut"] is True


async def test_a_payment_status_makes_no_message(hub: Rooms) -> None:
    """It is told to the payments' page; until then it is written down, once."""
    payment = status("wamid.p", "captured", type="payment", payment={"reference_id": "r"})

    receipts = [await hub.post({"statuses": [payment]}) for _ in range(2)]

    assert [one.new for one in receipts] == [1, 0]
    (line,) = await hub.see(lambda uow: uow.audit.listed())
    assert line.action == "whatsapp.status_payment"


async def test_what_is_there_does_not_wait(hub: Rooms) -> None:
    """Two customers at once: one delivery each, both answered."""

    async def quiet(scene: Scene) -> Answer:
        return answering(scene, accounts={one.id: {"silence": "no_action"} for one in scene.messages})

    hub.assistant.script = quiet
    await asyncio.gather(hub.hear("hi"), hub.hear("hallo", sender=BORIS))

    assert await hub.handling.work() == 2
    assert hub.whatsapp.sent == []


async def test_every_recorded_delivery_is_taken_twice(corpus: Path) -> None:
    """Whatever the provider posts becomes rows; the same again is known, and everything is accounted for."""
    hub = rooms()
    bodies = [path.read_bytes() for path in sorted((corpus / "whatsapp").rglob("*.json"))]
    assert bodies

    first = [await hub.inbox.receive_raw(body, signature=sign(body, SECRET)) for body in bodies]
    second = [await hub.inbox.receive_raw(body, signature=sign(body, SECRET)) for body in bodies]

    assert {one.status for one in first} == {"accepted"}
    assert sum(one.new for one in first) > 100
    assert (sum(one.new for one in second), sum(one.dead for one in second)) == (0, 0)
    assert await hub.is_sound()
    conflicts = [letter for letter in await hub.letters() if letter.reason == Reason.EXCEPTION]
    assert conflicts == []
    assert all(letter.status is DeadLetterStatus.PENDING for letter in await hub.letters())


async def test_a_delivery_for_nobody_is_a_placeholder(hub: Rooms) -> None:
    """A status of another application's message leaves a row that is purged later, and no customer."""
    await hub.post({"statuses": [status("wamid.foreign", "sent", at=unix(hub.clock.now()))]})

    row = await hub.see(lambda uow: uow.messages.by_wa_id("wamid.foreign"))
    assert (row.type, row.conversation_id, row.status) == (FOREIGN, None, MessageStatus.SENT)
    assert await hub.see(lambda uow: uow.customers.of(ANNA)) is None


async def test_the_answer_to_an_advertisement_is_free_for_three_days(hub: Rooms) -> None:
    """From the first answer that left within a day, once; only the price is meant, not the window."""
    await hub.post({"messages": [said("hi", referral={"source_id": "one", "source_type": "ad", "body": "x"})]})
    await hub.handling.work()
    await hub.outbox.work()

    first = (await hub.thread()).context
    assert first["free_until"] == "2026-03-05T12:00:00Z"
    assert "body" not in first["referral"]["latest"]
    hub.clock.advance(3600)
    await hub.hear("and?")
    await hub.handling.work()
    await hub.outbox.work()
    assert (await hub.thread()).context["free_until"] == first["free_until"]
