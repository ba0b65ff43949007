"""Phones of the sandbox that are set up: without a number, with the business blocked, with offers stopped, with a new number."""

from typing import Any

import pytest

from tests.entrypoints.http.test_whole_hub import MARIA, Town, town
from wch.adapters.sandbox.deliveries import user_id_of
from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.message import MessageStatus
from wch.domain.phone import surrogate

PHONE = f"/sandbox/api/customers/{MARIA}"
NEW = "34600999888"


async def set_up(here: Town, **wishes: Any) -> Any:
    answered = await here.web.post(PHONE, json=wishes)
    assert answered.status_code == 200
    return answered.json()


async def talks(here: Town, text: str) -> None:
    assert (await here.hears(text))["status"] == 200
    await here.settles()


async def customers(here: Town) -> list[CustomerProfile]:
    def look(uow: UnitOfWork) -> list[CustomerProfile]:
        keys = (MARIA, NEW, surrogate(user_id_of(MARIA)), surrogate(user_id_of(NEW)))
        return [found for key in keys if (found := uow.customers.of(key)) is not None]

    return await here.hub.database.read(look)


async def test_a_customer_who_hides_the_number_is_one_customer_for_good() -> None:
    """Two messages, two answers, none with a number; the rows beside the phone are found all the same."""
    async with town() as here:
        phone = await set_up(here, hides_number=True)
        await talks(here, "hi")
        await talks(here, "cart")

        sends = [one["body"] for one in here.sandbox.graph_log() if "status" not in (one["body"] or {"status": 1})]
        trace = (await here.web.get(f"{PHONE}/trace")).json()["data"]
        assert phone["hides_number"]
        assert [(one.phone, one.total_orders) for one in await customers(here)] == [(surrogate(phone["user_id"]), 0)]
        assert [one.get("recipient") for one in sends] == [phone["user_id"]] * 2
        assert all("to" not in one for one in sends)
        assert [row["status"] for row in trace["messages"]] == ["processed", "read", "processed", "delivered"]


async def test_who_shares_the_number_later_is_the_same_customer() -> None:
    """The number leads to what was said without it."""
    async with town() as here:
        await set_up(here, hides_number=True)
        await talks(here, "hi")
        await set_up(here, hides_number=False)
        await talks(here, "cart")

        (customer,) = await customers(here)
        assert customer.phone == MARIA


async def test_a_customer_who_blocked_the_business_hears_nothing_of_it() -> None:
    """One tick for ever, as on WhatsApp; nothing can be written either, and what came meanwhile never comes."""
    async with town() as here:
        await talks(here, "hi")
        await set_up(here, blocks=True)
        refused = await here.web.post(f"{PHONE}/messages", json={"type": "text", "text": {"body": "hello?"}})
        thread = (await here.hub.conversations.listed())[0]
        await here.hub.conversations.reply(thread.id, "Are you there?", agent=1, by="anna")
        await here.settles()
        meanwhile = here.sandbox.messages(MARIA)[-1]
        await set_up(here, blocks=False)
        read = here.sandbox.read(MARIA)
        await here.settles()

        assert (refused.status_code, "blocked" in refused.json()["detail"]) == (409, True)
        assert (meanwhile["statuses"], meanwhile["withheld"]) == (["sent"], True)
        assert read == {"read": 1}
        assert (await here.outbound())[-1] is MessageStatus.SENT


async def test_offers_are_stopped_in_whatsapp_itself_and_resumed() -> None:
    """The hub hears of both by webhook; saying the same again is no news."""
    async with town() as here:
        await talks(here, "hi")
        posts = len(here.sandbox.deliveries())
        for wanted in (False, False, True):
            await set_up(here, takes_offers=wanted)

        news = [one["what"] for one in here.sandbox.deliveries()[posts:]]
        (customer,) = await customers(here)
        consent = customer.preferences["consent"]
        assert news == ["user preferences"] * 2
        assert [(one["source"], one["to"]) for one in consent["log"]] == [("user_preferences", "out")]
        assert "whatsapp_at" in consent


@pytest.mark.parametrize("hides", [False, True], ids=["known by the number", "known by the user id"])
async def test_a_customer_changes_the_number_and_stays_the_same(*, hides: bool) -> None:
    """Thread and phone go along; at the old number there is nobody any more."""
    async with town() as here:
        await set_up(here, hides_number=hides, name="Maria")
        await talks(here, "hi")
        moved = await here.web.post(f"{PHONE}/number", json={"to": NEW})
        await here.settles()
        again = await here.web.post(
            f"/sandbox/api/customers/{NEW}/messages", json={"type": "text", "text": {"body": "cart"}}
        )
        await here.settles()

        (customer,) = await customers(here)
        said = here.sandbox.messages(NEW)
        assert (moved.status_code, moved.json()["wa_id"], again.json()["status"]) == (200, NEW, 200)
        assert customer.phone == (surrogate(user_id_of(NEW)) if hides else NEW)
        assert customer.preferences["identity"]["history"]
        assert customer.new_owner_since is None
        assert [one["direction"] for one in said] == ["inbound", "outbound"] * 2
        assert [one["wa_id"] for one in here.sandbox.customers()] == [NEW]


async def test_a_phone_tells_its_zone() -> None:
    """That of the number's area where there is one only, until it is told another."""
    async with town() as here:
        layla = (await here.web.post("/sandbox/api/customers/966500111222", json={})).json()
        first = await set_up(here)
        second = await set_up(here, timezone="America/Sao_Paulo")

        assert layla["timezone"] == "Asia/Riyadh"
        assert (first["timezone"], second["timezone"]) == ("UTC", "America/Sao_Paulo")


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (PHONE, {"timezone": "The/Moon"}, 422, "Europe/Madrid"),
        (PHONE, {"blocks": "perhaps"}, 400, ""),
        ("/sandbox/api/customers/maria", {}, 422, "digits"),
        (f"{PHONE}/number", {"to": "x"}, 422, "digits"),
        (f"{PHONE}/number", {"to": MARIA}, 409, "nobody has"),
        (f"{PHONE}/number", {}, 400, ""),
    ],
)
async def test_what_no_phone_can_be_is_refused(path: str, body: Any, status: int, words: str) -> None:
    """With what to give instead."""
    async with town() as here:
        answered = await here.web.post(path, json=body)

        assert (answered.status_code, words in answered.json()["detail"]) == (status, True)
