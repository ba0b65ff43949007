"""What people do in the console, action by action: it goes through the use-case, once, with its line in the audit log."""

import html
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import attrs
import pytest

from tests.application.campaigning import EVERYONE, OFFER
from tests.entrypoints.http.consoles import ANNA, Browser, Shop, shop
from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.campaign import CampaignState
from wch.domain.cart import CartStatus
from wch.domain.document import document
from wch.domain.operator import Role
from wch.entrypoints.http.pages.visiting import PAGE_SIZE

OTHER = "34600999888"


@pytest.fixture
async def town() -> AsyncIterator[Shop]:
    async with shop() as made:
        yield made


async def offered(town: Shop) -> None:
    """A template that may be sent."""
    await town.hub.database.transact(lambda uow: uow.options.put("template.offer.en", OFFER.to_json()))


async def filled(town: Shop) -> int:
    """Anna's cart with something in it; its number."""
    card = (await town.hub.shop.search(limit=30)).items[0]
    await town.hears("hi")
    await town.hears(f"add {card.name}")
    await town.hears("cart")
    carts = await town.hub.carts.listed()
    assert carts[0].items, town.whatsapp.texts
    return carts[0].id


def hidden(page: str, name: str) -> str:
    """What goes unseen with a form."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


async def test_two_customers_become_one_after_a_look_and_two_again(town: Shop) -> None:
    """The look changes nothing; the merge has its reason; the page of who is left offers the way back."""
    await town.hears("hi", name="Anna")
    await town.hears("hi", sender=OTHER, name="Anna too")
    browser = await town.signed_in("oleg", Role.OPERATOR)

    looked = await browser.post("/customers/1/merging", page="/customers/1", other=OTHER)
    before = await town.actions()
    merged = await browser.post("/customers/1/merge", page="/customers/1", other=OTHER, reason="the same person")
    page = (await browser.get("/customers/1")).text
    undone = await browser.post("/customers/1/unmerge", page="/customers/1", merge=hidden(page, "merge"))

    assert looked.status_code == 200
    assert "Anna too" in looked.text
    assert "customer.merge" not in before
    assert (merged.status_code, undone.status_code) == (303, 303)
    assert len(await town.hub.customers.listed()) == 2
    assert [one for one in await town.actions() if "merge" in one] == ["customer.merge", "customer.unmerge"]


async def test_two_customers_of_the_shop_wait_for_a_person(town: Shop) -> None:
    """The page names both; the look asks the shop and changes nothing; a wrong number is told, an agent is refused."""
    await town.hears("hi", name="Anna")

    def two(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(ANNA, now=town.hub.clock.now())
        uow.customers.save(profile.looked_up({41: None, 42: None}, now=town.hub.clock.now()))

    await town.hub.database.transact(two)
    browser = await town.signed_in("oleg", Role.OPERATOR)
    agent = await town.signed_in("ana", Role.AGENT)

    asked = (await browser.get("/customers/1")).text
    looked = await browser.post("/customers/1/linking", page="/customers/1")
    wrong = await browser.post("/customers/1/link", page="/customers/1", number="me")
    before = await town.actions()
    linked = await browser.post("/customers/1/link", page="/customers/1", number="#42")
    shown = (await browser.get("/customers/1")).text
    gone = await browser.post("/customers/1/unlink", page="/customers/1")

    assert "#41 or #42: choose below" in asked
    assert (looked.status_code, wrong.status_code < 500, linked.status_code, gone.status_code) == (200, True, 303, 303)
    assert "knows nobody under this number" in looked.text
    assert "customer.link" not in before
    assert "#42" in shown
    assert (await town.hub.customers.show(ANNA)).wc_customer_id is None
    assert [one for one in await town.actions() if "link" in one] == ["customer.link", "customer.unlink"]
    assert (await agent.post("/customers/1/link", page="/customers/1", number="42")).status_code == 403


async def test_an_export_is_a_file_for_admins_alone_and_three_an_hour(town: Shop) -> None:
    await town.hears("my words", name="Anna")
    browser = await town.signed_in("maria", Role.ADMIN)
    operator = await town.signed_in("oleg", Role.OPERATOR)

    kept = await browser.post("/customers/1/export", page="/customers/1")
    again = [(await browser.post("/customers/1/export", page="/customers/1")).status_code for _ in range(3)]

    assert kept.headers["content-disposition"] == 'attachment; filename="customer-1.json"'
    assert json.loads(kept.text)["subject"]["key"] == ANNA
    assert again == [200, 200, 429]
    assert (await operator.post("/customers/1/export", page="/customers/1")).status_code == 403
    assert (await town.actions()).count("customer.export") == 3


async def test_a_note_and_a_block_are_kept_and_a_block_can_be_lifted(town: Shop) -> None:
    await town.hears("hi")
    browser = await town.signed_in("ana", Role.AGENT)

    await browser.post("/customers/1/note", page="/customers/1", text="likes blue")
    await browser.post("/customers/1/block", page="/customers/1", reason="rude")
    shown = await browser.text("/customers/1")
    said = len(town.whatsapp.sent)
    await town.hears("are you there?")
    await browser.post("/customers/1/unblock", page="/customers/1")

    assert "likes blue" in shown
    assert "rude" in shown
    assert len(town.whatsapp.sent) == said
    assert not (await town.hub.customers.show(ANNA)).is_blocked
    assert [one for one in await town.actions() if one.startswith("customer.")] == [
        "customer.note", "customer.block", "customer.unblock",
    ]  # fmt: skip


async def test_a_cart_is_changed_for_a_customer_unless_somebody_was_first(town: Shop) -> None:
    """The form carries the version that was on the screen; what comes late is shown beside how it stands now."""
    number = await filled(town)
    browser = await town.signed_in("ana", Role.AGENT)
    page = f"/carts/{number}"
    shown = (await browser.get(page)).text
    line, version = re.findall(r'<option value="(\d+\.\d*)"', shown)[0], hidden(shown, "version")

    changed = await browser.post(f"{page}/line", page=page, line=line, quantity="3", version=version)
    late = await browser.post(f"{page}/line", page=page, line=line, quantity="1", version=version)
    late_end = await browser.post(f"{page}/expire", page=page, version=version)
    wrong = await browser.post(f"{page}/line", page=page, line=line, quantity="many", version=version)

    assert (changed.status_code, late.status_code, late_end.status_code, wrong.status_code) == (303, 409, 409, 422)
    assert "You wanted" in late.text
    assert "3 x" in late.text
    cart = await town.hub.carts.show(number)
    assert cart.items[0].quantity == 3
    assert cart.status is CartStatus.ACTIVE
    assert (await town.actions()).count("cart.change") == 1


async def test_a_cart_that_is_not_abandoned_is_not_reminded_of(town: Shop) -> None:
    """And the page says why, rule by rule."""
    number = await filled(town)
    browser = await town.signed_in("ana", Role.AGENT)

    refused = await browser.post(f"/carts/{number}/remind", page=f"/carts/{number}")

    assert refused.status_code == 409
    assert "cart.remind" not in await town.actions()
    assert "Consent" in await browser.text(f"/explain/cart/{number}")


async def test_a_broadcast_is_written_edited_duplicated_and_deleted(town: Shop) -> None:
    """By forms; an edit of an older version is refused and shows both; a list comes along as a file."""
    await offered(town)
    await town.hears("hi")
    browser = await town.signed_in("oleg", Role.OPERATOR)
    told = {"name": "Spring", "template": "offer", "language": "customer", "everyone": "yes", "rate": "60"}

    made = await browser.post("/broadcasts/draft", page="/broadcasts/new", **told)
    number = int(made.headers["location"].split("/broadcasts/")[1].split("?")[0])
    form = (await browser.get(f"/broadcasts/{number}/edit")).text
    version = hidden(form, "version")
    edited = await browser.post(
        f"/broadcasts/{number}/edit", page="/broadcasts/new", **{**told, "name": "Summer", "all.segment": "gold"},
        version=version,
    )  # fmt: skip
    late = await browser.post(f"/broadcasts/{number}/edit", page="/broadcasts/new", **told, version=version)
    copied = await browser.post(f"/broadcasts/{number}/duplicate", page=f"/broadcasts/{number}")
    nobody = await browser.post("/broadcasts/draft", page="/broadcasts/new", **{**told, "everyone": ""})
    gone = await browser.post(f"/broadcasts/{number}/delete", page=f"/broadcasts/{number}")

    assert (made.status_code, edited.status_code, late.status_code, copied.status_code) == (303, 303, 409, 303)
    assert "Summer" in late.text
    assert nobody.status_code == 422
    assert "names nobody" in nobody.text
    assert gone.status_code == 303
    (left,) = await town.hub.broadcasts.listed()
    assert left.plan.name == "Summer (again)"
    assert left.plan.audience["all"] == [{"segment": ["gold"]}]
    assert left.progress.state is CampaignState.DRAFT
    assert [one for one in await town.actions() if one.startswith("broadcast.")] == [
        "broadcast.plan", "broadcast.edit", "broadcast.plan", "broadcast.delete",
    ]  # fmt: skip


async def test_a_list_of_numbers_is_uploaded_and_its_bad_lines_are_told(town: Shop) -> None:
    await offered(town)
    browser = await town.signed_in("oleg", Role.OPERATOR)
    token = hidden((await browser.get("/broadcasts/new")).text, "token")
    told = {"token": token, "name": "List", "template": "offer", "language": "customer", "rate": "60"}
    body = b"phone,name,opted_in_at,source\r\n34600111333,Ana,2023-11-01,fair\r\nnobody,,,\r\n"

    made = await browser.web.post(
        "/console/broadcasts/draft", data=told, files={"list": ("people.csv", body, "text/csv")}
    )

    assert made.status_code == 200
    assert "Lines that name nobody" in made.text
    (one,) = await town.hub.broadcasts.listed()
    assert sum((await town.hub.broadcasts.counts(one.plan.id)).values()) == 1


async def test_recipients_are_told_and_taken_away_masked_for_a_viewer(town: Shop) -> None:
    await offered(town)
    await town.hears("hi", name="=1+1")
    await town.hub.customers.consent(ANNA, purpose="marketing", to="in", reason="said so", by="cli")
    plan, _ = await town.hub.broadcasts.draft(EVERYONE, by="ana")
    await town.hub.broadcasts.start(plan.id, by="ana")
    await town.hub.worker.drain()
    viewer = await town.signed_in("vera", Role.VIEWER)
    operator = await town.signed_in("oleg", Role.OPERATOR)
    page = f"/broadcasts/{plan.id}"

    masked = await viewer.post(f"{page}/csv", page=page)
    whole = await operator.post(f"{page}/csv", page=page)

    assert ANNA not in masked.text + await viewer.text(f"{page}/recipients")
    assert ANNA in whole.text
    assert "'=1+1" in whole.text
    assert "Consent" in await operator.text("/explain/recipient/1")


async def test_a_key_is_shown_once_and_opens_nothing_when_it_is_revoked(town: Shop) -> None:
    browser = await town.signed_in("maria", Role.ADMIN)

    made = await browser.post("/people/key", page="/people", **{"scope.read": "yes"}, days="30")
    key = re.findall(r"wch_[0-9a-f]{12}_[0-9a-f]{40}", made.text)[0]
    bearer = {"Authorization": f"Bearer {key}"}
    opened = await browser.web.get("/api/v1/carts", headers=bearer)
    revoked = await browser.post("/people/revoke", page="/people", prefix=key.split("_")[1])
    shut = await browser.web.get("/api/v1/carts", headers=bearer)
    without = await browser.post("/people/key", page="/people", days="30")

    assert (opened.status_code, revoked.status_code, shut.status_code) == (200, 303, 401)
    assert key not in (await browser.get("/people")).text
    assert without.status_code == 422
    assert [one for one in await town.actions() if one.startswith("key.")] == ["key.create", "key.revoke"]


async def test_a_template_is_previewed_and_sent_when_the_window_is_closed(town: Shop) -> None:
    """What the customer would read comes first; it leaves as a notice or, if it is marketing, by consent."""
    await offered(town)
    await town.hears("hi")
    town.clock.advance(25 * 3600)
    browser = await town.signed_in("ana", Role.AGENT)
    page = "/inbox/1"

    offers = await browser.text(page)
    looked = await browser.post(f"{page}/try-template", page=page, template="offer", gaps="customer_name|friend\n=20 %")
    empty = await browser.post(f"{page}/try-template", page=page, template="offer", gaps="")
    sent = await browser.post(f"{page}/template", page=page, template="offer", gaps="=Anna\n=20 %")

    assert "Write by a template" in offers
    assert looked.status_code == 200
    assert empty.status_code == 422
    assert sent.status_code == 303
    assert (await town.hub.conversations.show(1)).conversation.assigned_agent_id == 1
    assert "conversation.reply" in await town.actions()


async def test_a_product_is_shown_and_a_tag_is_added_from_the_thread(town: Shop) -> None:
    await town.hears("hi")
    card = (await town.hub.shop.search(limit=30)).items[0]
    browser = await town.signed_in("ana", Role.AGENT)

    shown = await browser.post("/inbox/1/product", page="/inbox/1", product=str(card.id))
    tagged = await browser.post("/inbox/1/tag", page="/inbox/1", tag="vip")
    await town.hub.worker.drain()

    assert (shown.status_code, tagged.status_code) == (303, 303)
    assert card.name in town.whatsapp.texts[-1]
    assert (await town.hub.customers.show(ANNA)).tags == ("vip",)


async def test_many_threads_are_assigned_and_resolved_at_once(town: Shop) -> None:
    """Another agent's is left alone, and what was not chosen too."""
    for sender in (ANNA, OTHER, "34600777666"):
        await town.hears("hi", sender=sender)
    other = await town.person("omar", Role.AGENT)
    await town.hub.conversations.assign(3, other.number, by="omar")
    browser = await town.signed_in("ana", Role.AGENT)
    mine = {"pick.1": "yes", "pick.3": "yes"}

    assigned = await browser.post("/inbox/assign", page="/inbox", agent="2", **mine)
    resolved = await browser.post("/inbox/resolve", page="/inbox", **mine)
    nothing = await browser.post("/inbox/resolve", page="/inbox")

    assert (assigned.status_code, resolved.status_code, nothing.status_code) == (303, 303, 422)
    talks = [(await town.hub.conversations.show(number)).conversation for number in (1, 2, 3)]
    assert [one.status.value for one in talks] == ["resolved", "active", "escalated"]
    assert talks[2].assigned_agent_id == other.number


