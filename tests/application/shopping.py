"""A hub in memory with a shop that does as it is told, and a customer who has confirmed an order."""

from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal
from typing import Any, cast

import attrs

from tests.application.rooms import USUAL, noticing, pacing
from wch.adapters.memory import MemoryDatabase
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.adapters.qr import SegnoQrCodes
from wch.adapters.whatsapp.codec import CloudApiCodec
from wch.application.announcing import Announcing
from wch.application.bell import Bell
from wch.application.breakers import PRESETS, Breakers
from wch.application.catalogue_calls import CatalogueCalls
from wch.application.catalogue_looks import CatalogueLooks
from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.full_runs import FullRuns
from wch.application.item_tasks import ItemTasks
from wch.application.late_payments import LatePayments
from wch.application.notifications import Notifications
from wch.application.observers import unmeasured
from wch.application.orders import Orders, PlacementSteps
from wch.application.outreach import Manners, Outreach
from wch.application.payment_steps import PaymentSteps
from wch.application.payments import IncomingPayments
from wch.application.ports import Catalogue, Database, Gateway, MediaFiles, Payments, Shop, UnitOfWork
from wch.application.refunds import REFUND, Refunds, RefundSteps
from wch.application.saga_desk import SagaDesk
from wch.application.sagas import Definition, SagaRunner
from wch.application.seen_orders import SeenOrders
from wch.application.shop_links import ShopLinks
from wch.application.speaking import Speaker
from wch.application.sync_leases import SyncLeases
from wch.application.sync_tasks import SyncTasks
from wch.application.tallies import Tallies
from wch.application.tombstones import Tombstones
from wch.application.untraced import Untraced
from wch.domain.address import Address
from wch.domain.cart import Cart, CartItem
from wch.domain.catalogue_item import ItemRules
from wch.domain.circuit_breaker import BreakerRule
from wch.domain.conversation import Conversation, ConversationStatus, State
from wch.domain.lease import Leasing
from wch.domain.message import Message
from wch.domain.money import Money
from wch.domain.notification import DELAY, Notification
from wch.domain.order import Order, OrderDraft
from wch.domain.order_figures import Counting
from wch.domain.payment import Offer
from wch.domain.placement import PLACEMENT, freeze
from wch.domain.quote import Buyer, Line
from wch.domain.saga import Saga
from wch.testing import FrozenClock, SequentialIds
from wch.testing.faults import Faults
from wch.testing.scripted_gateway import ScriptedGateway
from wch.testing.scripted_shop import Goods, ScriptedShop

ANNA = "16505551234"
NUMBER = "106540352242922"
HOME = Address(
    first_name="Anna", last_name="Smith", address_1="Main St 1", city="Berlin", postcode="10115", country="DE"
)
MUG = Goods(sku="MUG", name="Mug", price=Decimal("9.50"), stock=10)
AWAKE = Manners(quiet_start=time(0), quiet_end=time(0))
"""Nobody sleeps, so that a test may be about something else."""

CARD = Goods(sku="CARD", name="Gift Card", price=Decimal("25.00"), needs_shipping=False)


@attrs.define
class ScriptedFiles:
    """Takes files as WhatsApp does, or not."""

    taken: list[tuple[str, bytes, str]] = attrs.field(factory=list)
    fails: Exception | None = None

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:
        if self.fails is not None:
            raise self.fails
        self.taken.append((number, data, mime_type))
        return f"media-{len(self.taken)}-{filename}"


