"""Analytics: what a period came to, each figure with what it is made of; from day rows, and today from the rows.

The definitions stand in `docs/analytics.md`; every ratio says its numerator and denominator.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.application.campaigns import all_of
from wch.application.days import Days, closed_at, rows
from wch.application.exports import admit
from wch.application.funnels import narrowing
from wch.application.limits import Limits
from wch.application.period_totals import PeriodBook, Totals
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject
from wch.domain.figures import Period, PeriodError, Ratio, day_of, quantiles
from wch.domain.moment import iso, of_iso, of_unix
from wch.domain.money import Money, money_to_json
from wch.domain.placement import PLACEMENT
from wch.domain.reengagement import CampaignType

LAST_DAYS = 30
RECOVERY_WINDOW = timedelta(days=7)
CAME_BACK_WITHIN = timedelta(hours=72)
BEST = 10

_LEFT = ("sent", "delivered", "read")
_ARRIVED = ("delivered", "read")


@attrs.frozen(kw_only=True)
class Overview:
    """The figures of one page.

    Attributes:
        days: a line for each day.
        totals: what is compared with the period before.
        before: the same of the period of as many days that ends where this one begins.
        days_before: a line for each of its days.
    """

    summary: Mapping[str, Any]
    carts: Mapping[str, Any]
    funnel: Mapping[str, Any]
    days: Sequence[Mapping[str, Any]]
    totals: Totals
    before: Totals
    days_before: Sequence[Mapping[str, Any]]


@attrs.frozen(kw_only=True)
class Analytics:
    """Answers questions about a period.

    Attributes:
        days: reads and computes day rows.
        currency: the shop's.
        counted: statuses in which an order counts.
    """

    database: Database
    clock: Clock
    limits: Limits
    days: Days
    currency: str
    counted: frozenset[str]

    def period(self, first: date | None = None, after: date | None = None, *, length: int = LAST_DAYS) -> Period:
        """The days from the first up to, and without, the one after them; so many up to today unless said otherwise.

        Raises:
            PeriodError: it ends before it begins, or is longer than 366 days.
        """
        try:
            if after is None:
                today = day_of(self.clock.now(), self.days.zone)
                after = (today if first is None else max(today, first)) + timedelta(days=1)
            return Period(first=first or after - timedelta(days=length), after=after, zone=self.days.zone)
        except (ValueError, OverflowError) as error:
            raise PeriodError from error

    async def overview(self, period: Period) -> Overview:
        """All that one page shows, from one reading of the days."""
        book, former = await self._book(period), await self._book(period.before())
        return Overview(
            summary=await self._summary(period, book),
            carts=await self._carts(period, book),
            funnel=_funnel(period, book),
            days=book.lines,
            totals=book.totals(),
            before=former.totals(),
            days_before=former.lines,
        )

    async def summary(self, period: Period) -> dict[str, Any]:
        """Talk, orders, money, customers, products, reliability."""
        return await self._summary(period, await self._book(period))

    async def _summary(self, period: Period, book: PeriodBook) -> dict[str, Any]:
        sums = book.figures
        placements, spans = sums["placements"], sums["spans"]
        revenue, refunds = book.amount("revenue"), book.amount("refunds")
        closed, begun = placements.get("closed", 0), placements.get("begun", 0)
        failed = sum(sums["failures"].values())
        now = self.clock.now()
        extra = await self.database.read(lambda uow: self._from_profiles(uow, period, sums))
        return {
            **_span(period),
            "customers": {
                "active": len(book.active),
                "new": sums["newcomers"],
                "conversion": book.conversion.to_json(),
                "returning": Ratio(numerator=extra["returning"], denominator=len(sums["buyers"])).to_json(),
                "segments": extra["segments"],
                "best": extra["best"],
            },
            "conversations": {
                "begun": sums["conversations"],
                "handoff_rate": Ratio(
                    numerator=len(sums["handed_over"]), denominator=len(sums["conversations_with_inbound"])
                ).to_json(),
            },
            "messages": {"inbound": sums["inbound"], "outbound": sums["outbound"]},
            "answer_time_s": {
                **{name: {**quantiles(counts), "answered": sum(counts.values())} for name, counts in _answers(sums)},
                "unanswered": Ratio(numerator=spans["unanswered"], denominator=spans["begun"]).to_json(),
            },
            "placements": {
                "begun": begun,
                "closed": closed,
                "failed": Ratio(numerator=failed, denominator=failed + closed).to_json(),
                "reasons": sums["failures"],
            },
            "money": {
                "revenue": self._money(revenue),
                "refunds": self._money(refunds),
                "net": self._money(revenue - refunds),
                "average_order": None if not closed else self._money(revenue / closed),
                "other_currencies": {
                    kind: {currency: str(amount) for currency, amount in amounts.items() if currency != self.currency}
                    for kind, amounts in sums["money"].items()
                },
                "credited": {name: self._money(one) for name, one in sums["credited"].items()},
            },
            "products": _products(sums),
            "opt_outs": {
                **Ratio(numerator=sum(sums["opt_outs"].values()), denominator=extra["contacted"]).to_json(),
                "by_source": sums["opt_outs"],
            },
            "notices": {kind: _notice(counts) for kind, counts in sums["notices"].items()},
            "message_cost": {"delivered_by_category": sums["costs"]},
            "heat_map": sums["hours"],
            "reliability": {"dead_letters": sums["letters"]},
            "as_of": iso(now),
        }

    async def funnel(self, period: Period) -> dict[str, Any]:
        """How far those who wrote went; a later stage implies those before it."""
        return _funnel(period, await self._book(period))

    async def carts(self, period: Period) -> dict[str, Any]:
        """Carts opened, abandoned, reminded of, recovered."""
        return await self._carts(period, await self._book(period))

    async def _carts(self, period: Period, book: PeriodBook) -> dict[str, Any]:
        found = await self.database.read(lambda uow: self._abandoned(uow, period))
        return {**_span(period), "opened": book.figures["carts_opened"], **found}

    async def broadcasts(self, period: Period) -> dict[str, Any]:
        """Every campaign with a recipient in the period."""

        def work(uow: UnitOfWork) -> list[dict[str, Any]]:
            words: dict[int, Counter[str]] = {}
            begins = period.begins
            for row in rows(uow, "broadcast_recipients", since={"sent_at": begins, "created_at": begins}):
                if period.holds(row["sent_at"] or row["created_at"]):
                    words.setdefault(row["campaign_id"], Counter())[str(row["status"])] += 1
            names = {campaign.plan.id: campaign.plan.name for campaign in all_of(uow)}
            return [
                {"campaign": number, "name": names.get(number), **_campaign(counts)}
                for number, counts in sorted(words.items())
            ]

        return {**_span(period), "campaigns": await self.database.read(work)}

    async def table(self, what: str, period: Period) -> list[dict[str, Any]]:
        """One table of figures, for a spreadsheet: one row for each day, product, campaign, kind or stage."""
        if what == "funnel":
            return [_flat(one) for one in (await self.funnel(period))["stages"]]
        if what == "campaigns":
            return [_flat(one) for one in (await self.broadcasts(period))["campaigns"]]
        book = await self._book(period)
        if what == "days":
            return [dict(line) for line in book.lines]
        sums = book.figures
        if what == "products":
            return [_flat(one) for one in _products(sums)]
        if what == "notices":
            return [{"type": kind, **_flat(_notice(counts))} for kind, counts in sums["notices"].items()]
        return [
            {
                "kind": kind,
                "begun": counts.get("begun", 0),
                "sent": counts.get("sent", 0),
                "converted": counts.get("converted", 0),
                "revenue": self._money(sums["credited"].get(kind, Decimal(0)))["amount"],
            }
            for kind, counts in sums["contacts"].items()
        ]

    async def exported(self, what: str, period: Period, *, by: str) -> list[dict[str, Any]]:
        """The same for somebody who takes it away: counted by the limit `export`, and written down.

        Raises:
            ExportRefusedError: there were three within the hour.
        """
        await self.taken_away(f"table:{what}", by=by)
        return await self.table(what, period)

    async def taken_away(self, what: str, *, by: str) -> None:
        """Count an export of figures, and write it down, before it is made.

        Raises:
            ExportRefusedError: there were three within the hour.
        """

        def work(uow: UnitOfWork) -> None:
            admit(uow, self.limits, by)
            uow.audit.add(AuditEntry(at=self.clock.now(), actor=by, action="analytics.export", object=what))

        await self.database.transact(work)

    # --- reading

    async def _book(self, period: Period) -> PeriodBook:
        """The days of a period as one; a day that is over and was computed now is kept, so that it is computed once."""
        now = self.clock.now()

        def read(uow: UnitOfWork) -> tuple[PeriodBook, dict[date, JsonObject]]:
            book, over = PeriodBook(currency=self.currency), {}
            for day, row, is_kept in self.days.each(uow, period, now):
                book.add(day, row)
                if not is_kept and self.days.is_over(day, now):
                    over[day] = row
            return book, over

        book, over = await self.database.read(read)
        if over:
            await self.database.transact(lambda uow: self.days.keep(uow, over))
        return book

    def _money(self, amount: Decimal) -> dict[str, str]:
        """As answers say it: in the places of the shop's currency."""
        return money_to_json(Money.rounded(amount, self.currency))

    # --- what stands with the customers and their carts

    def _from_profiles(self, uow: UnitOfWork, period: Period, sums: Mapping[str, Any]) -> dict[str, Any]:
        buyers = sums["buyers"]
        returning, segments, spenders = 0, Counter[str](), []
        for row in rows(uow, "customer_profiles", columns=("preferences",)):
            preferences: Any = row["preferences"] if isinstance(row["preferences"], Mapping) else {}
            stats: Mapping[str, Any] = preferences.get("stats", {})
            orders = [one for one in stats.get("orders", {}).values() if one.get("status") in self.counted]
            mine = [one for one in orders if period.holds(of_iso(one["at"]))]
            if row["id"] in buyers and len(orders) > len(mine):
                first = min((of_iso(one["at"]) for one in mine), default=period.begins)
                returning += any(of_iso(one["at"]) < first for one in orders)
            segments["buyers" if orders else "others"] += 1
            spent = Decimal(str(stats.get("spent", "0")))
            if spent > 0:
                spenders.append({"customer": row["id"], "spent": self._money(spent), "orders": len(orders)})
        spenders.sort(key=lambda one: (-Decimal(one["spent"]["amount"]), one["customer"]))
        sent = {"sent_at": period.begins}
        contacted = {
            row[column]
            for table, column in (("reengagement", "customer_phone"), ("broadcast_recipients", "phone"))
            for row in rows(uow, table, columns=(column, "sent_at"), since=sent)
            if period.holds(row["sent_at"])
        }
        return {
            "returning": returning,
            "segments": dict(sorted(segments.items())),
            "best": spenders[:BEST],
            "contacted": len(contacted),
        }

    def _abandoned(self, uow: UnitOfWork, period: Period) -> dict[str, Any]:
        """A cart is abandoned when its sequence begins, whether or not a reminder ever leaves."""
        now = self.clock.now()
        closed = list(_closed(uow, period))
        touched = {
            "created_at": min((period.begins, *(since for _, since, _ in closed))),
            "converted_at": period.begins,
        }
        begun = [
            row
            for row in rows(uow, "reengagement", since=touched)
            if str(row["campaign_type"]) == CampaignType.CART_REMINDER
        ]
        ours = [row for row in begun if period.holds(row["created_at"])]
        reminded = [row for row in ours if row["sent_at"] is not None]
        unasked = [row for row in ours if row["sent_at"] is None]
        orders = _orders_of(uow, self.counted) if unasked else {}
        back = [
            row
            for row in unasked
            if any(
                row["created_at"] <= at < row["created_at"] + CAME_BACK_WITHIN
                for at in orders.get(row["customer_phone"], ())
            )
        ]
        recovered = [row for row in reminded if row["converted"]]
        still_open = [row for row in reminded if not row["converted"] and now < row["sent_at"] + RECOVERY_WINDOW]
        credited = [row for row in begun if row["converted"] and period.holds(row["converted_at"])]
        revenue = sum((Decimal(str(row["conversion_revenue"] or 0)) for row in credited), Decimal(0))
        abandoned: dict[str, list[datetime]] = {}
        for row in begun:
            abandoned.setdefault(row["customer_phone"], []).append(row["created_at"])
        never = sum(
            not any(since <= begun_at <= at for begun_at in abandoned.get(phone, ())) for phone, since, at in closed
        )
        return {
            "abandonment": Ratio(numerator=len(ours), denominator=len(ours) + never).to_json(),
            "came_back_unasked": Ratio(numerator=len(back), denominator=len(unasked)).to_json(),
            "reminded": Ratio(numerator=len(reminded), denominator=len(ours)).to_json(),
            "recovery": Ratio(numerator=len(recovered), denominator=len(reminded), open=len(still_open)).to_json(),
            "recovered_revenue": self._money(revenue),
        }


