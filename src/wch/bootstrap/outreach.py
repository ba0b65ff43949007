"""What decides whether customers are approached, and the campaigns that approach them."""

import tomllib
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import punq

from wch.application.analytics import Analytics
from wch.application.announcing import Announcing
from wch.application.broadcasts import Broadcasts
from wch.application.campaign_reports import CampaignReports
from wch.application.coupon_removal import CouponRemoval
from wch.application.days import Days
from wch.application.dry_runs import DryRuns
from wch.application.explaining import Explaining
from wch.application.fanning_out import BadQuality, FanningOut, Targeting
from wch.application.housekeeping import Every
from wch.application.noticing import Noticing, variables_of
from wch.application.occasions import Occasions
from wch.application.outreach import Manners, Outreach
from wch.application.pacing import Pacing
from wch.application.prices import Prices
from wch.application.reengagements import Reengagements, Reward
from wch.application.reengaging import Reengaging
from wch.application.reminders import Discount, Reminders
from wch.application.reminding import Reminding
from wch.application.second_look import SecondLook
from wch.application.seen_orders import SeenOrders
from wch.application.templates import CAMPAIGNS, Templates
from wch.bootstrap.parts import Parts
from wch.domain.errors import SettingsError
from wch.domain.money import Money
from wch.domain.occasion import Terms
from wch.domain.order_figures import Counting
from wch.domain.recovery import Schedule
from wch.settings import Settings
from wch.settings.choices import CARRIERS, CouponKind, Preference, Scope

SANDBOX_ACCOUNT = "200000000000002"
SANDBOX_GRAPH = "/sandbox/graph"
"""What the address of the simulated Graph API ends with."""

LOOK_SECONDS = 30.0
"""What waits for a moment is looked at so often; nobody notices half a minute."""


def wire_outreach(container: punq.Container, one: Callable[..., None], parts: Parts) -> None:
    """What decides whether people are approached, and the campaigns that approach them."""
    settings = parts.settings
    plans, manners = settings.broadcasts, settings.marketing
    container.register(Counting, instance=_counting(settings))
    container.register(
        Manners,
        instance=Manners(
            cap_week=manners.cap_week,
            cap_month=manners.cap_month,
            quiet_start=manners.quiet_start,
            quiet_end=manners.quiet_end,
            no_marketing_to=frozenset(manners.blocked_countries),
            zone=settings.general.timezone,
            language=settings.general.language,
        ),
    )
    one(Pacing, number_rate=settings.whatsapp.number_rate)
    one(Outreach)
    one(Targeting)
    _noticing(one, settings)
    source: Any = parts.whatsapp if hasattr(parts.whatsapp, "message_templates") else None
    one(
        Templates,
        source=source,
        account=settings.whatsapp.waba_id or (SANDBOX_ACCOUNT if SANDBOX_GRAPH in settings.whatsapp.graph_url else ""),
        uses=settings.templates.map,
        variables={use: variables_of(use) for use in settings.templates.map if not use.startswith(CAMPAIGNS)},
        every=timedelta(hours=settings.templates.sync_hours),
        language=settings.general.language,
        written=partial(_written, settings.templates.file),
    )
    _recovery(one, parts)
    _reengaging(one, parts)
    one(SecondLook)
    one(
        FanningOut,
        quality=BadQuality(
            sample=plans.pause_sample,
            held_back_percent=plans.pause_131049_percent,
            failed_percent=plans.pause_failed_percent,
        ),
        most=plans.max_recipients,
    )
    one(Explaining)
    container.register(Prices, instance=Prices(table=settings.pricing.table))
    one(DryRuns, life_hours=plans.life_hours, zone=settings.general.timezone)
    one(CampaignReports)
    one(
        Analytics,
        days=Days(zone=settings.general.timezone),
        currency=settings.general.currency,
        counted=frozenset(settings.customers.counted_statuses),
    )
    one(
        Broadcasts,
        rate_per_minute=plans.rate_per_minute,
        life_hours=plans.life_hours,
        credit_days=plans.credit_days,
        test_numbers=plans.test_numbers,
        country=settings.general.country or "US",
        zone=settings.general.timezone,
    )