@attrs.define(kw_only=True)
class Shopping:
    """What a test needs to reach; built by `shopping`."""

    database: Database
    clock: FrozenClock
    ids: SequentialIds
    shop: ScriptedShop
    speaker: Speaker
    runner: SagaRunner
    orders: Orders
    desk: SagaDesk
    notices: Notifications
    sync: SyncTasks
    gateway: ScriptedGateway
    payments: IncomingPayments
    refunds: Refunds
    late: LatePayments
    facts: list[object]
    files: "ScriptedFiles"

    async def do(self, work: Callable[[UnitOfWork], Any]) -> Any:
        return await self.database.transact(work)

    async def see(self, look: Callable[[UnitOfWork], Any]) -> Any:
        return await self.database.read(look)

    async def product_id(self, sku: str = "MUG") -> int:
        return (await self.shop.shop.resolve(retailer_ids=(sku,)))[sku].id

    async def stock(self, sku: str = "MUG") -> int | None:
        """What can be sold now."""
        (check,) = await self.shop.shop.check(lines=(Line(product_id=await self.product_id(sku), quantity=1),))
        return check.available

    async def confirm(
        self,
        sku: str = "MUG",
        *,
        quantity: int = 2,
        address: Address | None = HOME,
        online: bool = False,
        gateway: str | None = None,
        shipping: str = "standard",
    ) -> str:
        """Anna confirms her cart; the id of the placement that waits now."""
        product = await self.shop.shop.product(product_id=await self.product_id(sku))
        now = self.clock.now()
        quote = await self.shop.shop.quote(
            lines=(Line(product_id=product.id, quantity=quantity),),
            address=address,
            shipping_id=None if address is None else shipping,
            customer=Buyer(phones=(ANNA,)),
        )
        nothing = Money.zero(product.price.currency)
        offer = Offer(gateway="cod", title="Cash", fee=nothing, pays_later=True)
        if online:
            offer = Offer(gateway=gateway or self.gateway.name, title="Card", fee=nothing)
        item = CartItem(
            product_id=product.id,
            quantity=quantity,
            price_at_add=product.price.amount,
            currency=product.price.currency,
            product_name=product.name,
            added_at=now,
        )

        def work(uow: UnitOfWork) -> str:
            profile = uow.customers.lock(ANNA, now=now)
            conversation = uow.conversations.latest_of(ANNA, lock=True) or uow.conversations.add(
                Conversation(customer_phone=ANNA, status=ConversationStatus.ACTIVE, created_at=now, updated_at=now)
            )
            conversation = attrs.evolve(conversation, state=State.AWAITING_PAYMENT)
            uow.conversations.save(conversation)
            cart = uow.carts.of(ANNA, lock=True) or uow.carts.add(Cart.opened(ANNA, now=now))
            cart = cart.set_to(item, now=now)
            uow.carts.save(cart)
            placement = freeze(
                cart=cart,
                conversation=conversation,
                profile=profile,
                quote=quote,
                offer=offer,
                address=address,
                number=NUMBER,
                language="en",
            )
            if uow.sagas.get(placement.saga_id, lock=True) is None:
                uow.sagas.add(Saga.begun(placement.saga_id, PLACEMENT, placement.context, now=now))
            return placement.saga_id

        saga_id: str = await self.database.transact(work)
        return saga_id

    async def order(self, *, quantity: int = 1) -> Order:
        """An order that the shop has at work, made without a saga."""
        lines = (Line(product_id=await self.product_id(), quantity=quantity),)
        buyer = Buyer(phones=(ANNA,))
        quote = await self.shop.shop.quote(lines=lines, address=HOME, shipping_id="standard", customer=buyer)
        number = self.ids.number()
        made = await self.shop.shop.create_order(
            key=f"order-{number}-create_order",
            draft=OrderDraft(
                customer=buyer,
                address=HOME,
                lines=lines,
                shipping="standard",
                payment_method="cod",
                language="en",
                expected_total=quote.total,
            ),
        )
        return await self.shop.shop.accept_order(order_id=made.id, key=f"order-{number}-accept")

    async def saga(self, saga_id: str) -> Saga:
        return await self.desk.show(saga_id)

    async def runs(self, *, hours: float = 4, step: float = 61) -> None:
        """Everything that waits in sagas comes to its end, minute by minute."""
        for _ in range(int(hours * 3600 / step)):
            await self.runner.work()
            if not await self.see(_is_any_open):
                return
            self.clock.advance(step)

    async def said(self) -> list[Message]:
        """All rows of Anna's latest thread, oldest first."""

        def look(uow: UnitOfWork) -> list[Message]:
            thread = uow.conversations.latest_of(ANNA)
            return [] if thread is None else list(reversed(uow.messages.thread(thread.id, limit=100)))

        return await self.database.read(look)

    async def noted(self) -> list[Notification]:
        return list(await self.notices.listed(limit=500))

    async def letters(self) -> Any:
        return await self.database.read(lambda uow: uow.dead_letters.listed(limit=500))

    async def audited(self) -> list[tuple[str, str, str | None]]:
        lines = await self.database.read(lambda uow: uow.audit.listed())
        return [(line.actor, line.action, line.object) for line in lines]

    def worker(self, points: str = "", *, definition: Definition | None = None, most_at_once: int = 4) -> SagaRunner:
        """Another worker over the same store; `points` makes it vanish on its way."""
        return SagaRunner(
            database=self.database,
            clock=self.clock,
            ids=self.ids,
            definitions=self.runner.definitions if definition is None else {definition.saga_type: definition},
            failpoints=Failpoints.read(points, testing=True),
            leasing=Leasing(),
            tracer=Untraced(),
            tell=unmeasured(self.facts.append),
            most_at_once=most_at_once,
        )


def _is_any_open(uow: UnitOfWork) -> bool:
    return any(saga.is_open for saga in uow.sagas.listed())


