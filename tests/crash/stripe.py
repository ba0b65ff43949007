"""A stand-in for Stripe outside the hub's processes: it outlives all of them, and its book is the oracle."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.processes import answer_in_turn
from wch.adapters.clock import SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.sandbox.gateways import Secrets, SimulatedGateways, simulated
from wch.adapters.sandbox.gateways.charge import Charge

KNOWN = Secrets()


class StripeApi:
    """Its API on a free port. Who opens a payment pays it in the same moment, if `pays`; no notice is ever posted."""

    def __init__(self, world: SimulatedGateways) -> None:
        self.pays = True
        self.url = ""
        self._world = world

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["StripeApi"]:
        """Listen until the block ends."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            api = cls(simulated(hub="http://127.0.0.1:9", clock=SystemClock(), ids=SystemIds(), http=http))
            server = await asyncio.start_server(api._talk, "127.0.0.1", 0)
            api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield api
            finally:
                server.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a hub is set to, to take cards here."""
        return {
            "WCH_PAYMENTS": "cod,stripe",
            "WCH_STRIPE_SECRET_KEY": KNOWN.stripe_key,
            "WCH_STRIPE_WEBHOOK_SECRET": KNOWN.stripe_webhook,
            "WCH_STRIPE_URL": self.url,
        }

    @property
    def charges(self) -> list[Charge]:
        """Every payment that was opened."""
        return list(self._world._book.all(None))  # noqa: SLF001 - the provider's own book

    @property
    def keys(self) -> Counter[str]:
        """Under which keys payments were opened, and how often each was asked for."""
        opened = (call for call in self._world.calls() if str(call["call"]) == "POST /v1/checkout/sessions")
        return Counter(str(call["key"]) for call in opened)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_in_turn(reader, writer, self._answer)

    async def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        where = urlsplit(target)
        before = len(self.charges)
        answered = self._world.called(
            "stripe",
            method=method,
            path=[part for part in where.path.split("/") if part],
            query=dict(parse_qsl(where.query)),
            headers=headers,
            body=body,
        )
        if self.pays:
            for charge in self.charges[before:]:
                await self._world.act("stripe", charge.id, "pay_silently")
        return answered.status, answered.content()
