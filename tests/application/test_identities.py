"""Numbers change, ids stand for numbers, numbers find new owners: one person stays one customer."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, Rooms, answering, rooms, said
from wch.application.alarms import ALARM
from wch.application.people import ALIAS
from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart, total_of
from wch.domain.conversation import ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.message import Class, Message
from wch.domain.moment import unix
from wch.domain.phone import surrogate
from wch.domain.saga import Saga
from wch.testing import NOON
from wch.testing.contract.samples import item

NEW = "12195555358"
BSUID = "US.13491208655302741918"
OTHER_ID = "US.24817305912873645029"
KEY = "u3fi6r42alxn7exdxkwk"


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def people(hub: Rooms) -> dict[str, CustomerProfile]:
    return {one.phone: one for one in await hub.see(lambda uow: uow.customers.listed())}


async def say(hub: Rooms, text: str, *, number: str | None = None, user_id: str | None = None, **more: Any) -> None:
    """A message by number, by id, or by both."""
    message = {**said(text, at=unix(hub.clock.now())), **more}
    del message["from"]
    if number is not None:
        message["from"] = number
    if user_id is not None:
        message["from_user_id"] = user_id
    await hub.post({"messages": [message]})


async def system(hub: Rooms, *, sender: str | None = None, **body: Any) -> None:
    message = {"id": f"s{body.get('user_id', body.get('wa_id'))}", "timestamp": str(unix(hub.clock.now()))}
    told = {**message, "type": "system", "system": body, **({"from": sender} if sender else {})}
    await hub.post({"messages": [told]})


def with_cart(uow: UnitOfWork) -> None:
    lines = (item(5),)
    uow.carts.add(attrs.evolve(Cart.opened(ANNA, now=NOON), items=lines, total=total_of(lines)))
    profile = uow.customers.lock(ANNA, now=NOON)
    uow.customers.save(profile.consenting("marketing", "in", source="api", now=NOON))


# --- a number changes


async def test_a_number_change_moves_everything_once(hub: Rooms) -> None:
    """Thread, cart and consent have the new key; told twice it is told once; nothing is answered."""
    await hub.hear("hi")
    await hub.do(with_cart)
    for _ in range(2):
        await system(hub, sender=ANNA, type="user_changed_number", wa_id=NEW, body="x")

    known = await people(hub)
    assert set(known) == {NEW}
    assert known[NEW].opt_in_marketing
    assert [(one["from"], one["to"]) for one in known[NEW].preferences["identity"]["history"]] == [(ANNA, NEW)]
    assert await hub.see(lambda uow: uow.carts.of(NEW)) is not None
    assert [row.type for row in await hub.rows(NEW)] == ["text", "system"]
    assert await hub.see(lambda uow: uow.carts.of(ANNA)) is None
    assert await hub.is_sound()


async def test_a_new_number_brings_a_new_id_and_no_new_owner(hub: Rooms) -> None:
    """WhatsApp makes another user id with another number and tells both at once: consent stays, nobody is called."""
    await say(hub, "hi", number=ANNA, user_id=BSUID)
    await hub.do(with_cart)
    await system(hub, sender=ANNA, type="user_changed_number", wa_id=NEW, user_id=OTHER_ID, body="x")
    await say(hub, "it is me", number=NEW, user_id=OTHER_ID)
    await say(hub, "and without a number", user_id=OTHER_ID)

    (known,) = (await people(hub)).values()
    assert (known.phone, known.opt_in_marketing, known.new_owner_since) == (NEW, True, None)
    assert known.preferences["identity"]["bsuid"] == OTHER_ID


async def test_who_writes_from_the_old_number_is_somebody_new(hub: Rooms) -> None:
    """An empty profile begins; the alias ends, and the person who left keeps what is theirs."""
    await hub.hear("hi")
    await hub.do(with_cart)
    await system(hub, sender=ANNA, type="user_changed_number", wa_id=NEW, body="x")

    await hub.hear("hello, I am new")

    known = await people(hub)
    assert (known[ANNA].opt_in_marketing, known[ANNA].marketing_opted_at) == (False, None)
    assert [row.content["text"] for row in await hub.rows(ANNA)] == ["hello, I am new"]
    assert await hub.see(lambda uow: uow.options.get(f"{ALIAS}{ANNA}")) is None
    assert known[NEW].opt_in_marketing


async def test_a_change_to_a_number_that_is_known_merges(hub: Rooms) -> None:
    """Both wrote before: one customer, and an opt-out of either holds."""
    await hub.hear("hi")
    await hub.hear("hi", sender=NEW)
    await hub.do(with_cart)
    await hub.do(_out)

    await system(hub, sender=ANNA, type="customer_changed_number", customer=ANNA, new_wa_id=NEW)

    (one,) = (await people(hub)).values()
    assert (one.phone, one.is_out) == (NEW, True)


def _out(uow: UnitOfWork) -> None:
    profile = uow.customers.lock(NEW, now=NOON)
    uow.customers.save(profile.consenting("marketing", "out", source="api", now=NOON))


@pytest.mark.parametrize("body", [{"wa_id": ANNA}, {}, {"wa_id": "x"}])
async def test_a_change_that_names_no_other_number_changes_nothing(hub: Rooms, body: dict[str, str]) -> None:
    """Old and new alike, or no new one."""
    await hub.hear("hi")
    await system(hub, sender=ANNA, type="user_changed_number", **body)

    assert set(await people(hub)) == {ANNA}


# --- an id instead of a number


async def test_an_id_and_its_number_become_one_customer_and_two_again(hub: Rooms) -> None:
    """The answer goes to the id, later to the number; history is together; undone, they are two."""
    await say(hub, "one", user_id=BSUID)
    await hub.handling.work()
    await hub.outbox.work()
    assert set(await people(hub)) == {KEY}
    assert (hub.whatsapp.sent[0].message["recipient"], "to" in hub.whatsapp.sent[0].message) == (BSUID, False)

    await say(hub, "two", number=ANNA, user_id=BSUID)
    await say(hub, "three", user_id=BSUID)

    assert set(await people(hub)) == {ANNA}
    texts = [row.content["text"] for row in await hub.rows() if "text" in row.content]
    assert texts == ["one", "two", "three"]
    await hub.handling.work()
    await hub.outbox.work()
    assert hub.whatsapp.sent[-1].message["to"] == f"+{ANNA}"

    (merge,) = await hub.see(lambda uow: uow.options.named("customer.merge."))
    await hub.merges.undo(int(merge[0].removeprefix("customer.merge.")), by="ana")
    assert set(await people(hub)) == {ANNA, KEY}
    assert await hub.is_sound()


async def test_a_number_with_its_id_from_the_beginning_leads_the_id(hub: Rooms) -> None:
    """A message of the id alone belongs to the number."""
    await say(hub, "one", number=ANNA, user_id=BSUID)
    await say(hub, "two", user_id=BSUID)

    assert set(await people(hub)) == {ANNA}
    assert len(await hub.rows()) == 2


async def test_a_card_that_was_asked_for_tells_the_number(hub: Rooms) -> None:
    """Only one that was shared because we asked; any other card is just a card."""
    card = {"phones": [{"phone": f"+{ANNA}"}]}
    await say(hub, "", user_id=BSUID, type="contacts", contacts=[card])
    assert set(await people(hub)) == {KEY}

    odd_ones: list[list[dict[str, Any]]] = [[], [{"phones": []}], [{"phones": [{"phone": "x"}]}], [{"phones": ["x"]}]]
    for odd in odd_ones:
        await say(hub, "", user_id=BSUID, type="contacts", contacts=odd, origin="contact_request/other")
    assert set(await people(hub)) == {KEY}

    await say(hub, "", user_id=BSUID, type="contacts", contacts=[card], origin="contact_request/other")
    assert set(await people(hub)) == {ANNA}


async def test_a_changed_id_moves_with_its_person(hub: Rooms) -> None:
    """By the system message, or by the list of updates; of a number the id is noted and nobody is new."""
    await say(hub, "one", user_id=BSUID)
    body = f"User X changed from {BSUID} to {OTHER_ID}"
    await system(hub, type="user_changed_user_id", user_id=OTHER_ID, body=body)
    assert set(await people(hub)) == {surrogate(OTHER_ID)}

    await say(hub, "two", number=ANNA, user_id=OTHER_ID)
    updates = [
        {"wa_id": ANNA, "user_id": {"previous": OTHER_ID, "current": BSUID}},
        {"wa_id": "4911", "user_id": {"previous": "US.9", "current": "US.8"}},
        {"user_id": "x"},
        7,
    ]
    await hub.post({"user_id_update": updates}, field="user_id_update")
    await say(hub, "three", number=ANNA, user_id=BSUID)
    await say(hub, "four", user_id=BSUID)

    (one,) = (await people(hub)).values()
    assert (one.phone, one.preferences["identity"]["bsuid"], one.new_owner_since) == (ANNA, BSUID, None)
    assert len(await hub.rows()) == 5


# --- another owner


async def test_another_id_behind_a_number_begins_anew(hub: Rooms) -> None:
    """The thread ends, an opt-in lapses, and a person is told; who is out stays out."""
    await say(hub, "one", number=ANNA, user_id=BSUID)
    await hub.do(with_cart)
    first = await hub.thread()

    await say(hub, "who is this?", number=ANNA, user_id=OTHER_ID)

    second = await hub.thread()
    assert second.id != first.id
    old = await hub.see(lambda uow: uow.conversations.get(first.id))
    assert old.status is ConversationStatus.RESOLVED
    profile = (await people(hub))[ANNA]
    assert (profile.opt_in_marketing, profile.marketing_opted_at) == (False, None)
    assert profile.new_owner_since == hub.clock.now()
    lines = await hub.see(lambda uow: uow.audit.listed())
    assert [line.action for line in lines if line.action.startswith(ALARM)] == [f"{ALARM}new_owner"]

    hub.clock.advance(60)
    await say(hub, "and now?", number=ANNA, user_id=OTHER_ID)
    assert (await hub.thread()).id == second.id
    same = profile.owned_as_before(now=hub.clock.now())
    assert same.new_owner_since is None


async def test_two_spellings_that_both_write_are_suggested_to_a_person(hub: Rooms) -> None:
    """They stay two customers; the suggestion is made once."""
    for sender in ("5511987654321", "551187654321", "551187654321"):
        await hub.hear("oi", sender=sender)

    assert len(await people(hub)) == 2
    lines = await hub.see(lambda uow: uow.audit.listed(action="customer.merge_suggested"))
    assert len(lines) == 1


async def test_an_opt_out_of_one_spelling_holds_for_both(hub: Rooms) -> None:
    """A campaign to the one does not leave when the other is out; a reply does."""
    for sender in ("5511987654321", "551187654321"):
        await hub.hear("oi", sender=sender)
    await hub.handling.work()

    def decide(uow: UnitOfWork) -> None:
        for phone, to in (("5511987654321", "in"), ("551187654321", "out")):
            profile = uow.customers.lock(phone, now=NOON)
            uow.customers.save(profile.consenting("marketing", to, source="api", now=NOON))

    await hub.do(decide)
    thread = await hub.thread("5511987654321")
    campaign = Message.outgoing(
        conversation_id=thread.id,
        kind="text",
        body={"type": "text", "text": {"body": "offer"}},
        to={"wa_id": "5511987654321"},
        number="1",
        class_=Class.CAMPAIGN,
        origin={"by": "test"},
        now=hub.clock.now(),
    )
    row = await hub.do(lambda uow: uow.messages.add(campaign))
    for _ in range(3):
        await hub.outbox.work()

    assert (await hub.see(lambda uow: uow.messages.get(row.id))).error_message == "policy:optout"
    assert len(hub.whatsapp.sent) == 2


def placing(phone: str) -> Any:
    """A cart that is being ordered, at any time later than another one's."""

    def work(uow: UnitOfWork) -> str:
        lines = (item(5),)
        kept = uow.carts.add(attrs.evolve(Cart.opened(phone, now=NOON), items=lines, total=total_of(lines)))
        context = {"customer": {"phone": phone}}
        return uow.sagas.add(Saga.begun(kept.saga_id, "placement", context, now=NOON)).saga_id

    return work


