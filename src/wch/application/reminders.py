"""Reminders: the duty that reminds customers of carts they left lying, and what people ask about it."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.reminding import REF, Offered, Reminding, contact_of
from wch.application.speaking import Speaker
from wch.domain.cart import Cart, CartItem, CartStatus
from wch.domain.catalogue import CouponSpec, KeyReusedError, Line, ShopRefusedError, ShopUnavailableError
from wch.domain.document import amended
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError
from wch.domain.message import Class, Message
from wch.domain.moment import iso
from wch.domain.money import Money
from wch.domain.recovery import Due, Schedule
from wch.domain.reengagement import Reengagement
from wch.domain.verdict import Verdict

log = logging.getLogger(__name__)

PAGE = 100


@attrs.frozen(kw_only=True)
class Discount:
    """The coupon that later reminders bring.

    Attributes:
        since: the first reminder with one; 0 for never.
        percent: off, if it is a share.
        amount: off, if it is a sum.
        lasts: how long it is good for.
    """

    since: int = 2
    percent: Decimal | None = Decimal(10)
    amount: Money | None = None
    lasts: timedelta = timedelta(days=7)


@attrs.frozen(kw_only=True)
class Explained:
    """Why a cart is, was not, or will be reminded of.

    Attributes:
        due: the next reminder; None when none comes any more.
        verdict: rule by rule.
        written: the reminders that were written, by number.
    """

    cart: Cart
    due: Due | None
    verdict: Verdict
    written: tuple[tuple[int, Message], ...]


@attrs.frozen(kw_only=True)
class Reminders:
    """Reminds of abandoned carts: slot, message and contact are one transaction, so none is ever there alone."""

    kind: ClassVar[str] = "reminders"

    database: Database
    clock: Clock
    shop: Shop
    speaker: Speaker
    reminding: Reminding
    failpoints: Failpoints
    schedule: Schedule
    discount: Discount

    async def work(self) -> int:
        """Look at every abandoned cart that may have a reminder due; how many were written."""
        if not self.reminding.enabled:
            return 0
        done = after = 0
        first = self.schedule.moments[0]
        while page := await self.database.read(
            lambda uow, after=after: uow.carts.due_for_reminder(self.clock.now() - first, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
        ):
            for cart in page:
                due = self.schedule.next_of(cart, now=self.clock.now())
                if due is not None and due.at <= self.clock.now():
                    done += await self._safely(cart, due)
            after = page[-1].id
        return done

    async def _safely(self, cart: Cart, due: Due) -> int:
        """One cart never stops the others."""
        try:
            return int((await self._remind(cart, due)) is not None)
        except StoreUnavailableError:
            raise
        except ShopUnavailableError:
            return 0
        except Exception as error:  # noqa: BLE001 - the others are reminded of
            log.error("a reminder failed: %s", fault(error), extra={"cart_id": cart.id})  # noqa: TRY400 - no words of an error in a log
            return 0

    async def _remind(self, cart: Cart, due: Due, *, by_hand: bool = False) -> Message | None:
        """Write one reminder, if every rule allows it; nothing is written otherwise."""
        allowed = await self.database.read(
            lambda uow: self._verdict(uow, cart, due, cart.items, now=self.clock.now()).outcome == "send"
        )
        if not allowed:
            return None
        left = await self._buyable(cart)
        coupon = await self._coupon(cart, due)
        return await self.database.transact(lambda uow: self._take(uow, cart, due, left, coupon, by_hand=by_hand))

    async def _buyable(self, cart: Cart) -> Sequence[CartItem]:
        """The lines that can still be bought."""
        lines = [
            Line(product_id=item.product_id, variation_id=item.variation_id, quantity=item.quantity)
            for item in cart.items
        ]
        checks = await self.shop.check(lines=lines)
        return [item for item, check in zip(cart.items, checks, strict=True) if check.is_ok]

    def _verdict(self, uow: UnitOfWork, cart: Cart, due: Due, left: Sequence[CartItem], *, now: datetime) -> Verdict:
        """As far as it can be told without writing: the coupon's words stand for themselves."""
        profile = uow.customers.of(cart.customer_phone)
        if profile is None:
            raise NotFoundError(kind="customer", id=cart.id)
        placeholder = self._offered("RECOVER", now + self.discount.lasts) if self._has_coupon(due) else None
        rendering = self.reminding.rendering(uow, profile, cart, due.number, left=left, coupon=placeholder)
        return self.reminding.verdict(uow, profile, cart, rendering, now=now, dies_at=due.dies_at, buyable=bool(left))

    # --- the coupon

    def _has_coupon(self, due: Due) -> bool:
        return self.discount.since != 0 and due.number >= self.discount.since

    def _offered(self, code: str, ends_at: datetime) -> Offered:
        off: Decimal | Money = self.discount.amount or self.discount.percent or Decimal(0)
        return Offered(code=code, discount=off, ends_at=ends_at)

    def _coupon_ends(self, contact: Reengagement) -> datetime:
        """When the coupon of a cart is over: known from the row, so that asking again is asking for the same one."""
        latest = self.schedule.moments[min(self.discount.since, len(self.schedule.moments)) - 1] + self.schedule.life
        return contact.created_at + latest + self.discount.lasts

    async def _coupon(self, seen: Cart, due: Due) -> Offered | None:
        """One coupon for each abandoned cart, made in the shop under a key that is known beforehand."""
        if not self._has_coupon(due):
            return None
        row = await self.database.read(lambda uow: self.reminding.row_of(uow, seen))
        if row is None:
            return None
        ends_at = self._coupon_ends(row)
        if ends_at <= self.clock.now():
            return None
        spec = CouponSpec(
            prefix="RECOVER",
            percent=None if self.discount.amount is not None else self.discount.percent,
            amount=self.discount.amount,
            expires_at=ends_at,
        )
        try:
            made = await self.shop.create_coupon(key=f"recover-{row.id}", spec=spec)
        except (ShopRefusedError, KeyReusedError):
            return None
        self.failpoints("slot.taken")

        def keep(uow: UnitOfWork) -> None:
            uow.customers.lock(seen.customer_phone, now=self.clock.now())
            cart = uow.carts.of(seen.customer_phone, lock=True)
            if cart is not None and cart.name == seen.name and cart.recovery_coupon_code != made.code:
                uow.carts.save(attrs.evolve(cart, recovery_coupon_code=made.code))

        await self.database.transact(keep)
        return self._offered(made.code, ends_at)

    # --- the slot

    def _take(
        self, uow: UnitOfWork, seen: Cart, due: Due, left: Sequence[CartItem], coupon: Offered | None, *, by_hand: bool
    ) -> Message | None:
        """Slot, message, contact: all or nothing, under the customer's lock."""
        now = self.clock.now()
        profile = uow.customers.lock(seen.customer_phone, now=now)
        cart = uow.carts.of(seen.customer_phone, lock=True)
        if cart is None or cart.name != seen.name or getattr(cart, due.slot) is not None or cart.items != seen.items:
            return None
        rendering = self.reminding.rendering(uow, profile, cart, due.number, left=left, coupon=coupon)
        verdict = self.reminding.verdict(
            uow, profile, cart, rendering, now=now, dies_at=due.dies_at, buyable=bool(left)
        )
        contact = self.reminding.row_of(uow, cart, lock=True)
        if verdict.outcome != "send" or rendering is None or rendering.template is None or contact is None:
            return None
        uow.carts.save(cart.remind(due.slot, now=now))
        uow.reengagements.save(contact.sent(now=now))
        thread = self.speaker.thread(uow, profile, now=now)
        counted, row = self.speaker.say(
            uow,
            thread,
            rendering.template,
            profile=profile,
            class_=Class.CAMPAIGN,
            origin={
                "by": "recovery",
                "ref": f"{REF}:{contact.id}:{due.number}",
                "cart": iso(cart.created_at),
                "number": due.number,
                "products": [item.sellable_id for item in left],
                "wrote_by": iso(now),
                "by_hand": by_hand,
            },
            now=now,
            lives=due.dies_at - now,
        )
        row = attrs.evolve(row, content=amended(row.content, policy={"planned": verdict.to_json()}))
        uow.messages.save(row)
        uow.conversations.save(counted)
        return row

    # --- for people

    async def remind(self, cart_id: int) -> Message:
        """Take the next reminder now: moment, gap and idle time aside, every rule holds.

        Raises:
            NotFoundError: there is no cart of this id.
            ConflictError: it is not abandoned, all its reminders are taken, or a rule stands in the way.
        """
        cart = await self._cart(cart_id)
        due = self.schedule.forced(cart, now=self.clock.now())
        if cart.status is not CartStatus.ABANDONED or due is None:
            raise ConflictError(
                "This cart is not abandoned, or all its reminders are taken; look with `wch carts show`.",
                cart_id=cart_id,
            )
        impatient = attrs.evolve(self, reminding=self.reminding.by_hand())
        row = await impatient._remind(cart, due, by_hand=True)  # noqa: SLF001 - it is this very room, only less patient
        if row is None:
            raise ConflictError("A rule stands in the way; `wch explain cart` says which.", cart_id=cart_id)
        return row

    async def explain(self, cart_id: int, *, at: datetime) -> Explained:
        """Why a cart is, was not, or will be reminded of; the code that decides answers.

        Raises:
            NotFoundError: there is no cart of this id.
        """

        def look(uow: UnitOfWork) -> Explained:
            cart = uow.carts.get(cart_id)
            if cart is None:
                raise NotFoundError(kind="cart", id=cart_id)
            due = self.schedule.next_of(cart, now=at)
            asked = due or self.schedule.forced(cart, now=at) or Due(number=1, at=at, dies_at=at)
            contact = self.reminding.row_of(uow, cart)
            thread = uow.conversations.latest_of(cart.customer_phone)
            rows = () if contact is None or thread is None else uow.messages.thread(thread.id, limit=200)
            mine = [row for row in reversed(rows) if contact is not None and contact_of(row) == contact.id]
            return Explained(
                cart=cart,
                due=due,
                verdict=self._verdict(uow, cart, asked, cart.items, now=at),
                written=tuple((_number(row), row) for row in mine),
            )

        return await self.database.read(look)

    async def _cart(self, cart_id: int) -> Cart:
        found = await self.database.read(lambda uow: uow.carts.get(cart_id))
        if found is None:
            raise NotFoundError(kind="cart", id=cart_id)
        return found


def _number(row: Message) -> int:
    origin: Any = row.content["origin"]
    return int(origin["number"])
