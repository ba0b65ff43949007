"""The examples of the page on operations that need the whole hub and its sandbox, by their numbers."""

from typing import Any

from tests.entrypoints.http.test_whole_hub import MARIA, NO_NIGHT, Town, town
from wch.domain.message import MessageStatus
from wch.domain.saga import SagaState

ADDRESS = "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain"


async def taps(here: Town, *titles: str) -> None:
    """Tap each, where it is offered, and wait for the answer."""
    for title in titles:
        await here.web.post(f"/sandbox/api/customers/{MARIA}/messages", json={"tap": title})
        await here.settles()


async def writes(here: Town, *texts: str) -> None:
    for text in texts:
        await here.hears(text)
        await here.settles()


def offered(here: Town, beginning: str) -> str:
    """The first thing of this kind that the phone offers now."""
    for told in reversed(here.sandbox.messages(MARIA)):
        action: Any = told["body"].get("interactive", {}).get("action", {})
        rows = [one["reply"] for one in action.get("buttons", ())]
        rows += [row for section in action.get("sections", ()) for row in section["rows"]]
        found = next((str(row["id"]) for row in rows if str(row["id"]).startswith(beginning)), None)
        if found is not None:
            return found
    raise AssertionError(beginning)


async def test_example_20_an_order_is_tapped_through() -> None:
    async with town() as here:
        await writes(here, "hi")
        await taps(here, "categories", "Kitchen", "Ceramic Mug")
        await taps(here, offered(here, "add_to_cart_"), "checkout")
        await writes(here, ADDRESS)
        await taps(here, "Use this address", "Standard delivery", "Cash on delivery", "Confirm order")
        await here.web.post("/sandbox/api/clock", json={"advance": "1m"})

        (saga,) = await here.hub.database.read(lambda uow: list(uow.sagas.listed()))
        assert saga.state is SagaState.COMPLETED
        assert "is confirmed" in here.sandbox.messages(MARIA)[-1]["body"]["interactive"]["body"]["text"]


async def test_example_20_three_reminders_by_three_presses() -> None:
    async with town(marketing=NO_NIGHT) as here:
        await writes(here, "hi", "add 1 ceramic mug to cart")
        left = (await here.web.post("/sandbox/api/clock/ahead")).json()
        before = len(here.sandbox.messages(MARIA))
        reached = [(await here.web.post("/sandbox/api/clock/ahead")).json()["reached"] for _ in range(3)]

        cart = await here.hub.carts.show(1)
        assert left["reached"] == "cart 1 is left lying"
        assert reached == [f"reminder {number} of cart 1" for number in (1, 2, 3)]
        assert None not in {cart.reminder_1_sent_at, cart.reminder_2_sent_at, cart.reminder_3_sent_at}
        assert len(here.sandbox.messages(MARIA)) == before + 3


async def test_example_20_an_answer_that_is_lost_is_in_doubt_and_then_settled() -> None:
    async with town() as here:
        for fault in ("timeout_after_accept", "status_lost"):
            await here.order(fault, seconds=0)
        await here.hears("hi")
        await here.hub.worker.drain()
        doubted = await here.outbound()
        for _ in range(2):
            await here.web.post("/sandbox/api/clock", json={"advance": "3m"})
            await here.settles()

        assert doubted == [MessageStatus.UNCONFIRMED]
        assert await here.outbound() == [MessageStatus.DELIVERED]
