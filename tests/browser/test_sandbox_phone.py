"""The phone in the browser: anyone buys something on it, and sees beside it what the hub did."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.phones import Phone
from tests.processes import Installed

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"


async def test_anyone_buys_something(page: Page, installed: Installed) -> None:
    """By taps and words, to an order that the shop has; the placement's steps are told beside the phone."""
    phone = Phone(page)
    await phone.open()

    await phone.buys()

    await expect(page.get_by_role("heading", name="Order placement")).to_be_visible()
    await expect(page.locator(".steps .done").last).to_contain_text("close")
    placed = installed.json("orders", "list")
    assert [one["state"] for one in placed["data"]] == ["completed"]


async def test_the_journal_tells_deliveries_sends_and_statuses(page: Page) -> None:
    """What the hub did stands beside what the customer sees."""
    phone = Phone(page)
    await phone.open()

    await phone.says("hi")

    journal = page.locator("#journal")
    await expect(journal).to_contain_text("delivery: text")
    await expect(journal).to_contain_text("sends a list message")
    await expect(journal).to_contain_text("sent → delivered")
    await expect(page.locator("#rows")).to_contain_text("processed")


async def test_an_ordered_fault_is_seen_and_survived(page: Page) -> None:
    """A send that is refused once comes all the same, and the refusal stands in the journal."""
    phone = Phone(page)
    await phone.open()
    await page.get_by_role("button", name="Refused").click()
    await expect(page.locator("#ordered")).to_contain_text("Refused for 1 more call")

    await page.get_by_label("Message", exact=True).fill("hi")
    await page.keyboard.press("Enter")
    await expect(page.locator("#journal")).to_contain_text("131000")
    before = await phone.bubbles.count()
    await page.get_by_role("button", name="+ 1 min").click()

    await expect(page.locator(".turn.theirs:not(.typing)")).not_to_have_count(before)
    await expect(page.locator("#ordered")).to_contain_text("all goes well")


async def test_the_clock_moves_forward(page: Page) -> None:
    """Six hours at a press, for every process on the database."""
    phone = Phone(page)
    await phone.open()
    before = await page.locator("#clock").get_attribute("datetime")

    await page.get_by_role("button", name="+ 6 h").click()
    await page.wait_for_function(
        "before => new Date(document.querySelector('#clock').dateTime) - new Date(before) >= 6 * 3600e3", arg=before
    )


async def test_places_pictures_and_catalogue_orders_are_said(page: Page) -> None:
    """What WhatsApp has beside words."""
    phone = Phone(page)
    await phone.open()
    attach = page.get_by_role("button", name="Send a place")

    await attach.click()
    await page.get_by_role("button", name="Place a spot").click()
    await page.get_by_role("button", name="Plaza Mayor").click()
    await expect(page.locator(".bubble.location")).to_contain_text("Plaza Mayor")
    await attach.click()
    await page.get_by_role("button", name="Picture the sandbox").click()
    await expect(page.locator(".bubble.image")).to_be_visible()
    await attach.click()
    await page.get_by_role("button", name="Catalogue order a basket").click()
    await page.get_by_label("How many of Blue Lamp").fill("2")
    await page.get_by_role("button", name="Send the order").click()
    await expect(page.locator(".bubble.order")).to_contain_text("2 pieces of 1 product")
    await expect(page.locator("#cards")).to_contain_text("Blue Lamp")


async def test_hostile_words_are_shown_as_words(page: Page) -> None:
    """Markup, overrides of direction and control characters do nothing but stand there."""
    phone = Phone(page)
    await phone.open()

    await phone.says(SCRIPT)
    await phone.says("abc\u202edef\u0007")

    assert await page.title() == "Sandbox phone · wch"
    await expect(page.locator(".bubble.mine").first).to_contain_text(SCRIPT)
    assert await page.locator(".chat img, .chat script").count() == 0
    assert "\u202e" not in await page.locator(".chat").inner_text()