def _span(period: Period) -> dict[str, Any]:
    return {"from": period.first.isoformat(), "to": period.after.isoformat(), "timezone": period.zone}


def _funnel(period: Period, book: PeriodBook) -> dict[str, Any]:
    return {**_span(period), "stages": list(narrowing(book.stages))}


def _answers(sums: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Answer times of all, and apart by who answered first."""
    answers: Mapping[str, Mapping[str, int]] = sums["answers"]
    both: Counter[str] = Counter()
    for counts in answers.values():
        both.update(counts)
    yield "all", both
    for name in ("dialogue", "person"):
        yield name, answers.get(name, {})


def _products(sums: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Products by units, then views."""
    found = [
        {
            "product": int(product),
            "name": _called(sums["names"].get(product, {})),
            "views": counts.get("views", 0),
            "viewers": len(sums["viewers"].get(product, ())),
            "units": counts.get("units", 0),
            "units_per_viewer": Ratio(
                numerator=counts.get("units", 0), denominator=len(sums["viewers"].get(product, ()))
            ).to_json(),
        }
        for product, counts in sums["products"].items()
    ]
    return sorted(found, key=lambda one: (-one["units"], -one["views"], one["product"]))


def _called(names: Mapping[str, int]) -> str | None:
    """How a product was called most often in orders; of as many the first by letters."""
    return min(names, key=lambda name: (-names[name], name)) if names else None


def _notice(counts: Mapping[str, int]) -> dict[str, Any]:
    left = sum(counts.get(word, 0) for word in _LEFT)
    return {
        **dict(sorted(counts.items())),
        "delivery": Ratio(numerator=sum(counts.get(word, 0) for word in _ARRIVED), denominator=left).to_json(),
    }


def _campaign(counts: Mapping[str, int]) -> dict[str, Any]:
    left = sum(counts.get(word, 0) for word in _LEFT)
    arrived = sum(counts.get(word, 0) for word in _ARRIVED)
    failed = counts.get("failed", 0)
    skipped = {word.removeprefix("skipped_"): count for word, count in counts.items() if word.startswith("skipped_")}
    return {
        "recipients": sum(counts.values()),
        "sent": left,
        "delivered": Ratio(numerator=arrived, denominator=left).to_json(),
        "read": Ratio(numerator=counts.get("read", 0), denominator=arrived).to_json(),
        "failed": Ratio(numerator=failed, denominator=left + failed).to_json(),
        "unconfirmed": counts.get("unconfirmed", 0),
        "waiting": counts.get("pending", 0) + counts.get("queued", 0),
        "skipped": dict(sorted(skipped.items())),
    }


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for a spreadsheet: a ratio becomes its value, numerator and denominator."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat.update({name if part == "value" else f"{name}_{part}": one for part, one in value.items()})
        else:
            flat[name] = value
    return flat


def _orders_of(uow: UnitOfWork, counted: frozenset[str]) -> dict[str, Sequence[datetime]]:
    """When each customer ordered, of orders that count."""
    found: dict[str, Sequence[datetime]] = {}
    for row in rows(uow, "customer_profiles", columns=("phone", "preferences")):
        preferences: Any = row["preferences"] if isinstance(row["preferences"], Mapping) else {}
        orders = preferences.get("stats", {}).get("orders", {})
        found[row["phone"]] = [of_iso(one["at"]) for one in orders.values() if one.get("status") in counted]
    return found


def _closed(uow: UnitOfWork, period: Period) -> Iterator[tuple[str, datetime, datetime]]:
    """Orders that were closed in the period: whose, since when the cart was there, and when it was closed."""
    for saga in rows(uow, "saga_state", since={"updated_at": period.begins}):
        at = closed_at(saga)
        if saga["saga_type"] == PLACEMENT and at is not None and period.holds(at):
            context: Any = saga["context"]
            cart = context.get("cart") or (0, 0)
            yield str(context.get("customer", {}).get("phone")), of_unix(int(cart[1])), at
