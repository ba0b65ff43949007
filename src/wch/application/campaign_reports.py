"""Campaign reports: what came of a campaign, in figures and line by line, a page in memory at a time."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.application.campaigns import Campaign, plan_of, progress_of
from wch.application.fanning_out import message_of
from wch.application.kept_figures import figures_of, look_ahead
from wch.application.order_notes import BROADCAST, CreditedOrder, credited_to
from wch.application.outreach import country_of
from wch.application.ports import Database, UnitOfWork
from wch.application.prices import Prices
from wch.application.statuses import code_in
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.message import Direction, Message
from wch.domain.moment import iso, of_iso
from wch.domain.send_failure import classify
from wch.domain.sheet import safe

REPLIED_WITHIN = timedelta(hours=24)
PAGE = 200
_TABLE = "broadcast_recipients"
_LEFT = ("sent", "delivered", "read")

COLUMNS = ("phone", "name", "status", "code", "error", "sent", "delivered", "read", "order", "revenue", "currency")


@attrs.frozen(kw_only=True)
class Followed:
    """One recipient, and what followed from writing to them.

    Attributes:
        message: the one that was written; None where none was.
        replied: whether they wrote within a day.
        opted_out: whether they opted out within a day.
        orders: those that are credited to the campaign.
        kept_code: Graph's code of a failure whose message is not found any more, since its key was let go.
    """

    row: BroadcastRecipient
    profile: CustomerProfile | None
    message: Message | None
    replied: bool
    opted_out: bool
    orders: Sequence[CreditedOrder]
    kept_code: int | None = None

    @property
    def code(self) -> str | None:
        """Graph's code of a failure."""
        if self.row.status is not RecipientStatus.FAILED:
            return None
        told = self.kept_code if self.message is None else code_in(self.message.error_message)
        return "other" if told is None else str(told)

    @property
    def priced(self) -> tuple[str, str] | None:
        """Country and category of a message that WhatsApp charges for; None of one that it does not."""
        pricing: Any = None if self.message is None else self.message.content.get("pricing")
        if not isinstance(pricing, Mapping) or not pricing.get("billable", True) or self.profile is None:
            return None
        return country_of(self.profile), str(pricing.get("category", "marketing"))


@attrs.frozen(kw_only=True)
class CampaignReports:
    """Answers what came of campaigns."""

    database: Database
    prices: Prices

    async def report(self, campaign_id: int) -> JsonObject:
        """What came of it: by word, rates, failures by code, replies and opt-outs within a day, orders, cost.

        Raises:
            NotFoundError: there is none of this number.
        """
        campaign = await self.database.read(
            lambda uow: Campaign(plan=plan_of(uow, campaign_id), progress=progress_of(uow, campaign_id))
        )
        counts = await self.database.read(lambda uow: dict(uow.recipients.counts(campaign_id)))
        left = sum(counts.get(word, 0) for word in _LEFT)
        arrived = counts.get("delivered", 0) + counts.get("read", 0)
        codes: Counter[str] = Counter()
        priced: Counter[tuple[str, str]] = Counter()
        revenue: dict[str, Decimal] = {}
        replies = optouts = orders = 0
        async for one in self.followed(campaign_id):
            codes.update([one.code] if one.code else [])
            priced.update([one.priced] if one.priced else [])
            replies += one.replied
            optouts += one.opted_out
            orders += len(one.orders)
            for order in one.orders:
                revenue[order.revenue.currency] = revenue.get(order.revenue.currency, Decimal(0)) + order.revenue.amount
        return {
            "campaign": campaign_id,
            "name": campaign.plan.name,
            "state": campaign.progress.state.value,
            "reason": campaign.progress.reason,
            "recipients": sum(counts.values()),
            "counts": counts,
            "skipped": {word: count for word, count in counts.items() if word.startswith("skipped_")},
            "delivered_rate": round(arrived / left, 4) if left else None,
            "read_rate": round(counts.get("read", 0) / arrived, 4) if arrived else None,
            "failures": dict(codes),
            "meanings": {code: classify(int(code)).value for code in codes if code.isdecimal()},
            "replies_24h": replies,
            "optouts_24h": optouts,
            "orders": orders,
            "revenue": {currency: f"{amount:f}" for currency, amount in revenue.items()},
            **self.prices.of(
                priced, on=None if campaign.progress.started_at is None else campaign.progress.started_at.date()
            ),
            "log": [dict(entry) for entry in campaign.progress.log],
        }

    async def followed(self, campaign_id: int) -> AsyncIterator[Followed]:
        """Every recipient by id, with what followed."""
        after = 0
        while page := await self.database.read(lambda uow, after=after: _page(uow, campaign_id, after)):  # type: ignore[misc]  # bound early
            for one in page:
                yield one
            after = page[-1].row.id

    async def lines(self, campaign_id: int) -> AsyncIterator[tuple[str, ...]]:
        """The report by recipient, as rows of a CSV; nothing in it is read as a formula."""
        yield COLUMNS
        async for one in self.followed(campaign_id):
            yield _line(one)


def _page(uow: UnitOfWork, campaign_id: int, after: int) -> list[Followed]:
    rows = uow.recipients.listed(campaign_id, after=after, limit=PAGE)
    phones = [row.phone for row in rows]
    uow.customers.look_ahead(phones)
    look_ahead(uow, _TABLE, [row.id for row in rows if row.status is RecipientStatus.FAILED])
    return [_followed(uow, row) for row in rows]


def _followed(uow: UnitOfWork, row: BroadcastRecipient) -> Followed:
    profile = uow.customers.of(row.phone)
    number = None if row.status is RecipientStatus.PENDING or row.status.is_skip else message_of(uow, row)
    message = None if number is None else uow.messages.get(number)
    lacks_message = message is None and row.status is RecipientStatus.FAILED
    replied = opted_out = False
    if row.sent_at is not None:
        until = row.sent_at + REPLIED_WITHIN
        log: Any = () if profile is None else profile.preferences.get("consent", {}).get("log", ())
        opted_out = any(one.get("to") == "out" and row.sent_at <= of_iso(str(one["at"])) < until for one in log)
        thread = uow.conversations.latest_of(row.phone)
        said = () if thread is None else uow.messages.thread(thread.id, limit=50)
        replied = any(
            one.direction is Direction.INBOUND and one.sent_at is not None and row.sent_at < one.sent_at < until
            for one in said
        )
    return Followed(
        row=row,
        profile=profile,
        message=message,
        replied=replied,
        opted_out=opted_out,
        orders=() if profile is None else credited_to(profile, BROADCAST, row.campaign_id),
        kept_code=figures_of(uow, _TABLE, row.id).code if lacks_message else None,
    )


def _line(one: Followed) -> tuple[str, ...]:
    """One recipient; of several orders the numbers stand together and the revenue is added."""
    failed = one.row.status is RecipientStatus.FAILED
    error = (one.message.error_message if one.message and failed else None) or ""
    moments = (one.row.sent_at, one.message and one.message.delivered_at, one.message and one.message.read_at)
    revenue = sum((order.revenue.amount for order in one.orders), Decimal(0))
    cells = (
        one.row.phone,
        (one.profile.name if one.profile else None) or "",
        one.row.status.value,
        error.partition(" ")[0],
        error,
        *(iso(moment) if moment else "" for moment in moments),
        " ".join(str(order.order_id) for order in one.orders),
        f"{revenue:f}" if one.orders else "",
        one.orders[0].revenue.currency if one.orders else "",
    )
    return tuple(safe(cell) for cell in cells)
