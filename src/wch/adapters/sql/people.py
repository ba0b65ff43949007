"""The repositories about people: carts and customers."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, or_

from wch.adapters.sql.json_text import clean
from wch.adapters.sql.reading import PAGE, plain_part
from wch.adapters.sql.rows import Rows
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.domain.cart import Cart, CartStatus
from wch.domain.customer import CustomerProfile


class SqlCartRepository:
    """See `wch.application.ports.CartRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.carts, Cart)
        self._c = tables.carts.c

    def add(self, cart: Cart) -> Cart:
        return self._rows.add(cart)

    def get(self, cart_id: int, *, lock: bool = False) -> Cart | None:
        return self._rows.get(cart_id, lock=lock)

    def of(self, customer_phone: str, *, lock: bool = False) -> Cart | None:
        return self._rows.by("customer_phone", customer_phone, lock=lock)

    def save(self, cart: Cart) -> None:
        self._rows.save(cart)

    def idle_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        found: list[Cart] = []
        while len(found) < limit:
            page = self._rows.many(
                self._c.status == CartStatus.ACTIVE, self._c.id > after, self._c.updated_at <= moment, limit=limit
            )
            found += [cart for cart in page if cart.items]
            if len(page) < limit:
                break
            after = page[-1].id
        return found[:limit]

    def expiring(self, now: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        found: list[Cart] = []
        for status in (CartStatus.ACTIVE, CartStatus.ABANDONED):
            found += self._rows.many(
                self._c.status == status, self._c.id > after, self._c.expires_at <= now, limit=limit
            )
        return sorted(found, key=lambda cart: cart.id)[:limit]

    def due_for_reminder(self, abandoned_before: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        return self._rows.many(
            self._c.status == CartStatus.ABANDONED,
            self._c.id > after,
            self._c.abandoned_at <= abandoned_before,
            or_(
                self._c.reminder_1_sent_at.is_(None),
                self._c.reminder_2_sent_at.is_(None),
                self._c.reminder_3_sent_at.is_(None),
            ),
            limit=limit,
        )

    def recovered_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        return self._rows.many(
            self._c.id > after,
            self._c.status == CartStatus.RECOVERED,
            self._c.recovered_at >= moment,
            self._c.recovery_coupon_code.is_not(None),
            limit=limit,
        )

    def listed(self, *, status: CartStatus | None = None, after: int = 0, limit: int = 50) -> Sequence[Cart]:
        where = [self._c.id > after]
        if status is not None:
            where.append(self._c.status == status)
        return self._rows.many(*where, limit=limit)


class SqlCustomerRepository:
    """See `wch.application.ports.CustomerRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.customers, CustomerProfile, saves_later=True)
        self._c = tables.customers.c
        self._locked = session.ahead(tables.customers)
        # Those whom nobody has locked here, or made; None for a key that there is none of.
        self._seen = session.ahead(tables.customers)
        self._kept = session.kept(tables.customers, by="phone")

    def get(self, customer_id: int) -> CustomerProfile | None:
        return self._rows.get(customer_id)

    def of(self, phone: str) -> CustomerProfile | None:
        ahead = self._locked if phone in self._locked else self._seen
        if phone in ahead:
            known: CustomerProfile | None = ahead[phone]
            return known
        return self._rows.by("phone", phone)

    def look_ahead(self, phones: Collection[str]) -> None:
        kept = self._kept
        if kept:
            known = kept.among(phones)
            self._seen.update(known)
            phones = [phone for phone in phones if phone not in known]
        found = self._rows.look("phone", phones)
        self._seen.update(found)
        if kept is not None:
            kept.keep([profile for profile in found.values() if profile is not None])

    def lock(self, phone: str, *, now: datetime) -> CustomerProfile:
        known: CustomerProfile | None = self._locked.get(phone)
        if known is not None:
            return known
        self._seen.pop(phone, None)
        return self._rows.lock_or_add(CustomerProfile.met(phone, now=now), "phone", unique="phone")

    def lock_all(self, phones: Collection[str], *, now: datetime) -> None:
        wanted = sorted(set(phones))
        if not wanted:
            return
        there = self._already_held(wanted)
        if len(there) < len(wanted):
            there = self._rows.among("phone", wanted, lock=True)
        for phone in wanted:
            self._seen.pop(phone, None)
        self._locked.update([(profile.phone, profile) for profile in there])
        if len(there) < len(wanted):
            new = [phone for phone in dict.fromkeys(map(clean, wanted)) if phone not in self._locked]
            made = self._rows.add_all([CustomerProfile.met(phone, now=now) for phone in new], unique="phone")
            self._locked.update((profile.phone, profile) for profile in made)

    def _already_held(self, phones: Sequence[str]) -> list[CustomerProfile]:
        """Those of these who were looked at under the lock of the whole file, where that is the engine's."""
        if self._session.locks_rows:
            return []
        there = [profile for phone in phones if (profile := self._seen.get(phone)) is not None]
        self._rows.hold(there)
        return there

    def lock_if_free(self, phone: str) -> CustomerProfile | None:
        self._seen.pop(phone, None)
        return self._rows.by("phone", phone, lock=True, skip=True)

    def save(self, profile: CustomerProfile) -> None:
        self._locked.pop(profile.phone, None)
        self._seen.pop(profile.phone, None)
        changed = self._rows.save_later(profile)
        if self._kept is not None:
            self._kept.became(profile, changed)

    def listed(self, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        return self._rows.many(self._c.id > after, limit=limit)

    def quiet_buyers(self, since: datetime, *, after: int = 0, limit: int = 100) -> Sequence[CustomerProfile]:
        silent = or_(self._c.last_interaction_at.is_(None), self._c.last_interaction_at < since)
        return self._rows.many(
            self._c.id > after, self._c.total_orders > 0, self._c.opt_in_marketing.in_([True]), silent, limit=limit
        )

    def linked_to(self, wc_customer_id: int) -> Sequence[CustomerProfile]:
        return self._rows.many(self._c.wc_customer_id == wc_customer_id)

    def called(self, name: str, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        wanted, found = name.casefold(), list[CustomerProfile]()
        plain = plain_part(wanted)
        while len(found) < limit:
            where = [self._c.id > after, self._c.name.is_not(None)]
            if plain:
                where.append(func.lower(self._c.name).like(f"%{plain}%"))
            page = self._rows.many(*where, limit=PAGE)
            found += [row for row in page if row.name and wanted in row.name.casefold()]
            if len(page) < PAGE:
                break
            after = page[-1].id
        return found[:limit]
