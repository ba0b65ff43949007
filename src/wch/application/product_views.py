"""Product views: what customers looked at, in rows and in figures."""

from collections.abc import Sequence
from datetime import timedelta

import attrs

from wch.application.ports import Clock, Database
from wch.domain.product_view import ProductView, ViewTally


@attrs.frozen(kw_only=True)
class ProductViews:
    """What people ask about looks at products; the dialogue writes them, looks within an hour being one."""

    database: Database
    clock: Clock

    async def tallied(self, *, within: timedelta, customer: str | None = None, limit: int = 50) -> Sequence[ViewTally]:
        """The products that were looked at within this time, the most seen first; of one customer where given.

        Args:
            within: so long back from now.
            customer: the key of one; all where not given.
            limit: so many products.
        """
        since = self.clock.now() - within
        return await self.database.read(
            lambda uow: uow.views.tallied(since=since, customer_phone=customer, limit=limit)
        )

    async def listed(
        self,
        *,
        customer: str | None = None,
        product_id: int | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[ProductView]:
        """Each look, the latest first, of one customer or product where given; in pages below an id."""
        return await self.database.read(
            lambda uow: uow.views.listed(customer_phone=customer, product_id=product_id, before=before, limit=limit)
        )
