"""The rooms of a campaign, over the rooms of a hub in memory, with customers and an approved template."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import attrs

from tests.application.rooms import Rooms, noticing, rooms
from wch.adapters.memory import MemoryDatabase
from wch.application.broadcasts import Broadcasts
from wch.application.campaign_reports import CampaignReports
from wch.application.dry_runs import DryRuns
from wch.application.failpoints import Failpoints
from wch.application.fanning_out import BadQuality, FanningOut, Targeting
from wch.application.outreach import Manners, Outreach
from wch.application.ports import UnitOfWork
from wch.application.prices import Prices
from wch.application.reengaging import Reengaging
from wch.application.reminding import Reminding
from wch.application.tombstones import Tombstones
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.campaign import Plan
from wch.domain.customer import CustomerProfile
from wch.domain.message_template import MessageTemplate, option_of
from wch.domain.occasion import Terms
from wch.domain.order_figures import Counting
from wch.testing import NOON, SequentialIds

OFFER = MessageTemplate(
    name="offer",
    language="en",
    components=(
        {"type": "BODY", "text": "Hello {{1}}, {{2}} off!"},
        {"type": "FOOTER", "text": "Reply STOP to opt out"},
    ),
)
EVERYONE: dict[str, Any] = {
    "name": "Spring",
    "template": {"name": "offer"},
    "params": {"body": [{"var": "customer_name", "else": "friend"}, {"text": "20 %"}]},
    "audience": {"everyone": True},
}


@attrs.define(kw_only=True)
class Campaigning:
    """What a test needs to reach; built by `campaigning`."""

    hub: Rooms
    broadcasts: Broadcasts
    fanning_out: FanningOut

    async def people(self, count: int, *, first: int = 34600000000, **more: Any) -> list[str]:
        """So many customers who opted in."""
        phones = [str(first + place) for place in range(count)]

        def work(uow: UnitOfWork) -> None:
            for phone in phones:
                profile = uow.customers.lock(phone, now=NOON).consenting("marketing", "in", source="keyword", now=NOON)
                uow.customers.save(attrs.evolve(profile, **{"name": "Ana", **more}))

        await self.hub.do(work)
        return phones

    async def change(self, phone: str, change: Callable[[CustomerProfile], CustomerProfile]) -> None:
        def work(uow: UnitOfWork) -> None:
            uow.customers.save(change(uow.customers.lock(phone, now=self.hub.clock.now())))

        await self.hub.do(work)

    async def template(self, template: MessageTemplate = OFFER) -> None:
        """An approved template, in an account that may write to as many as it likes."""

        def work(uow: UnitOfWork) -> None:
            uow.options.put(option_of(template.name, template.language), template.to_json())
            uow.options.put("whatsapp.limits", {"v": 1, "tier": -1})

        await self.hub.do(work)

    async def begun(self, **more: Any) -> Plan:
        """A campaign to everyone, or to whom the plan says, is started."""
        plan, _ = await self.broadcasts.draft({**EVERYONE, **more}, by="ana")
        await self.broadcasts.start(plan.id, by="ana")
        return plan

    async def once(self) -> int:
        return await self.fanning_out.work() + await self.hub.outbox.work()

    async def drain(self, passes: int = 10_000) -> None:
        for _ in range(passes):
            if not await self.once():
                return

    async def run(self, minutes: int = 10) -> None:
        """Until nothing more is due, time moving on a second at a time where a limit holds."""
        for _ in range(minutes * 60):
            await self.drain()
            self.hub.clock.advance(1)

    async def rows(self, plan: Plan) -> list[BroadcastRecipient]:
        return list(await self.hub.see(lambda uow: uow.recipients.listed(plan.id, limit=100_000)))

    async def words(self, plan: Plan) -> dict[str, str]:
        return {row.phone: row.status.value for row in await self.rows(plan)}

    @property
    def posted(self) -> list[str]:
        """To whom something was posted, in order."""
        return [str(sent.message["to"]).removeprefix("+") for sent in self.hub.whatsapp.sent]


def campaigning(
    *,
    twice: bool = False,
    failpoints: Callable[[str], None] | None = None,
    most_at_once: int = 4,
    number_rate: int = 80,
    quality: BadQuality | None = None,
    manners: Manners | None = None,
) -> Campaigning:
    """Campaigns over one memory database."""
    points = cast("Failpoints", failpoints) if failpoints is not None else Failpoints.disarmed()
    hub = rooms(
        database=MemoryDatabase(twice=twice), failpoints=points, most_at_once=most_at_once, number_rate=number_rate
    )
    polite = manners or Manners(no_marketing_to=frozenset(), zone="Europe/Madrid")
    outreach = Outreach(manners=polite, pacing=hub.outbox.pacing)
    targeting = Targeting(outreach=outreach, counting=Counting(home="EUR"))
    prices = Prices(table={"ES": {"MARKETING": {"price": "0.05", "currency": "EUR"}}})
    look = attrs.evolve(
        hub.outbox.second_look,
        targeting=targeting,
        reminding=Reminding(outreach=outreach, templates={}),
        reengaging=Reengaging(outreach=outreach, templates={}, terms=Terms()),
        noticing=noticing(hub.outbox.codec, outreach=outreach),
    )
    hub.outbox = attrs.evolve(hub.outbox, second_look=look)
    return Campaigning(
        hub=hub,
        broadcasts=Broadcasts(
            database=hub.database,
            clock=hub.clock,
            ids=SequentialIds(),
            limits=hub.limits,
            speaker=hub.speaker,
            tombstones=Tombstones(digests=hub.digests),
            dry_runs=DryRuns(
                database=hub.database,
                clock=hub.clock,
                targeting=targeting,
                prices=prices,
                limits=hub.limits,
                life_hours=72,
                zone="Europe/Madrid",
            ),
            reports=CampaignReports(database=hub.database, prices=prices),
            rate_per_minute=1200,
            life_hours=72,
            credit_days=7,
            test_numbers=("+34 699 00 00 00",),
            country="ES",
            zone="Europe/Madrid",
        ),
        fanning_out=FanningOut(
            database=hub.database,
            clock=hub.clock,
            speaker=hub.speaker,
            targeting=targeting,
            failpoints=points,
            quality=quality or BadQuality(),
            most=100_000,
        ),
    )


DAY = timedelta(days=1)
