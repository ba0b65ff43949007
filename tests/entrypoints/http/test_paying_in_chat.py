"""Paying without leaving the chat: the bill, the money, and every word about it, from the tap to the parcel."""

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.entrypoints.http.test_whole_hub import Town, town
from wch.adapters.sandbox.deliveries import signature
from wch.adapters.sandbox.gateways.charge import ChargeState
from wch.adapters.sandbox.gateways.whatsapp_pay_api import WhatsAppPayApi
from wch.application.ports import UnitOfWork
from wch.domain.ledger import Ledger
from wch.domain.money import Money
from wch.domain.order import OrderStatus
from wch.domain.saga import Saga, SagaState
from wch.entrypoints.cli.demo import options_of

ASHA = "919876543210"
ADDRESS = "Asha Rao, MG Road 12, Bengaluru, Karnataka 560001, India"
INDIA: dict[str, Any] = {"payments": "whatsapp_pay", "currency": "INR", "country": "IN"}
HOUR = 3600


@attrs.frozen
class Asha:
    """A customer in India at her phone."""

    here: Town

    async def say(self, body: dict[str, Any]) -> None:
        before = len(await self.heard())
        answered = await self.here.web.post(f"/sandbox/api/customers/{ASHA}/messages", json=body)
        assert answered.json()["status"] == 200, answered.text
        await self.until(lambda heard: len(heard) > before)

    async def until(self, is_there: Callable[[list[Any]], Any]) -> Any:
        """What is there once it is; until then the hub's clock is moved on."""
        for _ in range(100):
            await self.here.settles()
            found = is_there(await self.heard())
            if found:
                return found
            await self.wait(1)
        raise AssertionError([one["body"] for one in await self.heard()][-2:])

    async def write(self, text: str) -> None:
        await self.say({"type": "text", "text": {"body": text}})

    async def tap(self, prefix: str) -> None:
        for one in reversed(await self.heard()):
            for option in options_of(one["body"]):
                if option.id.startswith(prefix):
                    await self.say({"tap": option.id})
                    return
        raise AssertionError(prefix, [one["body"] for one in await self.heard()][-2:])

    async def heard(self) -> list[Any]:
        told = (await self.here.web.get(f"/sandbox/api/customers/{ASHA}/messages")).json()["data"]
        return [one for one in told if one["direction"] == "outbound"]

    async def words(self) -> list[Any]:
        """The kind of each message about the bill, and what it says of it."""
        found = []
        for one in await self.heard():
            told = one["body"].get("interactive", {})
            if told.get("type") == "order_details":
                found.append("bill")
            elif told.get("type") == "order_status":
                found.append(told["action"]["parameters"]["order"]["status"])
        return found

    async def orders(self) -> Any:
        """From the greeting to the bill; what it says."""
        await self.write("canvas bag")
        if not any(option.id.startswith("add_to_cart_") for option in options_of((await self.heard())[-1]["body"])):
            await self.tap("product_")
        await self.tap("add_to_cart_")
        await self.write("checkout")
        await self.write(ADDRESS)
        await self.tap("use_address")
        await self.tap("shipping_standard")
        await self.tap("confirm_order")
        return (await self.bill())["body"]["interactive"]["action"]["parameters"]

    async def bill(self) -> Any:
        """The message with the bill."""
        return await self.until(lambda heard: next((one for one in heard if _kind(one) == "order_details"), None))

    async def does(self, deed: str) -> None:
        (payment,) = (await self.here.web.get("/sandbox/api/payments")).json()["data"]
        paid = await self.here.web.post(f"/sandbox/api/payments/whatsapp_pay/{payment['id']}", json={"do": deed})
        assert paid.status_code == 200, paid.text
        await self.here.settles()

    async def payment(self) -> Any:
        (payment,) = (await self.here.web.get("/sandbox/api/payments")).json()["data"]
        return payment

    async def wait(self, seconds: int) -> None:
        await self.here.web.post("/sandbox/api/clock", json={"advance": f"{seconds}s"})
        await self.here.settles()

    async def saga(self) -> Saga:
        (saga,) = await self.here.hub.database.read(lambda uow: uow.sagas.listed(saga_type="OrderPlacement"))
        return saga


def _kind(one: Any) -> Any:
    return one["body"].get("interactive", {}).get("type")


def delivery(reference: str, word: str) -> bytes:
    status = {"id": "wamid.x", "type": "payment", "status": word, "timestamp": "1790000000", "recipient_id": ASHA}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": "100000000000001"},
        "statuses": [{**status, "payment": {"reference_id": reference, "transaction": {"id": "t-1"}}}],
    }
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


