"""The repositories of what customers looked at, and of the contacts that were meant to bring them back."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from wch.adapters.sql.rows import Rows
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.domain.product_view import ProductView, ViewTally
from wch.domain.reengagement import CampaignType, Reengagement


class SqlProductViewRepository:
    """See `wch.application.ports.ProductViewRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.views, ProductView)
        self._c = tables.views.c

    def add(self, view: ProductView) -> ProductView:
        return self._rows.add(view)

    def latest(self, customer_phone: str, product_id: int) -> ProductView | None:
        order = [self._c.viewed_at.desc(), self._c.id.desc()]
        found = self._rows.many(
            self._c.customer_phone == customer_phone, self._c.product_id == product_id, order=order, limit=1
        )
        return found[0] if found else None

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[ProductView]:
        order = [self._c.viewed_at.desc(), self._c.id.desc()]
        return self._rows.many(
            self._c.customer_phone == customer_phone, self._c.viewed_at >= since, order=order, limit=limit
        )

    def of_product(
        self, product_id: int, *, since: datetime, after: int = 0, limit: int = 100
    ) -> Sequence[ProductView]:
        return self._rows.many(
            self._c.product_id == product_id, self._c.viewed_at >= since, self._c.id > after, limit=limit
        )

    def listed(
        self,
        *,
        customer_phone: str | None = None,
        product_id: int | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[ProductView]:
        where = [] if customer_phone is None else [self._c.customer_phone == customer_phone]
        where += [] if product_id is None else [self._c.product_id == product_id]
        where += [] if since is None else [self._c.viewed_at >= since]
        where += [] if before is None else [self._c.id < before]
        return self._rows.many(*where, order=[self._c.id.desc()], limit=limit)

    def tallied(self, *, since: datetime, customer_phone: str | None = None, limit: int = 50) -> Sequence[ViewTally]:
        views = func.count().label("views")
        people = func.count(self._c.customer_phone.distinct()).label("customers")
        latest = func.max(self._c.viewed_at).label("last_at")
        where = [self._c.viewed_at >= since]
        where += [] if customer_phone is None else [self._c.customer_phone == customer_phone]
        statement = (
            select(self._c.product_id, views, people, latest)
            .where(*where)
            .group_by(self._c.product_id)
            .order_by(views.desc(), self._c.product_id)
            .limit(limit)
        )
        return [
            ViewTally(product_id=row.product_id, views=row.views, customers=row.customers, last_at=row.last_at)
            for row in self._session.execute(statement)
        ]


class SqlReengagementRepository:
    """See `wch.application.ports.ReengagementRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.reengagements, Reengagement)
        self._c = tables.reengagements.c

    def add(self, contact: Reengagement) -> Reengagement:
        return self._rows.add(contact)

    def get(self, contact_id: int, *, lock: bool = False) -> Reengagement | None:
        return self._rows.get(contact_id, lock=lock)

    def save(self, contact: Reengagement) -> None:
        self._rows.save(contact)

    def newest_of(self, customer_phone: str, campaign_type: CampaignType) -> Reengagement | None:
        found = self._rows.many(
            self._c.customer_phone == customer_phone,
            self._c.campaign_type == campaign_type,
            order=[self._c.id.desc()],
            limit=1,
        )
        return found[0] if found else None

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[Reengagement]:
        return self._rows.many(self._c.customer_phone == customer_phone, self._c.created_at >= since, limit=limit)

    def waiting(self, *, since: datetime, after: int = 0, limit: int = 100) -> Sequence[Reengagement]:
        return self._rows.many(
            self._c.sent_at.is_(None),
            self._c.created_at >= since,
            self._c.campaign_type != CampaignType.CART_REMINDER,
            self._c.id > after,
            limit=limit,
        )

    def listed(
        self,
        *,
        campaign_type: CampaignType | None = None,
        since: datetime | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[Reengagement]:
        where = [self._c.id > after]
        where += [] if campaign_type is None else [self._c.campaign_type == campaign_type]
        where += [] if since is None else [self._c.created_at >= since]
        return self._rows.many(*where, limit=limit)

    def sent_between(
        self, since: datetime, until: datetime, *, after: int = 0, limit: int = 100
    ) -> Sequence[Reengagement]:
        return self._rows.many(self._c.id > after, self._c.sent_at > since, self._c.sent_at <= until, limit=limit)
