"""A contact that was meant to bring a customer back, and whether it did."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.errors import TransitionError
from wch.domain.evolution import evolve
from wch.domain.moment import utc_seconds


class CampaignType(StrEnum):
    """The kinds of contact; a cart's whole reminder sequence is one."""

    CART_REMINDER = "cart_reminder"
    BACK_IN_STOCK = "back_in_stock"
    PRICE_DROP = "price_drop"
    LOYALTY_REWARD = "loyalty_reward"
    NEW_ARRIVALS = "new_arrivals"
    WE_MISS_YOU = "we_miss_you"
    PRODUCT_REMINDER = "product_reminder"


@attrs.frozen(kw_only=True, slots=False)
class Reengagement:
    """One row of `reengagement`.

    Attributes:
        sent_at: None while nothing has left; a send that failed sets it back.
        converted: whether an order is credited to this contact; it takes one order.
    """

    id: int = 0
    customer_phone: str
    campaign_type: CampaignType
    product_id: int | None = None
    sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    converted: bool = False
    conversion_order_id: int | None = None
    conversion_revenue: Decimal | None = None
    converted_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    created_at: datetime = attrs.field(validator=utc_seconds)

    def sent(self, *, now: datetime) -> Self:
        """Something left; the first time counts."""
        return self if self.sent_at is not None else evolve(self, sent_at=now)

    def unsent(self) -> Self:
        """Nothing left after all."""
        return evolve(self, sent_at=None)

    def credited(self, order_id: int, revenue: Decimal, *, now: datetime) -> Self:
        """This contact brought this order.

        Raises:
            TransitionError: it has an order already, or nothing ever left.
        """
        if self.converted or self.sent_at is None:
            raise TransitionError(reengagement_id=self.id)
        return evolve(
            self,
            converted=True,
            conversion_order_id=order_id,
            conversion_revenue=revenue.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP),
            converted_at=now,
        )

    def uncredited(self) -> Self:
        """The order stopped counting."""
        return evolve(self, converted=False, conversion_order_id=None, conversion_revenue=None, converted_at=None)
