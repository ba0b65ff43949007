"""Totals of a period, as far as its day rows alone say them: what one period is compared with another by."""

from collections.abc import Collection
from decimal import Decimal

import attrs

from wch.domain.document import JsonObject
from wch.domain.figures import Ratio


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


def totals_of(days: Collection[JsonObject], currency: str) -> Totals:
    """What these day rows come to together, money of this currency alone."""
    active, buyers = set[int](), set[int]()
    money = {"revenue": Decimal(0), "refunds": Decimal(0)}
    for day in days:
        active.update(map(int, day["stages"]["wrote"]))
        buyers.update(day["buyers"])
        for kind, sums in day["money"].items():
            money[kind] += Decimal(sums.get(currency, "0"))
    return Totals(
        active=len(active),
        new=sum(day["newcomers"] for day in days),
        conversations=sum(day["conversations"] for day in days),
        inbound=sum(sum(day["inbound"].values()) for day in days),
        orders=sum(day["placements"].get("closed", 0) for day in days),
        revenue=money["revenue"],
        net=money["revenue"] - money["refunds"],
        conversion=Ratio(numerator=len(active & buyers), denominator=len(active)),
    )
