"""Traced: the store and what stands for the outside world, each transaction and each call a span."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

import attrs

from wch.application.around import StoreAround
from wch.application.counting import room_of
from wch.application.ports import Database, Gateway, Payments, Tracer, UnitOfWork
from wch.domain.payment import NotOffered, Offer, OrderFacts

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class TracedDatabase(StoreAround):
    """Each transaction is a span with the name of the room that asks for it; reads are none."""

    database: Database
    tracer: Tracer

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """As the store beneath."""
        with self.tracer.span(f"transaction {room_of(work)}"):
            return await self.database.transact(work)


class TracedCalls:
    """Makes a span of each call that the port names; what was asked and answered stays out of it."""

    def __init__(self, called: object, port: type, tracer: Tracer, **about: Any) -> None:
        self._called = called
        self._port = port
        self._tracer = tracer
        self._about = about

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._called, name)
        return self._traced(name, found) if inspect.iscoroutinefunction(getattr(self._port, name, None)) else found

    def _traced(self, operation: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def traced(*asked: Any, **named: Any) -> Any:
            kind = self._port.__name__.lower()
            with self._tracer.span(f"{kind} {operation}", outside=True, **self._about):
                return await call(*asked, **named)

        return traced


@attrs.frozen(kw_only=True)
class TracedPayments:
    """The ways to pay, each call of a gateway a span."""

    payments: Payments
    tracer: Tracer

    def offers(self, facts: OrderFacts) -> tuple[Offer | NotOffered, ...]:
        """What each of them says to this order."""
        return self.payments.offers(facts)

    def gateway(self, name: str) -> Gateway:
        """The one of this name; NotFoundError when it is not switched on."""
        found = self.payments.gateway(name)
        return cast("Gateway", TracedCalls(found, Gateway, self.tracer, gateway=found.name))
