"""The console: who is let in, what each role sees and may do, and that nothing harmful is shown."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest

from tests.application.campaigning import EVERYONE, OFFER
from tests.entrypoints.http.consoles import ANNA, HOST, PASSWORD, Shop, shop
from tests.processes import SECRET, delivery, signature_of
from wch.domain.campaign import CampaignState
from wch.domain.conversation import ConversationStatus
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Hook, Reason
from wch.domain.operator import RIGHTS, Role
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga
from wch.entrypoints.http.pages.console import ACTS, OF_THE_CONSOLE, PAGES

LISTS = [route.path for route in PAGES if "{" not in route.path]
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
async def town() -> AsyncIterator[Shop]:
    async with shop() as made:
        yield made


async def letter(town: Shop, body: bytes = b'{"object":"whatsapp_business_account","entry":[]}') -> DeadLetter:
    """A delivery that could not be used."""
    one = DeadLetter(
        hook=Hook.WEBHOOK,
        args={"v": 1, "body": base64.b64encode(body).decode()},
        reason=Reason.VALIDATION_FAILED,
        error_message="no such shape",
        created_at=town.clock.now(),
    )
    return await town.hub.database.transact(lambda uow: uow.dead_letters.add(one))


async def parked(town: Shop) -> Saga:
    """A saga that calls for an operator."""
    now = town.clock.now()
    saga = Saga.begun("order-9-1700000000", PLACEMENT, {"customer": {"phone": ANNA, "name": "Anna"}}, now=now)
    saga = saga.started("create_order", now=now).parked("refused", "create_order", ("resume", "compensate"), now=now)
    return await town.hub.database.transact(lambda uow: uow.sagas.add(saga))


@pytest.mark.parametrize("path", ["", "/inbox", "/letters/1", "/people"])
async def test_strangers_are_led_to_the_door(town: Shop, path: str) -> None:
    """And from there back to where they wanted to go."""
    answered = await town.browser().get(path)

    assert answered.status_code == 303
    wanted = f"?next={path[1:]}" if path else ""
    assert answered.headers["location"] == f"/console/sign-in{wanted}"


async def test_the_door_opens_with_name_and_password(town: Shop) -> None:
    """The cookie is for this server and no script."""
    await town.person("maria", Role.ADMIN)
    browser = town.browser()

    answered = await browser.web.post(
        "/console/sign-in?next=inbox", data={"name": " Maria ", "password": PASSWORD}, headers={"Origin": HOST}
    )

    cookie = answered.headers["set-cookie"]
    assert answered.headers["location"] == "/console/inbox"
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/console" in cookie
    assert (await browser.get("/inbox")).status_code == 200


@pytest.mark.parametrize("place", ["https://evil.test", "//evil.test", "../sandbox", "javascript:alert(1)", "\\evil"])
async def test_the_door_leads_nowhere_else(town: Shop, place: str) -> None:
    """A link to the sign-in cannot send people to a stranger afterwards."""
    await town.person("maria", Role.ADMIN)

    answered = await town.browser().web.post(
        "/console/sign-in", params={"next": place}, data={"name": "maria", "password": PASSWORD}
    )

    assert answered.headers["location"] == "/console"


async def test_wrong_words_are_refused_alike_and_then_slowed_down(town: Shop) -> None:
    """Neither tells whether there is such a person."""
    await town.person("maria", Role.ADMIN)
    browser = town.browser()

    wrong = await browser.web.post("/console/sign-in", data={"name": "maria", "password": "wrong horse"})
    unknown = await browser.web.post("/console/sign-in", data={"name": "nobody", "password": "wrong horse"})
    last = wrong
    for _ in range(4):
        last = await browser.web.post("/console/sign-in", data={"name": "maria", "password": PASSWORD + "x"})

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.text == unknown.text
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) > 0


async def test_the_cookie_is_for_https_outside_this_machine(town: Shop) -> None:
    """On the loopback there is nobody in between."""
    await town.person("maria", Role.ADMIN)

    outside = await town.browser().web.post(
        "https://shop.test/console/sign-in", data={"name": "maria", "password": PASSWORD}
    )

    assert "Secure" in outside.headers["set-cookie"]


@pytest.mark.parametrize("path", LISTS)
async def test_every_page_is_small_and_has_a_strict_policy(town: Shop, path: str) -> None:
    """No inline script or style, under 100 kB, with landmarks, one heading, and a way past the navigation."""
    await town.hears("hi")
    await letter(town)
    await parked(town)
    browser = await town.signed_in("maria", Role.ADMIN)

    shown = await browser.get(f"/{path}" if path else "")

    policy = shown.headers["content-security-policy"]
    assert shown.status_code == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert shown.headers["cache-control"] == "no-store"
    assert len(shown.content) < 100_000
    assert " style=" not in shown.text
    assert "<script>" not in shown.text
    assert " on" not in "".join(part.split(">")[0] for part in shown.text.split("<button")[1:])
    assert shown.text.count("<h1>") == 1
    assert shown.text.count("<main") == 1
    assert 'class="skip" href="#main"' in shown.text


@pytest.mark.parametrize("name", OF_THE_CONSOLE)
async def test_what_pages_load_is_there(town: Shop, name: str) -> None:
    """Without signing in: the door needs it too."""
    assert (await town.browser().get(f"/static/{name}")).status_code == 200


@pytest.mark.parametrize("name", ["sandbox.js", "nothing.css", "..%2fconsole.py"])
async def test_nothing_else_can_be_loaded(town: Shop, name: str) -> None:
    assert (await town.browser().get(f"/static/{name}")).status_code == 404


async def test_a_viewer_sees_no_person_anywhere(town: Shop) -> None:
    """Neither number nor name nor words, on any page."""
    await town.hears("my secret wish", name="Anna Garcia")
    await parked(town)
    await letter(town, json.dumps({"text": "my secret wish", "from": ANNA}).encode())
    browser = await town.signed_in("vera", Role.VIEWER)

    pages = [f"/{path}" for path in LISTS if path not in {"people", "audit"}]
    seen = "".join([(await browser.get(path.rstrip("/"))).text for path in pages])
    for path in ("/inbox/1", "/customers/1", "/letters/1", "/sagas/order-9-1700000000"):
        seen += (await browser.get(path)).text

    assert ANNA not in seen
    assert "Garcia" not in seen
    assert "secret" not in seen
    assert "+34 ***22" in seen


async def test_an_agent_finds_no_other_agents_thread(town: Shop) -> None:
    """Neither in the list nor under its address nor by its customer; and cannot write there."""
    await town.hears("hi")
    other = await town.person("omar", Role.AGENT)
    await town.hub.conversations.assign(1, other.number, by="omar")
    browser = await town.signed_in("ana", Role.AGENT)

    listed = await browser.text("/inbox")
    refused = await browser.post("/inbox/1/reply", text="hello")

    assert "No conversations here" in listed
    assert (await browser.get("/inbox/1")).status_code == 404
    assert (await browser.get("/customers/1")).status_code == 404
    assert refused.status_code == 404
    assert len(town.whatsapp.sent) == 1


async def test_each_role_may_do_what_was_agreed_and_nothing_else(town: Shop) -> None:
    """Every change, by every role: refused with 403 exactly where the right is missing, and then written down."""
    await town.hears("hi")
    for role in Role:
        browser = await town.signed_in(f"{role.value}-person", role)
        for route in ACTS:
            town.clock.advance(10)
            path = route.path.replace("{id}", "404404")
            answered = await browser.post(f"/{path}")
            allowed = route.right in RIGHTS[role]
            assert (answered.status_code != 403) is allowed, (role, route.path, answered.status_code)
    assert "refused" in await town.actions()


async def test_a_form_without_its_token_changes_nothing(town: Shop) -> None:
    """No other site can press buttons here."""
    await town.hears("hi")
    browser = await town.signed_in("maria", Role.ADMIN)

    bare = await browser.web.post("/console/inbox/1/take-over", data={})
    guessed = await browser.web.post("/console/inbox/1/take-over", data={"token": "0" * 64})
    shown = await browser.get("")
    token = shown.text.split('name="token" value="')[1].split('"')[0]
    stranger = await browser.web.post(
        "/console/inbox/1/take-over", data={"token": token}, headers={"Origin": "https://evil.test"}
    )

    assert [one.status_code for one in (bare, guessed, stranger)] == [403, 403, 403]
    assert (await town.hub.conversations.show(1)).conversation.status is ConversationStatus.ACTIVE


async def test_an_agent_takes_over_answers_and_hands_back(town: Shop) -> None:
    """By forms alone, each with its line in the audit log; the assistant is silent in between."""
    await town.hears("hi")
    browser = await town.signed_in("ana", Role.AGENT)

    taken = await browser.post("/inbox/1/take-over", page="/inbox/1")
    await town.hears("are you there?")
    answered = await browser.post("/inbox/1/reply", page="/inbox/1", text="Yes, I am.")
    await town.hub.worker.drain()
    back = await browser.post("/inbox/1/hand-back", page="/inbox/1")

    assert [one.status_code for one in (taken, answered, back)] == [303, 303, 303]
    assert town.whatsapp.texts[-1] == "Yes, I am."
    assert len(town.whatsapp.sent) == 2
    assert "The assistant has the conversation again." in await browser.text("/inbox/1?done=handback")
    assert [one for one in await town.actions() if one.startswith("conversation.")] == [
        "conversation.handoff", "conversation.assign", "conversation.reply", "conversation.handback",
    ]  # fmt: skip
    lines = await town.hub.database.read(lambda uow: uow.audit.listed(actor="ana"))
    assert {(one.actor, one.role) for one in lines} == {("ana", "agent")}
    boss = await town.signed_in("boss", Role.ADMIN)
    assert "ana agent conversation.handback" in " ".join((await boss.text("/audit?actor=ana")).split())


async def test_an_agent_finds_notes_and_answers_with_words_of_the_house(town: Shop) -> None:
    """Search by words, a note for colleagues, a reply written in advance, and back into the queue."""
    await town.hears("do you have a green lamp?")
    await town.hub.conversations.write_canned("hours", "We are here from nine to five, {name}.", by="cli")
    browser = await town.signed_in("ana", Role.AGENT)

    assert "the assistant" in await browser.text("/inbox?find=green")
    assert "No conversations here" in await browser.text("/inbox?find=purple")
    noted = await browser.post("/inbox/1/note", page="/inbox/1", text="wants a green lamp")
    told = await browser.post("/inbox/1/canned", page="/inbox/1", canned="hours")
    await town.hub.worker.drain()
    assert "ana" in await browser.text("/inbox?show=mine")
    freed = await browser.post("/inbox/1/unassign", page="/inbox/1")

    assert [one.status_code for one in (noted, told, freed)] == [303, 303, 303]
    assert "wants a green lamp" in await browser.text("/inbox/1")
    assert town.whatsapp.texts[-1].startswith("We are here from nine to five")
    assert "nobody yet" in await browser.text("/inbox?show=queue")
    assert "No conversations here" in await browser.text("/inbox?show=mine")


async def test_after_the_window_no_words_can_be_sent(town: Shop) -> None:
    """The composer is shut, and the form of an old page is refused with what happened."""
    await town.hears("hi")
    browser = await town.signed_in("ana", Role.AGENT)
    town.clock.advance(timedelta(hours=11))
    assert "Your words" in await browser.text("/inbox/1")
    await browser.post("/inbox/1/seen", page="/inbox/1")

    town.clock.advance(timedelta(hours=14))
    again = town.browser()
    await again.web.post("/console/sign-in", data={"name": "ana", "password": PASSWORD})
    shown = await again.text("/inbox/1")
    refused = await again.post("/inbox/1/reply", text="too late")

    assert "Only an approved template" in shown
    assert refused.status_code == 409
    assert "The window is closed" in refused.text


async def test_what_customers_write_stays_words(town: Shop) -> None:
    """Markup, control characters and overrides of direction, in names and texts."""
    await town.hears(f"{SCRIPT} \u202eevil\u0007", name="<b>Bad</b>")
    browser = await town.signed_in("maria", Role.ADMIN)

    for path in ("/inbox", "/inbox/1", "/customers", "/customers/1"):
        shown = (await browser.get(path)).text
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "<b>Bad" not in shown
        assert "\u202e" not in shown
        assert "\u0007" not in shown
    assert "&lt;script&gt;alert(1)" in (await browser.get("/inbox/1")).text


async def test_a_letter_is_edited_tried_and_replayed_once(town: Shop) -> None:
    """A preview changes nothing; the second of two presses hears that somebody was first."""
    await letter(town, b"not json")
    browser = await town.signed_in("oleg", Role.OPERATOR)

    broken = await browser.post("/letters/1/edit", page="/letters/1", body="{still not")
    edited = await browser.post(
        "/letters/1/edit", page="/letters/1", body='{"object":"whatsapp_business_account","entry":[]}'
    )
    tried = await browser.post("/letters/1/rehearse", page="/letters/1")
    assert (await town.hub.dead_letters.show(1)).status is DeadLetterStatus.PENDING
    replayed = await browser.post("/letters/1/replay", page="/letters/1")
    second = await browser.post("/letters/1/replay", page="/letters/1")

    assert [one.status_code for one in (broken, edited, tried, replayed, second)] == [422, 303, 200, 303, 409]
    assert (await town.hub.dead_letters.show(1)).status is DeadLetterStatus.REPLAYED
    assert "Somebody was first" in second.text


async def test_a_group_is_dismissed_with_a_reason(town: Shop) -> None:
    """Its letters and no other's."""
    for _ in range(3):
        await letter(town)
    await town.hub.database.transact(
        lambda uow: uow.dead_letters.add(
            DeadLetter(hook=Hook.SAGA, args={"v": 1}, reason="parked", created_at=town.clock.now())
        )
    )
    browser = await town.signed_in("oleg", Role.OPERATOR)

    assert "whatsapp.webhook" in await browser.text("/letters")
    await browser.post(
        "/letters/group/dismiss", hook=Hook.WEBHOOK, reason=Reason.VALIDATION_FAILED.value, because="test deliveries"
    )

    states = [one.status for one in await town.hub.dead_letters.listed(status=None)]
    assert states.count(DeadLetterStatus.DISMISSED) == 3
    assert states.count(DeadLetterStatus.PENDING) == 1


