"""Takes the pictures of README and docs: a week of a small shop played in the sandbox, then looked at in the browser.

    make pictures

Nothing is drawn by hand: the customers talk to a real `wch serve` over HTTP, the week is the sandbox's clock moved on.
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx2
from playwright.async_api import FloatRect, Page, async_playwright

from tests.browser.conftest import CHROMIUM, QUIET
from tests.browser.phones import Phone
from tests.processes import PATIENCE, POLL, Installed, sqlite_store

WIDTH, HEIGHT = 1280, 820
PHONE_AND_HUB = 938
"""Pixels from the left in which the phone and what the hub did stand; the controls are left out."""

SHOPPERS = (
    ("Layla", "966500111222", "مرحبا"),
    ("João", "5511987654321", "oi"),
    ("Priya", "919876543210", "नमस्ते"),
    ("Lucía", "34611222333", "hola"),
    ("Omar", "34622333444", "hi"),
    ("Emma", "447700900123", "hello"),
)

WEEK = (
    (("Omar", "Ceramic Mug"), ("Emma", "Canvas Bag")),
    (("Lucía", "Blue Lamp"), ("Layla", None)),
    (("Emma", "Ceramic Mug"), ("João", None), ("Priya", None)),
    (("Omar", "Blue Lamp"), ("Layla", None)),
    (("Emma", None), ("Lucía", "Canvas Bag"), ("Omar", "Canvas Bag")),
)
"""Who comes on which day, and what they buy; None asks and goes."""

ADDRESS = "{name} Garcia, Calle Mayor 12, 28013 Madrid, Spain"


@attrs.frozen
class Shopper:
    """A customer who talks over the sandbox's interface."""

    web: httpx2.AsyncClient
    name: str
    number: str
    hello: str

    async def says(self, **body: Any) -> bool:
        """Say it and wait for the answer; False when there is no such thing to tap."""
        before = await self._heard()
        path = f"/sandbox/api/customers/{self.number}/messages"
        answered = await self.web.post(path, json={"name": self.name, **body})
        if answered.status_code == httpx2.codes.NOT_FOUND:
            return False
        answered.raise_for_status()
        async with asyncio.timeout(PATIENCE):
            while True:
                await asyncio.sleep(POLL)
                if await self._heard() > before:
                    return True

    async def writes(self, text: str) -> None:
        """Type it."""
        await self.says(type="text", text={"body": text})

    async def buys(self, product: str) -> None:
        """From hello to a placed order."""
        for text in ("hi", f"add 1 {product}", "checkout", ADDRESS.format(name=self.name)):
            await self.writes(text)
        for title in ("Use this address", "Standard delivery", "Cash on delivery", "Confirm order"):
            await self.says(tap=title)

    async def _heard(self) -> int:
        said = (await self.web.get(f"/sandbox/api/customers/{self.number}/messages")).json()["data"]
        return sum(one["direction"] == "outbound" for one in said)


async def live_a_week(web: httpx2.AsyncClient) -> None:
    """Let them come and go, day by day."""
    people = {name: Shopper(web, name, number, hello) for name, number, hello in SHOPPERS}
    for day in WEEK:
        for name, product in day:
            if product is None:
                await people[name].writes(people[name].hello)
            else:
                await people[name].buys(product)
        await move(web, "24h")
    for name in ("Lucía", "Priya", "João"):
        await people[name].writes(people[name].hello)
    await people["Omar"].writes("hi")
    await people["Omar"].writes("I want to talk to a person")


async def move(web: httpx2.AsyncClient, span: str) -> None:
    """Let the time pass."""
    (await web.post("/sandbox/api/clock", json={"advance": span}, timeout=PATIENCE)).raise_for_status()


async def signed_in(page: Page, made: Mapping[str, Any]) -> None:
    """Open the console as its admin."""
    await page.goto("/console")
    await page.get_by_label("Name").fill("maria")
    await page.get_by_label("Password").fill(str(made["password"]))
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Home", level=1).wait_for()


async def sale(page: Page, folder: Path) -> None:
    """The phone amid a sale, and what the hub did beside it."""
    await page.goto("/sandbox#34600111222")
    phone = Phone(page)
    await page.get_by_role("button", name="Maria").wait_for()
    await phone.says("hi")
    await phone.chooses("Open menu", "Categories")
    await phone.chooses("See categories", "Kitchen")
    await phone.chooses("See products", "Ceramic Mug")
    await phone.taps("Add to cart")
    await phone.says("cart")
    await page.wait_for_function("document.querySelectorAll('#cards .panel').length > 1")
    await page.mouse.move(0, 0)
    await page.screenshot(path=folder / "sandbox.png", clip={"x": 0, "y": 0, "width": PHONE_AND_HUB, "height": HEIGHT})
    await phone.taps("Checkout")
    await phone.says(ADDRESS.format(name="Maria"))
    for title in ("Use this address", "Standard delivery", "Cash on delivery", "Confirm"):
        await phone.picks_if_asked(title)


async def desk(page: Page, folder: Path) -> None:
    """An open conversation, an order's time line, and the week's figures."""
    await page.goto("/console/inbox")
    await page.get_by_role("link", name="Omar").first.click()
    await page.get_by_role("button", name="Take over").click()
    await page.get_by_label("Your words").fill("Hello Omar, Maria here. How can I help?")
    await page.keyboard.press("Control+Enter")
    await page.locator(".said .ours").filter(has_text="Maria here").filter(has_text="delivered").wait_for()
    await page.goto(page.url.partition("?")[0])
    await page.screenshot(path=folder / "inbox.png")
    await page.goto("/console/sagas")
    await page.locator("tbody a").first.click()
    await page.locator(".panel").filter(has=page.locator(".line")).screenshot(path=folder / "order.png")
    await page.goto("/console/analytics")
    await page.get_by_role("link", name="7 days").click()
    plots = page.locator(".panel").filter(has=page.locator("svg"))
    first, last = await plots.first.bounding_box(), await plots.last.bounding_box()
    assert first is not None
    assert last is not None
    clip: FloatRect = {
        "x": first["x"] - 12,
        "y": first["y"] - 12,
        "width": first["width"] + 24,
        "height": last["y"] + last["height"] - first["y"] + 24,
    }
    await page.screenshot(path=folder / "analytics.png", full_page=True, clip=clip)


async def take(folder: Path) -> None:
    """Play the week and take all pictures into this folder."""
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        shop = {"WCH_PROFILE": "dev", "WCH_CURRENCY": "EUR", "WCH_COUNTRY": "ES", "WCH_TIMEZONE": "Europe/Madrid"}
        installed = Installed(folder=here, store=sqlite_store(here), more=shop)
        async with (
            installed.serving("--sandbox") as server,
            httpx2.AsyncClient(base_url=server.address, trust_env=False, timeout=PATIENCE) as web,
            async_playwright() as driver,
        ):
            made = installed.json("operators", "add", "maria", "--role", "admin")
            maria = {"name": "Maria", "timezone": "Europe/Madrid"}
            (await web.post("/sandbox/api/customers/34600111222", json=maria)).raise_for_status()
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
            page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, base_url=server.address)
            page.set_default_timeout(PATIENCE * 1000)
            await sale(page, folder)
            await live_a_week(web)
            await signed_in(page, made)
            await desk(page, folder)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1])))
