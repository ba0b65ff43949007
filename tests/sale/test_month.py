"""A month of two hundred customers: every figure against a count by hand, on all three stores."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.sale.test_analytics import (
    DAY,
    MONDAY,
    Shop,
    abandoned,
    answered,
    empty_server,
    met,
    placed,
    said,
    shop,
    viewed,
)

__all__ = ["empty_server", "shop"]  # fixtures


def _of_a_month(number: int) -> list[Any]:
    """One of two hundred customers: comes on a day of four weeks at a minute of their own, and goes as far as their number divides."""
    at = MONDAY + (number % 28) * DAY + timedelta(minutes=number)

    def after(**span: float) -> datetime:
        return at + timedelta(**span)

    works = [met(number, at), said(number, at, "browse"), answered(number, after(seconds=5 + number % 10))]
    if number % 2 == 0:
        works += [said(number, after(minutes=1), "view_product"), answered(number, after(minutes=1, seconds=2))]
        works += [viewed(number, 7, after(minutes=1))]
    if number % 4 == 0:
        works += [said(number, after(minutes=2), "cart_opened", "item_added")]
        works += [answered(number, after(minutes=2, seconds=3))]
    if number % 8 == 0:
        works += [said(number, after(minutes=3), "start_checkout"), answered(number, after(minutes=3, seconds=4))]
    if number % 16 == 0:
        works += [placed(number, after(minutes=4), closed=number % 32 == 0, total=f"{10 + number}.50", cart_at=at)]
    if number % 8 == 4:
        sent = after(hours=2) if number % 16 == 4 else None
        converted = after(hours=3) if number % 32 == 4 else None
        works += [abandoned(number, after(hours=1), sent=sent, converted=converted)]
    if number % 20 == 19:
        works += [said(number, after(minutes=10)), answered(number, after(minutes=10, seconds=90), by="person")]
    if number % 50 == 25:
        works += [said(number, after(minutes=20))]
    if number % 25 == 3:
        works += [said(number, after(minutes=30), kind="reaction", silence="reaction")]
    return works


async def test_a_month_of_two_hundred_customers(shop: Shop) -> None:
    """Every second opens a product, every fourth fills a cart, every eighth goes to the till, 13 confirm and 7 pay."""
    for number in range(200):
        await shop.write(*_of_a_month(number))
    shop.clock.advance(45 * DAY)
    period = shop.hub.analytics.period(date(2026, 3, 1), date(2026, 4, 1))

    found = await shop.hub.analytics.summary(period)
    carts = await shop.hub.analytics.carts(period)
    stages = (await shop.hub.analytics.funnel(period))["stages"]

    # Texts: 200 first words, 100 products, 50 carts, 25 tills, 10 to a person, 4 that nobody answered.
    assert found["messages"] == {
        "inbound": {"text": 389, "reaction": 8},
        "outbound": {"reply": {"text": 385}},
    }
    assert sum(many for hours in found["heat_map"].values() for many in hours.values()) == 389
    # On Mondays before 11 come 0, 7, 14, 21, 28, 35, 42, 49 and 56: with 4, 1, 2, 1, 3, 1, 2, 1 and 4 texts.
    assert found["heat_map"]["1"]["10"] == 19
    times = found["answer_time_s"]
    # By the assistant: 2 s a hundred times, 3 s fifty times, 4 s 25 times, each of 5 to 14 s twenty times.
    assert times["dialogue"] == {"median": 5.0, "p90": 13.0, "p99": 14.0, "answered": 375}
    assert times["person"] == {"median": 90.0, "p90": 90.0, "p99": 90.0, "answered": 10}
    assert times["unanswered"] == {"value": pytest.approx(4 / 389), "numerator": 4, "denominator": 389}
    assert found["conversations"] == {
        "begun": 200,
        "handoff_rate": {"value": 0.05, "numerator": 10, "denominator": 200},
    }
    assert (found["customers"]["active"], found["customers"]["new"]) == (200, 200)
    assert found["customers"]["conversion"] == {"value": 0.035, "numerator": 7, "denominator": 200}
    assert found["customers"]["returning"] == {"value": 0.0, "numerator": 0, "denominator": 7}
    assert found["placements"] == {
        "begun": 13,
        "closed": 7,
        "failed": {"value": pytest.approx(6 / 13), "numerator": 6, "denominator": 13},
        "reasons": {"compensated: payment_failed": 6},
    }
    # 10.50 + 42.50 + 74.50 + 106.50 + 138.50 + 170.50 + 202.50
    assert found["money"]["revenue"] == {"amount": "745.50", "currency": "EUR"}
    assert found["money"]["average_order"] == {"amount": "106.50", "currency": "EUR"}
    assert [(one["product"], one["views"], one["viewers"], one["units"]) for one in found["products"]] == [
        (7, 100, 100, 14)
    ]
    assert [one["customers"] for one in stages] == [200, 100, 50, 25, 13, 7]
    assert [one["median_seconds_from_before"] for one in stages] == [None, 60, 60, 60, 60, 60]
    # 25 carts were left: 13 were reminded of, 7 of these came back; 7 orders are of carts that never were.
    assert carts["opened"] == 50
    assert carts["abandonment"] == {"value": 25 / 32, "numerator": 25, "denominator": 32}
    assert carts["reminded"] == {"value": 0.52, "numerator": 13, "denominator": 25}
    assert carts["recovery"] == {"value": pytest.approx(7 / 13), "numerator": 7, "denominator": 13, "open": 0}
    assert carts["came_back_unasked"] == {"value": 0.0, "numerator": 0, "denominator": 12}
    assert carts["recovered_revenue"] == {"amount": "140.00", "currency": "EUR"}
