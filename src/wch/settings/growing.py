"""The settings of what goes out by itself: reminders, re-engagement, campaigns."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from wch.settings.choices import TEMPLATES, CouponKind, wrong_template
from wch.settings.declaring import MONEY, setting, switch
from wch.settings.kinds import Json, Numbers, OneOf, Text, TimeOfDay, Whole, Words

NONE = Decimal(0)
_COUNTRY = "[A-Z]{2}"
_SLUG = r"[a-z0-9][a-z0-9_-]{0,42}"


@attrs.frozen(kw_only=True)
class Marketing:
    """How often, when and where nobody is bothered."""

    cap_week: int = setting(Whole(0, 100), 1, "contacts in 7 days")
    cap_month: int = setting(Whole(0, 400), 4, "contacts in 30 days")
    quiet_start: dt.time = setting(TimeOfDay(), dt.time(22), "nothing is sent from, in the customer's zone")
    quiet_end: dt.time = setting(TimeOfDay(), dt.time(8), "until")
    quiet_recent_minutes: int = setting(Whole(0, 1440), 30, "who wrote so lately is awake")
    blocked_countries: tuple[str, ...] = setting(Words(_COUNTRY, "US,CA"), ("US",), "no campaigns to these")


@attrs.frozen(kw_only=True)
class Recovery:
    """Reminders of abandoned carts."""

    enabled: bool = switch("remind at all", on=True)
    idle_minutes: int = setting(Whole(5, 10_080), 60, "an untouched cart is abandoned after")
    min_total: Decimal = setting(MONEY, NONE, "smaller carts are let go")
    moments_hours: tuple[int, ...] = setting(Numbers(1, 720, 1, 3), (1, 6, 24), "when the reminders are due")
    life_hours: int = setting(Whole(1, 168), 12, "a reminder that could not leave for so long is dropped")
    gap_hours: int = setting(Whole(0, 168), 4, "least between two reminders")
    coupon_from: int = setting(Whole(0, 3), 2, "the first reminder with a coupon, 0 for never")
    coupon_kind: CouponKind = setting(OneOf(CouponKind), CouponKind.PERCENT, "percent or an amount")
    coupon_amount: Decimal = setting(MONEY, Decimal(10), "how much")
    coupon_days: int = setting(Whole(1, 365), 7, "how long it is good for")
    window_days: int = setting(Whole(1, 90), 7, "an order within is a recovery")
    require_opt_in: bool = switch("remind only who opted in")


@attrs.frozen(kw_only=True)
class Reengagement:
    """Words to customers who have gone quiet."""

    enabled: bool = switch("write to them at all")
    inactive_days: int = setting(Whole(1, 3650), 60, "quiet for")
    view_days: int = setting(Whole(1, 365), 30, "a look at a product counts for")
    price_drop_percent: int = setting(Whole(1, 99), 10, "worth telling from")
    loyalty_spent: Decimal = setting(MONEY, Decimal(500), "a loyal customer has spent")
    loyalty_percent: int = setting(Whole(1, 100), 15, "the loyal customer's coupon")
    coupon_days: int = setting(Whole(1, 365), 7, "how long it is good for")
    window_days: int = setting(Whole(1, 365), 30, "an order within is credited")
    run_at: dt.time = setting(TimeOfDay(), dt.time(9), "the daily run begins")
    life_hours: int = setting(Whole(1, 168), 24, "what could not leave for so long is dropped")


@attrs.frozen(kw_only=True)
class Broadcasts:
    """Campaigns."""

    rate_per_minute: int = setting(Whole(1, 100_000), 1200, "messages a minute")
    life_hours: int = setting(Whole(1, 720), 72, "what is pending then is skipped")
    credit_days: int = setting(Whole(0, 90), 7, "an order within is credited")
    max_recipients: int = setting(Whole(1, 10_000_000), 100_000, "most people of one campaign")
    pause_131049_percent: int = setting(Whole(1, 100), 20, "pauses when so many were held back by WhatsApp")
    pause_failed_percent: int = setting(Whole(1, 100), 30, "pauses when so many failed")
    pause_sample: int = setting(Whole(10, 10_000), 200, "of the last")
    test_numbers: tuple[str, ...] = setting(Words(r"\+?[0-9]{7,15}", "34600000000"), (), "test sends go to these alone")


@attrs.frozen(kw_only=True)
class Segments:
    """From which net spending on a customer is called so."""

    silver: Decimal = setting(MONEY, Decimal(100), "silver")
    gold: Decimal = setting(MONEY, Decimal(500), "gold")
    platinum: Decimal = setting(MONEY, Decimal(1000), "platinum")


@attrs.frozen(kw_only=True)
class Customers:
    """What counts in a customer's figures."""

    counted_statuses: tuple[str, ...] = setting(
        Words(_SLUG, "processing,completed"), ("processing", "shipped", "completed"), "orders in these count"
    )


@attrs.frozen(kw_only=True)
class Templates:
    """Message templates."""

    sync_hours: int = setting(Whole(1, 720), 24, "fetched again after")
    map: Mapping[str, Any] = setting(Json(wrong_template), TEMPLATES, "the template of each use")
    file: str = setting(Text(), "templates.toml", "what they ought to be, beside the settings")


@attrs.frozen(kw_only=True)
class Pricing:
    """What messages cost."""

    table: Mapping[str, Any] = setting(Json(), {}, "price by country and category")
