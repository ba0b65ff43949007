"""Payments: what a gateway offers, opens, and says of the money."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.address import Address
from wch.domain.document import JsonObject
from wch.domain.errors import WchError
from wch.domain.moment import of_unix, unix, utc_seconds
from wch.domain.money import Money
from wch.domain.quote import Buyer

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_REFERENCE = re.compile(r"wch-([0-9a-z]{1,13})-([0-9a-z]{1,7})\Z")


class PaymentError(WchError):
    """The gateway cannot do this."""


class PaymentUnavailableError(PaymentError):
    """The gateway cannot be reached now: try again later, and take a write as in doubt."""

    retry_after: timedelta | None

    def __init__(self, retry_after: timedelta | None = None) -> None:
        super().__init__(retry_after=retry_after)


class PaymentRefusedError(PaymentError):
    """The gateway refuses this for good; `code` says why."""

    code: str

    def __init__(self, code: str) -> None:
        super().__init__(code=code)


class PaymentMisconfiguredError(PaymentError):
    """The gateway rejects our key or account: no retry, an operator must look."""


class BadSignatureError(WchError):
    """The signature is missing or wrong; nothing of the body may be believed."""


class PaymentStatus(StrEnum):
    """What a gateway says of one payment."""

    OPEN = "open"
    PENDING = "pending"
    CAPTURED = "captured"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    UNKNOWN = "unknown"


PAID = frozenset({PaymentStatus.CAPTURED, PaymentStatus.DISPUTED, PaymentStatus.REFUNDED})
"""States in which the money came, whatever became of it later."""


class CancelOutcome(StrEnum):
    """What became of the wish to cancel a payment."""

    CANCELLED = "cancelled"
    ALREADY_OVER = "already_over"
    ALREADY_PAID = "already_paid"
    NOT_CANCELLABLE = "not_cancellable"


class RefundStatus(StrEnum):
    """What a gateway says of one refund; `unclear` where it does not know refunds by our key."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNCLEAR = "unclear"


class NotOfferedReason(StrEnum):
    """Why a gateway is not among the choices."""

    DISABLED = "disabled"
    CURRENCY = "currency"
    COUNTRY = "country"
    LIMIT = "limit"
    NOTHING_SHIPS = "nothing_ships"
    AMOUNT_NOT_EXACT = "amount_not_exact"
    EMAIL_MISSING = "email_missing"


@attrs.frozen(kw_only=True)
class OrderFacts:
    """What a gateway must know of an order to say whether it can take its payment.

    Attributes:
        total: what would be charged, without the gateway's own fee.
        country: of the delivery, two letters; None when nothing ships.
        needs_shipping: whether any line ships.
        email: the buyer's, if one is known.
        number_country: where the buyer's number is from, two letters; None when it cannot be told.
    """

    total: Money
    country: str | None
    needs_shipping: bool
    email: str | None = None
    number_country: str | None = None


@attrs.frozen(kw_only=True)
class Payer(Buyer):
    """Who pays: the buyer, with what a gateway inside WhatsApp must know besides.

    Attributes:
        writes_to: the phone number id that answers them.
        ships_to: where the goods go; None when nothing ships.
    """

    writes_to: str = ""
    ships_to: Address | None = None


@attrs.frozen(kw_only=True)
class Offer:
    """A way to pay that this order may take.

    Attributes:
        gateway: its name in settings, routes and reply ids.
        title: as the customer reads it.
        fee: what choosing it costs on top.
        pays_later: whether the order goes to work unpaid; then there is no deadline.
        earliest: the shortest time that may be given for paying.
        latest: the longest.
    """

    gateway: str
    title: str
    fee: Money
    pays_later: bool = False
    earliest: timedelta | None = None
    latest: timedelta | None = None


@attrs.frozen(kw_only=True)
class NotOffered:
    """A way to pay that this order may not take, and why."""

    gateway: str
    reason: NotOfferedReason


@attrs.frozen(kw_only=True)
class Opened:
    """A payment that waits for its customer, who gets exactly one of link, code and order details."""

    provider_id: str
    link: str | None = None
    code: str | None = None
    order_details: JsonObject | None = None
    expires_at: datetime | None = attrs.field(default=None, validator=utc_seconds)


@attrs.frozen(kw_only=True)
class PaymentState:
    """What the gateway says of a payment when it is asked.

    Attributes:
        state: its word.
        amount: what was captured, or is asked for while nothing is.
        payment_id: names the capture; one id counts once.
        refunded: what went back so far.
        refunding: what is on its way back, where the gateway tells the two apart.
        at: when the state began, by the gateway's clock.
    """

    state: PaymentStatus
    amount: Money | None = None
    payment_id: str | None = None
    refunded: Money | None = None
    refunding: Money | None = None
    at: datetime | None = attrs.field(default=None, validator=utc_seconds)


@attrs.frozen(kw_only=True)
class Cancellation:
    """The answer to cancelling; `state` is there when the money turned out to be."""

    outcome: CancelOutcome
    state: PaymentState | None = None

    @classmethod
    def of_state(cls, state: PaymentState) -> Self:
        """What a payment that the gateway would not cancel turned out to be."""
        if state.state in PAID:
            return cls(outcome=CancelOutcome.ALREADY_PAID, state=state)
        if state.state in {PaymentStatus.OPEN, PaymentStatus.PENDING}:
            return cls(outcome=CancelOutcome.NOT_CANCELLABLE, state=state)
        return cls(outcome=CancelOutcome.ALREADY_OVER, state=state)


@attrs.frozen(kw_only=True)
class PaymentEvent:
    """A verified hint that something happened to a payment: whom to look up, and its key against repeats.

    Attributes:
        key: the same for the same event however often it comes.
        type: the gateway's word, for counting.
        reference: ours, when the event names it.
        payment_id: the gateway's, for disputes that name nothing else.
        opened_id: the payment as it was opened, when that is all that the event names.
    """

    key: str
    type: str
    reference: str | None = None
    payment_id: str | None = None
    opened_id: str | None = None


@attrs.frozen(kw_only=True)
class WebhookCall:
    """What came over the wire, before anything of it is believed; header names are in lower case."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


def reference(cart_id: int, created_at: datetime) -> str:
    """The name of a payment at every gateway: the cart's name in base 36, at most 25 characters of `[a-z0-9-]`."""
    return f"wch-{_base36(cart_id)}-{_base36(unix(created_at))}"


def cart_of(text: str) -> tuple[int, datetime] | None:
    """The cart's id and beginning in a reference; None when it is not of our form."""
    found = _REFERENCE.match(text)
    if found is None:
        return None
    return int(found[1], 36), of_unix(int(found[2], 36))


def _base36(number: int) -> str:
    if number < 0:
        message = "ids and moments are not negative"
        raise ValueError(message)
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
