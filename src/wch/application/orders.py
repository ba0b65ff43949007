"""Orders: the placement that the customer confirmed, carried from the tap to the notice."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import attrs

from wch.application.announcing import Announcing, remember_order
from wch.application.dialogue.routes import Place, to
from wch.application.facts import OrderCancelled
from wch.application.order_facts import of_placement
from wch.application.order_notes import note_order
from wch.application.payment_steps import (
    AWAIT,
    CANCEL,
    OPEN,
    OTHER_METHOD,
    PaymentSteps,
    billed,
    booked,
    lines_of,
    wire,
)
from wch.application.payments import look_later
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.product_facts import categories_of
from wch.application.refunds import give_back_all
from wch.application.sagas import PAST_PIVOT, UNTIL_PARKED, Definition, Step, StepParkedError, StepRefusedError
from wch.application.speaking import Speaker
from wch.application.texts import Texts
from wch.domain.address import Address, address_from_json
from wch.domain.audit import AuditEntry
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation, Event, State
from wch.domain.document import JsonObject, amended, document
from wch.domain.errors import WchError
from wch.domain.ledger import Ledger
from wch.domain.moment import iso, of_iso, unix
from wch.domain.money import Money, money_from_json, money_to_json
from wch.domain.notification import CONFIRMED, Notification
from wch.domain.order import Order, OrderDraft
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.outgoing import Button, Buttons, Text
from wch.domain.phone import variants
from wch.domain.placement import PLACEMENT, token_of
from wch.domain.quote import Buyer, differing_fingerprint
from wch.domain.saga import Saga, SagaState
from wch.domain.shop_error import OutOfStockError, ShopRefusedError
from wch.domain.sync import EntityType, SyncAction

RESERVED_FOR = timedelta(hours=3)
"""How long goods are kept for an order that is paid on delivery while it is being placed."""

RESERVED_AFTER = timedelta(hours=2)
"""How long they are kept after the last moment to pay, for money that comes in that moment."""

LOOKED_AT_AFTER = timedelta(minutes=5)
"""When a payment that was undone is looked at once more."""

CHOICES_HOLD = timedelta(minutes=30)
"""How long the choices of a checkout count that begins again at the payment."""

BEFORE_PIVOT = ("retry-step", "compensate")
"""What a person may do about an order that the shop counts otherwise each time."""

PAID_ONLINE_ACTIONS = (*PAST_PIVOT, "refund")


def _buyer(saga: Saga) -> Buyer:
    customer = saga.context["customer"]
    return Buyer(
        phones=variants(customer["phone"]),
        name=customer["name"],
        email=customer["email"],
        customer_id=customer["customer_id"],
    )


def _address(saga: Saga) -> Address | None:
    stored = saga.context["address"]
    return None if stored is None else address_from_json(stored)


def _due(saga: Saga) -> Money:
    return money_from_json(saga.context["money"]["due"])


def _differs(saga: Saga) -> Money | None:
    """What an order of the shop's differed by from its quote before, and the customer said yes to."""
    by = saga.context.get("differs")
    return None if by is None else money_from_json(by)


def _fee(saga: Saga) -> Money | None:
    fee = money_from_json(saga.context["fee"])
    return fee or None


