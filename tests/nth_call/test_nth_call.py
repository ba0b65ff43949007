"""The n-th call fails, for every n: of the store, of one of its statements, of WhatsApp, of the shop."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.nth_call.stage import ANNA, Stage
from tests.simulation.shelf import open_once
from wch.application import handling
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.testing.faults import Fault, NthCall

EVERY = os.environ.get("WCH_TEST_NTH") == "every"
AT_MOST = 4
"""So many places of each kind are tried for each scenario, spread evenly, unless every one is asked for."""

OUTSIDE = ("whatsapp.", "shop.")
FAULTS = [
    pytest.param("database.", Fault.ERROR, id="the store is away"),
    pytest.param("database.", Fault.LOST_ANSWER, id="a COMMIT without an answer"),
    pytest.param("statement.", Fault.ERROR, id="a row is busy"),
    pytest.param(OUTSIDE, Fault.ERROR, id="a call is not made"),
    pytest.param(OUTSIDE, Fault.LOST_ANSWER, id="a call without an answer"),
]

Scenario = Callable[[Stage], Awaitable[None]]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the work would look for further lines meanwhile: a call more, and the n-th is another."""
    open_once()
    monkeypatch.setattr(handling, "LOOKS_AGAIN", 60.0)


async def greeting(stage: Stage) -> None:
    """A word and its answer."""
    await stage.says("hi")


async def three_words(stage: Stage) -> None:
    """A conversation, its statuses told backwards."""
    for text in ("hi", "help", "mug"):
        await stage.says(text)
    await stage.statuses()


async def cart(stage: Stage) -> None:
    """A cart that is filled, changed and emptied."""
    await stage.looks_at_the_mug()
    await stage.taps("add_to_cart_")
    await stage.says("cart")
    await stage.says("clear cart")


async def sale(stage: Stage) -> None:
    """A whole sale."""
    await stage.buys()


async def shipping(stage: Stage) -> None:
    """An order that is shipped and told of."""
    order_id = await stage.buys()
    await stage.shop.ship(order_id=order_id, carrier="DHL", tracking="JD014600003")
    await stage.until_done(lambda: stage.hub.orders.changed(order_id, action="order.ship", by="ann"))
    await stage.quiet()


async def sold_out(stage: Stage) -> None:
    """An order whose goods are gone when it is placed: all of it is undone."""
    await stage.looks_at_the_mug()
    await stage.taps("add_to_cart_")
    await stage.taps("checkout")
    await stage.shop.set_stock(sku="MUG", stock=0)
    await stage.says("Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain")


async def leaving(stage: Stage) -> None:
    """A customer who wants no more offers."""
    await stage.says("hi")
    await stage.says("stop")


async def a_person(stage: Stage) -> None:
    """A customer who wants a person, and the person who gives the thread back."""
    await stage.says("hi")
    await stage.says("I want to talk to a human")
    threads = await stage.store.read(lambda uow: uow.conversations.listed(limit=5))
    await stage.until_done(lambda: stage.hub.conversations.resolve(threads[0].id, by="ann"))
    await stage.says("hi")


async def refusals(stage: Stage) -> None:
    """WhatsApp refuses for a while, in several ways."""
    for code in (131000, 130429, 131056):
        stage.whatsapp.outcomes.append(
            Refused(error=GraphError(code=code, title="no"), failure=classify(code), retry_after=None)
        )
    await stage.says("hi")


async def letter(stage: Stage) -> None:
    """A delivery that cannot be used is dismissed by a person, beside a word that can."""
    broken = {"messages": [{"from": ANNA, "timestamp": "1772452800", "type": "text", "text": {"body": "x"}}]}
    await stage.hears(broken)
    (found,) = await stage.store.read(lambda uow: uow.dead_letters.listed())
    await stage.until_done(lambda: stage.hub.dead_letters.dismiss(found.id, reason="nobody", by="ann"))
    await stage.says("hi")


async def a_replay(stage: Stage) -> None:
    """The same delivery, replayed: it fails again, and names its parent."""
    broken = {"messages": [{"from": ANNA, "timestamp": "1772452800", "type": "text", "text": {"body": "x"}}]}
    await stage.hears(broken)
    (found,) = await stage.store.read(lambda uow: uow.dead_letters.listed())
    await stage.until_done(lambda: stage.hub.dead_letters.replay(found.id, by="ann"))


SCENARIOS: tuple[Scenario, ...] = (
    *(greeting, three_words, cart, sale, shipping, sold_out),
    *(leaving, a_person, refusals, letter, a_replay),
)


async def _played(scenario: Scenario, plan: NthCall) -> dict[str, Any]:
    stage = await Stage.set_up(plan)
    await scenario(stage)
    return await stage.outcome()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("of", "fault"), FAULTS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: str(one.__name__))
async def test_whatever_fails_once_the_end_is_the_same(
    scenario: Scenario,
    of: str | tuple[str, ...],
    fault: Fault,
    record_property: Callable[[str, object], None],
) -> None:
    """Sent once or counted, accepted, sold, decided: as if nothing had failed, whichever call it was."""
    counting = NthCall(fault, at=0, of=of)
    expected = await _played(scenario, counting)
    step = 1 if EVERY else max(1, counting.passed // AT_MOST)
    tried = len(range(1, counting.passed + 1, step))
    record_property(
        "figures", f"{scenario.__name__}, {fault} of {of}: {tried} of {counting.passed} calls failed in turn"
    )

    for at in range(1, counting.passed + 1, step):
        plan = NthCall(fault, at=at, of=of)
        try:
            found = await _played(scenario, plan)
        except BaseException as error:
            error.add_note(f"{fault} at call {at} of {of}")
            raise
        if of == OUTSIDE:
            # The customer was told of it, and said it once more: what was said differs, and nothing else.
            found = {**found, **{name: expected[name] for name in ("inbound", "said", "outbound")}}
        assert found == expected, f"{fault} at call {at} of {of}"
        assert plan.was_reached
