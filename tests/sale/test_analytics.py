"""Figures, each against a count by hand, on rows as the hub writes them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.processes import mariadb_store
from wch import Settings, open_hub
from wch.application.exports import ExportRefusedError
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.document import amended, document
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.moment import iso, unix
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.placement import PLACEMENT
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga, SagaState
from wch.entrypoints import sheets
from wch.testing import FrozenClock

MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Shop:
    """A hub whose rows a test writes, and its clock."""

    hub: Hub
    clock: FrozenClock

    async def write(self, *works: Any) -> None:
        def work(uow: UnitOfWork) -> None:
            for one in works:
                one(uow)

        await self.hub.database.transact(work)

    async def summary(self, first: date | None = None, after: date | None = None) -> dict[str, Any]:
        return await self.hub.analytics.summary(self.hub.analytics.period(first, after))


@asynccontextmanager
async def opened(url: str, zone: str = "UTC") -> AsyncIterator[Shop]:
    clock = FrozenClock(MONDAY)
    settings, _, _ = Settings.load(
        {
            "WCH_DATABASE_URL": url, "WCH_PROFILE": "test", "WCH_SECRET_KEY": "k" * 40, "WCH_CURRENCY": "EUR",
            "WCH_TIMEZONE": zone,
        },
        {},
        None,
    )  # fmt: skip
    async with open_hub(settings, clock=clock, install=url != "memory://") as hub:
        yield Shop(hub=hub, clock=clock)


@pytest.fixture(params=["memory", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    if request.param == "mariadb":
        url = request.getfixturevalue("empty_server")
    else:
        url = "memory://" if request.param == "memory" else f"sqlite+aiosqlite:///{tmp_path}/wch.db"
    async with opened(url) as here:
        yield here


@pytest.fixture
def empty_server(mariadb_url: str) -> Iterator[str]:
    """A database of the server's that this test has for itself."""
    with mariadb_store(mariadb_url, "analytics") as made:
        yield made.url


# --- rows as the hub writes them


def phone(number: int) -> str:
    return f"34600{number:06d}"


def met(number: int, at: datetime) -> Any:
    """A customer with a thread, new at this moment."""

    def work(uow: UnitOfWork) -> None:
        uow.customers.lock(phone(number), now=at)
        uow.conversations.add(Conversation(customer_phone=phone(number), created_at=at, updated_at=at))

    return work


def said(number: int, at: datetime, *did: str, kind: str = "text", **handled: Any) -> Any:
    """A customer's message, handled so."""

    def work(uow: UnitOfWork) -> None:
        thread = uow.conversations.latest_of(phone(number))
        assert thread is not None
        uow.messages.add(
            Message(
                conversation_id=thread.id, direction=Direction.INBOUND, type=kind,
                content=document(handled={"did": list(did), **handled}), status=MessageStatus.PROCESSED,
                created_at=at, updated_at=at, sent_at=at,
            )
        )  # fmt: skip

    return work


def answered(number: int, at: datetime, by: str = "dialogue", class_: str = "reply", **more: Any) -> Any:
    """A message that left."""

    def work(uow: UnitOfWork) -> None:
        thread = uow.conversations.latest_of(phone(number))
        assert thread is not None
        content = amended(document(origin={"by": by}, **more), **{"class": class_})
        uow.messages.add(
            Message(
                conversation_id=thread.id, direction=Direction.OUTBOUND, type="text", content=content,
                status=MessageStatus.SENT, created_at=at, updated_at=at, sent_at=at, delivered_at=at,
            )
        )  # fmt: skip

    return work


def viewed(number: int, product: int, at: datetime) -> Any:
    return lambda uow: uow.views.add(ProductView(customer_phone=phone(number), product_id=product, viewed_at=at))


def placed(
    number: int,
    at: datetime,
    *,
    closed: bool = True,
    total: str = "20.00",
    currency: str = "EUR",
    cart_at: datetime = MONDAY,
) -> Any:
    """A placement that was begun, and perhaps closed a minute later."""
    done = at + timedelta(minutes=1)
    context = document(
        version=1,
        customer={"phone": phone(number)},
        cart=[number, unix(cart_at)],
        lines=[{"product_id": 7, "variation_id": None, "quantity": 2}],
        names=["=1+1"],
        quote={"total": {"amount": total, "currency": currency}},
        money={"refunds": []},
    )
    log = ({"n": 1, "ev": "done", "step": "close", "at": iso(done)},) if closed else ()

    def work(uow: UnitOfWork) -> None:
        failed = amended(context, outcome="compensated", reason="payment_failed")
        uow.sagas.add(
            Saga(
                saga_id=f"order-{number}-{unix(at)}", saga_type=PLACEMENT,
                state=SagaState.COMPLETED if closed else SagaState.FAILED, context=context if closed else failed,
                log=log, created_at=at, updated_at=done,
            )
        )  # fmt: skip
        if closed:
            profile = uow.customers.lock(phone(number), now=at)
            orders = dict(profile.preferences.get("stats", {}).get("orders", {}))
            orders[str(unix(at))] = {"at": iso(at), "status": "processing", "total": total, "currency": currency}
            spent = sum(Decimal(one["total"]) for one in orders.values() if one["currency"] == "EUR")
            stats = {"orders": orders, "spent": str(spent)}
            uow.customers.save(attrs.evolve(profile, preferences=amended(profile.preferences, stats=stats)))

    return work