async def test_figures_are_taken_away_as_a_sheet(town: Shop) -> None:
    viewer: Browser = await town.signed_in("vera", Role.VIEWER)

    taken = await viewer.post("/analytics/csv", page="/analytics", what="days")
    wrong = await viewer.post("/analytics/csv", page="/analytics", what="people")

    assert taken.headers["content-type"].startswith("text/csv")
    assert taken.text.startswith("day")
    assert wrong.status_code == 404
    assert "analytics.export" in await town.actions()


async def test_a_run_of_winning_back_is_tried_and_then_written_down(town: Shop) -> None:
    await town.hears("hi")
    browser = await town.signed_in("oleg", Role.OPERATOR)

    tried = await browser.post("/winning-back/plan", page="/winning-back")
    before = await town.actions()
    run = await browser.post("/winning-back/run", page="/winning-back")

    assert "Looked at" in tried.text
    assert "reengagement.run" not in before
    assert run.status_code == 303
    assert "reengagement.run" in await town.actions()


async def test_without_a_catalogue_a_full_run_says_so(town: Shop) -> None:
    browser = await town.signed_in("oleg", Role.OPERATOR)

    for act in ("plan", "run", "report", "fix"):
        answered = await browser.post(f"/sync/{act}", page="/sync")
        assert answered.status_code == 422, act
        assert "catalog" in answered.text.lower()


