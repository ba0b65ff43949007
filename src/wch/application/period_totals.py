"""A period added up from its day rows, one day after the other: a year of them never stands in memory at once."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import attrs

from wch.application.day_book import STAGES
from wch.domain.figures import Ratio, start_of
from wch.domain.moment import unix
from wch.domain.money import Money, money_to_json

_OWN = frozenset({"v", "form", "date", "zone", "stages"})
"""What of a day row is not added up."""


@attrs.frozen(kw_only=True)
class Totals:
    """What a period came to, as far as day rows alone say it; money is in the shop's currency."""

    active: int
    new: int
    conversations: int
    inbound: int
    orders: int
    revenue: Decimal
    net: Decimal
    conversion: Ratio


@attrs.define(kw_only=True)
class PeriodBook:
    """A period while its days are added up, in their order.

    Attributes:
        currency: the shop's.
        figures: the sums: counts and amounts added, objects joined, lists united.
        stages: when each customer reached each stage of the funnel first, in Unix seconds.
        lines: one for each day.
    """

    currency: str
    figures: dict[str, Any] = attrs.field(factory=dict)
    stages: dict[str, dict[int, int]] = attrs.field(factory=lambda: {stage: {} for stage in STAGES})
    lines: list[Mapping[str, Any]] = attrs.field(factory=list)

    def add(self, day: date, row: Mapping[str, Any]) -> None:
        """One day more, later than those before."""
        _add(self.figures, {name: value for name, value in row.items() if name not in _OWN})
        begins = unix(start_of(day, row["zone"]))
        for stage, (who, seconds) in row["stages"].items():
            known = self.stages[stage]
            new = set(who).difference(known)
            if new:
                known.update((one, begins + at) for one, at in zip(who, seconds, strict=True) if one in new)
        self.lines.append(self._line(day, row))

    @property
    def active(self) -> set[int]:
        """Who wrote."""
        return set(self.stages[STAGES[0]])

    @property
    def conversion(self) -> Ratio:
        """Of those who wrote, how many bought."""
        active = self.active
        return Ratio(numerator=len(active & self.figures["buyers"]), denominator=len(active))

    def amount(self, kind: str) -> Decimal:
        """The sum of `revenue` or `refunds` in the shop's currency."""
        found: Decimal = self.figures["money"][kind].get(self.currency, Decimal(0))
        return found

    def totals(self) -> Totals:
        """What another period is compared with."""
        return Totals(
            active=len(self.active),
            new=self.figures["newcomers"],
            conversations=self.figures["conversations"],
            inbound=sum(self.figures["inbound"].values()),
            orders=self.figures["placements"].get("closed", 0),
            revenue=self.amount("revenue"),
            net=self.amount("revenue") - self.amount("refunds"),
            conversion=self.conversion,
        )

    def _line(self, day: date, row: Mapping[str, Any]) -> dict[str, Any]:
        revenue, refunds = (Decimal(row["money"][kind].get(self.currency, "0")) for kind in ("revenue", "refunds"))
        return {
            "day": day.isoformat(),
            "active": len(row["stages"][STAGES[0]][0]),
            "new": row["newcomers"],
            "conversations": row["conversations"],
            "inbound": sum(row["inbound"].values()),
            "outbound": sum(sum(one.values()) for one in row["outbound"].values()),
            "carts_opened": row["carts_opened"],
            "placements": row["placements"].get("begun", 0),
            "closed": row["placements"].get("closed", 0),
            "currency": self.currency,
            "revenue": self._written(revenue),
            "refunds": self._written(refunds),
            "net": self._written(revenue - refunds),
        }

    def _written(self, amount: Decimal) -> str:
        return money_to_json(Money.rounded(amount, self.currency))["amount"]


def _add(sums: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Add a document of counts; an amount is a text, and exact, a list a set of numbers."""
    for name, value in row.items():
        if isinstance(value, dict):
            _add(sums.setdefault(name, {}), value)
        elif isinstance(value, list):
            sums.setdefault(name, set()).update(value)
        elif isinstance(value, str):
            sums[name] = sums.get(name, Decimal(0)) + Decimal(value)
        else:
            sums[name] = sums.get(name, 0) + value