def abandoned(number: int, at: datetime, *, sent: datetime | None, converted: datetime | None = None) -> Any:
    """A cart whose reminders began."""
    return lambda uow: uow.reengagements.add(
        Reengagement(
            customer_phone=phone(number), campaign_type=CampaignType.CART_REMINDER, sent_at=sent,
            converted=converted is not None, conversion_order_id=None if converted is None else 9,
            conversion_revenue=None if converted is None else Decimal("20.00"), converted_at=converted, created_at=at,
        )
    )  # fmt: skip


# --- the spec's examples


async def test_without_traffic_there_are_no_ratios(shop: Shop) -> None:
    """Null, not 0 %."""
    found = await shop.summary()

    assert found["customers"]["active"] == 0
    assert found["customers"]["conversion"] == {"value": None, "numerator": 0, "denominator": 0}
    assert found["money"]["average_order"] is None
    assert found["answer_time_s"]["all"] == {"median": None, "p90": None, "p99": None, "answered": 0}


async def test_the_way_to_the_order_only_narrows(shop: Shop) -> None:
    """100 write, 60 open a product, 30 add (one of them by a catalogue order without having opened any), 20, 12, 10."""
    works = []
    for number in range(100):
        works += [met(number, MONDAY), said(number, MONDAY, "browse")]
        if number < 60:
            works.append(said(number, MONDAY + timedelta(seconds=10), "view_product"))
        if number < 29:
            works.append(said(number, MONDAY + timedelta(seconds=30), "cart_opened", "item_added"))
        if number < 20:
            works.append(said(number, MONDAY + timedelta(seconds=60), "start_checkout"))
        if number < 12:
            works.append(placed(number, MONDAY + timedelta(seconds=90), closed=number < 10))
    works += [said(99, MONDAY + timedelta(seconds=30), "catalogue_order", "cart_opened")]
    works += [said(0, MONDAY + timedelta(minutes=number), "browse") for number in range(10)]
    await shop.write(*works)
    shop.clock.advance(DAY)

    stages = (await shop.hub.analytics.funnel(shop.hub.analytics.period()))["stages"]

    assert [one["customers"] for one in stages] == [100, 61, 30, 20, 12, 10]
    assert [one["stage"] for one in stages] == ["wrote", "viewed", "added", "checkout", "confirmed", "paid"]
    assert stages[1]["of_before"] == {"value": 0.61, "numerator": 61, "denominator": 100}
    assert [one["median_seconds_from_before"] for one in stages] == [None, 10, 20, 30, 30, 60]
    assert (await shop.hub.analytics.carts(shop.hub.analytics.period()))["opened"] == 30


async def test_abandoned_carts_and_those_that_came_back(shop: Shop) -> None:
    """3 abandoned, 2 reminded, 1 ordered; 7 orders of carts never abandoned; one may still come until 7 days are over."""
    await shop.write(
        *(met(number, MONDAY) for number in range(11)),
        abandoned(0, MONDAY, sent=MONDAY + timedelta(hours=1), converted=MONDAY + timedelta(hours=2)),
        abandoned(1, MONDAY, sent=MONDAY + timedelta(hours=1)),
        abandoned(2, MONDAY, sent=None),
        placed(0, MONDAY + timedelta(hours=2)),
        *(placed(number, MONDAY + timedelta(hours=3)) for number in range(3, 10)),
    )
    period = shop.hub.analytics.period(date(2026, 3, 2), date(2026, 3, 3))
    shop.clock.advance(DAY)

    found = await shop.hub.analytics.carts(period)

    assert found["abandonment"] == {"value": 0.3, "numerator": 3, "denominator": 10}
    assert found["recovery"] == {"value": 0.5, "numerator": 1, "denominator": 2, "open": 1}
    assert found["reminded"] == {"value": pytest.approx(2 / 3), "numerator": 2, "denominator": 3}
    assert found["came_back_unasked"] == {"value": 0.0, "numerator": 0, "denominator": 1}
    assert found["recovered_revenue"] == {"amount": "20.00", "currency": "EUR"}
    shop.clock.advance(timedelta(days=7))
    assert (await shop.hub.analytics.carts(period))["recovery"]["open"] == 0