async def test_the_bill_adds_up_and_the_money_places_the_order() -> None:
    """Review, bill, lookup and order are one amount; the parcel moves the same bill along."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        bill = await asha.orders()
        before = (await asha.saga()).state
        await asha.does("pay")
        saga = await asha.saga()
        order_id = int(saga.results["create_order"]["order_id"])
        await here.hub.shop.ship(order_id=order_id, carrier="DHL", tracking="JD1")  # type: ignore[attr-defined]  # the built-in shop
        await here.hub.orders.changed(order_id, action="order.ship", by="a person")
        await asha.wait(60)
        await asha.wait(60)

        order = bill["order"]
        lines = sum(item["amount"]["value"] * item["quantity"] for item in order["items"])
        shipping = order.get("shipping", {}).get("value", 0)
        assert (order["subtotal"]["value"], order["tax"]["value"] + lines + shipping) == (
            lines,
            bill["total_amount"]["value"],
        )
        due = Ledger.of(saga.context).due
        assert due == Money.from_minor(bill["total_amount"]["value"], "INR")
        assert (before, saga.state) == (SagaState.RUNNING, SagaState.COMPLETED)
        assert [one.amount for one in Ledger.of(saga.context).captured] == [due]
        assert bill["payment_settings"][0]["payment_gateway"]["configuration_name"] == "sandbox"
        assert bill["beneficiaries"][0]["postal_code"] == "560001"
        assert await asha.words() == ["bill", "processing", "shipped"]
        assert (await here.hub.verification.run())["ok"]


async def test_asked_again_the_same_bill_is_quoted() -> None:
    """A reference goes out once: every later word about it answers that message visibly."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        await asha.orders()
        bill = (await asha.bill())["id"]
        await asha.write("checkout")
        again = (await asha.heard())[-1]["body"]
        await asha.wait(46 * 60)
        reminder = (await asha.heard())[-1]["body"]

        assert await asha.words() == ["bill"], (again, reminder)
        assert (again["context"]["message_id"], reminder["context"]["message_id"]) == (bill, bill)


async def test_no_status_moves_money_by_itself() -> None:
    """Wrongly signed: 401 and no row. Rightly signed, while the look-up says that nothing came: not paid."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        reference = (await asha.orders())["reference_id"]
        body = delivery(reference, "captured")
        secret = here.hub_secret
        forged = await here.web.post(
            "/webhooks/whatsapp", content=body, headers={"X-Hub-Signature-256": signature(body, "wrong")}
        )
        signed = await here.web.post(
            "/webhooks/whatsapp", content=body, headers={"X-Hub-Signature-256": signature(body, secret)}
        )
        await here.settles()

        assert (forged.status_code, signed.status_code) == (401, 200)
        assert (await asha.saga()).state is SagaState.RUNNING
        assert Ledger.of((await asha.saga()).context).captured == ()


async def test_a_status_of_nobodys_bill_is_a_dead_letter_that_can_be_replayed_once() -> None:
    """Replayed while there is still no such placement it becomes a new letter that names the old one."""
    async with town(**INDIA) as here:
        body = delivery("wch-zz-t4fnr6", "captured")
        for _ in range(2):
            await here.web.post(
                "/webhooks/whatsapp", content=body, headers={"X-Hub-Signature-256": signature(body, here.hub_secret)}
            )
        (letter,) = await here.hub.dead_letters.listed()
        await here.hub.dead_letters.replay(letter.id, by="ana")
        (again,) = await here.hub.dead_letters.listed()

        assert (letter.hook, letter.reason) == ("payment", "payment_unmatched")
        assert again.metadata["parent"] == letter.id


async def test_too_little_is_parked_and_nothing_is_accepted() -> None:
    async with town(**INDIA) as here:
        asha = Asha(here)
        await asha.orders()
        await asha.does("wrong_amount")
        saga = await asha.saga()

        assert (saga.outcome, saga.context["reason"]) == ("parked", "amount_mismatch")
        assert await asha.words() == ["bill"]


async def test_a_try_that_failed_is_waited_out() -> None:
    """The customer may try again on the same bill."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        await asha.orders()
        await asha.does("decline")
        assert (await asha.saga()).state is SagaState.RUNNING
        await asha.does("pay")

        assert (await asha.saga()).state is SagaState.COMPLETED


async def test_money_without_any_news_is_found() -> None:
    async with town(**INDIA) as here:
        asha = Asha(here)
        await asha.orders()
        await asha.does("pay_silently")
        await asha.wait(181)

        assert (await asha.saga()).state is SagaState.COMPLETED


