"""Faults that were ordered act, for as many calls as were ordered, and then no more."""

import pytest

from tests.adapters.sandbox.world import MARIA, body_of, code_of, world
from wch.adapters.sandbox.faults import FaultKind, FaultRefusedError, Faults


async def test_duplicate_brings_a_delivery_twice() -> None:
    """The same bytes, once."""
    async with world() as here:
        here.sandbox.faults.order("duplicate")
        await here.hears("one")
        await here.hears("two")

    texts = [message["text"]["body"] for message in here.hub.messages]
    assert texts == ["one", "one", "two"]
    assert here.hub.caught[0].raw == here.hub.caught[1].raw


async def test_reorder_brings_a_message_after_the_next() -> None:
    """The script is told that the first one is held back."""
    async with world() as here:
        here.sandbox.faults.order("reorder", seconds=60)
        first = await here.hears("one")
        second = await here.hears("two")

    assert (first["status"], first["held"]) == (None, True)
    assert (second["status"], second["held"]) == (200, False)
    assert [message["text"]["body"] for message in here.hub.messages] == ["two", "one"]


async def test_reorder_lets_a_lone_message_go_in_the_end() -> None:
    """Held back is not lost."""
    async with world() as here:
        here.sandbox.faults.order("reorder", seconds=0)
        await here.hears("one")
        await here.sandbox.settle()

    assert len(here.hub.messages) == 1


async def test_reorder_reports_a_send_backwards() -> None:
    """First delivered, then sent: a status only ever moves up."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("reorder")
        await here.say()

    assert here.hub.words() == ["delivered", "sent"]


async def test_batch_brings_so_many_messages_in_one_delivery() -> None:
    """The last one's answer tells how the delivery was taken."""
    async with world() as here:
        here.sandbox.faults.order("batch", calls=3, seconds=60)
        said = [await here.hears(word) for word in ("one", "two", "three")]
        await here.hears("four")

    assert [one["held"] for one in said] == [True, True, False]
    assert said[2]["status"] == 200
    assert [len(delivery.messages) for delivery in here.hub.caught] == [3, 1]


async def test_batch_does_not_wait_for_ever() -> None:
    """What there is goes out after its time."""
    async with world() as here:
        here.sandbox.faults.order("batch", calls=3, seconds=0)
        await here.hears()
        await here.sandbox.settle()

    assert len(here.hub.messages) == 1


async def test_status_first_reports_before_it_answers() -> None:
    """The webhook beats the hub's own commit."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("status_first")
        answer = await here.call(
            {"messaging_product": "whatsapp", "to": MARIA, "type": "text", "text": {"body": "hello"}}
        )
        assert here.hub.words() == ["sent", "delivered"]

    assert answer.status == 200


async def test_status_lost_never_reports() -> None:
    """Not even that it was read."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("status_lost")
        await here.say()
        await here.hears()
        await here.sandbox.settle()

    assert not here.hub.statuses


async def test_timeout_after_accept_takes_and_reports_but_does_not_answer() -> None:
    """Only the echo can tell the hub that it went out."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("timeout_after_accept", seconds=7)
        answer = await here.say()
        log = here.sandbox.graph_log()

    assert answer.cut_after == 7
    assert here.hub.words() == ["sent", "delivered"]
    assert here.hub.statuses[0]["biz_opaque_callback_data"] == "wch1.7"
    assert (log[0]["status"], log[0]["answer"], log[0]["fault"]) == (None, None, "timeout_after_accept")


@pytest.mark.parametrize(("code", "status"), [(131000, 500), (130429, 400), (190, 401), (131005, 403), (999999, 400)])
async def test_error_refuses_with_its_code(code: int, status: int) -> None:
    """And with the HTTP status that comes with it: throttling is 400."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("error", calls=2, code=code)
        refused = [await here.say(), await here.say()]
        taken = await here.say()

    assert [(one.status, code_of(one)) for one in refused] == [(status, code)] * 2
    assert taken.status == 200


async def test_an_asynchronous_error_is_taken_first() -> None:
    """Many refusals come as a status only."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("error", code=131026, asynchronous=True)
        answer = await here.say()

    assert answer.status == 200
    assert here.hub.statuses[0]["status"] == "failed"
    assert here.hub.statuses[0]["errors"][0]["code"] == 131026


async def test_slow_answers_later() -> None:
    """And then as always."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("slow", seconds=0)
        answer = await here.say()
        log = here.sandbox.graph_log()

    assert answer.status == 200
    assert log[0]["fault"] == "slow"


async def test_down_refuses_every_call_with_what_graph_says_when_it_is_away() -> None:
    """Receipts too, and nothing was sent."""
    async with world() as here:
        await here.hears()
        here.sandbox.faults.order("down", calls=2)
        sent = await here.say()
        read = await here.call({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x"})
        after = await here.say()

    assert [(one.status, code_of(one)) for one in (sent, read)] == [(503, 2)] * 2
    assert body_of(after)["messages"]
    assert here.hub.words() == ["sent", "delivered"]


async def test_bsuid_only_hides_the_number_once() -> None:
    """The next message has both, and so the two are one customer."""
    async with world() as here:
        here.sandbox.faults.order("bsuid_only")
        await here.hears()
        await here.hears()

    hidden, open_ = here.hub.messages
    assert "from" not in hidden
    assert open_["from"] == MARIA
    assert hidden["from_user_id"] == open_["from_user_id"]


def test_faults_are_listed_with_what_is_left_and_cleared() -> None:
    """Oldest first."""
    faults = Faults()
    faults.order("error", calls=3, code=131026)
    faults.order("slow", seconds=1.5)
    faults.take(FaultKind.ERROR)

    listed = faults.listed()
    faults.clear()

    assert [(one["fault"], one["calls"]) for one in listed] == [("error", 2), ("slow", 1)]
    assert set(listed[0]) == {"fault", "calls", "share", "code", "seconds", "asynchronous"}
    assert not faults.listed()


def test_an_unknown_fault_is_told_the_known_ones() -> None:
    """Whoever mistyped it reads the right word."""
    with pytest.raises(FaultRefusedError, match="timeout_after_accept"):
        Faults().order("timeout")


@pytest.mark.parametrize(("calls", "seconds"), [(0, 1.0), (-1, 1.0), (1, -1.0), (1, 1e9), (10**9, 1.0)])
def test_figures_that_make_no_sense_are_refused(calls: int, seconds: float) -> None:
    """A fault that never acts, or never ends, helps nobody."""
    with pytest.raises(FaultRefusedError):
        Faults().order("slow", calls=calls, seconds=seconds)


@pytest.mark.parametrize(("share", "struck"), [(1.0, 20), (0.5, 10), (0.25, 5), (0.3, 6), (0.05, 1)])
def test_a_share_of_the_calls_goes_wrong(share: float, struck: int) -> None:
    """Exactly that many of them, evenly, and the fault is over after its calls."""
    faults = Faults()
    faults.order("error", calls=20, share=share)

    taken = [faults.take(FaultKind.ERROR) is not None for _ in range(21)]

    assert sum(taken) == struck
    assert not taken[20]
    assert faults.listed() == []


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_no_other_share_is_taken(share: float) -> None:
    """More than nothing, at most all."""
    with pytest.raises(FaultRefusedError, match="share"):
        Faults().order("error", share=share)
