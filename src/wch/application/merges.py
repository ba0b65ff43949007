"""Merges: two customers who are one become one, and for thirty days two again."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

import attrs

from wch.application.announcing import OPTION
from wch.application.draws import unused
from wch.application.people import ALIAS, found
from wch.application.ports import Clock, Database, Held, Ids, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import RANK, RecipientStatus
from wch.domain.cart import Cart, CartStatus
from wch.domain.conversation import Conversation
from wch.domain.customer import MOST_CONSENT_ENTRIES, MOST_SAVED_ADDRESSES, MOST_TAGS, CustomerProfile
from wch.domain.document import JsonObject, amended, document
from wch.domain.errors import ConflictError, NotFoundError, WchError
from wch.domain.evolution import evolve
from wch.domain.moment import iso, of_iso
from wch.domain.order_figures import Counting, known_orders, united
from wch.domain.saga import Saga, SagaState

MERGE = "customer.merge."
UNDONE_WITHIN = timedelta(days=30)
SAME = "Both keys are of one customer already; there is nothing to merge."

MOVED: Mapping[str, str] = {
    "conversations": "customer_phone",
    "notification_log": "customer_phone",
    "product_views": "customer_phone",
    "reengagement": "customer_phone",
}
"""Tables whose rows simply change hands, and the column that says whose they are."""

_MANY = 100_000


class RolledBackError(WchError):
    """This was a rehearsal: everything was taken back."""

    counts: Mapping[str, int]
    left: CustomerProfile


@attrs.frozen(kw_only=True)
class Merges:
    """Makes one customer of two, and two of one again.

    Attributes:
        counting: counts the figures anew.
        country: the shop's, for numbers without one.
    """

    database: Database
    clock: Clock
    ids: Ids
    counting: Counting
    country: str

    async def merge(self, keep: str, gone: str, *, by: str, reason: str | None = None) -> tuple[int, CustomerProfile]:
        """Move everything of `gone` to `keep`; the number under which it can be undone, and the customer kept.

        Raises:
            NotFoundError: one of them is nobody, or more than one.
            ConflictError: they are one already, or an order of the one that goes is being placed.
        """

        def work(uow: UnitOfWork) -> tuple[int, CustomerProfile]:
            kept_key, gone_key = (_one(uow, key, self.country).phone for key in (keep, gone))
            if kept_key == gone_key:
                raise ConflictError(SAME)
            return self.merge_in(uow, kept_key, gone_key, by=by, reason=reason, now=self.clock.now(), by_person=True)

        return await self.database.transact(work)

    async def rehearse(self, keep: str, gone: str, *, by: str) -> tuple[Mapping[str, int], CustomerProfile]:
        """What merging them would come to, by merging them and taking it back: rows moved by table, and who is left.

        Raises:
            NotFoundError, ConflictError: as `merge`.
        """

        def work(uow: UnitOfWork) -> NoReturn:
            kept_key, gone_key = (_one(uow, key, self.country).phone for key in (keep, gone))
            if kept_key == gone_key:
                raise ConflictError(SAME)
            merge_id, one = self.merge_in(uow, kept_key, gone_key, by=by, now=self.clock.now(), by_person=True)
            told = uow.options.get(f"{MERGE}{merge_id}") or {}
            counts = {table: len(ids) for table, ids in told["moved"].items()}
            counts |= {"carts": int("moved" in told["carts"]), "orders": len(told["orders"])}
            raise RolledBackError(counts=counts, left=one)

        try:
            await self.database.transact(work)
        except RolledBackError as told:
            return told.counts, told.left
        raise RolledBackError  # pragma: no cover - the work always raises

    async def listed(self, key: str) -> Sequence[tuple[int, JsonObject]]:
        """Merges into the customer with this key that can still be undone, by number."""
        since = iso(self.clock.now() - UNDONE_WITHIN)

        def look(uow: UnitOfWork) -> list[tuple[int, JsonObject]]:
            mine = []
            after = MERGE
            while page := uow.options.named(MERGE, after=after, limit=500):
                after = page[-1][0]
                mine += [
                    (int(name.removeprefix(MERGE)), told)
                    for name, told in page
                    if told.get("kept") == key and str(told["at"]) >= since
                ]
            return mine

        return await self.database.read(look)

    def merge_in(
        self,
        uow: UnitOfWork,
        kept_key: str,
        gone_key: str,
        *,
        by: str,
        now: datetime,
        reason: str | None = None,
        by_person: bool = False,
    ) -> tuple[int, CustomerProfile]:
        """The same in a transaction of the caller's, who knows both keys; who is not there yet is made.

        An order of the one that goes which is being placed comes along, unless a person merges.

        Raises:
            ConflictError: an order of the one that goes is being placed, and a person merges, or so is one of the other.
        """
        merge_id = unused(self.ids.number, lambda drawn: uow.options.get(f"{MERGE}{drawn}") is not None)
        locked = {key: uow.customers.lock(key, now=now) for key in sorted((kept_key, gone_key))}
        kept, other = locked[kept_key], locked[gone_key]
        placing = _placing(uow, gone_key)
        if placing is not None and (by_person or _placing(uow, kept_key) is not None):
            raise ConflictError(
                "An order of the customer who would go is being placed; merge when it is done.",
                saga_id=placing.saga_id,
            )
        before = {phone: _profile_to_json(one) for phone, one in locked.items()}
        resolved = self._one_open(uow, kept_key, gone_key)
        moved = {table: self._moved(uow, table, column, gone_key, kept_key) for table, column in MOVED.items()}
        threads = {str(number): _newest(uow, number) for number in moved["conversations"]}
        recipients, dropped = self._recipients(uow, gone_key, kept_key)
        sagas = self._sagas(uow, gone_key, kept_key, now=now)
        carts = self._carts(uow, gone_key, kept_key)
        orders = self._orders(uow, gone_key, kept_key)
        one = self._together(kept, other, now)
        uow.customers.save(one)
        for held in uow.holdings.of("customer_profiles", (gone_key,)):
            uow.holdings.drop(held)
        uow.options.put(f"{ALIAS}{gone_key}", document(to=kept_key, merge=merge_id))
        uow.options.put(
            f"{MERGE}{merge_id}",
            document(
                at=iso(now),
                by=by,
                kept=kept_key,
                gone=gone_key,
                profiles=before,
                moved={**moved, "broadcast_recipients": recipients},
                dropped=dropped,
                resolved=resolved,
                threads=threads,
                carts=carts,
                orders=orders,
                sagas=sagas,
            ),
        )
        uow.audit.add(AuditEntry(at=now, actor=by, action="customer.merge", object=f"merge:{merge_id}", reason=reason))
        return merge_id, one

    async def undo(self, merge_id: int, *, by: str) -> tuple[CustomerProfile, CustomerProfile]:
        """Make two of them again: what moved goes back, what came since stays with the one that was kept.

        Raises:
            NotFoundError: there was no such merge, or it was undone, or one of them was erased since.
            ConflictError: it was more than 30 days ago.
        """

        def work(uow: UnitOfWork) -> tuple[CustomerProfile, CustomerProfile]:
            now = self.clock.now()
            told = uow.options.get(f"{MERGE}{merge_id}", lock=True)
            if told is None:
                raise NotFoundError(
                    "There is no such merge: it was undone already, or a customer of it was erased.", id=merge_id
                )
            if now > of_iso(told["at"]) + UNDONE_WITHIN:
                raise ConflictError("A merge can be undone for 30 days; this one is older.", merge_id=merge_id)
            kept_key, gone_key = str(told["kept"]), str(told["gone"])
            locked = {key: uow.customers.lock(key, now=now) for key in sorted((kept_key, gone_key))}
            for table, ids in told["moved"].items():
                column = "phone" if table == "broadcast_recipients" else MOVED[table]
                wanted = set(ids)
                for held in uow.holdings.of(table, (kept_key,), limit=_MANY):
                    if held.values["id"] in wanted:
                        uow.holdings.rewrite(held, {column: gone_key})
            self._said_since(uow, told, kept_key, gone_key, now=now)
            self._carts_back(uow, told, kept_key, gone_key)
            for name in told["orders"]:
                order = uow.options.get(name, lock=True)
                if order is not None and order.get("phone") == kept_key:
                    uow.options.put(name, amended(order, phone=gone_key))
            for saga_id in told.get("sagas", ()):
                self._rename(uow, saga_id, kept_key, gone_key, now=now)
            kept, other = self._apart(told, locked[kept_key], locked[gone_key], now)
            uow.customers.save(kept)
            uow.customers.save(other)
            uow.options.remove(f"{ALIAS}{gone_key}")
            uow.options.remove(f"{MERGE}{merge_id}")
            uow.audit.add(AuditEntry(at=now, actor=by, action="customer.unmerge", object=f"merge:{merge_id}"))
            return kept, other

        return await self.database.transact(work)

    # --- rows

    def _one_open(self, uow: UnitOfWork, kept: str, gone: str) -> list[int]:
        """A customer has one open thread: the one of whoever goes is resolved where both have one."""
        latest = uow.conversations.latest_of(kept)
        if latest is None or not latest.is_open:
            return []
        ended = []
        for held in uow.holdings.of("conversations", (gone,), limit=_MANY):
            if held.values["status"] != "resolved":
                uow.holdings.rewrite(held, {"status": "resolved", "unread_count": 0})
                ended.append(int(held.values["id"]))
        return ended

    def _moved(self, uow: UnitOfWork, table: str, column: str, gone: str, kept: str) -> list[int]:
        page = uow.holdings.of(table, (gone,), limit=_MANY)
        for held in page:
            uow.holdings.rewrite(held, {column: kept})
        return [int(held.values["id"]) for held in page]

    def _said_since(self, uow: UnitOfWork, told: JsonObject, kept: str, gone: str, *, now: datetime) -> None:
        """What was said since in a thread that came along stays with the number that it came from."""
        threads = {str(held.values["id"]): held for held in uow.holdings.of("conversations", (gone,), limit=_MANY)}
        said = uow.holdings.of("messages", (gone,), limit=_MANY)
        for number, mark in told.get("threads", {}).items():
            rows = [held for held in said if str(held.values["conversation_id"]) == number]
            since = [held for held in rows if held.values["id"] > mark]
            if not since:
                continue
            latest = uow.conversations.latest_of(kept, lock=True) or uow.conversations.add(
                Conversation(customer_phone=kept, created_at=now, updated_at=now)
            )
            mine = latest if latest.is_open else latest.reopened(now=now)
            for held in since:
                mine = mine.counted(now=held.values["created_at"])
                uow.holdings.rewrite(held, {"conversation_id": mine.id})
            uow.conversations.save(mine)
            left = [held.values["created_at"] for held in rows if held.values["id"] <= mark]
            counted = {"message_count": len(left), "unread_count": 0, "last_message_at": max(left, default=None)}
            uow.holdings.rewrite(threads[number], counted)

    def _recipients(self, uow: UnitOfWork, gone: str, kept: str) -> tuple[list[int], list[JsonObject]]:
        """Of two rows of one campaign the one that came further stays."""
        there = {
            held.values["campaign_id"]: held for held in uow.holdings.of("broadcast_recipients", (kept,), limit=_MANY)
        }
        moved: list[int] = []
        dropped: list[JsonObject] = []
        for held in uow.holdings.of("broadcast_recipients", (gone,), limit=_MANY):
            other = there.get(held.values["campaign_id"])
            if other is not None:
                loser = held if _rank(held) <= _rank(other) else other
                uow.holdings.drop(loser)
                dropped.append({"id": loser.values["id"], "campaign_id": loser.values["campaign_id"]})
                if loser is held:
                    continue
            uow.holdings.rewrite(held, {"phone": kept})
            moved.append(int(held.values["id"]))
        return moved, dropped

    def _carts(self, uow: UnitOfWork, gone: str, kept: str) -> JsonObject:
        """Of two carts the one with lines and the later change stays; the other one ends, under the other key."""
        mine, theirs = uow.carts.of(kept), uow.carts.of(gone)
        if theirs is None:
            return {}
        if mine is not None and self._weight(uow, mine) >= self._weight(uow, theirs):
            self._expire(uow, gone)
            return {}
        held = uow.holdings.of("carts", (gone,))[0]
        if mine is None:
            uow.holdings.rewrite(held, {"customer_phone": kept})
            return {"moved": theirs.id}
        self._expire(uow, kept)
        own = uow.holdings.of("carts", (kept,))[0]
        uow.holdings.rewrite(own, {"customer_phone": "swap"})
        uow.holdings.rewrite(held, {"customer_phone": kept})
        uow.holdings.rewrite(own, {"customer_phone": gone})
        return {"moved": theirs.id, "instead_of": mine.id}

    def _weight(self, uow: UnitOfWork, cart: Cart) -> tuple[bool, bool, datetime]:
        """Which of two carts stays: the one that is being ordered, then one with lines, then the later change."""
        placement = uow.sagas.get(cart.saga_id)
        return placement is not None and placement.is_open, bool(cart.items), cart.updated_at

    def _sagas(self, uow: UnitOfWork, gone: str, kept: str, *, now: datetime) -> list[str]:
        """Orders that are being placed, were placed or are paid back are the other one's from now on."""
        cart = uow.carts.of(gone)
        names = [] if cart is None else [cart.saga_id]
        for state in (SagaState.RUNNING, SagaState.COMPENSATING):
            after = ""
            while page := uow.sagas.listed(state=state, after=after, limit=200):
                after = page[-1].saga_id
                names += [saga.saga_id for saga in page if saga.customer == gone]
        names += [str(value["saga"]) for _, value in _orders_of(uow, gone) if value.get("saga")]
        return [name for name in dict.fromkeys(names) if self._rename(uow, name, gone, kept, now=now)]

    def _rename(self, uow: UnitOfWork, saga_id: str, before: str, after: str, *, now: datetime) -> bool:
        saga = uow.sagas.get(saga_id, lock=True)
        if saga is None or saga.customer != before:
            return False
        uow.sagas.save(saga.of_customer(after, token=unused(self.ids.token, saga.has_had), now=now))
        return True

    def _expire(self, uow: UnitOfWork, phone: str) -> None:
        cart = uow.carts.of(phone, lock=True)
        if cart is not None and cart.status in {CartStatus.ACTIVE, CartStatus.ABANDONED}:
            uow.carts.save(evolve(cart, status=CartStatus.EXPIRED))

    def _carts_back(self, uow: UnitOfWork, told: JsonObject, kept: str, gone: str) -> None:
        moved, instead_of = told["carts"].get("moved"), told["carts"].get("instead_of")
        theirs = next((one for one in uow.holdings.of("carts", (kept,)) if one.values["id"] == moved), None)
        if theirs is None:
            return
        own = next(iter(uow.holdings.of("carts", (gone,))), None)
        if own is not None and own.values["id"] != instead_of:
            return
        if own is not None:
            uow.holdings.rewrite(own, {"customer_phone": "swap"})
        uow.holdings.rewrite(theirs, {"customer_phone": gone})
        if own is not None:
            uow.holdings.rewrite(own, {"customer_phone": kept})

    def _orders(self, uow: UnitOfWork, gone: str, kept: str) -> list[str]:
        """Later news of orders reach the customer who is left."""
        found = list(_orders_of(uow, gone))
        for name, value in found:
            uow.options.put(name, amended(value, phone=kept))
        return [name for name, _ in found]

    # --- profiles

    def _together(self, kept: CustomerProfile, gone: CustomerProfile, now: datetime) -> CustomerProfile:
        """One profile of two: the stricter of each decision, the fuller of what is known."""
        mine, theirs = kept.preferences, gone.preferences
        log = sorted(
            [*_consent_log(kept), *_consent_log(gone)],
            key=lambda entry: str(entry.get("at")),
        )
        out = kept.is_out or gone.is_out
        opted = [one.marketing_opted_at for one in (kept, gone) if one.marketing_opted_at is not None]
        state = "out" if out else ("in" if kept.opt_in_marketing or gone.opt_in_marketing else None)
        consent = {**theirs.get("consent", {}), **mine.get("consent", {}), "state": state}
        if log:
            consent["log"] = [*log[:1], *log[1:][-(MOST_CONSENT_ENTRIES - 1) :]]
        identity = {**theirs.get("identity", {}), **mine.get("identity", {})}
        aliases = [*mine.get("identity", {}).get("aliases", ()), *theirs.get("identity", {}).get("aliases", ())]
        identity["aliases"] = list(dict.fromkeys([*aliases, gone.phone]))
        by_person = theirs.get("name_by") == "person" and mine.get("name_by") != "person"
        preferences = amended(
            {**theirs, **mine},
            consent={name: value for name, value in consent.items() if value is not None} or None,
            identity=identity,
            blocked=mine.get("blocked") or theirs.get("blocked"),
            hold=_later(mine.get("hold"), theirs.get("hold"), "marketing_until"),
            unreachable=_later(mine.get("unreachable"), theirs.get("unreachable"), "in_a_row"),
            notes=[*mine.get("notes", ()), *theirs.get("notes", ())] or None,
        )
        seen = [one.last_interaction_at for one in (kept, gone) if one.last_interaction_at is not None]
        tags = {tag.casefold(): tag for tag in (*gone.tags, *kept.tags)}
        addresses = [*kept.saved_addresses, *({**one, "is_default": False} for one in gone.saved_addresses)]
        numbered = tuple({**one, "id": place} for place, one in enumerate(addresses[:MOST_SAVED_ADDRESSES], start=1))
        together = evolve(
            kept,
            name=gone.name if kept.name is None or by_person else kept.name,
            email=kept.email or gone.email,
            wc_customer_id=_linked(kept, gone),
            last_known_address=kept.last_known_address or gone.last_known_address,
            saved_addresses=numbered,
            tags=tuple(tags.values())[:MOST_TAGS],
            preferences=preferences,
            opt_in_marketing=state == "in",
            notification_opt_out=kept.notification_opt_out or gone.notification_opt_out,
            marketing_opted_at=max(opted, default=None),
            created_at=min(kept.created_at, gone.created_at),
            last_interaction_at=max(seen, default=None),
        )
        orders = united(known_orders(kept), known_orders(gone))
        return self.counting.counted(together, orders, now=now) if orders else together

    def _apart(
        self, told: JsonObject, now_kept: CustomerProfile, now_other: CustomerProfile, now: datetime
    ) -> tuple[CustomerProfile, CustomerProfile]:
        """Both as they were; orders counted since go to the one that was kept, a withdrawal since holds for both."""
        kept = _profile_of_json(told["profiles"][told["kept"]])
        other = evolve(_profile_of_json(told["profiles"][told["gone"]]), id=now_other.id)
        before = {**known_orders(kept), **known_orders(other)}
        since = {number: entry for number, entry in known_orders(now_kept).items() if number not in before}
        newer = {number: entry for number, entry in known_orders(now_kept).items() if number in known_orders(kept)}
        if since or newer:
            kept = self.counting.counted(kept, {**known_orders(kept), **newer, **since}, now=now)
        theirs = {number: entry for number, entry in known_orders(now_kept).items() if number in known_orders(other)}
        if theirs:
            other = self.counting.counted(other, {**known_orders(other), **theirs}, now=now)
        pair = [kept, other]
        # By entries, not by times: a word in the very second of the merge counts too.
        known = [*_consent_log(kept), *_consent_log(other)]
        out_since = any(entry.get("to") == "out" for entry in _consent_log(now_kept) if entry not in known)
        if out_since and not now_kept.opt_in_marketing:
            purpose = "all" if now_kept.notification_opt_out else "marketing"
            pair = [one.consenting(purpose, "out", source="merge", now=now) for one in pair]
        latest = now_kept.last_interaction_at or pair[0].last_interaction_at
        return evolve(pair[0], id=now_kept.id, last_interaction_at=latest), pair[1]


