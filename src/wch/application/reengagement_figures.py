"""What re-engagement came to: of one run, and of a time."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from wch.domain.recovery import SEQUENCE
from wch.domain.reengagement import CampaignType, Reengagement


@attrs.define(kw_only=True)
class RunReport:
    """What a run came to, or would come to; every candidate is in exactly one of the figures.

    Attributes:
        looked_at: customers, or pairs of customer and product, that were decided about.
        planned: contacts that were begun, by kind.
        held: of these, those that wait for their hour.
        refused: who is not approached, by reason.
    """

    looked_at: int = 0
    planned: Counter[str] = attrs.field(factory=Counter)
    held: int = 0
    refused: Counter[str] = attrs.field(factory=Counter)


@attrs.frozen(kw_only=True)
class KindFigures:
    """What the contacts of one kind came to.

    Attributes:
        contacts: those that were begun; the next four add up to it.
        sent: those that left.
        failed: those that were written and did not leave after all.
        waiting: those that may still leave.
        dropped: those whose time passed.
        converted: those that brought an order; a part of those that left.
        revenue: of these orders, in the shop's currency.
    """

    kind: CampaignType
    contacts: int = 0
    sent: int = 0
    failed: int = 0
    waiting: int = 0
    dropped: int = 0
    converted: int = 0
    revenue: Decimal = Decimal("0.00")

    def with_(self, row: Reengagement, *, failed: bool, lives: timedelta, now: datetime) -> "KindFigures":
        """The figures with one more contact."""
        if row.sent_at is not None:
            what = "sent"
        elif failed:
            what = "failed"
        else:
            # A cart's sequence waits with its cart, which has a life of its own.
            alive = now < row.created_at + (SEQUENCE if row.campaign_type is CampaignType.CART_REMINDER else lives)
            what = "waiting" if alive else "dropped"
        return attrs.evolve(
            self,
            contacts=self.contacts + 1,
            **{what: getattr(self, what) + 1},
            converted=self.converted + row.converted,
            revenue=self.revenue + (row.conversion_revenue or 0 if row.converted else 0),
        )


@attrs.frozen(kw_only=True)
class RecoveryFigures:
    """What became of the carts that were left lying in a time.

    Attributes:
        carts: left lying for the first time under their name.
        reminded: of these, those of which a reminder left.
        reminders: how many first, second and third ones left, counted over messages.
        recovered: of the reminded, those whose order counts.
        revenue: of these orders, in the shop's currency.
    """

    carts: int = 0
    reminded: int = 0
    reminders: tuple[int, int, int] = (0, 0, 0)
    recovered: int = 0
    revenue: Decimal = Decimal("0.00")

    @property
    def rate(self) -> Decimal:
        """The recovered among the reminded, in per cent with one decimal; 0 where nobody was reminded."""
        share = Decimal(self.recovered * 100) / self.reminded if self.reminded else Decimal(0)
        return share.quantize(Decimal("0.1"))

    def with_(self, row: Reengagement, numbers: Iterable[int]) -> "RecoveryFigures":
        """The figures with one more cart, and the numbers of the reminders of it that left."""
        counted = list(self.reminders)
        sent = [number for number in numbers if 1 <= number <= len(counted)]
        for number in sent:
            counted[number - 1] += 1
        return RecoveryFigures(
            carts=self.carts + 1,
            reminded=self.reminded + bool(sent),
            reminders=(counted[0], counted[1], counted[2]),
            recovered=self.recovered + row.converted,
            revenue=self.revenue + (row.conversion_revenue or 0 if row.converted else 0),
        )