def _written(file: str) -> list[dict[str, Any]]:
    """The templates that the shop has written down beside its settings; none where there is no such file."""
    path = Path(file)
    if not file or not path.is_file():
        return []
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8")).get("template", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is no TOML ({error}); correct it, or set templates.file to another.") from None
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise SettingsError(f"{file} lists templates as [[template]] with name, language and what is to be compared.")
    return told


def _noticing(one: Callable[..., None], settings: Settings) -> None:
    """What is told about orders."""
    ours = settings.notifications
    one(
        Announcing,
        delay=timedelta(seconds=ours.delay_seconds),
        statuses=frozenset(ours.statuses),
    )
    one(
        SeenOrders,
        country=settings.general.country or "US",
        all_orders=ours.scope is Scope.ALL,
    )
    one(
        Noticing,
        templates=settings.templates.map,
        carriers={**CARRIERS, **ours.carriers},
        enabled=ours.enabled,
        off=frozenset(ours.off),
        prefers_text=ours.prefer is Preference.TEXT,
        awake=timedelta(minutes=settings.marketing.quiet_recent_minutes),
        estimated_delivery=ours.estimated_delivery,
        review_url=ours.review_url,
    )


def _recovery(one: Callable[..., None], parts: Parts) -> None:
    """What reminds customers of carts they left lying."""
    settings = parts.settings
    ours = settings.recovery
    one(
        Reminding,
        templates=settings.templates.map,
        enabled=ours.enabled,
        idle=timedelta(minutes=ours.idle_minutes),
        require_opt_in=ours.require_opt_in,
    )
    is_percent = ours.coupon_kind is CouponKind.PERCENT
    one(
        Reminders,
        schedule=Schedule(
            moments=tuple(timedelta(hours=hours) for hours in ours.moments_hours),
            life=timedelta(hours=ours.life_hours),
            gap=timedelta(hours=ours.gap_hours),
        ),
        discount=Discount(
            since=ours.coupon_from,
            percent=ours.coupon_amount if is_percent else None,
            amount=None if is_percent else Money.rounded(ours.coupon_amount, settings.general.currency),
            lasts=timedelta(days=ours.coupon_days),
        ),
        rest=Every(parts.clock, LOOK_SECONDS),
    )
    one(CouponRemoval, rest=Every(parts.clock, 3600.0))


def _reengaging(one: Callable[..., None], parts: Parts) -> None:
    """What brings customers back who have gone quiet, or looked at something that changed."""
    ours = parts.settings.reengagement
    one(
        Reengaging,
        templates=parts.settings.templates.map,
        enabled=ours.enabled,
        terms=Terms(
            inactive_for=timedelta(days=ours.inactive_days),
            view_counts_for=timedelta(days=ours.view_days),
            drop_percent=ours.price_drop_percent,
            loyal_spent=ours.loyalty_spent,
            life=timedelta(hours=ours.life_hours),
        ),
    )
    one(Occasions, run_at=ours.run_at)
    one(
        Reengagements,
        reward=Reward(percent=Decimal(ours.loyalty_percent), lasts=timedelta(days=ours.coupon_days)),
        rest=Every(parts.clock, LOOK_SECONDS),
    )


def _counting(settings: Settings) -> Counting:
    """How order figures and segments are counted."""
    steps = settings.segments
    return Counting(
        home=settings.general.currency,
        statuses=frozenset(settings.customers.counted_statuses),
        silver=steps.silver,
        gold=steps.gold,
        platinum=steps.platinum,
        recovery_window=timedelta(days=settings.recovery.window_days),
        reengagement_window=timedelta(days=settings.reengagement.window_days),
    )