def _linked(kept: CustomerProfile, gone: CustomerProfile) -> int | None:
    """Whom of the shop the two are: what a person took away from the one who is kept does not come back."""
    theirs = gone.wc_customer_id
    return theirs if theirs is not None and kept.may_be_linked(theirs) else kept.wc_customer_id


def _placing(uow: UnitOfWork, key: str) -> Saga | None:
    """The placement of this customer's cart that is under way."""
    cart = uow.carts.of(key)
    placement = None if cart is None else uow.sagas.get(cart.saga_id)
    return placement if placement is not None and placement.is_open else None


def _orders_of(uow: UnitOfWork, key: str) -> Iterator[tuple[str, JsonObject]]:
    """What was last seen of this customer's orders, by the options' names."""
    after = prefix = OPTION
    while page := uow.options.named(prefix, after=after, limit=500):
        after = page[-1][0]
        yield from ((name, value) for name, value in page if value.get("phone") == key)


def _one(uow: UnitOfWork, key: str, country: str) -> CustomerProfile:
    people = found(uow, key, country=country)
    exact = [one for one in people if one.phone == key]
    if len(exact or people) != 1:
        raise NotFoundError("No customer, or more than one, answers to this key.", matches=len(people))
    return (exact or list(people))[0]


def _newest(uow: UnitOfWork, conversation_id: int) -> int:
    return max((row.id for row in uow.messages.thread(conversation_id, limit=1)), default=0)