async def test_two_who_replay_a_group_at_once_replay_each_letter_once(town: Shop) -> None:
    """One group; a try changes nothing; together they decide all of it, and who comes after decides nothing."""
    for _ in range(200):
        await letter(town)
    oleg, olga = await town.signed_in("oleg", Role.OPERATOR), await town.signed_in("olga", Role.OPERATOR)
    group = {"hook": str(Hook.WEBHOOK), "reason": str(Reason.VALIDATION_FAILED)}

    shown = await oleg.text("/letters")
    tried = await oleg.post("/letters/1/rehearse", page="/letters/1")
    all_tried = await oleg.post("/letters/group/rehearse", page="/letters", **group)
    before = await town.hub.dead_letters.stats()
    both = await asyncio.gather(*(one.post("/letters/group/replay", page="/letters", **group) for one in (oleg, olga)))
    late = await olga.post("/letters/group/replay", page="/letters", **group)

    assert "200" in shown
    assert tried.status_code == 200
    assert "Nothing is changed yet" in tried.text
    assert "Of 200 letters 200 would go through" in all_tried.text
    assert 'action="/console/letters/group/replay"' in all_tried.text
    assert sum(count for (status, *_), count in before.items() if status == DeadLetterStatus.PENDING) == 200
    assert sum(int(one.headers["location"].split("&n=")[1]) for one in both) == 200
    assert late.headers["location"].endswith("&n=0")
    assert "0 decided by you" in await olga.text(late.headers["location"].removeprefix("/console"))
    assert (await town.actions()).count("dead_letter.replay") == 200


