"""A product that a customer looked at."""

from datetime import datetime, timedelta

import attrs

from wch.domain.moment import utc_seconds

COUNTED_ONCE_IN = timedelta(hours=1)
"""Looking at one product again within this time is the same view."""


@attrs.frozen(kw_only=True, slots=False)
class ProductView:
    """One row of `product_views`."""

    id: int = 0
    customer_phone: str
    product_id: int = attrs.field(validator=attrs.validators.gt(0))
    viewed_at: datetime = attrs.field(validator=utc_seconds)

    def covers(self, moment: datetime) -> bool:
        """Whether looking again at this moment is still the same view."""
        return moment < self.viewed_at + COUNTED_ONCE_IN


@attrs.frozen(kw_only=True)
class ViewTally:
    """How often a product was looked at.

    Attributes:
        views: looks, those within an hour by one customer counted once.
        customers: by how many people.
        last_at: the latest of them.
    """

    product_id: int
    views: int
    customers: int
    last_at: datetime
