"""Order notices over the rooms of a hub in memory: a shop that shows one order, and a customer who is told of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import attrs

from tests.application.rooms import USUAL, Rooms, noticing, rooms
from wch.application.announcing import Announcing
from wch.application.digests import Digests
from wch.application.explaining import Explaining
from wch.application.failpoints import Failpoints
from wch.application.notifications import Notifications
from wch.application.outreach import Manners, Outreach
from wch.application.ports import Shop, UnitOfWork
from wch.application.reminders import Reminders
from wch.application.seen_orders import SeenOrders
from wch.application.stored_templates import SYNCED
from wch.application.tombstones import Tombstones
from wch.domain.document import document
from wch.domain.lease import Leasing
from wch.domain.message import Direction, Message
from wch.domain.message_template import MessageTemplate, option_of
from wch.domain.money import Money
from wch.domain.notification import Notification
from wch.domain.order import Order, OrderStatus, Tracking
from wch.domain.order_figures import Counting
from wch.domain.shop_error import ShopNotFoundError, ShopUnavailableError
from wch.testing import NOON

SARA = "34612345678"
TEN = NOON.replace(hour=10)
BODIES = {
    "order_confirmation": "Thank you {{1}}: order {{2}}, {{3}}, {{4}} items, {{5}}.",
    "order_processing": "Order {{1}}: {{2}}. {{3}}",
    "order_status_update": "Order {{1}}: {{2}}. {{3}}",
    "order_cancelled": "Order {{1}}: {{2}}. {{3}}",
    "shipping_update": "Order {{1}} with {{2}}, number {{3}}: {{4}}",
    "shipping_update_plain": "Order {{1}} with {{2}}, number {{3}}.",
    "order_completed": "Hello {{1}}, order {{2}} has arrived.",
    "order_refunded": "Order {{1}}: {{2}} paid back.",
}


def euro(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def order_of(number: int = 1042, **more: Any) -> Order:
    """Sara's order, as the shop shows it."""
    facts: dict[str, Any] = {
        "id": number,
        "number": str(number),
        "status": OrderStatus.PROCESSING,
        "currency": "EUR",
        "total": euro("59.90"),
        "lines": (),
        "shipping": euro("0.00"),
        "phone": "+34 612 34 56 78",
        "refunded": euro("0.00"),
        "created_at": TEN,
        "updated_at": TEN,
    }
    return Order(**{**facts, **more})


@attrs.define
class OneOrderShop:
    """A shop that shows its orders, unless it is away."""

    orders: dict[int, Order]
    is_away: bool = False

    async def order(self, *, order_id: int) -> Order:
        if self.is_away:
            raise ShopUnavailableError
        if order_id not in self.orders:
            raise ShopNotFoundError
        return self.orders[order_id]


