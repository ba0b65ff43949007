"""What a gateway told and nobody could use: kept whole, and taken once more when somebody asks, once."""

import asyncio
import base64
from typing import Any

import attrs
import pytest

from tests.application.rooms import Rooms, rooms, status
from wch.application.payments import EVENT, IncomingPayments, PaymentReceipt
from wch.application.ports import UnitOfWork
from wch.domain.cart import saga_id_of
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.errors import ConflictError, UndecodableError
from wch.domain.moment import of_unix
from wch.domain.payment import BadSignatureError, PaymentEvent, WebhookCall, reference
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga, SagaState
from wch.testing.scripted_gateway import ScriptedGateway

OPENED = of_unix(1_790_000_000)
OURS = reference(7, OPENED)
SAGA = saga_id_of(7, OPENED)
HEADERS = {"signature": "good", "x-event-id": "e", "cookie": "c", "x-forwarded-for": "192.0.2.1"}


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


def payments(hub: Rooms) -> IncomingPayments:
    return hub.dead_letters.payments


def call(**query: str) -> WebhookCall:
    return WebhookCall(headers=HEADERS, query={"key": "evt_1", "ref": OURS, **query}, body=b"{}")


async def placed(hub: Rooms, *, ended: bool = False) -> None:
    """The placement is there now, as after a backup was brought back."""
    now = hub.clock.now()

    def work(uow: UnitOfWork) -> None:
        saga = Saga.begun(SAGA, PLACEMENT, {"money": {"captured": []}}, now=now)
        uow.sagas.add(attrs.evolve(saga, state=SagaState.COMPLETED) if ended else saga)

    await hub.do(work)


async def heard(hub: Rooms) -> list[Any]:
    saga = await hub.see(lambda uow: uow.sagas.get(SAGA))
    return [one["facts"] for one in saga.signals(EVENT)]


async def test_a_letter_keeps_what_a_replay_needs_and_not_who_sent_it(hub: Rooms) -> None:
    await payments(hub).receive("stripe", call())
    (letter,) = await hub.letters()

    assert base64.b64decode(letter.args["body"]) == b"{}"
    assert letter.args["headers"] == {"signature": "good", "x-event-id": "e"}
    assert letter.args["event"]["reference"] == OURS


async def test_a_replayed_event_reaches_the_placement_that_is_there_now(hub: Rooms) -> None:
    """Once, however many ask at the same moment; the event coming again from the gateway is known."""
    await payments(hub).receive("stripe", call())
    (letter,) = await hub.letters()
    await placed(hub)
    answers = await asyncio.gather(
        *(hub.dead_letters.replay(letter.id, by="ana") for _ in range(5)), return_exceptions=True
    )

    assert sum(isinstance(one, DeadLetter) for one in answers) == 1
    assert sum(isinstance(one, ConflictError) for one in answers) == 4
    assert await heard(hub) == [{"gateway": "stripe", "type": "paid"}]
    assert await payments(hub).receive("stripe", call()) is PaymentReceipt.KNOWN
    assert await hub.is_sound()


async def test_a_rehearsed_replay_changes_nothing(hub: Rooms) -> None:
    await payments(hub).receive("stripe", call())
    (letter,) = await hub.letters()
    await placed(hub)
    await hub.dead_letters.rehearse(letter.id, by="ana")

    (after,) = await hub.letters()
    assert (after.status, await heard(hub)) == (DeadLetterStatus.PENDING, [])


async def test_a_placement_that_is_over_is_looked_at_once_more(hub: Rooms) -> None:
    await payments(hub).receive("stripe", call())
    (letter,) = await hub.letters()
    await placed(hub, ended=True)
    await hub.dead_letters.replay(letter.id, by="ana")

    assert await hub.see(lambda uow: [name for name, _ in uow.options.named("payment.late:")]) == [
        f"payment.late:{SAGA}"
    ]


async def test_what_is_still_nobodys_is_a_new_letter_of_this_one(hub: Rooms) -> None:
    await payments(hub).receive("stripe", call())
    (letter,) = await hub.letters()
    await hub.dead_letters.replay(letter.id, by="ana")

    old, new = sorted(await hub.see(lambda uow: uow.dead_letters.listed(status=None)), key=lambda one: one.id)
    assert (old.status, new.status) == (DeadLetterStatus.REPLAYED, DeadLetterStatus.PENDING)
    assert (new.reason, new.metadata["parent"], new.args["event"]) == (old.reason, old.id, old.args["event"])