async def test_an_order_that_is_being_placed_comes_along(hub: Rooms) -> None:
    """By a card, by a number beside the id, by a new number: whoever it is, the order is theirs."""
    await say(hub, "one", user_id=BSUID)
    saga_id = await hub.do(placing(KEY))

    await say(
        hub, "", user_id=BSUID, type="contacts", contacts=[{"phones": [{"phone": ANNA}]}], origin="contact_request"
    )
    await system(hub, sender=ANNA, type="user_changed_number", wa_id=NEW, body="x")

    assert set(await people(hub)) == {NEW}
    assert (await hub.see(lambda uow: uow.sagas.get(saga_id))).customer == NEW
    assert (await hub.see(lambda uow: uow.carts.of(NEW))).saga_id == saga_id
    assert await hub.letters() == []


async def test_the_cart_that_is_being_ordered_stays(hub: Rooms) -> None:
    """Whichever of the two changed later."""
    await hub.hear("hi")
    saga_id = await hub.do(placing(ANNA))
    hub.clock.advance(60)
    await hub.hear("hi", sender=NEW)
    await hub.do(with_cart_of(NEW))

    await system(hub, sender=ANNA, type="user_changed_number", wa_id=NEW, body="x")

    assert (await hub.see(lambda uow: uow.carts.of(NEW))).saga_id == saga_id