async def test_who_came_back_unasked(shop: Shop) -> None:
    """Ordered within 72 hours without a reminder that left."""
    await shop.write(
        met(1, MONDAY),
        met(2, MONDAY),
        abandoned(1, MONDAY, sent=None),
        abandoned(2, MONDAY, sent=None),
        placed(1, MONDAY + timedelta(hours=71)),
        placed(2, MONDAY + timedelta(hours=72)),
    )
    shop.clock.advance(timedelta(days=4))

    found = await shop.hub.analytics.carts(shop.hub.analytics.period())

    assert found["came_back_unasked"] == {"value": 0.5, "numerator": 1, "denominator": 2}


async def test_answer_times_are_spans(shop: Shop) -> None:
    """Two words at once are one span; a row silent by rule is none; nothing for 24 hours is unanswered."""
    await shop.write(
        *(met(number, MONDAY) for number in range(4)),
        said(0, MONDAY),
        said(0, MONDAY + timedelta(seconds=5)),
        answered(0, MONDAY + timedelta(seconds=20)),
        said(1, MONDAY, silence="thanks_again"),
        said(2, MONDAY, silence="with_person"),
        answered(2, MONDAY + timedelta(seconds=90), by="person"),
        said(3, MONDAY),
        answered(3, MONDAY + timedelta(hours=25)),
    )
    period = shop.hub.analytics.period(date(2026, 3, 2), date(2026, 3, 3))
    shop.clock.advance(timedelta(days=2))

    found = await shop.hub.analytics.summary(period)

    times = found["answer_time_s"]
    assert times["dialogue"] == {"median": 20.0, "p90": 20.0, "p99": 20.0, "answered": 1}
    assert times["person"]["median"] == 90.0
    assert times["all"]["answered"] == 2
    assert times["unanswered"] == {"value": pytest.approx(1 / 3), "numerator": 1, "denominator": 3}
    assert found["conversations"]["begun"] == 4
    assert found["conversations"]["handoff_rate"] == {"value": 0.25, "numerator": 1, "denominator": 4}


async def test_a_span_that_still_waits_is_not_unanswered_yet(shop: Shop) -> None:
    """It may be answered within the day."""
    await shop.write(met(0, MONDAY), said(0, MONDAY))

    before = (await shop.summary())["answer_time_s"]["unanswered"]
    shop.clock.advance(DAY)
    after = (await shop.summary())["answer_time_s"]["unanswered"]

    assert (before["numerator"], after["numerator"], after["denominator"]) == (0, 1, 1)


async def test_money_and_customers(shop: Shop) -> None:
    """Two orders in euros, one in dollars beside them; one buyer had bought before."""
    before = MONDAY - 10 * DAY
    await shop.write(
        *(met(number, before) for number in range(3)),
        *(said(number, MONDAY) for number in range(3)),
        placed(0, before),
        placed(0, MONDAY, total="10.00"),
        placed(1, MONDAY, total="30.01"),
        placed(2, MONDAY, total="99.00", currency="USD"),
        viewed(0, 7, MONDAY),
        viewed(0, 8, MONDAY),
        viewed(1, 7, MONDAY),
    )
    shop.clock.advance(DAY)

    found = await shop.summary(first=date(2026, 3, 2))

    assert found["money"]["revenue"] == {"amount": "40.01", "currency": "EUR"}
    assert found["money"]["average_order"] == {"amount": "13.34", "currency": "EUR"}
    assert found["money"]["other_currencies"]["revenue"] == {"USD": "99.00"}
    assert found["customers"]["active"] == 3
    assert found["customers"]["new"] == 0
    assert found["customers"]["conversion"] == {"value": 1.0, "numerator": 3, "denominator": 3}
    assert found["customers"]["returning"] == {"value": pytest.approx(1 / 3), "numerator": 1, "denominator": 3}
    assert [(one["product"], one["views"], one["viewers"], one["units"]) for one in found["products"]] == [
        (7, 2, 2, 6),
        (8, 1, 1, 0),
    ]
    assert found["placements"] == {
        "begun": 3, "closed": 3, "failed": {"value": 0.0, "numerator": 0, "denominator": 3}, "reasons": {}
    }  # fmt: skip


async def test_what_is_left_out(shop: Shop) -> None:
    """Reactions make nobody active; history and statuses without a row are no messages."""
    history = said(1, MONDAY)
    await shop.write(
        met(0, MONDAY),
        met(1, MONDAY),
        said(0, MONDAY, kind="reaction", silence="reaction"),
        history,
        answered(0, MONDAY, by="history"),
        answered(0, MONDAY, class_="notice", by="notice", pricing={"category": "utility"}),
    )

    found = await shop.summary()

    assert found["customers"]["active"] == 1
    assert found["messages"]["inbound"] == {"reaction": 1, "text": 1}
    assert found["messages"]["outbound"] == {"notice": {"text": 1}}
    assert found["message_cost"] == {"delivered_by_category": {"utility": 1}}
    assert found["heat_map"] == {"1": {"10": 1}}