async def test_news_of_whatsapp_itself_are_replayed_the_same_way(hub: Rooms) -> None:
    told = {"reference_id": OURS, "transaction": {"id": "t-1"}}
    for _ in range(2):
        await hub.post({"statuses": [status("wamid.1", "captured", type="payment", payment=told)]})
    (letter,) = await hub.letters()
    await placed(hub)
    await hub.dead_letters.replay(letter.id, by="ana")

    assert (letter.hook, letter.args.get("body")) == ("payment", None)
    assert await heard(hub) == [{"gateway": "whatsapp_pay", "type": "captured"}]


@pytest.mark.parametrize("told", [None, {}, {"reference_id": 7}, {"reference_id": "order-77"}])
async def test_a_payment_inside_whatsapp_that_is_not_ours_is_kept_as_it_came(hub: Rooms, told: Any) -> None:
    await hub.post({"statuses": [status("wamid.1", "captured", type="payment", payment=told)]})

    assert await hub.letters() == []
    assert [line.action for line in await hub.see(lambda uow: uow.audit.listed())] == ["whatsapp.status_payment"]


class Confused(ScriptedGateway):
    """Signs what nobody understands, until it does."""

    confused = True
    rotated = False

    def verify(self, call: WebhookCall, *, now: Any) -> tuple[PaymentEvent, ...]:
        if self.rotated:
            raise BadSignatureError
        if self.confused:
            raise UndecodableError
        assert call.headers["signature"] == "good"
        return (*super().verify(call, now=now), PaymentEvent(key="x", type="other"))


async def unreadable(hub: Rooms) -> tuple[Confused, DeadLetter]:
    gateway = Confused(clock=hub.clock)
    ways: Any = payments(hub).payments
    object.__setattr__(ways, "gateways", (gateway,))
    assert await payments(hub).receive("stripe", call()) is PaymentReceipt.UNREADABLE
    assert await payments(hub).receive("stripe", call()) is PaymentReceipt.KNOWN
    (letter,) = await hub.letters()
    assert letter.reason == "validation_failed"
    return gateway, letter


async def test_what_can_be_read_at_last_is_heard(hub: Rooms) -> None:
    """Weeks later: the signature is judged as of the day it came."""
    gateway, letter = await unreadable(hub)
    await placed(hub)
    gateway.confused = False
    hub.clock.advance(14 * 86_400)
    await hub.dead_letters.replay(letter.id, by="ana")

    assert await heard(hub) == [{"gateway": "stripe", "type": "paid"}]
    assert await hub.dead_letters.listed() == []


async def test_what_still_cannot_be_read_is_a_new_letter(hub: Rooms) -> None:
    _, letter = await unreadable(hub)
    await hub.dead_letters.replay(letter.id, by="ana")

    (new,) = await hub.dead_letters.listed()
    assert (new.reason, new.metadata["parent"]) == ("validation_failed", letter.id)
    assert new.args["body"] == letter.args["body"]


@pytest.mark.parametrize("why", ["rotated", "switched_off", "without_headers"])
async def test_what_cannot_be_proven_any_more_is_not_replayed(hub: Rooms, why: str) -> None:
    """Fail closed: the letter stays for a person."""
    gateway, letter = await unreadable(hub)
    if why == "rotated":
        gateway.rotated = True
    if why == "switched_off":
        object.__setattr__(payments(hub).payments, "gateways", ())
    if why == "without_headers":

        def strip(uow: UnitOfWork) -> None:
            held = uow.dead_letters.get(letter.id, lock=True)
            assert held is not None
            uow.dead_letters.save(attrs.evolve(held, args={"gateway": "stripe", "body": held.args["body"]}))

        await hub.do(strip)
    with pytest.raises(ConflictError):
        await hub.dead_letters.replay(letter.id, by="ana")

    (after,) = await hub.letters()
    assert after.status is DeadLetterStatus.PENDING
