"""The simulated gateways' book: every payment, by the names under which it is asked for."""

from collections.abc import Iterator
from typing import Any

import attrs

from wch.adapters.sandbox.gateways.charge import Charge
from wch.application.ports import Clock, Ids


@attrs.define(kw_only=True)
class Book:
    """Payments of all gateways, and what was answered under which idempotency key."""

    clock: Clock
    ids: Ids
    charges: dict[tuple[str, str], Charge] = attrs.field(factory=dict)
    keys: dict[tuple[str, str], Any] = attrs.field(factory=dict)

    def add(self, charge: Charge) -> Charge:
        """A payment that was opened."""
        self.charges[charge.gateway, charge.id] = charge
        return charge

    def of(self, gateway: str, charge_id: str) -> Charge | None:
        """The payment of this id, as it stands now."""
        found = self.charges.get((gateway, charge_id))
        return None if found is None else found.at(self.clock.now())

    def by_reference(self, gateway: str, reference: str) -> Charge | None:
        """The payment that the shop named so."""
        return next((one for one in self.all(gateway) if one.reference == reference), None)

    def by_payment(self, gateway: str, payment_id: str) -> Charge | None:
        """The payment whose money is named so."""
        return next((one for one in self.all(gateway) if one.payment_id == payment_id), None)

    def all(self, gateway: str | None = None) -> Iterator[Charge]:
        """Every payment of this gateway, or of all."""
        now = self.clock.now()
        return (one.at(now) for one in self.charges.values() if gateway in {None, one.gateway})

    def name(self, prefix: str) -> str:
        """A fresh name."""
        return f"{prefix}{self.ids.token()[:24]}"

    def number(self) -> str:
        """A fresh number, as a text."""
        return str(10_000_000_000 + self.ids.number() % 90_000_000_000)
