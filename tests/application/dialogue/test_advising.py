"""The language model: asked last, within its budget, without what tells who somebody is, by the same rules."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.dialogue.chat import Chat
from tests.application.rooms import Rooms, rooms
from wch.application.alarms import ALARM
from wch.application.dialogue.advising import TOOLS
from wch.application.dialogue.model import Talker
from wch.application.ports import UnitOfWork
from wch.domain.circuit_breaker import BreakerRule
from wch.domain.completion import Completion, ModelUnavailableError, ToolCall, redacted, speakable
from wch.domain.conversation import State
from wch.domain.document import JsonObject
from wch.domain.message import Direction, Message, MessageStatus
from wch.testing import NOON


class Oracle:
    """A model that answers as it is told, and keeps what it was asked."""

    def __init__(self, *answers: Completion | Callable[[], Completion]) -> None:
        self.answers = list(answers)
        self.asked: list[Sequence[JsonObject]] = []

    async def complete(self, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> Completion:
        assert tools is TOOLS
        self.asked.append([dict(one) for one in messages])
        answer = self.answers.pop(0) if self.answers else Completion(text="I do not know.")
        return answer() if callable(answer) else answer


def away() -> Completion:
    raise ModelUnavailableError


def tool(name: str, **arguments: Any) -> Completion:
    return Completion(calls=(ToolCall(id="c1", name=name, arguments=arguments),), input_tokens=100, output_tokens=10)


@pytest.fixture
def hub() -> Rooms:
    return rooms()


def advised(chat: Chat, hub: Rooms, oracle: Oracle, *, budget: str = "0", calls: int = 10) -> Chat:
    """The chat with this model behind its fallback."""
    breakers = attrs.evolve(hub.breakers, rules={"assistant": BreakerRule.read("3/2/60")})
    talker = Talker(
        model=oracle,
        database=hub.database,
        clock=chat.clock,
        breakers=breakers,
        calls_per_hour=calls,
        budget=Decimal(budget),
        input_price=Decimal(1_000_000),
        output_price=Decimal(0),
    )
    chat.dialogue = attrs.evolve(chat.dialogue, talker=talker)
    return chat


async def test_what_nobody_understands_is_answered_by_the_model(chat: Chat, hub: Rooms) -> None:
    """Only then; without links, and the misses begin anew."""
    oracle = Oracle(Completion(text="Our lamps glow warm. See https://evil.example/x now"))
    advised(chat, hub, oracle)

    assert await chat.write("menu")
    assert oracle.asked == []
    shown = await chat.write("qwrtz asdf")
    assert "glow warm" in shown
    assert "evil" not in shown
    assert chat.account["intent"] == "assistant"
    assert "misses" not in chat.conversation.context


async def test_it_never_hears_who_somebody_is(chat: Chat, hub: Rooms) -> None:
    """Name, number, mail, order number and code are marks, in what was said before too."""
    oracle = Oracle()
    advised(chat, hub, oracle)
    before = Message(
        id=900,
        direction=Direction.INBOUND,
        type="text",
        content={"v": 1, "text": "mail me at s@x.example"},
        status=MessageStatus.PROCESSED,
        created_at=NOON,
        updated_at=NOON,
    )
    chat.recent = (before,)

    await chat.write("qwrtz Sheena Nelson +1 650 555 1234 SAVE10X 10423")

    said = " ".join(str(one["content"]) for one in oracle.asked[0])
    for secret in ("Sheena", "Nelson", "650", "SAVE10X", "10423", "s@x.example"):
        assert secret not in said
    assert "[mail]" in said


async def test_its_tools_go_by_the_rules(chat: Chat, hub: Rooms) -> None:
    """It looks for a product and puts it into the cart; the shop's stock still holds."""
    lamp = await chat.id_of("Blue Lamp")
    oracle = Oracle(
        tool("search_products", text="lamp"),
        tool("add_to_cart", product_id=lamp, quantity=2),
        Completion(text="Two lamps are in your cart."),
    )
    advised(chat, hub, oracle)

    shown = await chat.write("qwrtz glowing things twice")

    assert chat.lines == [("Blue Lamp", 2)]
    assert chat.state == State.CART_MANAGEMENT
    assert "Two lamps" in shown
    assert "Blue Lamp" in str(oracle.asked[1][-1]["content"])


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("product_details", {"product_id": "x"}, "no such product"),
        ("show_cart", {}, "lines"),
        ("order_status", {}, "shown_to_customer"),
        ("confirm_order", {}, "no such tool"),
        ("add_to_cart", {"product_id": None, "quantity": "many"}, "no such product"),
        ("add_to_cart", {"product_id": 2**80}, "no such product"),
        ("product_details", {"product_id": "1"}, "name"),
    ],
)
async def test_every_tool_answers_whatever_it_is_given(
    chat: Chat, hub: Rooms, name: str, arguments: dict[str, Any], wanted: str
) -> None:
    """What there is no tool for cannot be done."""
    oracle = Oracle(tool(name, **arguments), Completion(text="Well."))
    advised(chat, hub, oracle)

    await chat.write("qwrtz asdf")

    assert wanted in str(oracle.asked[1][-1]["content"])