async def test_two_orders_at_once_are_a_persons_business(hub: Rooms) -> None:
    """One customer has one cart: both orders go on, and nothing is lost in a dead letter."""
    await hub.hear("hi")
    await hub.hear("hi", sender=NEW)
    sagas = [await hub.do(placing(ANNA)), await hub.do(placing(NEW))]

    await system(hub, sender=ANNA, type="user_changed_number", wa_id=NEW, body="x")

    assert set(await people(hub)) == {ANNA, NEW}
    assert [(await hub.see(lambda uow: uow.sagas.get(one))).customer for one in sagas] == [ANNA, NEW]  # noqa: B023 - awaited here
    assert "customer.merge_suggested" in [one.action for one in await hub.see(lambda uow: uow.audit.listed())]
    assert await hub.letters() == []
    hub.assistant.script = _quiet
    await hub.handling.work()


async def test_orders_that_were_placed_are_the_new_numbers_too(hub: Rooms) -> None:
    """What is paid back a month later reaches who paid; undone, all of it goes back."""
    await hub.hear("hi")

    def ordered(uow: UnitOfWork) -> None:
        context = {"customer": {"phone": ANNA}}
        done = Saga.begun("order-9-1", "placement", context, now=NOON).completed(now=NOON)
        uow.sagas.add(done)
        uow.sagas.add(Saga.begun("order-8-1", "placement", {"customer": {"phone": "1"}}, now=NOON))
        uow.sagas.add(Saga.begun("refund-7-1", "refund", context, now=NOON))
        uow.options.put("shop:order:7", {"v": 1, "phone": ANNA, "saga": "order-9-1"})

    await hub.do(ordered)
    await system(hub, sender=ANNA, type="user_changed_number", wa_id=NEW, body="x")

    async def customers() -> list[str | None]:
        return [one.customer for one in await hub.see(lambda uow: uow.sagas.listed())]

    assert await customers() == ["1", NEW, NEW]
    ((name, _),) = await hub.see(lambda uow: uow.options.named("customer.merge."))
    await hub.merges.undo(int(name.rpartition(".")[2]), by="ana")
    assert await customers() == ["1", ANNA, ANNA]


def with_cart_of(phone: str) -> Any:
    def work(uow: UnitOfWork) -> None:
        lines = (item(5),)
        later = NOON + timedelta(seconds=60)
        uow.carts.add(attrs.evolve(Cart.opened(phone, now=later), items=lines, total=total_of(lines)))

    return work


async def _quiet(scene: Any) -> Any:
    return answering(scene, "ok")
