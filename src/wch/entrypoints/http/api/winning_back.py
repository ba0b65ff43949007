"""Routes about what customers looked at, and about winning back those who have gone quiet."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import attrs
from litestar import get, post
from litestar.params import QueryParameter

from wch.application.hub import Hub
from wch.application.masks import masked_number
from wch.application.reengagement_figures import KindFigures, RecoveryFigures, RunReport
from wch.domain.api_key import KeyScope
from wch.domain.money import Money
from wch.domain.product_view import ProductView, ViewTally
from wch.entrypoints.http.api.calls import Asked, cursor, needs, parts_of, sees
from wch.entrypoints.http.api.parameters import MOST_ID, After, Limit
from wch.entrypoints.http.api.views import Amount, Page

Days = Annotated[int, QueryParameter(name="days", ge=1, le=3650, description="So many days back from now.")]
Product = Annotated[
    int | None, QueryParameter(name="product_id", ge=1, le=MOST_ID, description="Looks at this product alone.")
]
Whose = Annotated[
    str | None,
    QueryParameter(name="customer", max_length=40, description="Of this one customer: a number or a key."),
]
Dry = Annotated[bool, QueryParameter(name="dry_run", description="Decide by the same code, and write nothing.")]


@attrs.frozen(kw_only=True)
class TallyView:
    """How often a product was looked at; looks within an hour by one customer are one view."""

    product_id: int
    views: int
    customers: int
    last_at: datetime

    @classmethod
    def of(cls, one: ViewTally) -> "TallyView":
        """These figures."""
        return cls(product_id=one.product_id, views=one.views, customers=one.customers, last_at=one.last_at)


@attrs.frozen(kw_only=True)
class LookView:
    """One look at a product."""

    id: int
    customer: str
    product_id: int
    viewed_at: datetime

    @classmethod
    def of(cls, one: ProductView, *, sees: bool) -> "LookView":
        """This look."""
        return cls(
            id=one.id,
            customer=one.customer_phone if sees else masked_number(one.customer_phone),
            product_id=one.product_id,
            viewed_at=one.viewed_at,
        )


@attrs.frozen(kw_only=True)
class ContactFiguresView:
    """What contacts of one kind came to: `contacts` is `sent`, `failed`, `waiting` and `dropped` together."""

    kind: str
    contacts: int
    sent: int
    failed: int
    waiting: int
    dropped: int
    orders: int
    revenue: Amount

    @classmethod
    def of(cls, one: KindFigures, currency: str) -> "ContactFiguresView":
        """These figures."""
        return cls(
            kind=one.kind.value,
            contacts=one.contacts,
            sent=one.sent,
            failed=one.failed,
            waiting=one.waiting,
            dropped=one.dropped,
            orders=one.converted,
            revenue=Amount.of(Money.rounded(one.revenue, currency)),
        )


@attrs.frozen(kw_only=True)
class RecoveryView:
    """What became of carts that were left lying; `reminders` are first, second and third ones that left."""

    carts: int
    reminded: int
    reminders: list[int]
    recovered: int
    revenue: Amount
    rate_percent: str

    @classmethod
    def of(cls, one: RecoveryFigures, currency: str) -> "RecoveryView":
        """These figures."""
        return cls(
            carts=one.carts,
            reminded=one.reminded,
            reminders=list(one.reminders),
            recovered=one.recovered,
            revenue=Amount.of(Money.rounded(one.revenue, currency)),
            rate_percent=str(one.rate),
        )


@attrs.frozen(kw_only=True)
class RunView:
    """What a look for occasions came to, or would come to."""

    dry_run: bool
    looked_at: int
    planned: dict[str, int]
    held: int
    refused: dict[str, int]

    @classmethod
    def of(cls, one: RunReport, *, dry_run: bool) -> "RunView":
        """This run."""
        return cls(
            dry_run=dry_run,
            looked_at=one.looked_at,
            planned=dict(one.planned),
            held=one.held,
            refused=dict(one.refused),
        )


def winning_back_routes(hub: Hub) -> list[Any]:
    """Looks at products, and contacts that were meant to bring customers back."""

    async def phone_of(customer: str | None) -> str | None:
        return None if customer is None else (await hub.customers.show(customer)).phone

    @get("/products/views", opt=needs(KeyScope.READ), summary="The products that were looked at, the most seen first")
    async def tallied(days: Days = 30, customer: Whose = None, limit: Limit = 50) -> Page[TallyView]:
        found = await hub.views.tallied(within=timedelta(days=days), customer=await phone_of(customer), limit=limit)
        return Page(data=[TallyView.of(one) for one in found], next_cursor=None)

    @get("/products/views/each", opt=needs(KeyScope.READ), summary="Every look at a product, the latest first")
    async def looks(
        request: Asked, product_id: Product = None, customer: Whose = None, limit: Limit = 50, after: After = None
    ) -> Page[LookView]:
        parts = parts_of(after, int)
        found = await hub.views.listed(
            customer=await phone_of(customer),
            product_id=product_id,
            before=None if parts is None else parts[0],
            limit=limit + 1,
        )
        shown = found[:limit]
        more = cursor(shown[-1].id) if len(found) > limit else None
        return Page(data=[LookView.of(one, sees=sees(request)) for one in shown], next_cursor=more)

    @get("/reengagement", opt=needs(KeyScope.READ), summary="What contacts came to, by kind")
    async def report(days: Days = 30) -> Page[ContactFiguresView]:
        lines = await hub.reengagements.report(since=hub.clock.now() - timedelta(days=days))
        return Page(data=[ContactFiguresView.of(one, hub.currency) for one in lines], next_cursor=None)

    @post(
        "/reengagement/run",
        opt=needs(KeyScope.BROADCASTS),
        status_code=200,
        summary="Look for every occasion now; caps, consent and quiet hours hold",
    )
    async def run(dry_run: Dry = False) -> RunView:  # noqa: FBT002 - a parameter of the query
        return RunView.of(await hub.reengagements.run(dry_run=dry_run), dry_run=dry_run)

    @get("/carts/report", opt=needs(KeyScope.READ), summary="What became of carts that were left lying")
    async def recovery(days: Days = 30) -> RecoveryView:
        return RecoveryView.of(await hub.reminders.report(since=hub.clock.now() - timedelta(days=days)), hub.currency)

    return [tallied, looks, report, run, recovery]