def syncing(
    store: Database,
    clock: FrozenClock,
    shop: Shop,
    *,
    points: Failpoints,
    counting: Counting,
    catalogue: Catalogue | None = None,
    tell: Callable[[object], None] = lambda _: None,
    leasing: Leasing = USUAL,
) -> SyncTasks:
    """The duty of the sync queue with all that it stands on; it waits for nothing."""

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    rules = {name: BreakerRule.read(text) for name, text in PRESETS.items()}
    breakers = Breakers(database=store, clock=clock, rules=rules, failpoints=points, tallies=Tallies())
    looks = CatalogueLooks(database=store, shop=shop, catalogue=catalogue, rules=ItemRules())
    leases = SyncLeases(database=store, clock=clock, tell=tell, leasing=leasing)
    return SyncTasks(
        database=store,
        clock=clock,
        shop=shop,
        seen_orders=SeenOrders(
            counting=counting,
            announcing=Announcing(delay=DELAY),
            tombstones=Tombstones(digests=Digests(keys=("key",))),
            country="US",
        ),
        failpoints=points,
        leases=leases,
        items=ItemTasks(
            clock=clock,
            looks=looks,
            calls=CatalogueCalls(database=store, clock=clock, breakers=breakers, pause=pause),
            leases=leases,
            failpoints=points,
            low_stock=5,
            tell=tell,
        ),
        runs=FullRuns(database=store, clock=clock, shop=shop, looks=looks),
        links=ShopLinks(database=store, clock=clock, shop=shop, leasing=leasing),
        tracer=Untraced(),
        most_at_once=50,
    )


async def shopping(
    *,
    twice: bool = False,
    database: Database | None = None,
    shelves: bool = True,
    clock: FrozenClock | None = None,
    currency: str = "EUR",
    online: Gateway | None = None,
    faults: Faults | None = None,
    catalogue: Catalogue | None = None,
    sells: ScriptedShop | None = None,
) -> Shopping:
    """Shop, sagas, notices and sync over one memory database; without shelves there is no shop at all.

    `online` stands in for the scripted gateway; `faults` come between the rooms and all that they call.
    `sells` is the shop, if it is another than one with a mug and a card.
    """
    clock, ids = clock or FrozenClock(), SequentialIds()
    facts: list[object] = []
    store = database or MemoryDatabase(twice=twice)
    shelf = sells or (
        await ScriptedShop.selling([MUG, CARD], clock=clock, currency=currency)
        if shelves
        else cast("ScriptedShop", None)
    )
    shop: Shop = shelf
    codec = CloudApiCodec(secrets=("secret",))
    speaker = Speaker(codec=codec, numbers=(NUMBER,))
    points = Failpoints.disarmed()
    counting = Counting(home="EUR")
    gateway = ScriptedGateway(clock=clock)
    ways: Payments = SwitchedOnPayments((CashOnDelivery(), gateway if online is None else online))
    if faults is not None:
        store, shop, ways = faults.database(store), faults.shop(shop), faults.payments(ways)
    files = ScriptedFiles()
    paying = PaymentSteps(
        shop=shop,
        payments=ways,
        clock=clock,
        speaker=speaker,
        files=cast("MediaFiles", files),
        codes=SegnoQrCodes(),
        wait=timedelta(hours=1),
    )
    announcing = Announcing(delay=timedelta(0))
    steps = PlacementSteps(
        shop=shop, clock=clock, speaker=speaker, paying=paying, counting=counting, announcing=announcing
    )
    refunding = RefundSteps(
        database=store,
        shop=shop,
        payments=ways,
        clock=clock,
        paying=paying,
        counting=counting,
        announcing=announcing,
    )
    return Shopping(
        database=store,
        clock=clock,
        ids=ids,
        shop=shelf,
        speaker=speaker,
        runner=SagaRunner(
            database=store,
            clock=clock,
            ids=ids,
            definitions={PLACEMENT: steps.definition(), REFUND: refunding.definition()},
            failpoints=points,
            leasing=Leasing(),
            tracer=Untraced(),
            tell=unmeasured(facts.append),
            most_at_once=4,
        ),
        facts=facts,
        files=files,
        orders=Orders(database=store, clock=clock, shop=shop, tell=facts.append),
        desk=SagaDesk(database=store, clock=clock, tell=facts.append),
        notices=Notifications(
            database=store,
            clock=clock,
            shop=shop,
            speaker=speaker,
            noticing=noticing(
                codec, outreach=Outreach(manners=AWAKE, pacing=pacing(store, clock, points=points, speaker=speaker))
            ),
            failpoints=points,
            leasing=Leasing(),
        ),
        sync=syncing(store, clock, shop, points=points, counting=counting, catalogue=catalogue),
        gateway=gateway,
        payments=IncomingPayments(
            database=store,
            clock=clock,
            payments=ways,
            digests=Digests(keys=("key",)),
            failpoints=points,
            bell=Bell(),
        ),
        refunds=Refunds(database=store, clock=clock, announcing=announcing),
        late=LatePayments(database=store, clock=clock, payments=ways, tell=facts.append),
    )