async def test_an_order_is_refunded_in_part_after_a_look_and_once_however_often_pressed(town: Shop) -> None:
    """The look says how and what is left; more than came is refused; an agent may not."""
    card = (await town.hub.shop.search(limit=30)).items[0]
    address = "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain"
    for words in ("hi", f"add {card.name}", "checkout", address, "1", "1"):
        await town.hears(words)
    (placed,) = await town.hub.orders.placements()
    number = placed.results["create_order"]["order_id"]
    browser = await town.signed_in("oleg", Role.OPERATOR)
    agent = await town.signed_in("ana", Role.AGENT)
    page = f"/orders/{number}"
    key = hidden((await browser.get(page)).text, "key")
    wish = {"amount": "4.40", "reason": "one broke", "key": key}

    looked = await browser.post(f"{page}/refunding", page=page, **wish)
    before = await town.actions()
    pressed = [await browser.post(f"{page}/refund", page=page, **wish) for _ in range(2)]
    await town.hub.worker.drain()
    much = await browser.post(f"{page}/refunding", page=page, **{**wish, "amount": "1000"})

    assert "by hand: it was paid at the door" in looked.text
    assert "order.refund" not in before
    assert {one.headers["location"] for one in pressed} == {f"/console/sagas/refund-{number}-1?done=refunding"}
    assert much.status_code == 422
    assert "4.40" in await browser.text(page)
    assert (await agent.post(f"{page}/refund", page=page, **wish)).status_code == 403
    assert (await town.actions()).count("order.refund") == 1