@attrs.frozen(kw_only=True)
class PlacementSteps:
    """The steps of `OrderPlacement`, each safe to repeat under its key."""

    shop: Shop
    clock: Clock
    speaker: Speaker
    paying: PaymentSteps
    counting: Counting
    announcing: Announcing

    def definition(self) -> Definition:
        """The saga as the engine registers it."""
        return Definition(
            saga_type=PLACEMENT,
            version=1,
            steps=self._steps,
            lock=self._lock,
            undone=self._undone,
            open_to_operator=lambda saga: PAST_PIVOT if saga.context["pays_later"] else PAID_ONLINE_ACTIONS,
            facts=of_placement,
        )

    def _steps(self, saga: Saga) -> tuple[Step, ...]:
        """Paying on delivery skips the two steps of a payment, and its pivot is the shop's acceptance."""
        pays_later = bool(saga.context["pays_later"])
        payment = (Step(name=OPEN, apply=_skipped), Step(name=AWAIT, apply=_skipped))
        if not pays_later:
            payment = (
                Step(name=OPEN, call=self.paying.open, then=self.paying.show, undo=self.paying.close),
                Step(name=AWAIT, call=self.paying.wait_for_money, then=self.paying.count, pivot=True),
            )
        return (
            Step(name="check", call=self._check, limit=timedelta(seconds=20)),
            Step(name="reserve", call=self._reserve, undo=self._release, limit=timedelta(seconds=15)),
            Step(name="create_order", call=self._create, undo=self._cancel, limit=timedelta(seconds=45)),
            *payment,
            Step(
                name="accept",
                call=self._accept if pays_later else self._accept_paid,
                limit=timedelta(seconds=45),
                pivot=pays_later,
            ),
            Step(name="close", apply=self._close, tries=UNTIL_PARKED),
        )

    async def _check(self, saga: Saga) -> JsonObject:
        """Everything is there, and costs what the customer saw."""
        lines = lines_of(saga)
        checks = await self.shop.check(lines=lines)
        short = next((check for check in checks if not check.is_ok), None)
        if short is not None:
            raise StepRefusedError(code=short.verdict.value, available=short.available)
        total = await self._quoted(saga)
        if total != _due(saga):
            raise StepRefusedError(code="total_changed")
        return {"total": money_to_json(total)}

    async def _quoted(self, saga: Saga) -> Money:
        """What the shop quotes now, and what its orders differ by from it."""
        quote = await self.shop.quote(
            lines=lines_of(saga),
            address=_address(saga),
            shipping_id=saga.context["shipping"],
            coupon=saga.context["coupon"],
            fee=_fee(saga),
            customer=_buyer(saga),
        )
        differs = _differs(saga)
        return quote.total if differs is None else quote.total + differs

    async def _reserve(self, saga: Saga) -> JsonObject:
        until = self.clock.now() + RESERVED_FOR
        if not saga.context["pays_later"]:
            until = self.paying.deadline_of(saga) + RESERVED_AFTER
        await self.shop.reserve(key=_wire(saga, "reserve"), lines=lines_of(saga), until=until)
        return {}

    async def _release(self, saga: Saga) -> None:
        await self.shop.release(key=_wire(saga, "reserve"))

    async def _create(self, saga: Saga) -> JsonObject:
        key = _wire(saga, "create_order")
        order = None
        if saga.tries("create_order") > 1:
            order = await self.shop.find_order(key=key, since=saga.created_at)
        if order is None:
            draft = OrderDraft(
                customer=_buyer(saga),
                address=_address(saga),
                lines=lines_of(saga),
                coupon=saga.context["coupon"],
                shipping=saga.context["shipping"],
                fee=_fee(saga),
                payment_method=saga.context["method"],
                note=saga.context["note"],
                language=saga.context["language"],
                expected_total=_due(saga),
                differs=_differs(saga),
            )
            try:
                order = await self.shop.create_order(key=key, draft=draft)
            except ShopRefusedError as refused:
                total = refused.facts.get("total")
                if refused.code != "total_changed" or not isinstance(total, Money):
                    raise
                raise await self._another_total(saga, total) from refused
        if order.total != _due(saga):
            raise await self._another_total(saga, order.total)
        return {"order_id": order.id, "number": order.number, "total": money_to_json(order.total)}

    async def _another_total(self, saga: Saga, total: Money) -> WchError:
        """Why the shop's order has this total: what was shown costs something else now, or its orders count otherwise.

        The customer is shown the shop's figure once; if the order differs from that one too, a person has a look.
        """
        if await self._quoted(saga) != _due(saga):
            return StepRefusedError(code="total_changed")
        if _differs(saga) is not None:
            return StepParkedError(reason="total_differs_again", actions=BEFORE_PIVOT, then=self._to_a_person)
        return StepRefusedError(code="total_differs", noted={"total": money_to_json(total)})

    def _to_a_person(self, uow: UnitOfWork, saga: Saga, now: datetime) -> Saga:
        conversation = uow.conversations.get(saga.context["conversation_id"], lock=True)
        if conversation is not None and conversation.allows(Event.HANDOFF):
            uow.conversations.save(conversation.escalated("total_differs_again", now=now))
        texts = Texts(saga.context["language"])
        self.paying.tell_customer(uow, saga, Text(body=texts.say("handoff.waiting")), now=now)
        return saga

    async def _cancel(self, saga: Saga) -> None:
        await self.shop.cancel_order(
            key=_wire(saga, "create_order"), reason=str(saga.context.get("failure", "undone")), restock=True
        )

    async def _accept(self, saga: Saga) -> JsonObject:
        order = await self.shop.accept_order(
            order_id=saga.results["create_order"]["order_id"], key=_wire(saga, "accept")
        )
        return {"status": order.status.value}

    async def _accept_paid(self, saga: Saga) -> JsonObject:
        """The money is there: the order goes to work. Nothing is undone any more; a person decides what cannot go on."""
        capture = saga.results[AWAIT]
        try:
            order = await self.shop.mark_paid(
                order_id=saga.results["create_order"]["order_id"],
                key=wire(saga.key("accept")),
                gateway=capture["gateway"],
                payment_id=capture["payment_id"],
                amount=_due(saga),
                at=of_iso(capture["at"]),
            )
        except OutOfStockError:
            raise StepParkedError(reason="oversold", actions=PAID_ONLINE_ACTIONS) from None
        except ShopRefusedError as refused:
            raise StepRefusedError(code="shop_refused_after_payment") from refused
        return {"status": order.status.value}

    def _lock(self, uow: UnitOfWork, saga: Saga, now: datetime) -> None:
        """Profile, conversation, cart: what is locked before a saga."""
        phone = saga.context["customer"]["phone"]
        uow.customers.lock(phone, now=now)
        uow.conversations.get(saga.context["conversation_id"], lock=True)
        uow.carts.of(phone, lock=True)

    def _close(self, uow: UnitOfWork, saga: Saga, now: datetime) -> JsonObject:
        """Everything that an order means to us, at once: cart, profile, conversation, notice, sync."""
        phone = saga.context["customer"]["phone"]
        order_id = saga.results["create_order"]["order_id"]
        due = _due(saga)
        products = tuple(sorted({number for line in lines_of(saga) for number in (line.product_id, line.sellable_id)}))
        told = OrderSeen(
            id=order_id,
            at=now,
            modified=None,
            status=saga.results["accept"]["status"],
            total=due.amount,
            currency=due.currency,
            categories=categories_of(uow, products),
            products=products,
            placement=saga.saga_id,
        )
        profile = note_order(uow, self.counting, phone, told, now=now)
        if saga.context["address"] is not None:
            profile = profile.living_at(saga.context["address"], now=now)
        uow.customers.save(profile)
        self._move(uow, saga, Event.ORDER_PLACED, now, order_id=order_id)
        cart = uow.carts.of(phone, lock=True)
        if cart is not None and cart.saga_id == saga.saga_id and not cart.recovered:
            uow.carts.save(cart.renewed(now=now))
        self.announcing.tell(uow, CONFIRMED, order_id=order_id, phone=phone, now=now)
        uow.sync.enqueue(EntityType.ORDER, order_id, SyncAction.CREATE, now=now)
        sold = {line.sellable_id for line in lines_of(saga)}
        uow.sync.enqueue_all(EntityType.INVENTORY, sold, SyncAction.UPDATE, now=now)
        remember_order(
            uow,
            order_id,
            document(
                status=saga.results["accept"]["status"],
                tracking=[],
                refunded="0",
                saga=saga.saga_id,
                phone=phone,
                language=saga.context["language"],
                bill=billed(saga),
            ),
        )
        if not saga.context["pays_later"]:
            look_later(uow, saga.saga_id, at=now + timedelta(days=1))
        return {"order_id": order_id}

    def _undone(self, uow: UnitOfWork, saga: Saga, now: datetime) -> Saga:
        """Nothing is left of the try: the cart gets a new name, the customer hears why, money that came goes back."""
        phone = saga.context["customer"]["phone"]
        cart = uow.carts.of(phone, lock=True)
        if cart is not None and cart.saga_id == saga.saga_id:
            cart = cart.renewed(now=now, keep_items=True)
            uow.carts.save(cart)
        saga = self._money_back(uow, saga, now)
        if saga.context.get("failure") == OTHER_METHOD and cart is not None:
            return self._choose_again(uow, saga, cart, now)
        if saga.context.get("failure") == "total_differs" and cart is not None:
            return self._review_again(uow, saga, cart, now)
        failure = saga.context.get("failure")
        event = Event.PAYMENT_EXPIRED if failure == "payment_expired" else Event.ORDER_FAILED
        self._move(uow, saga, Event.CANCEL if failure == CANCEL else event, now)
        if not self.paying.withdraw(uow, saga, self._why(saga), now=now):
            self.paying.tell_customer(uow, saga, Text(body=self._why(saga)), now=now)
        return saga

    def _money_back(self, uow: UnitOfWork, saga: Saga, now: datetime) -> Saga:
        """Whatever was captured goes back; what comes later still is looked for."""
        if OPEN not in saga.results or saga.context["pays_later"]:
            return saga
        look_later(uow, saga.saga_id, at=now + LOOKED_AT_AFTER)
        late = saga.results.get(f"{OPEN}:undo", {}).get("captured")
        if late is not None:
            saga = booked(saga, late)
        return give_back_all(uow, saga, reason=str(saga.context.get("failure", "undone")), now=now)

    def _choose_again(self, uow: UnitOfWork, saga: Saga, cart: Cart, now: datetime) -> Saga:
        """Back to the choice of payment, with the same address and delivery."""
        conversation = self._move(uow, saga, Event.EDIT_PAYMENT, now)
        if conversation is not None and conversation.state is State.CHECKOUT_PAYMENT:
            _choices_kept(uow, conversation, saga, cart, now)
        texts = Texts(saga.context["language"])
        self.paying.withdraw(uow, saga, texts.say("order.undone"), now=now)
        button = Button(id="edit_payment", title=texts.say("button.choose"))
        self.paying.tell_customer(
            uow, saga, Buttons(body=texts.say("payment.choose_again"), buttons=(button,)), now=now
        )
        return saga

    def _review_again(self, uow: UnitOfWork, saga: Saga, cart: Cart, now: datetime) -> Saga:
        """Back to the review with the shop's figure; nothing was ordered, and no gateway was called."""
        due, total = _due(saga), money_from_json(saga.context["noted"]["total"])
        by, shown = total - due, saga.context["quote"]["fingerprint"]
        token = token_of(
            cart,
            address=saga.context["address"],
            shipping=saga.context["shipping"],
            payment=saga.context["method"],
            quote=differing_fingerprint(shown, by),
        )
        conversation = self._move(uow, saga, Event.TOTAL_DIFFERS, now)
        if conversation is not None and conversation.state is State.CHECKOUT_REVIEW:
            differs = {"by": money_to_json(by), "quote": shown}
            _choices_kept(
                uow, conversation, saga, cart, now, payment=saga.context["method"], differs=differs, token=token
            )
        texts = Texts(saga.context["language"])
        body = texts.say(
            "order.total_differs", shown=texts.money(due), total=texts.money(total), rounding=texts.money(by)
        )
        buttons = tuple(
            Button(id=route.reply_id, title=texts.say(title))
            for title, route in (
                ("button.confirm", to(Place.CONFIRM_ORDER, word=token)),
                ("button.change", to(Place.CHANGE_ORDER)),
                ("button.cancel", to(Place.CANCEL_CHECKOUT)),
            )
        )
        self.paying.tell_customer(uow, saga, Buttons(body=body, buttons=buttons), now=now)
        return saga

    def _why(self, saga: Saga) -> str:
        texts = Texts(saga.context["language"])
        reason = saga.context.get("failure")
        known = {
            "total_changed": "order.total_changed",
            "payment_expired": "payment.expired",
            "payment_failed": "payment.failed",
            "payment_refunded": "payment.failed",
            CANCEL: "order.undone",
            OTHER_METHOD: "order.undone",
            "refund": "order.undone_and_refunded",
        }
        if Ledger.of(saga.context).captured:
            return texts.say("order.undone_and_refunded")
        if reason in known:
            return texts.say(known[reason])
        if reason in {"out_of_stock", "not_enough", "not_found", "unavailable"}:
            return texts.say("order.sold_out")
        return texts.say("order.not_placed")

    def _move(
        self, uow: UnitOfWork, saga: Saga, event: Event, now: datetime, *, order_id: int | None = None
    ) -> Conversation | None:
        """The result moves the conversation if it still waits for it; saved."""
        conversation = uow.conversations.get(saga.context["conversation_id"], lock=True)
        if conversation is None:
            return None
        if conversation.allows(event):
            conversation = conversation.on(event, now=now)
        order = {"saga_id": saga.saga_id, "order_id": order_id}
        moved = conversation.remembering(amended(conversation.context, order=order), now=now)
        uow.conversations.save(moved)
        return moved


