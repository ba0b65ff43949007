"""Reminders: the duty that reminds customers of carts they left lying, and what people ask about it."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from wch.application.causes import caused, customer_then
from wch.application.coupons import Offered
from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.housekeeping import Every
from wch.application.kept_figures import figures_of, numbers_left
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.reengagement_figures import RecoveryFigures
from wch.application.reminding import REF, Reminding
from wch.application.resting import Resting
from wch.application.speaking import Speaker
from wch.domain.audit import AuditEntry
from wch.domain.cart import Cart, CartItem, CartStatus
from wch.domain.coupon import CouponSpec
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError
from wch.domain.evolution import evolve
from wch.domain.hindsight import cart_as_of
from wch.domain.message import Class, Message
from wch.domain.moment import iso, of_iso
from wch.domain.money import Money
from wch.domain.quote import Line
from wch.domain.recovery import Due, Moment, Schedule
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.shop_error import KeyReusedError, ShopRefusedError, ShopUnavailableError
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
class Passed:
    """A moment of a cart that came, and used up no slot.

    Attributes:
        reason: what stood in its way when it came; None when nothing did.
        until: the end of a hold.
        is_over: whether it died of it.
    """

    moment: Moment
    reason: str | None
    until: datetime | None
    is_over: bool


@attrs.frozen(kw_only=True)
class Explained:
    """Why a cart is, was not, or will be reminded of.

    Attributes:
        due: the next reminder; None when none comes any more.
        verdict: rule by rule.
        written: the reminders that were written, by number.
        passed: the moments that came without a reminder.
    """

    cart: Cart
    due: Due | None
    verdict: Verdict
    written: tuple[tuple[int, Message], ...]
    passed: tuple[Passed, ...]


@attrs.frozen(kw_only=True)
class Reminders:
    """Reminds of abandoned carts: slot, message and contact are one transaction, so none is ever there alone.

    Attributes:
        schedule: when reminders are due.
        discount: the coupon that later ones bring.
        rest: how long the duty rests between two looks.
    """

    kind: ClassVar[str] = "reminders"

    database: Database
    clock: Clock
    shop: Shop
    speaker: Speaker
    reminding: Reminding
    failpoints: Failpoints
    schedule: Schedule
    discount: Discount
    rest: Every
    resting: Resting = attrs.field(factory=Resting, init=False, eq=False)

    async def work(self) -> int:
        """Look at every abandoned cart that may have a reminder due; how many were written."""
        if not self.reminding.enabled or self.rest():
            return 0
        done = after = 0
        first = self.schedule.moments[0]
        while page := await self.database.read(
            lambda uow, after=after: uow.carts.due_for_reminder(self.clock.now() - first, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
        ):
            for cart in page:
                now = self.clock.now()
                due = self.schedule.next_of(cart, now=now)
                if due is not None and due.at <= now and (_named(cart), now) not in self.resting:
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

    async def _remind(self, cart: Cart, due: Due, *, by: str | None = None) -> Message | None:
        """Write one reminder, if every rule allows it; nothing is written otherwise."""
        now = self.clock.now()
        verdict = await self.database.read(lambda uow: self._verdict(uow, cart, due, cart.items, now=now))
        if verdict.outcome != "send":
            self.resting.add(_named(cart), until=verdict.until, now=now)
            return None
        left = await self._buyable(cart)
        coupon = await self._coupon(cart, due)
        return await self.database.transact(lambda uow: self._take(uow, cart, due, left, coupon, by=by))

    async def _buyable(self, cart: Cart) -> Sequence[CartItem]:
        """The lines that can still be bought."""
        lines = [
            Line(product_id=item.product_id, variation_id=item.variation_id, quantity=item.quantity)
            for item in cart.items
        ]
        checks = await self.shop.check(lines=lines)
        return [item for item, check in zip(cart.items, checks, strict=True) if check.is_ok]

    def _verdict(
        self,
        uow: UnitOfWork,
        cart: Cart,
        due: Due,
        left: Sequence[CartItem],
        *,
        now: datetime,
        profile: CustomerProfile | None = None,
    ) -> Verdict:
        """As far as it can be told without writing: the coupon's words stand for themselves."""
        profile = profile or uow.customers.of(cart.customer_phone)
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

    async def _coupon(self, seen: Cart, due: Due) -> Offered | None:
        """One coupon for each abandoned cart, made in the shop under a key that is known beforehand."""
        if not self._has_coupon(due) or seen.abandoned_at is None:
            return None
        row, told, email = await self.database.read(lambda uow: self._known(uow, seen))
        if row is None:
            return None
        if told is not None and told.ends_at > self.clock.now():
            return told
        # The last moment at which the first reminder with a coupon may leave: known from the cart
        # alone, so that asking the shop again is asking for the same coupon.
        latest = self.schedule.moments[min(self.discount.since, len(self.schedule.moments)) - 1] + self.schedule.life
        spec = CouponSpec(
            prefix="RECOVER",
            percent=None if self.discount.amount is not None else self.discount.percent,
            amount=self.discount.amount,
            expires_at=seen.abandoned_at + latest + self.discount.lasts,
            email=email,
        )
        try:
            made = await self.shop.create_coupon(key=f"recover-{row.id}", spec=spec)
        except (ShopRefusedError, KeyReusedError):
            return None

        def keep(uow: UnitOfWork) -> None:
            uow.customers.lock(seen.customer_phone, now=self.clock.now())
            cart = uow.carts.of(seen.customer_phone, lock=True)
            if cart is not None and cart.name == seen.name and cart.recovery_coupon_code != made.code:
                uow.carts.save(evolve(cart, recovery_coupon_code=made.code))

        await self.database.transact(keep)
        return self._offered(made.code, spec.expires_at)

    def _known(self, uow: UnitOfWork, cart: Cart) -> tuple[Reengagement | None, Offered | None, str | None]:
        """The row of the sequence, the coupon that an earlier reminder of it brought, and the customer's address."""
        row = self.reminding.row_of(uow, cart)
        profile = uow.customers.of(cart.customer_phone)
        email = None if profile is None else profile.email
        if row is None:
            return None, None, email
        for message in caused(uow, cart.customer_phone, f"{REF}:{row.id}", since=row.created_at):
            origin: Any = message.content["origin"]
            if origin.get("coupon_ends") and cart.recovery_coupon_code:
                return row, self._offered(cart.recovery_coupon_code, of_iso(str(origin["coupon_ends"]))), email
        return row, None, email

    # --- the slot

    def _take(
        self, uow: UnitOfWork, seen: Cart, due: Due, left: Sequence[CartItem], coupon: Offered | None, *, by: str | None
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
                "by_hand": by is not None,
                **({} if coupon is None else {"coupon_ends": iso(coupon.ends_at)}),
            },
            now=now,
            lives=due.dies_at - now,
        )
        row = evolve(row, content=amended(row.content, policy={"planned": verdict.to_json()}))
        uow.messages.save(row)
        uow.conversations.save(counted)
        if by is not None:
            uow.audit.add(AuditEntry(at=now, actor=by, action="cart.remind", object=f"cart:{cart.id}"))
        self.failpoints("slot.taken")
        return row

    # --- for people

    async def remind(self, cart_id: int, *, by: str = "host") -> Message:
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
        row = await impatient._remind(cart, due, by=by)  # noqa: SLF001 - it is this very room, only less patient
        if row is None:
            raise ConflictError("A rule stands in the way; `wch explain cart` says which.", cart_id=cart_id)
        return row

    async def explain(self, cart_id: int, *, at: datetime, now: datetime) -> Explained:
        """Why a cart is, was not, or will be reminded of; the code that decides answers.

        Args:
            cart_id: which cart.
            at: the moment that is asked about; before `now` everything is as of then, as far as rows tell.
            now: the present.

        Raises:
            NotFoundError: there is no cart of this id.
        """

        def look(uow: UnitOfWork) -> Explained:
            stored = uow.carts.get(cart_id)
            profile = None if stored is None else uow.customers.of(stored.customer_phone)
            if stored is None or profile is None:
                raise NotFoundError(kind="cart", id=cart_id)
            earlier = at < now
            cart = cart_as_of(stored, at) if earlier else stored
            due = self.schedule.next_of(cart, now=at)
            asked = due or self.schedule.over(cart, now=at)
            contact = self.reminding.row_of(uow, cart)
            mine = (
                []
                if contact is None
                else caused(uow, cart.customer_phone, f"{REF}:{contact.id}", since=contact.created_at)[::-1]
            )
            return Explained(
                cart=cart,
                due=due,
                verdict=self._hindsight(uow, profile, cart, asked, at=at)
                if earlier
                else self._verdict(uow, cart, asked, cart.items, now=at),
                written=tuple((_number(row), row) for row in mine if row.created_at <= at),
                passed=tuple(self._passed(uow, profile, cart, at=at)),
            )

        return await self.database.read(look)

    def _hindsight(self, uow: UnitOfWork, profile: CustomerProfile, cart: Cart, due: Due, *, at: datetime) -> Verdict:
        """What the rules said at an earlier moment, as far as rows tell."""
        return self._verdict(uow, cart, due, cart.items, now=at, profile=customer_then(uow, profile, at=at))

    def _passed(self, uow: UnitOfWork, profile: CustomerProfile, cart: Cart, *, at: datetime) -> Iterator[Passed]:
        """The moments that came and went without a reminder, each with what stood in its way when it came."""
        number = 1
        for moment in self.schedule.moments_of(cart):
            if moment.taken_at is not None:
                number += 1
            elif moment.at <= at:
                then = cart_as_of(cart, moment.at)
                due = Due(number=number, at=moment.at, dies_at=moment.dies_at)
                verdict = self._hindsight(uow, profile, then, due, at=moment.at)
                yield Passed(moment=moment, reason=verdict.reason, until=verdict.until, is_over=moment.dies_at <= at)

    async def report(self, *, since: datetime, until: datetime | None = None) -> RecoveryFigures:
        """What became of the carts that were left lying in this time."""
        end = until or self.clock.now()
        figures = RecoveryFigures()
        after = 0
        while page := await self.database.read(
            lambda uow, after=after: [  # type: ignore[misc]  # bound early
                (row, self._left(uow, row))
                for row in uow.reengagements.listed(
                    campaign_type=CampaignType.CART_REMINDER, since=since, after=after, limit=PAGE
                )
            ]
        ):
            after = page[-1][0].id
            for row, numbers in page:
                if row.created_at <= end:
                    figures = figures.with_(row, numbers)
        return figures

    def _left(self, uow: UnitOfWork, row: Reengagement) -> tuple[int, ...]:
        """The numbers of the reminders of a sequence that left."""
        if row.sent_at is None:
            return ()
        rows = caused(uow, row.customer_phone, f"{REF}:{row.id}", since=row.created_at)
        return numbers_left(rows) if rows else figures_of(uow, "reengagement", row.id).reminders

    async def _cart(self, cart_id: int) -> Cart:
        found = await self.database.read(lambda uow: uow.carts.get(cart_id))
        if found is None:
            raise NotFoundError(kind="cart", id=cart_id)
        return found


def _named(cart: Cart) -> tuple[int, datetime | None]:
    """One time that a cart was left lying."""
    return cart.id, cart.abandoned_at


def _number(row: Message) -> int:
    origin: Any = row.content["origin"]
    return int(origin["number"])
