"""A whole hub in memory with people on both sides, and browsers that are signed in."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx2

from tests.processes import SECRET, delivery, signature_of
from wch import Settings
from wch.application.hub import Hub
from wch.bootstrap import open_hub
from wch.domain.moment import unix
from wch.domain.operator import Operator, Role
from wch.entrypoints.http.application import asgi
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

PASSWORD = "correct horse battery"
ANNA = "34600111222"
HOST = "http://127.0.0.1"


@attrs.define
class Browser:
    """Somebody's browser: it keeps cookies, follows where it is led, and fills in forms."""

    web: httpx2.AsyncClient

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.web.get(f"/console{path}", **more)

    async def post(self, path: str, *, page: str = "", **fields: str) -> httpx2.Response:
        """Post a form as the page there has it, with its token."""
        shown = await self.get(page)
        found = re.search(r'name="token" value="([0-9a-f]+)"', shown.text)
        assert found is not None, shown.text[:400]
        return await self.web.post(f"/console{path}", data={"token": found[1], **fields})

    async def text(self, path: str) -> str:
        """What people read there, without markup."""
        shown = await self.get(path)
        assert shown.status_code == 200, (path, shown.status_code)
        return html.unescape(re.sub(r"<[^>]+>", " ", shown.text))


@attrs.define
class Shop:
    """The hub and who stands around it."""

    hub: Hub
    clock: FrozenClock
    whatsapp: RecordingWhatsApp
    app: Any
    clients: list[httpx2.AsyncClient] = attrs.field(factory=list)
    said: int = 0

    async def hears(self, text: str, *, sender: str = ANNA, name: str | None = None, answered: bool = True) -> None:
        """A customer writes; the assistant answers if it is let."""
        self.said += 1
        stamp = str(unix(self.clock.now()))
        message = {
            "from": sender,
            "id": f"wamid.said.{self.said}",
            "timestamp": stamp,
            "type": "text",
            "text": {"body": text},
        }
        body = delivery(message)
        if name is not None:
            body = body.replace(f'"name": "N{sender}"'.encode(), f'"name": "{name}"'.encode("unicode-escape"))
        await self.hub.inbox.receive_raw(body, signature=signature_of(body, SECRET))
        if answered:
            await self.hub.worker.drain()

    def browser(self) -> Browser:
        """Somebody's, not signed in."""
        transport = httpx2.ASGITransport(app=self.app)
        client = httpx2.AsyncClient(transport=transport, base_url=HOST)
        self.clients.append(client)
        return Browser(client)

    async def person(self, name: str, role: Role) -> Operator:
        return await self.hub.operators.add(name, role, PASSWORD, by="cli")

    async def signed_in(self, name: str, role: Role) -> Browser:
        """A new operator's browser."""
        await self.person(name, role)
        browser = self.browser()
        answered = await browser.web.post("/console/sign-in", data={"name": name, "password": PASSWORD})
        assert answered.status_code == 303, answered.text
        return browser

    async def actions(self) -> list[str]:
        lines = await self.hub.database.read(lambda uow: uow.audit.listed(limit=500))
        return [line.action for line in lines]


@asynccontextmanager
async def shop() -> AsyncIterator[Shop]:
    """A shop in memory on a clock that stands still."""
    settings = Settings(
        database_url="memory://",
        app_secret=SECRET,
        verify_token="a-token",
        access_token="an-access-token",
        phone_number_id="*",
    )
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp) as hub:
        made = Shop(hub=hub, clock=clock, whatsapp=whatsapp, app=asgi(hub))
        try:
            yield made
        finally:
            for client in made.clients:
                await client.aclose()
