"""One day while it is being counted, and the row that it becomes."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from wch.domain.document import JsonObject, document
from wch.domain.figures import start_of
from wch.domain.moment import unix

STAGES = ("wrote", "viewed", "added", "checkout", "confirmed", "paid")
"""How far a customer comes, from the first word to the order."""

FORM = 2
"""How a day row is written; one that was written otherwise is counted anew."""

PEOPLE = frozenset({"person", "phone_app"})
"""Who writes besides the hub itself."""


class DayBook:
    """One day while it is being counted."""

    def __init__(self) -> None:
        self.inbound: Counter[str] = Counter()
        self.outbound: dict[str, Counter[str]] = defaultdict(Counter)
        self.costs: Counter[str] = Counter()
        self.conversations = self.newcomers = self.carts_opened = 0
        self.conversations_with_inbound: set[int] = set()
        self.handed_over: set[int] = set()
        self.begun = self.unanswered = 0
        self.answers: dict[str, Counter[str]] = defaultdict(Counter)
        self.hours: Counter[str] = Counter()
        self.stages: dict[str, dict[int, datetime]] = {stage: {} for stage in STAGES}
        self.placements: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.sums: dict[str, dict[str, Decimal]] = {"revenue": {}, "refunds": {}}
        self.buyers: set[int] = set()
        self.products: dict[str, Counter[str]] = defaultdict(Counter)
        self.names: dict[str, Counter[str]] = defaultdict(Counter)
        self.viewers: dict[str, set[int]] = defaultdict(set)
        self.earned: dict[str, Decimal] = defaultdict(Decimal)
        self.notices: dict[str, Counter[str]] = defaultdict(Counter)
        self.contacts: dict[str, Counter[str]] = defaultdict(Counter)
        self.credited: dict[str, Decimal] = defaultdict(Decimal)
        self.letters: Counter[str] = Counter()
        self.opt_outs: Counter[str] = Counter()

    def reached(self, stage: str, who: int, at: datetime) -> None:
        """A customer was here; the first time counts."""
        known = self.stages[stage].get(who)
        if known is None or at < known:
            self.stages[stage][who] = at

    def left(self, row: Mapping[str, Any], content: JsonObject) -> None:
        """A message went out."""
        self.outbound[str(content.get("class", "reply"))][str(row["type"])] += 1
        origin: Any = content.get("origin", {})
        if origin.get("by") in PEOPLE:
            self.handed_over.add(row["conversation_id"])
        pricing: Any = content.get("pricing")
        if isinstance(pricing, Mapping) and row["delivered_at"] is not None:
            self.costs[str(pricing.get("category", "unknown"))] += 1

    def answered(self, content: JsonObject, took: timedelta) -> None:
        """A customer's words got their answer, from the dialogue or from a person."""
        origin: Any = content.get("origin", {})
        who = "dialogue" if origin.get("by") == "dialogue" else "person"
        self.answers[who][str(max(0, int(took.total_seconds())))] += 1

    def money(self, kind: str, amount: Mapping[str, Any]) -> None:
        """An amount in its own currency: currencies are never added."""
        sums, currency = self.sums[kind], str(amount.get("currency", ""))
        sums[currency] = sums.get(currency, Decimal(0)) + amount_of(amount.get("amount"))

    def closes(self, context: Mapping[str, Any], who: int | None, at: datetime) -> None:
        """An order was placed and, where that is asked for, paid."""
        self.placements["closed"] += 1
        total: Any = context.get("quote", {}).get("total", {})
        self.money("revenue", total)
        if who is not None:
            self.buyers.add(who)
            self.reached("paid", who, at)
        names = context.get("names", ())
        for place, line in enumerate(context.get("lines", ())):
            product = str(line.get("product_id"))
            self.products[product]["units"] += int(line.get("quantity", 0))
            if place < len(names):
                self.names[product][str(names[place])] += 1

    def written(self, day: date, zone: str) -> JsonObject:
        """The row, in one spelling; a stage is who reached it, by number, and how many seconds into the day.

        Two lists, since a year of them is read several times as fast as objects.
        """
        begins = unix(start_of(day, zone))
        return document(
            form=FORM,
            date=day.isoformat(),
            zone=zone,
            inbound=_sorted(self.inbound),
            outbound={name: _sorted(one) for name, one in sorted(self.outbound.items())},
            costs=_sorted(self.costs),
            conversations=self.conversations,
            newcomers=self.newcomers,
            carts_opened=self.carts_opened,
            conversations_with_inbound=sorted(self.conversations_with_inbound),
            handed_over=sorted(self.handed_over & self.conversations_with_inbound),
            spans={"begun": self.begun, "unanswered": self.unanswered},
            answers={name: _sorted(one) for name, one in sorted(self.answers.items())},
            hours={str(day.isoweekday()): _sorted(self.hours)} if self.hours else {},
            stages={
                name: [sorted(one), [unix(one[who]) - begins for who in sorted(one)]]
                for name, one in self.stages.items()
            },
            placements=_sorted(self.placements),
            failures=_sorted(self.failures),
            money={name: {one: str(sum_) for one, sum_ in sorted(sums.items())} for name, sums in self.sums.items()},
            buyers=sorted(self.buyers),
            products={name: _sorted(one) for name, one in sorted(self.products.items())},
            names={name: _sorted(one) for name, one in sorted(self.names.items())},
            viewers={name: sorted(one) for name, one in sorted(self.viewers.items())},
            notices={name: _sorted(one) for name, one in sorted(self.notices.items())},
            contacts={name: _sorted(one) for name, one in sorted(self.contacts.items())},
            credited={name: str(one) for name, one in sorted(self.credited.items())},
            letters=_sorted(self.letters),
            opt_outs=_sorted(self.opt_outs),
        )


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}


def amount_of(value: Any) -> Decimal:
    """The amount that a text or a column holds; nothing is 0."""
    return Decimal(str(value)) if value not in {None, ""} else Decimal(0)
