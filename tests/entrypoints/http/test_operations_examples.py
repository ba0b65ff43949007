"""The examples of operations that walk through several pages: people's limits, secrets, the window, a parked saga."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.application.campaigning import OFFER
from tests.entrypoints.http.consoles import ANNA, HOST, PASSWORD, Browser, Shop, shop
from tests.entrypoints.http.test_console_crawled import MAIL, NAME, NOTE, STREET, WORDS, crawled, full
from tests.processes import SECRET
from wch import Settings, open_hub
from wch.application.ports import UnitOfWork
from wch.domain.operator import Role
from wch.entrypoints.http.application import asgi
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

BORIS = "34600333444"


@pytest.fixture
async def town() -> AsyncIterator[Shop]:
    async with shop() as made:
        yield made


async def again(town: Shop, name: str) -> Browser:
    """Somebody who is known signs in once more."""
    browser = town.browser()
    answered = await browser.web.post("/console/sign-in", data={"name": name, "password": PASSWORD})
    assert answered.status_code == 303
    return browser


async def test_a_colleague_s_customer_is_nowhere_for_an_agent(town: Shop) -> None:
    """Not on any page, by no search, in no count; whoever has the thread sees it, so the search proves something."""
    await full(town, name=NAME, mail=MAIL, street=STREET, words=WORDS, note=NOTE)
    await town.hears("hello", sender=BORIS, name="Boris Ivanov")
    ana, omar = await town.signed_in("ana", Role.AGENT), await town.signed_in("omar", Role.AGENT)
    people = {one.name: one.number for one in await town.hub.operators.listed()}
    (own,) = [
        one.id
        for one in await town.hub.database.read(lambda uow: uow.conversations.listed())
        if one.customer_phone == ANNA
    ]
    await town.hub.conversations.assign(own, people["omar"], by="omar")

    hers, his = await crawled(ana), await crawled(omar)
    found = {
        word: (await ana.get(f"/inbox?find={word}"), await omar.get(f"/inbox?find={word}")) for word in (WORDS, ANNA)
    }

    for secret in (ANNA, NAME, MAIL, STREET, WORDS, NOTE):
        assert secret not in "".join(hers.values()), secret
        assert secret in "".join(his.values()), f"{secret} is not there for who has the thread"
    for here, there in found.values():
        assert (f"/console/inbox/{own}" in here.text, f"/console/inbox/{own}" in there.text) == (False, True)
    assert f"/console/inbox/{own}" not in "".join(hers.values())
    assert BORIS in "".join(hers.values())
    for path in (f"/inbox/{own}", f"/inbox/{own}/explain/1"):
        assert (await ana.get(path)).status_code == 404


def all_bytes(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir() if one.is_file())


async def test_no_key_password_or_token_lies_in_the_database(tmp_path: Path) -> None:
    """After sign-ins, forms and calls, whoever has the file has none of what opens anything."""
    file = tmp_path / "wch.db"
    given = {"WCH_ACCESS_TOKEN": "EAAB-token-of-meta", "WCH_VERIFY_TOKEN": "word-of-the-handshake"}
    opening = {"WCH_APP_SECRET": SECRET, "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough"}
    environment = {**given, **opening, "WCH_DATABASE_URL": f"sqlite+aiosqlite:///{file}", "WCH_PHONE_NUMBER_ID": "*"}
    settings = Settings.load({**environment, "WCH_PROFILE": "test"}, {}, None)[0]
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp, install=True) as hub:
        town = Shop(hub=hub, clock=clock, whatsapp=whatsapp, app=asgi(hub))
        maria = await town.signed_in("maria", Role.ADMIN)
        await town.hears("hi")
        refused = await town.browser().web.post(
            "/console/sign-in", data={"name": "maria", "password": "a wrong guess 7"}
        )
        shown = await maria.get("/people")
        form = re.search(r'name="token" value="([0-9a-f]+)"', shown.text)
        key = (await hub.keys.create(["read"], by="maria")).text
        transport = httpx2.ASGITransport(app=town.app)
        async with httpx2.AsyncClient(transport=transport, base_url=HOST) as program:
            called = await program.get("/api/v1/customers", headers={"Authorization": f"Bearer {key}"})
        cookie = next(iter(maria.web.cookies.values()))
        for one in town.clients:
            await one.aclose()

    assert (refused.status_code, called.status_code, form is not None) == (401, 200, True)
    kept = all_bytes(tmp_path)
    secrets = [*given.values(), *opening.values(), PASSWORD, "a wrong guess 7", key, key.rpartition("_")[2]]
    secrets += [cookie, cookie.rpartition("|")[2], "" if form is None else form[1]]
    assert key.split("_")[1].encode() in kept, "the key's name is there, so this is where it would be"
    assert [one for one in secrets if not one or one.encode() in kept] == []


async def test_the_composer_is_open_until_the_window_s_last_second(town: Shop) -> None:
    """With a minute left it is open and counts; at the end it is shut, and the old page's form is refused.

    The hub's window ends a minute before WhatsApp's, so that what leaves at its end still arrives in time.
    """
    await town.hears("hi")
    await town.hub.database.transact(lambda uow: uow.options.put("template.offer.en", OFFER.to_json()))
    await town.person("ana", Role.AGENT)
    town.clock.advance(timedelta(hours=24) - timedelta(minutes=2))
    ana = await again(town, "ana")
    open_page = await ana.get("/inbox/1")
    token = re.search(r'name="token" value="([0-9a-f]+)"', open_page.text)
    assert token is not None
    closes, now = (int(re.search(rf'data-{name}="([0-9]+)"', open_page.text)[1]) for name in ("closes", "now"))  # type: ignore[index] # it counts down

    town.clock.advance(timedelta(seconds=closes - now))
    shut = await ana.text("/inbox/1")
    before = len(town.whatsapp.sent)
    late = await ana.web.post("/console/inbox/1/reply", data={"token": token[1], "text": "too late"})
    await town.hub.worker.drain()

    assert closes - now == 60
    assert "Your words" in open_page.text
    assert ("Your words" in shut, "Only an approved template" in shut, "Write by a template" in shut) == (
        False,
        True,
        True,
    )
    assert (late.status_code, len(town.whatsapp.sent)) == (409, before)
    key = (await town.hub.keys.create(["read", "messages"], by="cli")).text
    told = await town.browser().web.post(
        "/api/v1/conversations/1/reply", json={"text": "too late"}, headers={"Authorization": f"Bearer {key}"}
    )
    assert (told.status_code, told.json()["code"]) == (409, "window_closed")


async def test_two_operators_resume_a_parked_saga_and_one_runs(town: Shop) -> None:
    """The other hears 409; the time line has the try before and the one after, with who let it go on."""
    await town.hears("hi")
    saga = await town.hub.erasures.ask(ANNA, reason="asked for it", by="cli")
    now, step = town.clock.now(), "stop"

    def park(uow: UnitOfWork) -> None:
        held = uow.sagas.get(saga.saga_id, lock=True)
        assert held is not None
        begun = held.done("begin", {}, now=now).started(step, now=now)
        uow.sagas.save(begun.parked("stuck", step, ("resume", "retry-step"), now=now))

    await town.hub.database.transact(park)
    page = f"/sagas/{saga.saga_id}"
    oleg, olga = await town.signed_in("oleg", Role.OPERATOR), await town.signed_in("olga", Role.OPERATOR)
    offered = set(re.findall(r'name="action" value="([a-z-]+)"', (await oleg.get(page)).text))

    both = await asyncio.gather(
        *(one.post(f"{page}/act", page=page, action="resume", reason="it is mended") for one in (oleg, olga))
    )
    town.clock.advance(timedelta(seconds=5))
    await town.hub.worker.drain()
    line = " ".join((await olga.text(page)).split())

    assert offered == {"resume", "retry-step"}
    assert sorted(one.status_code for one in both) == [303, 409]
    assert (await town.actions()).count("saga.resume") == 1
    assert line.count("Stop: begun") == 2
    assert line.index("Stop: begun") < line.index("Parked: an operator is needed")