async def test_home_tells_tier_template_warnings_and_silence(town: Shop) -> None:
    """How much of the tier is used, which templates are in trouble, and when a customer was heard last."""
    browser = await town.signed_in("vera", Role.VIEWER)
    before = await browser.text("")

    def told(uow: UnitOfWork) -> None:
        uow.options.put("whatsapp.limits", document(tier=250))
        paused = attrs.evolve(OFFER, name="paused_one", status="PAUSED")
        yellow = attrs.evolve(OFFER, name="yellow_one", quality="YELLOW")
        for one in (OFFER, paused, yellow):
            uow.options.put(f"template.{one.name}.{one.language}", one.to_json())

    await town.hub.database.transact(told)
    await town.hears("hi")
    town.clock.advance(timedelta(minutes=7))
    after = " ".join((await browser.text("")).split())

    assert "none yet" in before
    assert "0 of 250 customers in 24 hours (0%)" in after
    assert "Template warnings 2" in after
    assert "paused_one, en paused" in after
    assert "yellow_one, en yellow" in after
    assert "7 min ago" in after


async def test_the_audit_log_begins_with_what_was_done_last(town: Shop) -> None:
    """Further down, and on the next page, is what was done before; no line is on two pages."""
    lines = [
        AuditEntry(at=town.clock.now(), actor="ana", action="cart.expire", object=f"cart:{one}")
        for one in range(PAGE_SIZE + 2)
    ]
    await town.hub.database.transact(lambda uow: [uow.audit.add(line) for line in lines])
    admin = await town.signed_in("maria", Role.ADMIN)

    first = (await admin.get("/audit?action=cart.expire")).text
    further = re.search(r'href="/console(/audit\?[^"]*before=[^"]*)"', first)
    assert further is not None
    second = (await admin.get(html.unescape(further[1]))).text

    shown = [int(one) for page in (first, second) for one in re.findall(r">cart:(\d+)<", page)]
    assert shown == list(reversed(range(PAGE_SIZE + 2)))


