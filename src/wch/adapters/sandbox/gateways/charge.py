"""What all simulated gateways share: a payment, an answer, a delivery."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import attrs

from wch.domain.document import JsonObject


class ChargeState(StrEnum):
    """Where a payment stands."""

    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@attrs.define(kw_only=True)
class SimulatedRefund:
    """Money that went back; `key` is the caller's, by which asking twice is one."""

    id: str
    key: str
    amount: Decimal
    status: str
    notes: JsonObject
    at: datetime


@attrs.define(kw_only=True)
class Charge:
    """A payment at one of the gateways.

    Attributes:
        gateway: whose.
        id: what it is opened under: a session, a link, a payment.
        payment_id: what names the money once it is there.
        reference: the shop's own name of it.
        amount: what is asked, in the gateway's own units.
        received: what came.
        asked: the request that opened it.
        notify: where its notices go instead of the account's address.
    """

    gateway: str
    id: str
    payment_id: str
    reference: str
    amount: Decimal
    currency: str
    opened_at: datetime
    expires_at: datetime
    asked: JsonObject = attrs.field(factory=dict)
    state: ChargeState = ChargeState.OPEN
    received: Decimal | None = None
    paid_at: datetime | None = None
    refunds: list[SimulatedRefund] = attrs.field(factory=list)
    notify: str = ""

    def at(self, now: datetime) -> "Charge":
        """This payment as it stands now: one that is open past its time has expired."""
        if self.state is ChargeState.OPEN and now >= self.expires_at:
            self.state = ChargeState.EXPIRED
        return self

    @property
    def refunded(self) -> Decimal:
        """What went back."""
        return sum((one.amount for one in self.refunds), Decimal(0))


@attrs.frozen(kw_only=True)
class Answer:
    """What a gateway answers."""

    body: Any
    status: int = 200

    def content(self) -> bytes:
        """The body as it is sent; decimals as the numbers they are."""
        return json.dumps(self.body, default=_number).encode()


@attrs.frozen(kw_only=True)
class Delivery:
    """What a gateway posts to the hub."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen(kw_only=True)
class Asked:
    """One call to a gateway's API; the path is cut at its slashes, header names are in lower case."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class SimulatedGateway(Protocol):
    """One gateway's way of speaking."""

    @property
    def name(self) -> str:
        """Whose."""
        ...

    def answer(self, asked: Asked) -> Answer:
        """Answer one call to its API."""
        ...

    def deliveries(self, charge: Charge, *, declined: bool) -> tuple[Delivery, ...]:
        """What it posts when a payment was made, or a try failed."""
        ...


def signature(secret: str, text: bytes) -> str:
    """HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _number(value: object) -> float | int:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)
