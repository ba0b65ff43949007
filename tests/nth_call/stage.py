"""A whole hub in memory with one fault ordered, and people who repeat what they were not answered."""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import attrs

from tests.processes import NUMBER, SECRET, signature_of
from tests.simulation.shelf import stocked
from tests.simulation.world import SETTINGS, waits, whole_threads
from wch.adapters.memory import MemoryDatabase
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.application.failpoints import Failpoints
from wch.application.hub import Hub
from wch.application.observers import Observers
from wch.application.ports import UnitOfWork
from wch.application.texts import LANGUAGES, Texts
from wch.bootstrap import Parts, wired
from wch.domain.document import JsonObject
from wch.domain.errors import ConflictError, StoreUnavailableError
from wch.domain.message import Direction
from wch.domain.moment import unix
from wch.domain.send_result import Accepted, SendResult
from wch.entrypoints.cli.demo import options_of
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds, words
from wch.testing.faults import Faults, Plan

ANNA = "34600111222"
ADDRESS = "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain"
MOST_REPEATS = 5
UNREACHABLE = tuple(Texts(language).say("shop.unreachable") for language in LANGUAGES)


class Phone(RecordingWhatsApp):
    """Notes which messages were taken, beside those that were offered."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[JsonObject] = []

    async def send(self, number: str, message: JsonObject) -> SendResult:
        result = await super().send(number, message)
        if isinstance(result, Accepted):
            self.taken.append(message)
        return result


@attrs.define(kw_only=True)
class Stage:
    """Where a scenario is played."""

    hub: Hub
    store: MemoryDatabase
    clock: FrozenClock
    whatsapp: Phone
    shop: Any
    spoken: list[str] = attrs.field(factory=list)
    told: int = 0
    latest: dict[str, Any] = attrs.field(factory=dict)

    @classmethod
    async def set_up(cls, plan: Plan) -> "Stage":
        """A hub whose every port fails as planned."""
        store, clock, whatsapp = MemoryDatabase(), FrozenClock(), Phone()
        shop = await stocked(clock)
        faults = Faults(plan=plan)
        hub = wired(
            Parts(
                settings=SETTINGS,
                database=faults.database(store, statements=True),
                clock=clock,
                ids=SequentialIds(),
                whatsapp=faults.whatsapp(whatsapp),
                shop=faults.shop(shop),
                payments=faults.payments(
                    SwitchedOnPayments((CashOnDelivery(fee=None, max_total=None, excluded_countries=frozenset()),))
                ),
                observers=Observers(all=()),
                failpoints=Failpoints.disarmed(),
                tag="nth",
            )
        )
        return cls(hub=hub, store=store, clock=clock, whatsapp=whatsapp, shop=shop)

    # --- what people do

    async def says(self, text: str) -> None:
        """Anna types, and waits for what comes."""
        await self._say_until_understood({"type": "text", "text": {"body": text}})

    async def taps(self, *prefixes: str) -> None:
        """Anna taps the newest thing on her phone whose id begins so; if it is not there, she says her latest words again."""
        for _ in range(2):
            for sent in reversed(self.whatsapp.sent):
                for option in options_of(sent.message):
                    if option.id.startswith(prefixes):
                        reply = {"type": "list_reply", "list_reply": {"id": option.id, "title": option.title}}
                        await self._say_until_understood({"type": "interactive", "interactive": reply})
                        return
            await self._say(self.latest)
        message = f"nothing on the phone begins with {prefixes}: {self.whatsapp.texts[-2:]}"
        raise AssertionError(message)

    def offers(self, prefix: str) -> bool:
        """Whether the latest message has such a thing to tap."""
        return any(option.id.startswith(prefix) for option in options_of(self.whatsapp.sent[-1].message))

    async def looks_at_the_mug(self) -> None:
        """Anna asks for it until she may put it into her cart."""
        for _ in range(4):
            if self.whatsapp.sent and self.offers("add_to_cart_"):
                return
            if self.whatsapp.sent and self.offers("product_"):
                await self.taps("product_")
            else:
                await self.says("mug")

    async def buys(self) -> int:
        """Anna buys one mug; the order's number."""
        await self.looks_at_the_mug()
        await self.taps("add_to_cart_")
        await self.taps("checkout")
        await self.says(ADDRESS)
        await self.taps("use_address")
        for prefix in ("shipping_", "payment_"):
            if self.offers(prefix):
                await self.taps(prefix)
        await self.taps("confirm_order")
        (saga,) = await self.store.read(lambda uow: uow.sagas.listed())
        return int(saga.results["create_order"]["order_id"]) if saga.state == "completed" else 0

    async def hears(self, value: dict[str, Any], *, number: str = NUMBER, field: str = "messages") -> None:
        """Meta delivers, and delivers again until it is answered 200."""
        metadata = {"display_phone_number": "1", "phone_number_id": number}
        change = {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).encode()
        await self.until_done(lambda: self.hub.inbox.receive_raw(body, signature=signature_of(body, SECRET)))

    async def until_done(self, act: Callable[[], Awaitable[Any]]) -> None:
        """Do it, and once more as long as the store does not answer; that it was done already is an answer."""
        for _ in range(MOST_REPEATS):
            try:
                await act()
            except StoreUnavailableError:
                continue
            except ConflictError:
                return
            return
        raise AssertionError

    async def _say_until_understood(self, body: dict[str, Any]) -> None:
        """Said once more when the answer is that the shop does not answer."""
        await self._say(body)
        if self.whatsapp.texts and any(self.whatsapp.texts[-1].startswith(one) for one in UNREACHABLE):
            await self._say(body)

    async def _say(self, body: dict[str, Any]) -> None:
        self.latest = body
        self.spoken.append(f"wamid.said.{len(self.spoken)}")
        at = {"timestamp": str(unix(self.clock.now()))}
        await self.hears({"messages": [{"from": ANNA, "id": self.spoken[-1], **at, **body}]})
        await self.quiet()

    async def quiet(self) -> None:
        """Everything that is due is done, however long it takes."""
        for _ in range(200):
            await self.hub.worker.drain()
            if not await self.store.read(waits):
                self.clock.advance(timedelta(seconds=5))
                return
            self.clock.advance(timedelta(seconds=61))
        raise AssertionError

    async def statuses(self) -> None:
        """What was sent is delivered and read, told backwards."""
        while self.told < len(self.whatsapp.sent):
            self.told += 1
            data = self.whatsapp.sent[self.told - 1].message["biz_opaque_callback_data"]
            for word in ("read", "sent", "delivered"):
                status = {"id": f"wamid.sent.{self.told}", "status": word, "recipient_id": ANNA}
                status["biz_opaque_callback_data"] = str(data)
                await self.hears({"statuses": [{**status, "timestamp": str(unix(self.clock.now()))}]})
        await self.quiet()

    # --- what came of it

    async def outcome(self) -> dict[str, Any]:
        """All that must be the same whatever failed on the way: accepted, said, sold, buried, decided."""
        report = await self.hub.verification.__class__(database=self.store).run()
        assert report["ok"], [check for check in report["checks"] if not check["ok"]]
        rows, rest = await self.store.read(lambda uow: (whole_threads(uow), _rest(uow)))
        times = Counter(int(str(taken["biz_opaque_callback_data"]).split(".")[2]) for taken in self.whatsapp.taken)
        for row in rows:
            assert times[row.id] <= 1 + bool(row.content.get("resent")), "sent more often than it was written down"
        inbound = [row for row in rows if row.direction is Direction.INBOUND]
        outbound = sorted((row for row in rows if row.direction is Direction.OUTBOUND), key=lambda row: row.id)
        assert [row.wa_message_id for row in sorted(inbound, key=lambda row: row.id)] == self.spoken
        return {
            "inbound": Counter(row.status.value for row in inbound),
            "said": [re.sub(r"\d+", "#", words(cast("Any", row.content["body"]))) for row in outbound],
            "outbound": Counter(row.status.value for row in outbound),
            "unsent": [row.id for row in outbound if row.status.value in {"sent", "read"} and not times[row.id]],
            **rest,
        }


def _rest(uow: UnitOfWork) -> dict[str, Any]:
    return {
        "sagas": Counter(f"{saga.state} {saga.outcome}" for saga in uow.sagas.listed(limit=500)),
        "letters": Counter(f"{one.reason} {one.status}" for one in uow.dead_letters.listed(status=None, limit=500)),
        "carts": [(cart.status.value, len(cart.items)) for cart in uow.carts.listed(limit=500)],
        "people": [(one.opt_in_marketing, one.total_orders) for one in uow.customers.listed(limit=500)],
        "notices": Counter(one.notification_type for one in uow.notifications.listed(limit=500)),
        "decided": Counter(line.action for line in uow.audit.listed()),
    }