async def test_a_parked_saga_offers_its_actions_and_takes_one_once(town: Shop) -> None:
    """The time line tells what was tried; the second operator hears that somebody was first."""
    await parked(town)
    browser = await town.signed_in("oleg", Role.OPERATOR)
    page = "/sagas/order-9-1700000000"

    shown = await browser.text(page)
    first = await browser.post(f"{page}/act", page=page, action="resume", reason="the shop is back")
    second = await browser.post(f"{page}/act", page=page, action="resume", reason="me too")

    assert "Create order: begun" in shown
    assert "Parked: an operator is needed" in shown
    assert "Resume" in shown
    assert "Compensate" in shown
    assert "Skip step" not in shown
    assert [first.status_code, second.status_code] == [303, 409]
    assert "Something happened outside" in await browser.text(page)


async def test_a_password_set_by_the_admin_ends_the_other_session(town: Shop) -> None:
    """At the next request."""
    admin = await town.signed_in("maria", Role.ADMIN)
    vera = await town.signed_in("vera", Role.VIEWER)

    await admin.post("/people/password", page="/people", name="vera", password="another horse battery")

    assert (await vera.get("/inbox")).status_code == 303
    assert (await admin.get("/inbox")).status_code == 200


async def test_a_customer_is_erased_after_a_look_at_what_it_means(town: Shop) -> None:
    """The look changes nothing; the button begins a saga that leaves nothing of the person."""
    await town.hears("my secret wish", name="Anna Garcia")
    browser = await town.signed_in("maria", Role.ADMIN)

    seen = await browser.text("/customers/1/erase")
    assert "customer_profiles" in seen
    assert "my secret wish" in await browser.text("/inbox/1")
    begun = await browser.post("/customers/1/erase", page="/customers/1/erase", reason="asked by letter")
    for _ in range(30):
        await town.hub.worker.drain()
        town.clock.advance(60)

    assert begun.headers["location"].startswith("/console/sagas/erase-")
    again = town.browser()
    await again.web.post("/console/sign-in", data={"name": "maria", "password": PASSWORD})
    shown = "".join([(await again.get(f"/{path}".rstrip("/"))).text for path in LISTS])
    assert ANNA not in shown
    assert "Garcia" not in shown


