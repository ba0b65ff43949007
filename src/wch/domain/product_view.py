"""A product that a customer looked at."""

from datetime import datetime, timedelta

import attrs

from wch.domain.moment import utc_seconds

COUNTED_ONCE_IN = timedelta(hours=1)
"""Looking at one product again within this time is the same view."""


@attrs.frozen(kw_only=True)
class ProductView:
    """One row of `product_views`."""

    id: int = 0
    customer_phone: str
    product_id: int = attrs.field(validator=attrs.validators.gt(0))
    viewed_at: datetime = attrs.field(validator=utc_seconds)

    def covers(self, moment: datetime) -> bool:
        """Whether looking again at this moment is still the same view."""
        return moment < self.viewed_at + COUNTED_ONCE_IN
