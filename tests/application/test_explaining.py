"""Whoever asks why is answered by the rules that decided, or that would decide now."""

from datetime import timedelta
from typing import cast

import attrs
import pytest

from tests.application.campaigning import Campaigning, campaigning
from tests.application.rooms import ANNA
from wch.application.explaining import Explaining, Explanation, sentence
from wch.application.notifications import Notifications
from wch.application.reminders import Reminders
from wch.domain.errors import NotFoundError
from wch.domain.hindsight import UNDATED
from wch.domain.verdict import RULES
from wch.testing import NOON


@pytest.fixture
async def shop() -> Campaigning:
    made = campaigning()
    await made.template()
    return made


def explaining(shop: Campaigning) -> Explaining:
    not_asked = cast("Reminders", None)  # carts are explained in the tests of the reminders
    return Explaining(
        database=shop.hub.database,
        clock=shop.hub.clock,
        targeting=shop.fanning_out.targeting,
        reminders=not_asked,
        notifications=cast("Notifications", None),  # and order notices in theirs
    )


async def test_what_was_sent_has_its_trace(shop: Campaigning) -> None:
    """Every rule as it was answered then, and what became of it since."""
    await shop.people(1)
    plan = await shop.begun()
    await shop.run(minutes=1)
    (row,) = await shop.rows(plan)
    message = await shop.hub.see(lambda uow: uow.messages.by_wa_id(row.wa_message_id or ""))

    told = await explaining(shop).recipient(row.id)
    of_message = await explaining(shop).message(message.id)

    assert (told.outcome, told.reason) == ("done", None)
    assert [one["rule"] for one in told.rules] == list(RULES)
    assert {one["verdict"] for one in told.rules} == {"allow"}
    assert [one["what"] for one in told.history] == ["recipient written", "written", "sent"]
    assert of_message == attrs.evolve(told, subject=f"message:{message.id}")


async def test_what_waits_says_until_when(shop: Campaigning) -> None:
    """By the rules as of now."""
    await shop.people(1)
    shop.hub.clock.set(NOON.replace(hour=22))
    plan = await shop.begun()
    await shop.drain()
    (row,) = await shop.rows(plan)

    told = await explaining(shop).recipient(row.id)

    assert (told.outcome, told.reason) == ("hold", "quiet")
    assert told.until is not None
    assert told.until.hour == 7
    assert "until 2026-03-03T07:00:00Z" in next(sentence(one) for one in told.rules if one["rule"] == "quiet")


async def test_a_pause_is_told_as_such(shop: Campaigning) -> None:
    """The campaign's state is one of the facts."""
    await shop.people(60)
    plan = await shop.begun()
    await shop.fanning_out.work()
    await shop.broadcasts.pause(plan.id, by="ana")
    rows = await shop.rows(plan)

    told = await explaining(shop).recipient(rows[-1].id)

    assert (told.outcome, told.reason) == ("hold", "subject:paused")


async def test_a_skip_names_its_rule(shop: Campaigning) -> None:
    """And every other rule says allow."""
    (phone,) = await shop.people(1)
    await shop.change(phone, lambda one: one.blocked("rude", by="ana", now=NOON))
    plan = await shop.begun()
    await shop.run(minutes=1)
    (row,) = await shop.rows(plan)

    told = await explaining(shop).recipient(row.id)

    assert (told.outcome, told.reason) == ("done", "skipped_blocked")
    assert [one["rule"] for one in told.rules if one["verdict"] != "allow"] == ["customer"]


async def test_an_answer_of_the_dialogue_is_explained_too(shop: Campaigning) -> None:
    """What a customer said by what was made of it, what was answered by its way."""
    await shop.hub.hear("hello")
    await shop.hub.worker().drain()
    said, answered = await shop.hub.rows(ANNA)

    heard = await explaining(shop).message(said.id)
    replied = await explaining(shop).message(answered.id)

    assert (heard.outcome, heard.reason) == ("done", "test")
    assert (replied.outcome, replied.reason) == ("done", "sent")
    with pytest.raises(NotFoundError):
        await explaining(shop).message(10**6)
    with pytest.raises(NotFoundError):
        await explaining(shop).recipient(10**6)


# --- earlier moments


async def test_a_held_recipient_is_told_as_it_stood_then(shop: Campaigning) -> None:
    """Held at night and sent in the morning: each moment has its own answer, and nothing that came after it."""
    night = NOON.replace(hour=22)
    shop.hub.clock.set(night)
    await shop.people(1)
    plan = await shop.begun()
    await shop.drain()
    shop.hub.clock.set(night + timedelta(hours=9, minutes=1))
    await shop.drain()
    (row,) = await shop.rows(plan)
    assert row.status.value == "sent"

    then = await explaining(shop).recipient(row.id, at=night + timedelta(minutes=30))
    after = await explaining(shop).recipient(row.id, at=night + timedelta(hours=10))

    assert (then.outcome, then.reason) == ("hold", "quiet")
    assert then.until == night + timedelta(hours=9)
    assert [one["what"] for one in then.history] == ["recipient written"]
    assert {one["rule"] for one in then.rules if one["facts"].get("as_of") == "now"} == set(UNDATED)
    assert after.outcome == "done"
    assert {one["verdict"] for one in after.rules} == {"allow"}


async def test_a_withdrawal_and_a_pause_are_dated(shop: Campaigning) -> None:
    """Consent is that of its log, the campaign's state that of its own."""
    night = NOON.replace(hour=22)
    shop.hub.clock.set(night)
    (phone,) = await shop.people(1)
    plan = await shop.begun()
    await shop.drain()
    (row,) = await shop.rows(plan)
    shop.hub.clock.advance(600)
    out = shop.hub.clock.now()
    await shop.change(phone, lambda one: one.consenting("marketing", "out", source="keyword", now=out))
    await shop.broadcasts.pause(plan.id, by="ana")
    shop.hub.clock.advance(600)

    def verdicts(told: Explanation) -> dict[str, str]:
        return {str(one["rule"]): str(one["verdict"]) for one in told.rules if one["rule"] in {"consent", "subject"}}

    assert verdicts(await explaining(shop).recipient(row.id)) == {"consent": "refuse", "subject": "hold"}
    assert verdicts(await explaining(shop).recipient(row.id, at=night + timedelta(minutes=5))) == {
        "consent": "allow",
        "subject": "allow",
    }


async def test_a_reply_is_told_as_it_stood_before_it_left(shop: Campaigning) -> None:
    """It waited, the window was open; later it is over. What was accepted later is no part of its history."""
    await shop.hub.hear("hello")
    shop.hub.clock.advance(10)
    await shop.hub.handling.work()
    said, answered = await shop.hub.rows(ANNA)
    shop.hub.clock.advance(20)
    await shop.hub.outbox.work()

    waiting = await explaining(shop).message(answered.id, at=NOON + timedelta(seconds=15))
    gone = await explaining(shop).message(answered.id, at=NOON + timedelta(seconds=30))
    heard = await explaining(shop).message(said.id, at=NOON + timedelta(seconds=5))

    assert (waiting.outcome, [one["what"] for one in waiting.history]) == ("send", ["written"])
    window = next(one for one in waiting.rules if one["rule"] == "window")
    assert window["verdict"] == "allow"
    assert "as_of" not in window["facts"]
    assert (gone.outcome, gone.reason) == ("done", "sent")
    assert [one["what"] for one in heard.history] == ["accepted"]