async def test_the_settings_are_told_with_their_origin_and_no_secret(town: Shop) -> None:
    """What was set comes first; a secret is masked, and a viewer is not shown any of it."""
    admin = await town.signed_in("maria", Role.ADMIN)
    viewer = await town.signed_in("vera", Role.VIEWER)

    shown = await admin.text("/settings")

    assert "whatsapp.app_secret" in shown
    assert "an-access-token" not in (await admin.get("/settings")).text
    assert (await viewer.get("/settings")).status_code == 403
    assert "The store is in memory." in (await admin.post("/doctor", page="/doctor")).text


async def test_signing_out_ends_it_in_this_browser(town: Shop) -> None:
    """The cookie is taken away."""
    browser = await town.signed_in("maria", Role.ADMIN)

    answered = await browser.post("/sign-out")

    assert answered.headers["location"] == "/console/sign-in"
    assert (await browser.get("")).status_code == 303


@pytest.mark.parametrize("path", ["/nothing", "/inbox/404", "/inbox/x", "/letters/9", "/sagas/none", "/carts/0"])
async def test_what_is_not_there_is_not_found(town: Shop, path: str) -> None:
    """Neither a fault nor a redirect."""
    browser = await town.signed_in("maria", Role.ADMIN)

    assert (await browser.get(path)).status_code == 404


