"""The money of one placement: what is due, what came, what went back."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError, WchError
from wch.domain.moment import iso
from wch.domain.money import Money, money_from_json, money_to_json


class RefundRefusalError(WchError):
    """This refund is not possible; `code` says why: `too_much`, `currency`, `not_positive`, `nothing_captured`."""

    code: str


class RefundWord(StrEnum):
    """Where a refund stands in the ledger."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class Capture:
    """Money that came; one payment id counts once, whatever tells of it."""

    gateway: str
    payment_id: str
    reference: str
    amount: Money
    at: str


@attrs.frozen(kw_only=True)
class RefundEntry:
    """Money that goes back; `n` names its saga, `key` is the request's, so that asking twice is one refund.

    Attributes:
        elsewhere: whether it went back another way, so that the gateway knows nothing of it.
        at: when it had gone back.
    """

    n: int
    key: str
    amount: Money
    state: RefundWord = RefundWord.PENDING
    payment_id: str | None = None
    elsewhere: bool = False
    at: str | None = None


@attrs.frozen(kw_only=True)
class Ledger:
    """`context.money` of a placement; changed only under the lock of its row.

    What went back without having failed is never more than what came.
    """

    due: Money
    captured: tuple[Capture, ...] = ()
    refunds: tuple[RefundEntry, ...] = ()

    @classmethod
    def of(cls, context: JsonObject) -> Self:
        """The ledger in a placement's context."""
        money: Mapping[str, Any] = context["money"]
        return cls(
            due=money_from_json(money["due"]),
            captured=tuple(
                Capture(
                    gateway=one["gateway"],
                    payment_id=one["payment_id"],
                    reference=one["reference"],
                    amount=money_from_json(one["amount"]),
                    at=one["at"],
                )
                for one in money.get("captured", ())
            ),
            refunds=tuple(
                RefundEntry(
                    n=one["n"],
                    key=one["key"],
                    amount=money_from_json(one["amount"]),
                    state=RefundWord(one["state"]),
                    payment_id=one.get("payment_id"),
                    elsewhere=bool(one.get("elsewhere")),
                    at=one.get("at"),
                )
                for one in money.get("refunds", ())
            ),
        )

    def into(self, context: JsonObject) -> JsonObject:
        """The context with this ledger in it."""
        captured = [{**attrs.asdict(one, recurse=False), "amount": money_to_json(one.amount)} for one in self.captured]
        refunds = [
            {**attrs.asdict(one, recurse=False), "amount": money_to_json(one.amount), "state": one.state.value}
            for one in self.refunds
        ]
        money = {"due": money_to_json(self.due), "captured": captured, "refunds": refunds}
        return {**context, "money": money}

    def knows(self, payment_id: str) -> bool:
        """Whether this payment was counted."""
        return any(one.payment_id == payment_id for one in self.captured)

    def with_capture(self, *, gateway: str, payment_id: str, reference: str, amount: Money, at: datetime) -> Self:
        """Money came; counted once for its payment."""
        if self.knows(payment_id):
            return self
        capture = Capture(gateway=gateway, payment_id=payment_id, reference=reference, amount=amount, at=iso(at))
        return attrs.evolve(self, captured=(*self.captured, capture))

    def left(self, payment_id: str) -> Money:
        """What of a payment has not gone back, and is not on its way."""
        came = next((one.amount for one in self.captured if one.payment_id == payment_id), None)
        if came is None:
            raise NotFoundError(kind="payment", id=payment_id)
        for refund in self.alive:
            if refund.payment_id == payment_id:
                came -= refund.amount
        return came

    def refund_of(self, key: str) -> RefundEntry | None:
        """The refund that was asked for under this key."""
        return next((one for one in self.refunds if one.key == key), None)

    def with_refund(
        self, key: str, amount: Money, *, payment_id: str | None, elsewhere: bool = False
    ) -> tuple[Self, RefundEntry]:
        """A refund begins, once for its key; without a payment it is given by hand, `elsewhere` it was given already.

        Raises:
            RefundRefusalError: more than is left, another currency, or nothing.
        """
        known = self.refund_of(key)
        if known is not None:
            return self, known
        if amount.currency != self.due.currency:
            raise RefundRefusalError(code="currency")
        if amount.amount <= 0:
            raise RefundRefusalError(code="not_positive")
        if amount > (self.by_hand if payment_id is None else self.left(payment_id)):
            raise RefundRefusalError(code="too_much")
        n = len(self.refunds) + 1
        entry = RefundEntry(n=n, key=key, amount=amount, payment_id=payment_id, elsewhere=elsewhere)
        return attrs.evolve(self, refunds=(*self.refunds, entry)), entry

    def back_with(self, n: int) -> Money:
        """What the gateway must have given back on the payment of this refund if it did, with all others that live."""
        (payment_id,) = (one.payment_id for one in self.refunds if one.n == n)
        given = (one.amount for one in self.alive if one.payment_id == payment_id and not one.elsewhere)
        return Money.total(given, self.due.currency)

    def moved(self, n: int, state: RefundWord, *, now: datetime) -> Self:
        """A refund ended; the moment is kept of one that went back."""
        at = iso(now) if state is RefundWord.DONE else None
        refunds = tuple(attrs.evolve(one, state=state, at=at) if one.n == n else one for one in self.refunds)
        return attrs.evolve(self, refunds=refunds)

    @property
    def is_lawful(self) -> bool:
        """Whether no payment gave back more than it brought, and each counts once."""
        ids = [one.payment_id for one in self.captured]
        return len(set(ids)) == len(ids) and all(self.left(one).amount >= 0 for one in ids)

    @property
    def alive(self) -> tuple[RefundEntry, ...]:
        """The refunds that have not failed."""
        return tuple(one for one in self.refunds if one.state is not RefundWord.FAILED)

    @property
    def by_hand(self) -> Money:
        """What may still be given back of an order that was paid at the door."""
        left = self.due
        for refund in self.alive:
            left -= refund.amount
        return left
