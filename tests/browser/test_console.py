"""The console in a browser: an agent answers a customer, an operator mends what failed; and how it looks to all."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.accessibility import findings
from tests.browser.phones import Phone
from tests.processes import Installed
from wch.domain.api_key import KeyScope

pytestmark = pytest.mark.browser

PLACES = (
    "", "inbox", "inbox/1", "customers", "customers/1", "carts", "carts/1", "orders", "orders/1", "notices",
    "letters", "letters/1", "sagas", "guards", "sync", "audit", "broadcasts", "templates", "people", "settings", "doctor", "customers/1/erase",
    "analytics", "winning-back", "broadcasts/new", "templates/spring_offer/en", "explain/cart/1", "explain/message/1",
)  # fmt: skip


@pytest.fixture
async def desk(page: Page, installed: Installed) -> Page:
    """The page of an admin who is signed in."""
    made = installed.json("operators", "add", "maria", "--role", "admin")
    await page.goto("/console")
    await page.get_by_label("Name").fill("maria")
    await page.get_by_label("Password").fill(made["password"])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
    return page


@pytest.fixture
async def phone(browser: Browser, address: str) -> Phone:
    """A customer's, in another window."""
    window = await browser.new_page(viewport={"width": 1280, "height": 860}, base_url=address)
    phone = Phone(window)
    await phone.open()
    return phone


async def test_an_agent_takes_over_and_answers(desk: Page, phone: Phone) -> None:
    """The new message is in the open inbox by itself; what the agent writes is on the phone."""
    await desk.goto("/console/inbox")
    await expect(desk.get_by_text("No conversations here")).to_be_visible()
    await phone.says("hi")

    await desk.get_by_role("link", name="Maria").click()
    await desk.get_by_role("button", name="Take over").click()
    await expect(desk.get_by_role("status").first).to_contain_text("with you now")
    await phone.page.get_by_label("Message", exact=True).fill("is somebody there?")
    await phone.page.keyboard.press("Enter")
    await expect(desk.locator(".said")).to_contain_text("is somebody there?")
    await desk.get_by_label("Your words").fill("Yes: Maria here.")
    await desk.keyboard.press("Control+Enter")

    await expect(phone.bubbles.last).to_contain_text("Yes: Maria here.")
    await expect(desk.locator(".said .ours").last).to_contain_text("delivered")
    await desk.get_by_role("button", name="Hand back").click()
    await phone.says("cart")


async def test_a_dead_letter_is_replayed_and_the_saga_is_seen(desk: Page, phone: Phone, installed: Installed) -> None:
    """A refused send is a letter; after the replay it is on the phone. An order's saga is a time line."""
    await phone.buys()
    await phone.page.get_by_label("Error code").fill("131009")
    await phone.page.get_by_role("button", name="Refused").click()
    await expect(phone.page.locator("#ordered")).to_contain_text("Refused")
    await phone.page.get_by_label("Message", exact=True).fill("cart")
    await phone.page.keyboard.press("Enter")
    await desk.goto("/console/letters")
    await desk.get_by_role("link", name="#1", exact=True).click()
    before = await phone.bubbles.count()

    await desk.get_by_role("button", name="Preview the replay").click()
    await expect(desk.locator("main")).to_contain_text("would go through")
    await expect(desk.locator("main")).to_contain_text("goes to the customer")
    await desk.get_by_role("button", name="Replay", exact=True).click()

    await expect(desk.locator(".facts").first).to_contain_text("replayed")
    await expect(phone.page.locator(".turn.theirs:not(.typing)")).not_to_have_count(before)
    await desk.goto("/console/sagas")
    await desk.locator("tbody a").first.click()
    await expect(desk.locator(".line")).to_contain_text("Create order: done")
    await expect(desk.locator(".line")).to_contain_text("Close: done")
    assert installed.json("verify")["ok"]


async def test_every_page_is_for_everybody(desk: Page, phone: Phone) -> None:
    """Labels, landmarks, contrast, target sizes, 320 px; light and dark; the door and the phone too."""
    await phone.buys()
    for scheme in ("light", "dark"):
        await desk.emulate_media(color_scheme=scheme)
        await phone.page.emulate_media(color_scheme=scheme)
        assert await findings(phone.page) == [], scheme
        for place in PLACES:
            await desk.goto(f"/console/{place}".rstrip("/"))
            assert await findings(desk) == [], (scheme, place)
    await desk.set_viewport_size({"width": 320, "height": 640})
    for place in PLACES:
        await desk.goto(f"/console/{place}".rstrip("/"))
        assert await desk.evaluate("document.documentElement.scrollWidth") <= 320, place


@pytest.mark.parametrize("width", [320, 1000])
async def test_a_key_of_many_scopes_is_no_wider_than_the_window(desk: Page, installed: Installed, width: int) -> None:
    """It is offered for revoking in one line, which may be longer than the page."""
    installed.json("keys", "create", "--scope", ",".join(KeyScope))

    await desk.set_viewport_size({"width": width, "height": 640})
    await desk.goto("/console/people")

    assert await desk.evaluate("document.documentElement.scrollWidth") <= width


async def test_it_works_with_scripts_off(desk: Page, phone: Phone, browser: Browser, address: str) -> None:
    """Reply and take over by plain forms."""
    await phone.says("hi")
    plain = await browser.new_context(java_script_enabled=False, base_url=address)
    await plain.add_cookies(await desk.context.cookies())  # type: ignore[arg-type]  # what it gave itself
    page = await plain.new_page()
    await page.goto("/console/inbox")
    await page.get_by_role("link", name="Maria").click()

    await page.get_by_role("button", name="Take over").click()
    await page.get_by_label("Your words").fill("By hand.")
    await page.get_by_role("button", name="Send").click()

    await expect(phone.bubbles.last).to_contain_text("By hand.")
    await plain.close()