@pytest.mark.parametrize("how", ["cancel", "deadline"])
async def test_an_order_that_is_undone_closes_its_bill(how: str) -> None:
    """It can be paid no more, and the phone says so."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        await asha.orders()
        if how == "cancel":
            await asha.write("cancel")
        else:
            await asha.wait(HOUR + 1)
        saga = await asha.saga()

        assert saga.outcome == "compensated"
        assert await asha.words() == ["bill", "canceled"]
        assert (await asha.payment())["state"] in {"cancelled", "expired"}


async def test_money_that_comes_when_all_is_over_goes_back() -> None:
    """Paying late moves the clock past the end, where the order was undone; the money is found and refunded once."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        await asha.orders()
        before = (await here.web.get("/sandbox/api/clock")).json()["now"]
        await asha.does("pay_late")
        undone = await asha.saga()
        await asha.wait(181)
        payment = await asha.payment()

        assert (await here.web.get("/sandbox/api/clock")).json()["now"] > before
        assert undone.outcome == "compensated"
        assert (payment["state"], payment["refunded"]) == ("paid", payment["amount"])
        again = await here.web.post(f"/sandbox/api/payments/whatsapp_pay/{payment['id']}", json={"do": "pay_late"})
        assert again.status_code == 409


async def test_money_that_crosses_the_cancelling_goes_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paid between our look and the word that closes the bill: WhatsApp refuses the word, the money is found at once."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        await asha.orders()
        graph = here.sandbox.gateways
        assert graph is not None
        close = WhatsAppPayApi.said
        paid: list[Any] = []

        def paying_first(api: Any, number: str, wa_id: str, message_id: str, body: Any) -> int | None:
            if body.get("interactive", {}).get("type") == "order_status" and not paid:
                (charge,) = graph._book.all("whatsapp_pay")  # noqa: SLF001 - the customer is quicker than our message
                charge.state, charge.received, charge.paid_at = ChargeState.PAID, charge.amount, here.hub.clock.now()
                paid.append(charge)
            return close(api, number, wa_id, message_id, body)

        monkeypatch.setattr(WhatsAppPayApi, "said", paying_first)
        await asha.write("cancel")
        await asha.wait(5)
        await asha.wait(61)

        (refund,) = await here.hub.database.read(lambda uow: uow.sagas.listed(saga_type="Refund"))
        assert refund.state is SagaState.COMPLETED
        assert [(one.amount, len(charge.refunds)) for charge in paid for one in charge.refunds] == [(paid[0].amount, 1)]


async def paid_order(asha: Asha) -> int:
    await asha.orders()
    await asha.does("pay")
    return int((await asha.saga()).results["create_order"]["order_id"])


async def test_money_goes_back_inside_whatsapp() -> None:
    async with town(**INDIA) as here:
        asha = Asha(here)
        order_id = await paid_order(asha)
        await here.hub.refunds.order(order_id, reason="-", key="click", by="ana")
        await here.settles()
        (order,) = (await here.hub.shop.orders_of(phones=(ASHA,))).items

        payment = await asha.payment()
        assert payment["refunded"] == payment["amount"]
        assert (order.status, order.refunded) == (OrderStatus.REFUNDED, order.total)


@pytest.mark.parametrize("effect", [True, False])
async def test_a_refund_whose_answer_is_lost_is_never_sent_twice(effect: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - whether it had one
    """The look-up shows it: done. It shows nothing: parked, and only a person sends it again."""
    async with town(**INDIA) as here:
        asha = Asha(here)
        order_id = await paid_order(asha)
        assert here.sandbox.gateways is not None
        answer = WhatsAppPayApi.answer
        sent = []

        def losing(api: Any, asked: Any) -> Any:
            if asked.method == "POST":
                sent.append(asked)
                if len(sent) == 1:
                    told = answer(api, asked if effect else attrs.evolve(asked, method="HEAD"))
                    return attrs.evolve(told, status=502)
            return answer(api, asked)

        monkeypatch.setattr(WhatsAppPayApi, "answer", losing)
        refund = await here.hub.refunds.order(order_id, reason="-", key="click", by="ana")
        await here.settles()
        await asha.wait(6)

        found = await here.hub.sagas.show(refund.saga_id)
        assert len(sent) == 1
        if effect:
            assert found.state is SagaState.COMPLETED
            return
        assert (found.outcome, found.context["reason"]) == ("parked", "refund_unclear")
        await here.hub.sagas.act(refund.saga_id, "resume", by="ana")
        await here.settles()
        assert (await here.hub.sagas.show(refund.saga_id)).state is SagaState.COMPLETED
        assert len(sent) == 2


async def test_a_payment_outside_india_is_kept_as_it_came() -> None:
    """Without WhatsApp Pay a payment status is only a line of the audit log."""
    async with town(payments="cod") as here:
        body = delivery("wch-zz-t4fnr6", "captured")
        await here.web.post(
            "/webhooks/whatsapp", content=body, headers={"X-Hub-Signature-256": signature(body, here.hub_secret)}
        )

        def kept(uow: UnitOfWork) -> list[str]:
            return [line.action for line in uow.audit.listed()]

        assert any("status_payment" in action for action in await here.hub.database.read(kept))
        assert await here.hub.dead_letters.listed() == []
