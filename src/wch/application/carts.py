"""Carts: what sweeps them, and what people ask about them."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import attrs

from wch.application.facts import CartAbandoned
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.cart import Cart, CartStatus
from wch.domain.conversation import ConversationStatus
from wch.domain.errors import ConflictError, NotFoundError, TransitionError, VersionMovedError
from wch.domain.evolution import evolve
from wch.domain.reengagement import CampaignType, Reengagement

PAGE = 100


@attrs.frozen(kw_only=True)
class Carts:
    """The duty that lets carts be abandoned and expire, and what people ask about them.

    Attributes:
        tell: hears facts after the commit.
        idle: how long a cart lies before it is abandoned.
        min_total: smaller ones are let go.
    """

    kind: ClassVar[str] = "carts"

    database: Database
    clock: Clock
    tell: Callable[[object], None]
    idle: timedelta
    min_total: Decimal = Decimal(0)

    async def work(self) -> int:
        """Abandon what lies idle, expire what is over its time; each cart in a transaction of its own."""
        now = self.clock.now()
        done = 0
        async for cart in self._paged(
            lambda uow, after: uow.carts.idle_since(now - self.idle, after=after, limit=PAGE)
        ):
            done += await self._abandon(cart)
        async for cart in self._paged(lambda uow, after: uow.carts.expiring(now, after=after, limit=PAGE)):
            done += await self._each(cart, lambda held, moment: held.expired(now=moment))
        return done

    async def _paged(self, look: Callable[[UnitOfWork, int], Sequence[Cart]]) -> AsyncIterator[Cart]:
        """All of them, page by page: what may not be swept yet never hides what is behind it."""
        after = 0
        while page := await self.database.read(lambda uow, after=after: look(uow, after)):  # type: ignore[misc]  # bound early
            for cart in page:
                yield cart
            after = page[-1].id

    async def _abandon(self, seen: Cart) -> int:
        """Abandon one cart, unless a person has its customer, an order of it runs, or the customer just wrote."""

        def work(uow: UnitOfWork) -> bool:
            now = self.clock.now()
            profile = uow.customers.lock(seen.customer_phone, now=now)
            cart = uow.carts.of(seen.customer_phone, lock=True)
            if cart is None or not self._may_be_abandoned(uow, cart, profile.last_interaction_at, now):
                return False
            uow.carts.save(cart.abandoned(now=now, idle=self.idle))
            newest = uow.reengagements.newest_of(cart.customer_phone, CampaignType.CART_REMINDER)
            if newest is None or newest.created_at < cart.created_at:
                uow.reengagements.add(
                    Reengagement(
                        customer_phone=cart.customer_phone,
                        campaign_type=CampaignType.CART_REMINDER,
                        created_at=now,
                    )
                )
            return True

        abandoned = await self.database.transact(work)
        if abandoned:
            self.tell(CartAbandoned(cart_id=seen.id))
        return int(abandoned)

    def _may_be_abandoned(self, uow: UnitOfWork, cart: Cart, wrote: datetime | None, now: datetime) -> bool:
        if cart.status is not CartStatus.ACTIVE or cart.is_empty or now - cart.updated_at < self.idle:
            return False
        if cart.total < self.min_total or (wrote is not None and now - wrote < self.idle):
            return False
        conversation = uow.conversations.latest_of(cart.customer_phone)
        if conversation is not None and conversation.status is ConversationStatus.ESCALATED:
            return False
        placement = uow.sagas.get(cart.saga_id)
        return placement is None or not placement.is_open

    async def _each(self, seen: Cart, change: Callable[[Cart, datetime], Cart]) -> int:
        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            uow.customers.lock(seen.customer_phone, now=now)
            cart = uow.carts.of(seen.customer_phone, lock=True)
            if cart is None:
                return 0
            try:
                uow.carts.save(change(cart, now))
            except TransitionError:
                return 0
            return 1

        return await self.database.transact(work)

    async def listed(self, *, status: CartStatus | None = None, after: int = 0, limit: int = 50) -> Sequence[Cart]:
        """Carts by id."""
        return await self.database.read(lambda uow: uow.carts.listed(status=status, after=after, limit=limit))

    async def show(self, cart_id: int) -> Cart:
        """One cart.

        Raises:
            NotFoundError: there is none of this id.
        """
        found = await self.database.read(lambda uow: uow.carts.get(cart_id))
        if found is None:
            raise NotFoundError(kind="cart", id=cart_id)
        return found

    async def expire(self, cart_id: int, *, version: str | None = None, by: str) -> Cart:
        """End a cart now, whatever time it has left; its lines stay so that the customer can have them back.

        Raises:
            NotFoundError: there is none of this id.
            VersionMovedError: `version` is given, and it is not the cart's any more.
            TransitionError: it has ended already.
        """
        return await self._change(
            cart_id,
            "expire",
            version=version,
            by=by,
            change=lambda cart, now: evolve(cart, expires_at=now).expired(now=now),
        )

    async def set_quantity(
        self,
        cart_id: int,
        *,
        product_id: int,
        variation_id: int | None = None,
        quantity: int,
        version: str | None = None,
        by: str,
    ) -> Cart:
        """Change a line for the customer; 0 takes it out. A cart that is being ordered is left alone.

        Raises:
            NotFoundError: there is none of this id.
            VersionMovedError: `version` is given, and it is not the cart's any more.
            CartRefusalError: there is no such line, or the quantity is beyond the limit.
            ConflictError: the cart is being ordered, or has ended.
        """

        def change(cart: Cart, now: datetime) -> Cart:
            if cart.status not in {CartStatus.ACTIVE, CartStatus.ABANDONED}:
                raise ConflictError(cart_id=cart.id, status=cart.status)
            return cart.with_quantity(product_id, variation_id, quantity, now=now)

        return await self._change(cart_id, "change", version=version, by=by, change=change)

    async def _change(
        self, cart_id: int, action: str, *, version: str | None, by: str, change: Callable[[Cart, datetime], Cart]
    ) -> Cart:
        seen = await self.show(cart_id)

        def work(uow: UnitOfWork) -> Cart:
            now = self.clock.now()
            uow.customers.lock(seen.customer_phone, now=now)
            cart = uow.carts.of(seen.customer_phone, lock=True)
            if cart is None:
                raise NotFoundError(kind="cart", id=cart_id)
            if version is not None and version != cart.version:
                raise VersionMovedError(cart_id=cart_id)
            placement = uow.sagas.get(cart.saga_id)
            if action == "change" and placement is not None and placement.is_open:
                raise ConflictError(cart_id=cart_id, saga=cart.saga_id)
            changed = change(cart, now)
            uow.carts.save(changed)
            uow.audit.add(AuditEntry(at=now, actor=by, action=f"cart.{action}", object=f"cart:{cart_id}"))
            return changed

        return await self.database.transact(work)