async def test_it_works_by_keyboard_alone(page: Page) -> None:
    """Open a list, choose, and close, without a pointer."""
    phone = Phone(page)
    await phone.open()
    await phone.says("hi")

    await page.locator(".tap").last.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#sheet")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#sheet")).to_be_hidden()
    before = await phone.bubbles.count()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.locator(".turn.theirs:not(.typing)")).to_have_count(before + 1)


async def test_a_phone_is_wide_enough(page: Page) -> None:
    """At 320 px nothing has to be pushed sideways, and the composer is on the screen."""
    await page.set_viewport_size({"width": 320, "height": 640})
    phone = Phone(page)
    await phone.open()
    await phone.says("hi")

    for view in ("Phone", "What the hub did", "Controls"):
        await page.get_by_role("button", name=view, exact=True).click()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.get_by_role("button", name="Phone", exact=True).click()
    await expect(page.get_by_label("Message", exact=True)).to_be_in_viewport()


async def test_phones_lie_side_by_side(page: Page) -> None:
    """Two customers write at once, each on their own phone; a press on one tells its rows beside it."""
    phone = Phone(page)
    await phone.open()
    await page.get_by_role("button", name="+ Another customer").click()
    await page.get_by_label("Name").fill("Layla")
    await page.get_by_label("Number, digits only").fill("966500111222")
    await page.get_by_label("Language of the first words").select_option(label="العربية")
    await page.get_by_role("button", name="Pick up this phone").click()
    await page.get_by_role("button", name="Side by side").click()
    maria, layla = page.get_by_label("Phone of Maria"), page.get_by_label("Phone of Layla")

    await layla.get_by_role("button", name="مرحبا").click()
    await maria.get_by_label("Message", exact=True).fill("hi")
    await page.keyboard.press("Enter")

    for one in (maria, layla):
        await expect(one.locator(".turn.theirs:not(.typing)").first).to_be_visible()
    await expect(page.get_by_role("button", name="Maria", exact=True)).to_have_attribute("aria-pressed", "true")
    await page.reload()
    await expect(page.get_by_label("Phone of Layla")).to_contain_text("العربية")


async def test_a_customer_blocks_hides_and_moves(page: Page, installed: Installed) -> None:
    """Times in the phone's zone; a block shuts the composer; a new number keeps the talk, of a user id that lasts."""
    phone = Phone(page)
    await phone.open()
    about = page.get_by_label("About this customer")
    await about.click()
    await page.locator("#about").get_by_label("Time zone").select_option(label="America/New_York")
    await page.locator("#about").get_by_label("Hides the number").check()
    await page.get_by_label("Has blocked the business").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".blocked")).to_be_visible()
    await expect(page.get_by_label("Message", exact=True)).to_be_hidden()
    await page.get_by_role("button", name="Unblock").click()
    await phone.says("hi")

    await about.click()
    await page.get_by_label("The new number").fill("34600999888")
    async with page.expect_event("load"):  # the page begins anew with the new number
        await page.get_by_role("button", name="Change the number").click()
    await page.wait_for_url("**/sandbox#34600999888")
    await expect(phone.bubbles).to_have_count(1)
    await phone.says("cart")

    await expect(page.locator(".zone")).to_have_text("America/New York")
    await expect(phone.bubbles).to_have_count(2)
    await expect(page.locator("#rows tr")).not_to_have_count(0)
    (customer,) = installed.json("customers", "list")["data"]
    assert customer["phone"].startswith("u")


async def test_a_logged_delivery_is_sent_wrongly_signed(page: Page) -> None:
    """The page says how the hub answered, and the log has the try."""
    phone = Phone(page)
    await phone.open()
    await phone.says("hi")

    await page.locator("#deliveries li").last.get_by_role("button", name="Wrongly signed").click()

    await expect(page.locator("#went")).to_contain_text("the hub answered 401")
    await expect(page.locator("#deliveries")).to_contain_text("sent wrongly signed")
