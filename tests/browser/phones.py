"""What a person does on the sandbox's phone, and waits for."""

import contextlib

import attrs
from playwright.async_api import Locator, Page
from playwright.async_api import TimeoutError as TooLateError

HEARD = "document.querySelectorAll('.handset.current .turn.theirs:not(.typing)').length"
MOST_MINUTES = 5
ADDRESS = "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain"


@attrs.frozen
class Phone:
    """The phone on `/sandbox` that is in the hand."""

    page: Page

    async def open(self) -> None:
        await self.page.goto("/sandbox")
        await self.page.get_by_role("button", name="Maria").wait_for()

    @property
    def hand(self) -> Locator:
        """The one of all phones."""
        return self.page.locator(".handset.current")

    @property
    def bubbles(self) -> Locator:
        """What the shop said."""
        return self.hand.locator(".turn.theirs:not(.typing)")

    async def says(self, text: str) -> None:
        """Type, send, and wait for the answer."""
        before = await self.page.evaluate(HEARD)
        await self.hand.get_by_label("Message", exact=True).fill(text)
        await self.page.keyboard.press("Enter")
        await self.hears_more_than(before)

    async def taps(self, label: str) -> None:
        """Tap a button below the latest message that has it, and wait for the answer."""
        before = await self.page.evaluate(HEARD)
        await self.hand.locator(".tap").filter(has_text=label).last.click()
        await self.hears_more_than(before)

    async def chooses(self, opener: str, choice: str) -> None:
        """Open a list, tap one of its rows, and wait for the answer."""
        before = await self.page.evaluate(HEARD)
        await self.hand.locator(".tap").filter(has_text=opener).last.click()
        await self.page.locator("#sheet .choice").filter(has_text=choice).first.click()
        await self.hears_more_than(before)

    async def hears_more_than(self, before: int) -> None:
        await self.page.wait_for_function(f"before => {HEARD} > before", arg=before)

    async def last(self) -> str:
        """What the shop said last."""
        return await self.bubbles.last.inner_text()

    async def buys(self) -> None:
        """The whole way from hello to a placed order."""
        await self.says("hi")
        await self.chooses("Open menu", "Categories")
        await self.chooses("See categories", "Kitchen")
        await self.chooses("See products", "Ceramic Mug")
        await self.taps("Add to cart")
        await self.says("cart")
        await self.taps("Checkout")
        await self.says(ADDRESS)
        await self.taps("Use this address")
        await self.picks_if_asked("Standard delivery")
        await self.picks_if_asked("Cash on delivery")
        await self.taps("Confirm")
        confirmed = self.bubbles.filter(has_text="is confirmed").first
        for _ in range(MOST_MINUTES):
            # The notice waits half a minute from the moment that the order stands, which may be after a press.
            await self.page.get_by_role("button", name="+ 1 min").click()
            with contextlib.suppress(TooLateError):
                await confirmed.wait_for(timeout=3000)
                return
        await confirmed.wait_for()

    async def picks_if_asked(self, choice: str) -> None:
        """Choose where a choice is offered; the shop skips a step with one way only."""
        lists = self.bubbles.last.locator(".tap").filter(has_text="☰")
        if await lists.count():
            before = await self.page.evaluate(HEARD)
            await lists.first.click()
            await self.page.locator("#sheet .choice").filter(has_text=choice).first.click()
            await self.hears_more_than(before)
        elif await self.bubbles.last.locator(".tap").filter(has_text=choice).count():
            await self.taps(choice)
