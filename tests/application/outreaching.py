"""A shop that approaches its customers: carts, reminders, re-engagement and credit, over one memory database."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

import attrs

from tests.application.rooms import Rooms, rooms
from wch.adapters.memory import MemoryDatabase
from wch.application.carts import Carts
from wch.application.explaining import Explaining
from wch.application.failpoints import Failpoints
from wch.application.housekeeping import Every
from wch.application.notifications import Notifications
from wch.application.occasions import Occasions
from wch.application.order_notes import note_order
from wch.application.outreach import Manners, Outreach
from wch.application.ports import UnitOfWork
from wch.application.product_facts import note_product
from wch.application.reengagements import Reengagements, Reward
from wch.application.reengaging import VARIABLES, Reengaging
from wch.application.reminders import Discount, Reminders
from wch.application.reminding import Reminding
from wch.domain.cart import Cart, CartItem
from wch.domain.catalogue import Product
from wch.domain.customer import CustomerProfile
from wch.domain.message import Message
from wch.domain.message_template import MessageTemplate, option_of
from wch.domain.occasion import KINDS, Terms
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.product_view import ProductView
from wch.domain.recovery import Schedule
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.sync import EntityType, SyncAction, SyncStatus
from wch.testing.scripted_shop import Goods, ScriptedShop, put_on_shelf

SARA = "34612345678"
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAIN = "Hello {{1}}, {{2}} pieces wait: {{3}}, {{4}}."
COUPON = f"{PLAIN} {{{{5}}}} gives {{{{6}}}} until {{{{7}}}}."
BODIES = {1: PLAIN, 2: COUPON, 3: COUPON}


@attrs.define(kw_only=True)
class Shop:
    """A shop whose customers leave carts lying."""

    hub: Rooms
    goods: ScriptedShop
    carts: Carts
    reminders: Reminders
    reengagements: Reengagements
    explaining: Explaining
    counting: Counting

    async def until(self, moment: datetime, *, step: timedelta = timedelta(minutes=30)) -> None:
        """The worker goes on until then."""
        while self.hub.clock.now() < moment:
            self.hub.clock.advance(min(step, moment - self.hub.clock.now()))
            await self.pass_()

    async def pass_(self) -> None:
        await self.carts.work()
        await self.reminders.work()
        await self.reengagements.work()
        await self.hub.outbox.work()

    async def fill(self, phone: str = SARA, *, quantity: int = 2, consent: str | None = "in") -> None:
        """A customer fills a cart, and leaves."""
        now = self.hub.clock.now()
        page = await self.goods.search(text=None, category_id=None, in_stock=True, cursor=None, limit=30)
        sold = next(one for one in page.items if not one.has_variants)
        item = CartItem(
            product_id=sold.id,
            quantity=quantity,
            price_at_add=Decimal(20),
            currency="EUR",
            product_name="Mug",
            added_at=now,
        )

        def work(uow: UnitOfWork) -> None:
            profile = uow.customers.lock(phone, now=now)
            if consent is not None:
                profile = profile.consenting("marketing", consent, source="keyword", now=now)
            uow.customers.save(attrs.evolve(profile, name="Sara"))
            cart = uow.carts.of(phone, lock=True) or uow.carts.add(Cart.opened(phone, now=now))
            uow.carts.save(cart.added(item, now=now))

        await self.hub.do(work)

    async def change(self, change: Callable[[CustomerProfile], CustomerProfile]) -> None:
        def work(uow: UnitOfWork) -> None:
            uow.customers.save(change(uow.customers.lock(SARA, now=self.hub.clock.now())))

        await self.hub.do(work)

    async def cart(self, phone: str = SARA) -> Cart:
        found = await self.hub.see(lambda uow: uow.carts.of(phone))
        assert isinstance(found, Cart)
        return found

    async def customer(self, phone: str = SARA) -> CustomerProfile:
        found = await self.hub.see(lambda uow: uow.customers.of(phone))
        assert isinstance(found, CustomerProfile)
        return found

    async def contact(self) -> Reengagement:
        found = await self.hub.see(lambda uow: uow.reengagements.newest_of(SARA, CampaignType.CART_REMINDER))
        assert isinstance(found, Reengagement)
        return found

    async def sent(self) -> list[tuple[datetime, str]]:
        """When which text left."""
        rows = await self.hub.rows(SARA)
        return [(row.sent_at, text_of(row)) for row in rows if row.sent_at is not None]

    async def latest(self) -> Message:
        return (await self.hub.rows(SARA))[-1]

    async def sells(self, *goods: Goods) -> None:
        """The shop sells these from now on, and the hub has seen them."""
        await put_on_shelf(self.goods.shop, goods)
        for one in goods:
            product_id = await self.product_id(one.sku)
            product = await self.goods.product(product_id=product_id)

            def noted(uow: UnitOfWork, product_id: int = product_id, product: Product = product) -> None:
                now = self.hub.clock.now()
                note_product(uow, product, now=now)
                task = uow.sync.enqueue(EntityType.PRODUCT, product_id, SyncAction.UPDATE, now=now)
                held = uow.sync.get(task.id, lock=True)
                assert held is not None
                uow.sync.save(attrs.evolve(held, status=SyncStatus.COMPLETED, processed_at=now))

            await self.hub.do(noted)

    async def product_id(self, sku: str) -> int:
        return (await self.goods.resolve(retailer_ids=[sku]))[sku].product_id

    async def meets(self, phone: str = SARA, *, consent: str | None = "in", **changes: Any) -> None:
        """A customer is known, and has decided about marketing."""

        def work(uow: UnitOfWork) -> None:
            now = self.hub.clock.now()
            profile = uow.customers.lock(phone, now=now)
            if consent is not None:
                profile = profile.consenting("marketing", consent, source="keyword", now=now)
            uow.customers.save(attrs.evolve(profile, **{"name": "Sara", **changes}))

        await self.hub.do(work)

    async def looks(self, product_id: int, phone: str = SARA) -> None:
        """A customer looks at a product."""
        now = self.hub.clock.now()
        await self.hub.do(
            lambda uow: uow.views.add(ProductView(customer_phone=phone, product_id=product_id, viewed_at=now))
        )

    async def orders(self, number: int, phone: str = SARA, **changes: Any) -> CustomerProfile:
        """Something is told of an order of this customer, who ordered now unless said otherwise."""
        now = self.hub.clock.now()
        given: dict[str, Any] = {
            "id": number,
            "at": now,
            "modified": now,
            "status": "processing",
            "total": Decimal(40),
            "currency": "EUR",
        }
        seen = OrderSeen(**{**given, **changes})
        profile = await self.hub.do(lambda uow: note_order(uow, self.counting, phone, seen, now=now))
        assert isinstance(profile, CustomerProfile)
        return profile

    async def contacts(self, kind: CampaignType | None = None) -> list[Reengagement]:
        found = await self.hub.see(lambda uow: uow.reengagements.listed(campaign_type=kind, limit=1000))
        return list(found)


def text_of(row: Message) -> str:
    """The name of the template that a message is of."""
    body: Any = row.content["body"]
    return str(body["template"]["name"])


def drawn(seed: int, *about: object, below: int) -> int:
    """A number that the seed and what it is about decide."""
    digest = hashlib.sha256(repr((seed, *about)).encode()).digest()
    return int.from_bytes(digest[:8]) % below


async def shopping(
    *, twice: bool = False, reengages: bool = False, manners: Mapping[str, Any] | None = None, **settings: Any
) -> Shop:
    """Everything over one memory database, at ten in the morning of a Monday."""
    hub = rooms(database=MemoryDatabase(twice=twice))
    hub.clock.advance(TEN - hub.clock.now())
    polite = Manners(**{"no_marketing_to": frozenset(), "zone": "Europe/Madrid", **(manners or {})})
    outreach = Outreach(manners=polite, pacing=hub.outbox.pacing)
    reminding = Reminding(outreach=outreach, templates={}, **settings)
    goods = await ScriptedShop.selling(clock=hub.clock)
    counting = Counting(home="EUR")
    targeting = attrs.evolve(hub.outbox.second_look.targeting, outreach=outreach, counting=counting)
    reengaging = Reengaging(outreach=outreach, templates={}, terms=Terms(), enabled=reengages)
    look = attrs.evolve(hub.outbox.second_look, targeting=targeting, reminding=reminding, reengaging=reengaging)
    hub.outbox = attrs.evolve(hub.outbox, second_look=look)

    def stored(uow: UnitOfWork) -> None:
        uow.options.put("whatsapp.limits", {"v": 1, "tier": -1})
        for number, text in BODIES.items():
            one = MessageTemplate(
                name=f"abandoned_cart_reminder_{number}",
                language="en",
                components=({"type": "BODY", "text": text},),
            )
            uow.options.put(option_of(one.name, one.language), one.to_json())
        for kind in KINDS:
            gaps = " ".join(f"{{{{{place}}}}}" for place in range(1, len(VARIABLES[kind]) + 1))
            one = MessageTemplate(
                name=f"reengage_{kind}", language="en", components=({"type": "BODY", "text": f"Hi {gaps}!"},)
            )
            uow.options.put(option_of(one.name, one.language), one.to_json())

    await hub.do(stored)
    points = Failpoints.disarmed()
    occasions = Occasions(database=hub.database, clock=hub.clock, shop=goods, reengaging=reengaging, run_at=time(9))
    reminders = Reminders(
        database=hub.database,
        clock=hub.clock,
        shop=goods,
        speaker=hub.speaker,
        reminding=reminding,
        failpoints=points,
        schedule=Schedule(),
        discount=Discount(),
        rest=Every(hub.clock, 0.0),
    )
    return Shop(
        hub=hub,
        goods=goods,
        carts=Carts(database=hub.database, clock=hub.clock, tell=hub.facts.append, idle=HOUR),
        reminders=reminders,
        reengagements=Reengagements(
            database=hub.database,
            clock=hub.clock,
            shop=goods,
            speaker=hub.speaker,
            reengaging=reengaging,
            failpoints=points,
            occasions=occasions,
            reward=Reward(),
            rest=Every(hub.clock, 0.0),
        ),
        counting=counting,
        explaining=Explaining(
            database=hub.database,
            clock=hub.clock,
            targeting=targeting,
            reminders=reminders,
            notifications=cast("Notifications", None),  # order notices are explained in their own tests
        ),
    )