async def test_it_may_call_a_person_and_talks_in_three_rounds(chat: Chat, hub: Rooms) -> None:
    """After a person was called it says nothing more; a model that only uses tools is given up."""
    advised(chat, hub, Oracle(*[tool("show_cart")] * 5))
    await chat.write("qwrtz asdf")
    assert chat.account["intent"] == "none"

    advised(chat, hub, Oracle(tool("handoff")))
    await chat.write("qwrtz asdf")
    assert chat.state == State.AWAITING_HUMAN
    assert chat.conversation.handoff["reason"] == "assistant"


async def test_failures_are_the_fallback_and_open_the_breaker(chat: Chat, hub: Rooms) -> None:
    """The customer hears what they would hear without it; after three it is not asked."""
    oracle = Oracle(*[away] * 9)
    advised(chat, hub, oracle)

    for _ in range(5):
        await chat.write("menu")
        await chat.write("qwrtz asdf")

    assert len(oracle.asked) == 3
    assert chat.said


async def test_a_conversation_has_so_many_calls_an_hour(chat: Chat, hub: Rooms) -> None:
    """Then the fallback, until the hour is over."""
    oracle = Oracle()
    advised(chat, hub, oracle, calls=2)

    for place in range(3):
        await chat.write(f"qwrtz asdf{'x' * place}")
    assert len(oracle.asked) == 2
    chat.wait(hours=1)
    await chat.write("qwrtz")
    assert len(oracle.asked) == 3


async def test_a_month_has_its_budget(chat: Chat, hub: Rooms) -> None:
    """An alarm once at four fifths, an end at the whole."""
    oracle = Oracle(*[Completion(text="Hm.", input_tokens=45)] * 5)
    advised(chat, hub, oracle, budget="100")

    for place in range(5):
        await chat.write(f"qwrtz asdf{'x' * place}")

    assert len(oracle.asked) == 3
    lines = await hub.see(lambda uow: uow.audit.listed())
    assert [line.action for line in lines] == [f"{ALARM}assistant_budget"]
    (spent,) = await hub.see(_spent)
    assert spent[1]["spent"] == "135"


def _spent(uow: UnitOfWork) -> Any:
    return uow.options.named("assistant.spent.")


def test_words_are_cut_and_marks_stand_for_private_ones() -> None:
    """Whole words only; a short one stays."""
    assert redacted("Ana lives in Banana street 12", ["Ana", "x"]) == "[private] lives in Banana street 12"
    assert len(speakable("a" * 5000)) == 1024
    assert speakable("see www.x.example \n\n ok") == "see ok"