async def test_day_rows_are_kept_and_the_same_when_built_again(shop: Shop) -> None:
    """Once a day and what may follow it are over; before, they are computed each time."""
    await shop.write(met(0, MONDAY), said(0, MONDAY, "item_added"), answered(0, MONDAY + timedelta(seconds=7)))
    await shop.summary()
    assert await shop.hub.database.read(lambda uow: uow.options.named("stats.day.2026-03-02")) == []

    shop.clock.advance(3 * DAY)
    first = await shop.summary()
    ((name, row),) = await shop.hub.database.read(lambda uow: uow.options.named("stats.day.2026-03-02"))
    await shop.write(lambda uow: uow.options.remove(name))
    assert await shop.summary() == first
    ((_, again),) = await shop.hub.database.read(lambda uow: uow.options.named("stats.day.2026-03-02"))
    assert again == row
    assert phone(0) not in str(row)


async def test_a_kept_day_of_another_zone_is_computed_anew(tmp_path: Path) -> None:
    """A shop that moves has other days."""
    url = f"sqlite+aiosqlite:///{tmp_path}/wch.db"
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    async with opened(url) as here:
        await here.write(met(0, late), said(0, late))
        here.clock.advance(3 * DAY)
        assert (await here.summary(first=date(2026, 3, 1), after=date(2026, 3, 2)))["customers"]["active"] == 1
    async with opened(url, "Europe/Madrid") as here:
        here.clock.advance(3 * DAY)
        assert (await here.summary(first=date(2026, 3, 1), after=date(2026, 3, 2)))["customers"]["active"] == 0
        assert (await here.summary(first=date(2026, 3, 2), after=date(2026, 3, 3)))["customers"]["active"] == 1


async def test_tables_for_a_spreadsheet(shop: Shop) -> None:
    """A line for each day, and for each type of notice; a ratio in three columns."""
    notice = Notification(
        order_id=1, notification_type="shipped", customer_phone=phone(0), status=NotificationStatus.READ,
        created_at=MONDAY, updated_at=MONDAY,
    )  # fmt: skip
    await shop.write(
        met(0, MONDAY),
        said(0, MONDAY),
        placed(0, MONDAY),
        abandoned(0, MONDAY, sent=MONDAY, converted=MONDAY),
        lambda uow: uow.notifications.add(notice),
    )
    period = shop.hub.analytics.period(date(2026, 3, 1), date(2026, 3, 3))

    days = await shop.hub.analytics.table("days", period)
    assert [(one["day"], one["active"], one["revenue"]) for one in days] == [
        ("2026-03-01", 0, "0.00"),
        ("2026-03-02", 1, "20.00"),
    ]
    assert await shop.hub.analytics.table("notices", period) == [
        {"type": "shipped", "read": 1, "delivery": 1.0, "delivery_numerator": 1, "delivery_denominator": 1}
    ]
    assert await shop.hub.analytics.table("contacts", period) == [
        {"kind": "cart_reminder", "begun": 1, "sent": 1, "converted": 1, "revenue": "20.00"}
    ]
    assert (await shop.hub.analytics.table("funnel", period))[0]["stage"] == "wrote"
    assert await shop.hub.analytics.table("campaigns", period) == []
    (product,) = await shop.hub.analytics.table("products", period)
    assert (product["product"], product["name"], product["units"]) == (7, "=1+1", 2)
    assert ",'=1+1," in "".join(sheets.lines([product]))


async def test_the_fourth_export_in_an_hour_is_refused(shop: Shop) -> None:
    """Each that was let out is written down."""
    period = shop.hub.analytics.period()
    for _ in range(3):
        await shop.hub.analytics.exported("days", period, by="key:abc")
    with pytest.raises(ExportRefusedError):
        await shop.hub.analytics.exported("days", period, by="key:abc")

    lines = await shop.hub.database.read(lambda uow: uow.audit.listed(action="analytics.export"))
    assert [line.object for line in lines] == ["table:days"] * 3


async def test_many_days_are_found_by_halving(shop: Shop) -> None:
    """Messages before the period and after it are not counted, wherever their ids are."""
    works = [met(0, MONDAY)]
    works += [said(0, MONDAY + timedelta(hours=6 * number)) for number in range(40)]
    await shop.write(*works)
    shop.clock.advance(timedelta(days=10))

    day = date(2026, 3, 5)
    found = await shop.summary(first=day, after=day + DAY)

    assert found["messages"]["inbound"] == {"text": 4}