@attrs.define(kw_only=True)
class Noticed:
    """What a test needs to reach; built by `noticed`."""

    hub: Rooms
    shop: OneOrderShop
    notices: Notifications
    seen: SeenOrders
    explaining: Explaining

    @property
    def order(self) -> Order:
        return self.shop.orders[1042]

    async def changed(self, **changes: Any) -> None:
        """The shop's order changes, and the hub has read it."""
        now = self.hub.clock.now()
        order = attrs.evolve(self.order, updated_at=now, **changes)
        self.shop.orders[order.id] = order
        await self.hub.do(lambda uow: self.seen.note(uow, order, now=now))

    async def told(self, word: str) -> Notification:
        """Something is to be told about order 1042."""
        now = self.hub.clock.now()

        def work(uow: UnitOfWork) -> Notification:
            uow.customers.lock(SARA, now=now)
            made = self.seen.announcing.tell(uow, word, order_id=1042, phone=SARA, now=now)
            assert made is not None
            return made

        return await self.hub.database.transact(work)

    async def run(self, minutes: float = 0) -> None:
        """Time passes, and everything that is due is done."""
        self.hub.clock.advance(timedelta(minutes=minutes))
        for _ in range(20):
            if not await self.notices.work() + await self.hub.outbox.work():
                return

    async def at(self, moment: datetime) -> None:
        self.hub.clock.set(moment)
        await self.run()

    async def rows(self) -> list[Notification]:
        return list(await self.notices.listed(limit=500))

    async def one(self, word: str) -> Notification:
        return next(row for row in await self.rows() if row.notification_type == word)

    async def words(self) -> dict[str, str]:
        """What became of each type: its status, and its reason."""
        return {
            row.notification_type: f"{row.status.value} {row.error_message or ''}".strip() for row in await self.rows()
        }

    async def written(self) -> list[Message]:
        return [row for row in await self.hub.rows(SARA) if row.direction is Direction.OUTBOUND]

    async def known(self, **more: Any) -> None:
        """What is known of Sara."""
        now = self.hub.clock.now()
        await self.hub.do(lambda uow: uow.customers.save(attrs.evolve(uow.customers.lock(SARA, now=now), **more)))

    async def template(self, name: str, text: str, *, language: str = "en", **more: Any) -> None:
        """The account has this template."""
        made = MessageTemplate(
            name=name, language=language, category="UTILITY", components=({"type": "BODY", "text": text},), **more
        )
        await self.hub.do(lambda uow: uow.options.put(option_of(name, language), made.to_json()))

    def posted(self) -> list[Any]:
        return [sent.message for sent in self.hub.whatsapp.sent]


async def noticed(
    *, twice: bool = False, languages: tuple[str, ...] = ("en", "es"), leasing: Leasing = USUAL, **settings: Any
) -> Noticed:
    """Sara's order 1042 in a shop in Madrid, at ten; the account's templates are known."""
    hub = rooms(twice=twice)
    hub.clock.advance(TEN - hub.clock.now())
    outreach = Outreach(manners=Manners(no_marketing_to=frozenset(), zone="Europe/Madrid"), pacing=hub.outbox.pacing)
    room = noticing(hub.outbox.codec, **{"outreach": outreach, **settings})
    hub.outbox = attrs.evolve(hub.outbox, second_look=attrs.evolve(hub.outbox.second_look, noticing=room))
    shop = OneOrderShop(orders={1042: order_of()})
    notices = Notifications(
        database=hub.database,
        clock=hub.clock,
        shop=cast("Shop", shop),
        speaker=hub.speaker,
        noticing=room,
        failpoints=Failpoints.disarmed(),
        leasing=leasing,
    )
    announcing = Announcing(delay=timedelta(seconds=30), statuses=frozenset({"ready-for-pickup"}))
    made = Noticed(
        hub=hub,
        shop=shop,
        notices=notices,
        seen=SeenOrders(
            counting=Counting(home="EUR"),
            announcing=announcing,
            tombstones=Tombstones(digests=Digests(keys=("key",))),
            country="ES",
        ),
        explaining=Explaining(
            database=hub.database,
            clock=hub.clock,
            targeting=hub.outbox.second_look.targeting,
            reminders=cast("Reminders", None),  # carts are explained in the tests of the reminders
            notifications=notices,
        ),
    )

    def stored(uow: UnitOfWork) -> None:
        uow.options.put("whatsapp.limits", {"v": 1, "tier": -1})
        uow.options.put(SYNCED, document(at="2026-03-02T09:00:00Z", tried_at="2026-03-02T09:00:00Z"))
        uow.options.put("shop:order:1042", document(status="processing", tracking=[], refunded="0", phone=SARA))
        uow.customers.lock(SARA, now=TEN)

    await hub.do(stored)
    for name, text in BODIES.items():
        for language in languages:
            await made.template(name, text, language=language)
    return made


def parcel(number: str = "JD 01/4", carrier: str = "DHL", url: str | None = None) -> Tracking:
    return Tracking(carrier=carrier, number=number, url=url)