def _consent_log(profile: CustomerProfile) -> Sequence[JsonObject]:
    log: Sequence[JsonObject] = profile.preferences.get("consent", {}).get("log", ())
    return log


def _rank(held: Held) -> int:
    return RANK.get(RecipientStatus(held.values["status"]), -1)


def _later(one: Any, other: Any, field: str) -> Any:
    """The stricter of two holds: the one that lasts longer, or counts more."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return one or other
    return one if str(one.get(field) or "").zfill(20) >= str(other.get(field) or "").zfill(20) else other


def _profile_to_json(profile: CustomerProfile) -> JsonObject:
    """A profile's row, to be kept beside the merge."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return iso(value)
        if isinstance(value, Decimal):
            return str(value)
        return list(value) if isinstance(value, tuple) else value

    return {field.name: plain(getattr(profile, field.name)) for field in attrs.fields(CustomerProfile)}


def _profile_of_json(value: JsonObject) -> CustomerProfile:
    moments = ("last_interaction_at", "marketing_opted_at", "created_at", "updated_at")
    return CustomerProfile(
        **{
            **value,
            **{name: None if value[name] is None else of_iso(value[name]) for name in moments},
            "total_spent": Decimal(value["total_spent"]),
            "saved_addresses": tuple(value["saved_addresses"]),
            "tags": tuple(value["tags"]),
        }
    )