async def test_it_works_wherever_it_is_mounted(town: Shop) -> None:
    """Links and forms carry the mount path."""
    await town.person("maria", Role.ADMIN)

    async def mounted(scope, receive, send):  # type: ignore[no-untyped-def]  # an ASGI host in a line
        await town.app({**scope, "root_path": "/shop"}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=mounted), base_url=HOST) as web:
        answered = await web.post("/shop/console/sign-in", data={"name": "maria", "password": PASSWORD})
        shown = await web.get("/shop/console")

    assert answered.headers["location"] == "/shop/console"
    assert 'href="/shop/console/inbox"' in shown.text
    assert 'href="/shop/console/static/look.css"' in shown.text
    assert 'href="/console' not in shown.text


async def test_a_broadcast_is_tried_started_paused_and_cancelled(town: Shop) -> None:
    """Each where it stands and by whoever trades; a viewer sees the figures, and no button."""
    await town.hub.database.transact(lambda uow: uow.options.put("template.offer.en", OFFER.to_json()))
    plan, _ = await town.hub.broadcasts.draft(EVERYONE, by="ana")
    browser = await town.signed_in("oleg", Role.OPERATOR)
    viewer = await town.signed_in("vera", Role.VIEWER)
    page = f"/broadcasts/{plan.id}"

    assert "Spring" in await browser.text("/broadcasts")
    assert "offer" in await browser.text("/templates")
    assert "What starting it would come to" in await browser.text(page)
    answers = [
        await browser.post(f"{page}/{act}", page=page) for act in ("start", "pause", "resume", "pause", "cancel")
    ]
    late = await browser.post(f"{page}/resume", page=page)

    assert [one.status_code for one in answers] == [303] * 5
    assert late.status_code in {409, 422}
    assert (await town.hub.broadcasts.show(plan.id)).progress.state is CampaignState.CANCELLED
    assert "Pause" not in await viewer.text(page)


async def test_the_doctor_examines_when_asked(town: Shop) -> None:
    """Looking at everything takes long in a full shop, so opening the page looks at nothing."""
    browser = await town.signed_in("otto", Role.OPERATOR)

    before = await browser.text("/doctor")
    after = await browser.post("/doctor", page="/doctor")

    assert "Examine now" in before
    assert "conservation" not in before
    assert after.status_code == 200
    assert "conservation" in after.text
    assert "Examine again" in after.text


async def test_home_tells_how_many_webhooks_come(town: Shop) -> None:
    """Over the last five minutes: what was long ago does not count, and neither does what was badly signed."""
    browser = await town.signed_in("otto", Role.VIEWER)
    body = delivery({"from": ANNA, "id": "wamid.x", "timestamp": "1", "type": "text", "text": {"body": "hi"}})
    for signature in (signature_of(body, SECRET), signature_of(body, SECRET), signature_of(body, "another")):
        await browser.web.post("/webhooks/whatsapp", content=body, headers={"X-Hub-Signature-256": signature})

    soon = await browser.text("")
    town.clock.advance(timedelta(minutes=6))
    later = await browser.text("")

    assert "0.4, over five minutes" in soon
    assert "0.0, over five minutes" in later
