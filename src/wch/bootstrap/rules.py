"""The settings as the rules that rooms take."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import punq

from wch.adapters.sql import SqlDatabase, schema
from wch.application.breakers import Breakers
from wch.application.dialogue.hours import hours_from_json
from wch.application.dialogue.listing import Listing
from wch.application.dialogue.model import Talker
from wch.application.dialogue.policy import Policy
from wch.application.ports import (
    Database,
)
from wch.application.retention import Kept
from wch.application.texts import LANGUAGES
from wch.bootstrap.parts import Parts
from wch.domain.catalogue_item import ItemRules
from wch.domain.circuit_breaker import BreakerRule
from wch.domain.errors import SettingsError
from wch.domain.rate_limit import RateLimit
from wch.settings import CatalogueId, Settings


def _spoken(settings: Settings) -> tuple[str, ...]:
    """The languages that the shop serves, of those that there are words in; its own is always one of them."""
    own, wanted = settings.general.language, settings.general.languages
    return tuple(one for one in LANGUAGES if one in wanted or one == own) or LANGUAGES[:1]


def policy_of(settings: Settings) -> Policy:
    """What the shop has decided about its assistant."""
    talk = settings.conversation
    return Policy(
        language=settings.general.language,
        languages=_spoken(settings),
        country=settings.general.country or "US",
        catalog_id=settings.whatsapp.catalog_id or None,
        bot_enabled=talk.bot_enabled,
        hours=hours_from_json(talk.hours) if talk.hours else None,
        misses_to_handoff=talk.misses_to_handoff,
        few=settings.shop.low_stock,
        most_per_line=settings.cart.max_per_line,
        min_total=settings.checkout.min_total or None,
        max_total=settings.checkout.max_total or None,
        cancel_within=timedelta(minutes=settings.checkout.cancel_minutes),
        person_silent_for=timedelta(hours=talk.handback_hours),
        phone_app_silent_for=timedelta(minutes=talk.phone_app_handback_minutes),
    )


def talker_of(parts: Parts, container: punq.Container) -> Talker | None:
    """The language model, if the host brought one and the settings want it asked."""
    wanted = parts.settings.assistant
    if parts.model is None or not wanted.enabled:
        return None
    breakers: Breakers = container.resolve(Breakers)
    return Talker(
        model=parts.model,
        database=parts.database,
        clock=parts.clock,
        breakers=breakers,
        calls_per_hour=wanted.calls_per_hour,
        budget=wanted.monthly_budget,
        input_price=wanted.input_price,
        output_price=wanted.output_price,
    )


def item_rules_of(settings: Settings) -> ItemRules:
    """Which products are in the catalogue, and what names them there."""
    ours = settings.catalog
    return ItemRules(
        by_sku=ours.id is CatalogueId.SKU,
        include=frozenset(name.casefold() for name in ours.include),
        exclude=frozenset(name.casefold() for name in ours.exclude),
    )


def listing_of(parts: Parts) -> Listing | None:
    """The linked catalogue, where its own product cards are wanted instead of pages."""
    catalog_id = parts.settings.whatsapp.catalog_id
    wanted = parts.settings.conversation.catalogue_messages and catalog_id
    return Listing(database=parts.database, catalog_id=catalog_id) if wanted else None


def kept_for(settings: Settings) -> Kept:
    """How long each class is kept."""
    days = settings.retention
    return Kept(
        raw=days.raw_days,
        message=days.message_days,
        context=days.context_days,
        cart_expired=days.cart_expired_days,
        cart_recovered=days.cart_recovered_days,
        view=days.view_days,
        contact=days.contact_days,
        saga=days.saga_days,
        dead_letter=days.dead_letter_days,
        sync=days.sync_days,
        audit=days.audit_days,
        profile=days.profile_days,
    )


def limits_of(settings: Settings) -> dict[str, RateLimit]:
    """The windows that are limited, by name."""
    return {
        name: RateLimit(name=name, most=window.count, seconds=window.seconds)
        for name in ("webhook", "api", "admin", "auth", "message_send", "broadcast", "export")
        if (window := getattr(settings.limits, name)) is not None
    }


def breakers_of(settings: Settings) -> dict[str, BreakerRule]:
    """The breakers whose rules were changed, by name."""
    return {
        name: BreakerRule(failures=trip.failures, successes=trip.successes, timeout=timedelta(seconds=trip.seconds))
        for name in ("whatsapp", "shop", "payments", "assistant")
        if (trip := getattr(settings.breakers, name)) is not None
    }


def missing_for_serving(settings: Settings) -> tuple[str, ...]:
    """The names of secrets that `serve` needs and that are not set."""
    try:
        settings.require_for_serving()
    except SettingsError as error:
        return tuple(str(fault) for fault in error.facts.get("faults", ("secrets",)))
    return ()


def unsigned(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The names of secrets that are not set, by the partner whose deliveries cannot be believed without."""
    missing = missing_for_serving(settings)
    secrets = tuple(one.partition(":")[0] for one in missing if "_WEBHOOK_SECRET" in one)
    shop = tuple(one for one in secrets if one.startswith("WCH_WOOCOMMERCE"))
    return {"shop": shop, "payments": tuple(one for one in secrets if one not in shop)}


def schema_check(database: Database) -> Callable[[], Awaitable[object]]:
    """What raises when the tables are not of this version."""

    async def nothing() -> None:
        """A store in memory has no version."""

    if isinstance(database, SqlDatabase):
        held = database

        async def check() -> str:
            return await schema.require(held)

        return check
    return nothing
