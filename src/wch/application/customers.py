"""Customers: looking them up, tagging them, and changing their consent on request."""

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from wch.application.alarms import alarm
from wch.application.people import found
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError, StoreMisusedError, UndecodableError
from wch.domain.order import ShopCustomer
from wch.domain.order_figures import Counting, Segment
from wch.domain.phone import variants


@attrs.frozen(kw_only=True)
class Customers:
    """What people ask about customers, and may change for them.

    Attributes:
        country: the shop's, for numbers without one.
        counting: says which segment somebody is in.
    """

    database: Database
    clock: Clock
    shop: Shop
    country: str
    counting: Counting

    async def listed(self, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        """Customers by id."""
        return await self.database.read(lambda uow: uow.customers.listed(after=after, limit=limit))

    async def found(self, text: str) -> tuple[CustomerProfile, ...]:
        """Everybody whom this key or number, in any spelling, may mean; the exact form first, never a pick."""
        return await self.database.read(lambda uow: found(uow, text, country=self.country))

    async def show(self, key: str) -> CustomerProfile:
        """The one customer whom this key or number means.

        Raises:
            NotFoundError: nobody, or more than one, answers to it; `matches` says how many.
        """
        found = await self.found(key)
        if len(found) != 1:
            raise NotFoundError("No customer, or more than one, answers to this key.", matches=len(found))
        return found[0]

    async def tag(self, key: str, *, add: Sequence[str] = (), remove: Sequence[str] = (), by: str) -> CustomerProfile:
        """Add and take away tags; adding one that is there changes nothing.

        Raises:
            StoreMisusedError: a tag is too long, or there would be too many.
        """

        def change(profile: CustomerProfile, now: datetime) -> CustomerProfile:
            try:
                for tag in add:
                    profile = profile.tagged(tag, now=now)
            except ValueError as error:
                sentence = f"{str(error).capitalize()}; nothing was changed."
                raise StoreMisusedError(sentence) from None
            for tag in remove:
                profile = profile.untagged(tag, now=now)
            return profile

        return await self._change(key, change, action="customer.tag", by=by)

    async def consent(self, key: str, *, purpose: str, to: str, reason: str, by: str) -> CustomerProfile:
        """Set consent because the customer asked for it; the reason is kept as evidence.

        Args:
            key: whom.
            purpose: `marketing` or `all`.
            to: `in` or `out`.
            reason: what the customer said, and where.
            by: who writes it down.
        """

        def change(profile: CustomerProfile, now: datetime) -> CustomerProfile:
            return profile.consenting(purpose, to, source="console", now=now, words=reason, by=by)

        return await self._change(key, change, action="customer.consent", by=by, reason=reason)

    async def note(self, key: str, text: str, *, by: str) -> CustomerProfile:
        """Write something down about this customer."""
        return await self._change(
            key, lambda profile, now: profile.noting(text, by=by, now=now), action="customer.note", by=by
        )

    async def block(self, key: str, reason: str | None, *, by: str) -> CustomerProfile:
        """Stop the dialogue and everything that is said by itself; None lifts the block."""
        action = "customer.unblock" if reason is None else "customer.block"
        return await self._change(
            key, lambda profile, now: profile.blocked(reason, by=by, now=now), action=action, by=by, reason=reason
        )

    async def same_owner(self, key: str, *, by: str) -> CustomerProfile:
        """It is the customer it was, although the number has another id: addresses and orders are shown again."""
        return await self._change(
            key, lambda profile, now: profile.owned_as_before(now=now), action="customer.same_owner", by=by
        )

    async def shop_customers(self, key: str) -> tuple[ShopCustomer, ...]:
        """The customers of the shop who have this number in one of its variants, asked of the shop now.

        Raises:
            NotFoundError: nobody, or more than one, answers to the key.
            ShopError: the shop did not answer.
        """
        return await self.shop.customers_by_phone(phones=variants((await self.show(key)).phone))

    async def link(self, key: str, wc_customer_id: int, *, by: str) -> CustomerProfile:
        """Say which customer of the shop this is: new orders are theirs, and theirs are shown in the chat."""
        return await self._change(
            key,
            lambda profile, now: profile.linked(wc_customer_id, by=by, now=now),
            action="customer.link",
            by=by,
        )

    async def unlink(self, key: str, *, by: str) -> CustomerProfile:
        """Say that it is not this customer of the shop; they are not linked by themselves again."""
        return await self._change(
            key, lambda profile, now: profile.unlinked(by=by, now=now), action="customer.unlink", by=by
        )

    async def forget_address(self, key: str, address_id: int, *, by: str) -> CustomerProfile:
        """Take a saved address away."""
        return await self._change(
            key,
            lambda profile, now: profile.without_address(address_id, now=now),
            action="customer.forget_address",
            by=by,
        )

    def segment(self, profile: CustomerProfile) -> Segment:
        """What this customer is called, by net spending."""
        return self.counting.segment(profile)

    async def _change(
        self,
        key: str,
        change: Callable[[CustomerProfile, datetime], CustomerProfile],
        *,
        action: str,
        by: str,
        reason: str | None = None,
    ) -> CustomerProfile:
        """Change one customer's profile under its lock, and write down who did it.

        Raises:
            UndecodableError: something in the row cannot be read; nothing is written over it, and an alarm is raised.
        """
        try:
            phone = (await self.show(key)).phone
        except UndecodableError as error:
            about = f"customer:{error.facts.get('row')}"
            await self.database.transact(lambda uow: alarm(uow, "unreadable_row", now=self.clock.now(), about=about))
            raise

        def work(uow: UnitOfWork) -> CustomerProfile:
            now = self.clock.now()
            profile = uow.customers.lock(phone, now=now)
            changed = change(profile, now)
            uow.customers.save(changed)
            uow.audit.add(AuditEntry(at=now, actor=by, action=action, object=f"customer:{profile.id}", reason=reason))
            return changed

        return await self.database.transact(work)
