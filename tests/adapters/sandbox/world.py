"""A sandbox whose deliveries are caught before they reach a network."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import attrs
import httpx2

from wch.adapters.sandbox import ApprovedTemplate, GraphAnswer, Sandbox
from wch.adapters.whatsapp.signature import SignatureCheck
from wch.testing import FrozenClock, SequentialIds

SECRET = "app-secret"
TOKEN = "a-token"
NUMBER = "106540352242922"
MARIA = "34600111222"
TEMPLATES = (
    ApprovedTemplate(name="order_update", body="Order {{1}} is {{2}}.", quick_replies=("Track",)),
    ApprovedTemplate(name="come_back", language="es", category="MARKETING", body="Hola {{name}}!"),
)


@attrs.define
class Delivery:
    """One delivery as the hub would get it."""

    raw: bytes
    document: Any

    @property
    def values(self) -> list[Any]:
        return [change["value"] for entry in self.document["entry"] for change in entry["changes"]]

    @property
    def statuses(self) -> list[Any]:
        return [status for value in self.values for status in value.get("statuses", ())]

    @property
    def messages(self) -> list[Any]:
        return [message for value in self.values for message in value.get("messages", ())]


@attrs.define
class Catcher:
    """Stands where the hub would be, and looks at every signature."""

    caught: list[Delivery] = attrs.field(factory=list)
    answers: list[int | None] = attrs.field(factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        header = request.headers["X-Hub-Signature-256"].encode()
        assert SignatureCheck([SECRET]).holds(request.content, [header])
        answer = self.answers.pop(0) if self.answers else 200
        if answer is None:
            raise httpx2.ConnectError("nobody there")
        self.caught.append(Delivery(raw=request.content, document=json.loads(request.content)))
        return httpx2.Response(answer)

    @property
    def messages(self) -> list[Any]:
        return [message for delivery in self.caught for message in delivery.messages]

    @property
    def statuses(self) -> list[Any]:
        return [status for delivery in self.caught for status in delivery.statuses]

    def words(self) -> list[str]:
        return [status["status"] for status in self.statuses]


@attrs.define
class World:
    """The sandbox, its catcher, and its clock."""

    sandbox: Sandbox
    hub: Catcher
    clock: FrozenClock

    async def hears(self, text: str = "hi", **more: Any) -> Any:
        return await self.sandbox.say(MARIA, {"type": "text", "text": {"body": text}, **more})

    async def call(
        self, body: Any, *, token: str = TOKEN, path: str | None = None, method: str = "POST"
    ) -> GraphAnswer:
        return await self.sandbox.called(
            method=method,
            path=path or f"/v24.0/{NUMBER}/messages",
            authorization=f"Bearer {token}",
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            content_type="application/json",
            host="http://127.0.0.1:8080/sandbox/graph",
        )

    async def send(self, **content: Any) -> GraphAnswer:
        """Send to Maria, and wait until everything about it has been reported."""
        answer = await self.call(
            {"messaging_product": "whatsapp", "to": f"+{MARIA}", "biz_opaque_callback_data": "wch1.7", **content}
        )
        await self.sandbox.settle()
        return answer

    async def say(self, text: str = "hello") -> GraphAnswer:
        return await self.send(type="text", text={"body": text})


@asynccontextmanager
async def world(*, heard: datetime | None = None, again_after: Sequence[float] = (0, 0)) -> AsyncIterator[World]:
    clock = FrozenClock()
    hub = Catcher()

    async def advance(span: timedelta) -> None:
        clock.advance(span)

    async def heard_before(_wa_id: str) -> datetime | None:
        return heard

    sandbox = Sandbox(
        webhook_url="http://hub.test/webhooks/whatsapp",
        secret=SECRET,
        token=TOKEN,
        number=NUMBER,
        waba_id="200000000000002",
        clock=clock,
        ids=SequentialIds(),
        http=httpx2.AsyncClient(transport=httpx2.MockTransport(hub)),
        advance=advance,
        templates=TEMPLATES,
        heard_before=heard_before,
        pace=0,
        again_after=again_after,
    )
    try:
        yield World(sandbox=sandbox, hub=hub, clock=clock)
    finally:
        await sandbox.aclose()


def body_of(answer: GraphAnswer) -> Any:
    """The answer as a client reads it."""
    return json.loads(answer.content())


def code_of(answer: GraphAnswer) -> int:
    """The error's code."""
    code: int = body_of(answer)["error"]["code"]
    return code