async def test_the_audit_log_is_searched_and_taken_away_by_an_admin(town: Shop) -> None:
    """What is typed stays in the fields and in the table that is kept; an operator reads, and takes nothing away."""
    day = town.clock.now().date().isoformat()
    lines = [
        AuditEntry(at=town.clock.now(), actor="ana", action="saga.resume", object=one, reason="<b>=1</b>")
        for one in ("saga:a", "saga:b")
    ]
    await town.hub.database.transact(lambda uow: [uow.audit.add(line) for line in lines])
    admin, operator = await town.signed_in("maria", Role.ADMIN), await town.signed_in("oleg", Role.OPERATOR)

    page = (await admin.get(f"/audit?object=saga:a&from={day}&until={day}")).text
    wrong = await admin.get("/audit?from=soon")
    taken = await admin.post("/audit/csv", page="/audit", object="saga:a", **{"from": day, "until": day})
    refused = await operator.post("/audit/csv", page="/audit")

    assert "saga:a" in page
    assert "saga:b" not in page
    assert f'value="{day}"' in page
    assert "<b>" not in page
    assert (wrong.status_code, refused.status_code) == (422, 403)
    assert "Take it away" not in (await operator.get("/audit")).text
    assert "Take it away" in page
    assert taken.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert taken.text.count("\r\n") == 2
    assert "saga:a" in taken.text
