"""Customers: looking them up, tagging them, and changing their consent on request."""

from collections.abc import Sequence

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError
from wch.domain.phone import variants


@attrs.frozen(kw_only=True)
class Customers:
    """What people ask about customers, and may change for them."""

    database: Database
    clock: Clock

    async def listed(self, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        """Customers by id."""
        return await self.database.read(lambda uow: uow.customers.listed(after=after, limit=limit))

    async def found(self, text: str) -> tuple[CustomerProfile, ...]:
        """Everybody whom this key or number, in any spelling, may mean; the exact form first."""
        digits = "".join(letter for letter in text if letter.isdigit())
        keys = (text,) if text.startswith("u") or not digits else variants(digits.removeprefix("00"))

        def work(uow: UnitOfWork) -> tuple[CustomerProfile, ...]:
            return tuple(found for key in keys if (found := uow.customers.of(key)) is not None)

        return await self.database.read(work)

    async def show(self, key: str) -> CustomerProfile:
        """The one customer whom this key or number means.

        Raises:
            NotFoundError: nobody, or more than one, answers to it; `matches` says how many.
        """
        found = await self.found(key)
        if len(found) != 1:
            raise NotFoundError(kind="customer", matches=len(found))
        return found[0]

    async def tag(self, key: str, *, add: Sequence[str] = (), remove: Sequence[str] = (), by: str) -> CustomerProfile:
        """Add and take away tags; adding one that is there changes nothing."""
        phone = (await self.show(key)).phone

        def work(uow: UnitOfWork) -> CustomerProfile:
            now = self.clock.now()
            profile = uow.customers.lock(phone, now=now)
            for tag in add:
                profile = profile.tagged(tag, now=now)
            for tag in remove:
                profile = profile.untagged(tag, now=now)
            uow.customers.save(profile)
            uow.audit.add(AuditEntry(at=now, actor=by, action="customer.tag", object=f"customer:{profile.id}"))
            return profile

        return await self.database.transact(work)

    async def consent(self, key: str, *, purpose: str, to: str, reason: str, by: str) -> CustomerProfile:
        """Set consent because the customer asked for it; the reason is kept as evidence.

        Args:
            key: whom.
            purpose: `marketing` or `all`.
            to: `in` or `out`.
            reason: what the customer said, and where.
            by: who writes it down.
        """
        phone = (await self.show(key)).phone

        def work(uow: UnitOfWork) -> CustomerProfile:
            now = self.clock.now()
            profile = uow.customers.lock(phone, now=now)
            decided = profile.consenting(purpose, to, source="console", now=now, words=reason, by=by)
            uow.customers.save(decided)
            uow.audit.add(
                AuditEntry(at=now, actor=by, action="customer.consent", object=f"customer:{profile.id}", reason=reason)
            )
            return decided

        return await self.database.transact(work)
