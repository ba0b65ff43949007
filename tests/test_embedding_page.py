"""docs/embedding.md is true: each of its blocks runs, on the hub that its section speaks of; so does README's."""

import ast
import asyncio
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine

import wch
from wch import Settings
from wch.adapters.sandbox.deliveries import signature
from wch.domain.money import Money
from wch.domain.outgoing import Text
from wch.testing import FrozenClock, Goods, RecordingWhatsApp, SandboxWhatsApp, ScriptedShop, memory_hub

PAGE = Path(__file__).resolve().parents[1] / "docs" / "embedding.md"
README = PAGE.parents[1] / "README.md"
BLOCKS = {
    section.partition("\n")[0]: block
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]
    for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
}
MARIA = "34600111222"
SECRET = "a-secret"
SETTINGS = Settings(
    database_url="memory://", app_secret=SECRET, secret_key="long-enough-to-hide-numbers", access_token="a-token",
    verify_token="a-word", phone_number_id="*", currency="EUR", country="ES",
)  # fmt: skip


async def run(section: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Run the block of a section with these names; the names there are afterwards."""
    names = {"wch": wch, "asyncio": asyncio, "Settings": Settings, "timedelta": timedelta, **given}
    code = compile(BLOCKS[section], str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    awaited = eval(code, names)  # noqa: S307 - our own page
    if inspect.isawaitable(awaited):
        await awaited
    return names


def delivery(text: str, wa_id: str = "wamid.1") -> tuple[bytes, str]:
    """A customer's message as WhatsApp brings it, and its signature."""
    said = {"from": MARIA, "id": wa_id, "timestamp": "1772452800", "type": "text", "text": {"body": text}}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"}, "messages": [said]}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    return body, signature(body, SECRET)


def test_the_readmes_script_answers_its_customer() -> None:
    """Copied into a file it runs by itself."""
    (script,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "Your cart comes to *€15.00*." in done.stdout


async def test_a_hub_in_five_lines() -> None:
    """The page's own settings know no secret, so what comes is unsigned; nothing raises."""
    body, header = delivery("hi")

    names = await run("A hub in five lines", {"body": body, "header": header})

    assert isinstance(names["hub"], wch.Hub)


async def test_in_a_web_application() -> None:
    async def your_own(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    body, header = delivery("hi")
    async with wch.open_hub(SETTINGS, whatsapp=RecordingWhatsApp()) as hub:
        names = await run("In a web application", {"your_own": your_own})
        transport = httpx2.ASGITransport(app=names["application"](hub))
        async with httpx2.AsyncClient(transport=transport, base_url="http://host.test") as web:
            taken = await web.post("/wch/webhooks/whatsapp", content=body, headers={"X-Hub-Signature-256": header})
            alive, elsewhere = await web.get("/wch/livez"), await web.get("/shop")

    assert (taken.status_code, alive.status_code, elsewhere.status_code) == (200, 200, 204)


async def test_the_worker() -> None:
    body, header = delivery("hi")
    whatsapp = RecordingWhatsApp()
    async with wch.open_hub(SETTINGS, whatsapp=whatsapp) as hub:
        await hub.inbox.receive_raw(body, signature=header)
        names = await run("The worker", {"hub": hub})

    assert names["working"].done()


async def test_what_the_host_hands_over(tmp_path: Path) -> None:
    clock = FrozenClock()
    shop = await ScriptedShop.selling([Goods(sku="L", name="Lamp")], clock=clock, currency="EUR", country="ES")
    engine = create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    given = {"settings": SETTINGS, "engine": engine, "clock": clock, "shop": shop, "heard": []}

    names = await run("What the host hands over", given)

    assert (names["hub"].clock, names["hub"].shop) == (clock, shop)
    await shop.aclose()
    engine.dispose()


async def test_what_the_host_hears(capsys: pytest.CaptureFixture[str]) -> None:
    heard = (await run("What the host hears", {}))["heard"]
    euros = Money(Decimal("12.50"), "EUR")
    heard(wch.MessageReceived(message_id=1, conversation_id=1, type="text"))
    heard(wch.CartAbandoned(cart_id=2))
    heard(wch.OrderPlaced(saga_id="s", order_id=3, total=euros))
    heard(wch.PaymentCaptured(saga_id="s", order_id=3, gateway="stripe", amount=euros))

    told = capsys.readouterr().out.splitlines()

    assert [line.split()[0] for line in told] == ["message", "a", "order", "paid"]


async def test_asking_the_hub() -> None:
    whatsapp = SandboxWhatsApp()
    async with memory_hub(SETTINGS, whatsapp=whatsapp) as hub:
        await whatsapp.say(MARIA, "hi")
        await run("Asking the hub", {"hub": hub, "Text": Text})

        assert whatsapp.heard(MARIA)[-1]["text"]["body"] == "We are open again."


async def test_testing_your_own_code() -> None:
    """With the page's own assertions."""
    given = {"SandboxWhatsApp": SandboxWhatsApp, "FrozenClock": FrozenClock, "memory_hub": memory_hub}
    await run("Testing your own code", {**given, "settings": SETTINGS, "facts": []})


def test_every_block_of_the_page_is_run() -> None:
    here = Path(__file__).read_text("utf-8")

    assert len(BLOCKS) == PAGE.read_text("utf-8").count("```python")
    assert [section for section in BLOCKS if f'run("{section}"' not in here] == []