def _choices_kept(
    uow: UnitOfWork, conversation: Conversation, saga: Saga, cart: Cart, now: datetime, **more: object
) -> None:
    """The customer need not choose anew what was chosen for this placement."""
    choices = {
        "cart": [cart.id, unix(cart.created_at)],
        "until": iso(now + CHOICES_HOLD),
        "address": saga.context["address"],
        "shipping": saga.context["shipping"],
        "shipping_title": saga.context.get("shipping_title"),
        **more,
    }
    kept = {name: value for name, value in choices.items() if value is not None}
    uow.conversations.save(conversation.remembering(amended(conversation.context, checkout=kept, prompt=None), now=now))


def _wire(saga: Saga, step: str) -> str:
    return wire(saga.key(step))


def _skipped(_uow: UnitOfWork, _saga: Saga, _now: datetime) -> JsonObject:
    return {"skipped": True}


@attrs.frozen(kw_only=True)
class Orders:
    """What people ask about orders: the placements, and the shop's own view of them."""

    database: Database
    clock: Clock
    shop: Shop
    tell: Callable[[object], None]

    async def placements(self, *, after: str = "", limit: int = 50, state: SagaState | None = None) -> Sequence[Saga]:
        """Placements by id."""
        return await self.database.read(
            lambda uow: uow.sagas.listed(saga_type=PLACEMENT, state=state, after=after, limit=limit)
        )

    async def show(self, order_id: int) -> tuple[Order, Sequence[Notification]]:
        """The shop's order, and what the customer was told about it.

        Raises:
            ShopNotFoundError: the shop has no such order.
        """
        order = await self.shop.order(order_id=order_id)
        notices = await self.database.read(lambda uow: uow.notifications.of_order(order_id))
        return order, notices

    async def cancel(self, order_id: int, *, reason: str, by: str) -> Order:
        """Cancel an order that has not been shipped; the customer hears of it by a notice.

        Raises:
            ShopRefusedError: it has been shipped.
            ShopNotFoundError: the shop has no such order.
        """
        order = await self.shop.order(order_id=order_id)
        await self.shop.cancel_order(order_id=order.id, reason=reason, restock=True)
        await self.changed(order_id, action="order.cancel", by=by, reason=reason)
        self.tell(OrderCancelled(order_id=order_id))
        return await self.shop.order(order_id=order_id)

    async def changed(self, order_id: int, *, action: str, by: str, reason: str | None = None) -> None:
        """Somebody changed an order here: it is looked at at once, and written down who did it."""

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            uow.sync.enqueue(EntityType.ORDER, order_id, SyncAction.UPDATE, now=now)
            uow.audit.add(AuditEntry(at=now, actor=by, action=action, object=f"order:{order_id}", reason=reason))

        await self.database.transact(work)
