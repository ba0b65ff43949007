"""A hub of its own process sells with online payment without any account: the sandbox takes the money."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.processes import PATIENCE, POLL, Installed, client, sqlite_store
from wch.entrypoints.cli.demo import options_of

CUSTOMERS = {"EUR": "34600111222", "INR": "919876543210", "BRL": "5511987654321"}
ADDRESSES = {
    "EUR": "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain",
    "INR": "Asha Rao, MG Road 12, Bengaluru, Karnataka 560001, India",
    "BRL": "Joao Silva, Rua Augusta 100, Sao Paulo, SP, 01310-100, Brazil",
}
COUNTRIES = {"EUR": "ES", "INR": "IN", "BRL": "BR"}


class Customer:
    """Anna at her phone."""

    def __init__(self, web: httpx2.AsyncClient, address: str, currency: str) -> None:
        self._web = web
        self._messages = f"{address}/sandbox/api/customers/{CUSTOMERS[currency]}/messages"
        self.payments = f"{address}/sandbox/api/payments"

    async def heard(self) -> list[Any]:
        said = (await self._web.get(self._messages)).json()["data"]
        return [one["body"] for one in said if one["direction"] == "outbound"]

    async def say(self, body: dict[str, Any]) -> list[str]:
        """Say it, wait for the answer, and see what it offers."""
        before = len(await self.heard())
        await self._web.post(self._messages, json=body)
        after = await self.until(before + 1)
        return [option.id for option in options_of(after[-1])]

    async def until(self, count: int) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                heard = await self.heard()
                if len(heard) >= count:
                    return heard
                await asyncio.sleep(POLL)

    async def tap(self, offered: list[str], prefix: str) -> list[str]:
        (first, *_) = [one for one in offered if one.startswith(prefix)] or [f"nothing of {prefix} in {offered}"]
        return await self.say({"tap": first})

    async def order(self, gateway: str, currency: str) -> Any:
        """From the greeting to the payment that waits for her."""
        offered = await self.say({"type": "text", "text": {"body": "canvas bag"}})
        if not any(one.startswith("add_to_cart_") for one in offered):
            offered = await self.tap(offered, "product_")
        await self.tap(offered, "add_to_cart_")
        await self.say({"type": "text", "text": {"body": "checkout"}})
        offered = await self.say({"type": "text", "text": {"body": ADDRESSES[currency]}})
        offered = await self.tap(offered, "use_address")
        offered = await self.tap(offered, "shipping_standard")
        assert {"payment_cod", f"payment_{gateway}"} <= set(offered)
        offered = await self.tap(offered, f"payment_{gateway}")
        heard = len(await self.heard())
        await self.tap(offered, "confirm_order")
        await self.until(heard + 2)
        (payment,) = (await self._web.get(self.payments)).json()["data"]
        return payment


@pytest.mark.parametrize(
    ("gateway", "currency"), [("stripe", "EUR"), ("razorpay", "INR"), ("mercadopago", "BRL"), ("whatsapp_pay", "INR")]
)
async def test_an_order_is_placed_when_the_simulated_gateway_has_the_money(
    tmp_path: Path, gateway: str, currency: str
) -> None:
    """Review, order, charge and capture are one amount; what the gateway posts too much changes nothing."""
    here = Installed(
        folder=tmp_path,
        store=sqlite_store(tmp_path),
        more={
            "WCH_PAYMENTS": "cod,stripe,razorpay,mercadopago,whatsapp_pay",
            "WCH_CURRENCY": currency,
            "WCH_PROFILE": "dev",
            "WCH_COUNTRY": COUNTRIES[currency],
        },
    )
    async with here.serving("--sandbox") as server, client() as web:
        anna = Customer(web, server.address, currency)
        payment = await anna.order(gateway, currency)
        waiting = here.json("sagas", "list")["data"]
        before = len(await anna.heard())
        paid = await web.post(f"{anna.payments}/{gateway}/{payment['id']}", json={"do": "pay"})
        heard = await anna.until(before + 1)

        assert paid.json()["state"] == "paid"
        assert "1001" in str(heard[-1])
    (placed,) = here.json("orders", "list")["data"]
    assert waiting[0]["state"] == "running"
    assert placed["state"] == "completed"
    due = placed["context"]["money"]["due"]
    assert [one["amount"] for one in placed["context"]["money"]["captured"]] == [due]
    assert placed["context"]["results"]["create_order"]["total"] == due
    assert here.wch("verify").returncode == 0
