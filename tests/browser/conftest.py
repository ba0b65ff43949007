"""A real browser on a real hub with its sandbox; skipped, loudly, where there is no Chromium."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests.processes import Installed, sqlite_store

CHROMIUM = os.environ.get("WCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """A shop of this test's own, with everything else at its default."""
    return Installed(folder=tmp_path, store=sqlite_store(tmp_path), more={"WCH_PROFILE": "dev"})


@pytest.fixture
async def address(installed: Installed) -> AsyncIterator[str]:
    """Where the hub of this test is, with its sandbox."""
    async with installed.serving("--sandbox") as server:
        yield server.address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without anything it would do on its own account."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here (apt-get install chromium, or name it by WCH_CHROMIUM)")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    """A desktop's page that asks nobody but the hub and that nothing was refused on."""
    page = await browser.new_page(viewport={"width": 1280, "height": 860}, base_url=address)
    complaints: list[str] = []
    strangers: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            complaints.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: strangers.append(request.url) if not _ours(request.url, address) else None)
    yield page
    assert complaints == []
    assert strangers == []


def _ours(url: str, address: str) -> bool:
    return url.startswith((f"{address}/", "data:"))
