"""Everything put together: the only place that knows the container."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import punq

from wch.adapters.local_shop import LocalShop
from wch.adapters.qr import SegnoQrCodes
from wch.adapters.sql import SqlDatabase
from wch.adapters.whatsapp.codec import CloudApiCodec
from wch.adapters.woocommerce import WooCommerceWebhooks
from wch.application.account_watch import AccountWatch
from wch.application.accounts import Accounts
from wch.application.ahead import Ahead
from wch.application.arrivals import Arrivals
from wch.application.attachments import Attachments
from wch.application.audit_log import AuditLog
from wch.application.bell import Bell
from wch.application.breakers import Breakers
from wch.application.carts import Carts
from wch.application.catalogue_calls import CatalogueCalls
from wch.application.catalogue_looks import CatalogueLooks
from wch.application.checkup import Checkup
from wch.application.claims import Claims
from wch.application.conversations import Conversations
from wch.application.counting import CountedDatabase
from wch.application.coupon_removal import CouponRemoval
from wch.application.customers import Customers
from wch.application.dead_letters import DeadLetters
from wch.application.dialogue.routing import Dialogue
from wch.application.digests import Digests
from wch.application.discrepancies import Discrepancies
from wch.application.doctor import Doctor
from wch.application.doors import Doors
from wch.application.erasures import Erasures
from wch.application.exports import Exports
from wch.application.failpoints import Failpoints
from wch.application.fanning_out import FanningOut
from wch.application.full_runs import FullRuns
from wch.application.gathering import Gatherer
from wch.application.guarded_payments import GuardedPayments
from wch.application.guarded_shop import GuardedShop
from wch.application.handling import Assistant, Handling
from wch.application.health import Health
from wch.application.housekeeping import Every, Housekeeping
from wch.application.hub import Hub
from wch.application.identities import Identities
from wch.application.importing import Importing
from wch.application.inbox import Inbox
from wch.application.intake import Intake
from wch.application.item_tasks import ItemTasks
from wch.application.keys import Keys
from wch.application.late_payments import LatePayments
from wch.application.limits import Limits
from wch.application.merges import Merges
from wch.application.messages import Messages
from wch.application.notifications import Notifications
from wch.application.observers import Observers, unmeasured
from wch.application.operators import Operators
from wch.application.orders import Orders, PlacementSteps
from wch.application.outbox import Outbox
from wch.application.outcomes import Outcomes
from wch.application.payment_steps import PaymentSteps
from wch.application.payments import IncomingPayments
from wch.application.ports import (
    Clock,
    Database,
    Ids,
    MediaFiles,
    MediaStore,
    Payments,
    QrCodes,
    Shop,
    ShopWebhooks,
    Tracer,
    WebhookWatch,
    WhatsApp,
    WhatsAppCodec,
)
from wch.application.prefetching import Prefetching
from wch.application.product_views import ProductViews
from wch.application.readings import Bounds
from wch.application.reengagements import Reengagements
from wch.application.refunds import REFUND, Refunds, RefundSteps
from wch.application.reminders import Reminders
from wch.application.replays import Replays
from wch.application.requests import Requests
from wch.application.retention import Retention
from wch.application.saga_desk import SagaDesk
from wch.application.sagas import SagaRunner
from wch.application.sent_files import SentFiles
from wch.application.settings_desk import SettingsDesk
from wch.application.settling import Settling
from wch.application.shop_links import ShopLinks
from wch.application.shop_news import ShopNews
from wch.application.shop_watch import ShopWatch
from wch.application.speaking import Speaker
from wch.application.statistics import Statistics
from wch.application.statuses import Statuses
from wch.application.sync_leases import SyncLeases
from wch.application.sync_tasks import SyncTasks
from wch.application.tallies import Tallies
from wch.application.templates import Templates
from wch.application.timed_shop import TimedShop
from wch.application.tombstones import Tombstones
from wch.application.traces import Traces
from wch.application.verification import Verification
from wch.application.watching import Watching
from wch.application.wording import Wording
from wch.application.worker import Worker
from wch.bootstrap.ailments import examine, free_percent
from wch.bootstrap.chosen import OptionRules
from wch.bootstrap.outreach import wire_outreach
from wch.bootstrap.parts import Parts
from wch.bootstrap.resources import MEMORY
from wch.bootstrap.rules import (
    breakers_of,
    item_rules_of,
    kept_for,
    limits_of,
    listing_of,
    missing_for_serving,
    policy_of,
    schema_check,
    talker_of,
    unsigned,
)
from wch.bootstrap.tracing import listening, traced_calls, traced_payments, traced_store
from wch.domain.erasure import ERASURE
from wch.domain.lease import Leasing
from wch.domain.placement import PLACEMENT
from wch.settings import Settings, ShopKind

INGRESS_SECONDS = 8.0
LOOKS_EVERY = timedelta(minutes=5)
"""So often a shop that tells by webhook is asked what changed, since a delivery that failed is never repeated."""


def _hurried(parts: Parts, tallies: Tallies) -> Database:
    """The store for those whom a webhook's sender waits for."""
    database = parts.database
    quick = database.within(timedelta(seconds=INGRESS_SECONDS)) if isinstance(database, SqlDatabase) else database
    return _counted(parts, tallies, quick)


def _counted(parts: Parts, tallies: Tallies, database: Database) -> Database:
    """The store as the rooms have it; a host that reaches for the hub's own is not counted."""
    counted = CountedDatabase(
        database=database, clock=parts.clock, tallies=tallies, currency=parts.settings.general.currency
    )
    return traced_store(counted, parts.tracer)


def wired(parts: Parts) -> Hub:
    """Everything put together; nothing is opened here."""
    tallies = parts.tallies
    parts = attrs.evolve(
        parts, observers=Observers(all=(tallies, *listening(parts.tracer), *map(unmeasured, parts.observers.all)))
    )
    settings = parts.settings
    numbers = settings.whatsapp.phone_number_id or ("*",)
    container = punq.Container()

    def one(service: Any, /, **values: Any) -> None:
        container.register(service, scope=punq.Scope.singleton, **values)

    _ports(container, parts, tallies)
    one(SentFiles)
    one(Speaker, numbers=numbers)
    for part in (Tombstones, Outcomes, Settling):
        one(part)
    one(Statuses, tag=parts.tag)
    one(Gatherer, database=_hurried(parts, tallies))
    _conversing(one, settings, parts.clock)
    _shop_telling(one, parts, tallies)
    one(Intake, numbers=numbers)
    one(Limits, rules=limits_of(settings))
    one(Bell)
    one(Inbox, wake=container.resolve(Bell).ring, tell=parts.observers)
    one(Dialogue, policy=policy_of(settings), talker=talker_of(parts, container), listing=listing_of(parts))
    one(Prefetching, is_on=settings.conversation.media_prefetch)
    container.register(Assistant, factory=lambda: container.resolve(Dialogue))
    one(
        Handling,
        receipts=settings.conversation.read_receipts,
        typing=settings.conversation.typing,
        gather=timedelta(seconds=settings.conversation.gather_seconds),
        most_at_once=settings.worker.concurrency * 4,
        tell=parts.observers,
        fetch_ahead=container.resolve(Prefetching).want,
    )
    wire_outreach(container, one, parts)
    _watching_the_account(one, parts)
    one(
        Outbox,
        pause=asyncio.sleep,
        tell=parts.observers,
        tag=parts.tag,
        most_at_once=settings.worker.concurrency,
    )
    _placing(one, parts, tallies)
    _privacy(one, parts, numbers)
    one(
        SagaRunner,
        definitions={
            PLACEMENT: container.resolve(PlacementSteps).definition(),
            REFUND: container.resolve(RefundSteps).definition(),
            ERASURE: container.resolve(Erasures).definition(),
        },
        failpoints=parts.failpoints,
        tell=parts.observers,
        most_at_once=settings.worker.concurrency,
    )
    one(Notifications)
    _syncing(one, parts)
    one(
        Carts,
        tell=parts.observers,
        idle=timedelta(minutes=settings.recovery.idle_minutes),
        min_total=settings.recovery.min_total,
    )
    duties = (
        Handling,
        Outbox,
        SagaRunner,
        LatePayments,
        Notifications,
        SyncTasks,
        Discrepancies,
        Carts,
        Reminders,
        Reengagements,
        CouponRemoval,
        Templates,
        AccountWatch,
        FanningOut,
        Housekeeping,
        Retention,
        Prefetching,
        *_watched(container, one, parts),
    )
    one(
        Worker,
        duties=tuple(container.resolve(duty) for duty in duties),
        poll_seconds=float(settings.worker.poll_seconds),
        stop_seconds=float(settings.worker.stop_seconds),
    )
    one(ProductViews)
    for telling in (Orders, SagaDesk):
        one(telling, tell=parts.observers)
    for room in (DeadLetters, Statistics, Verification):
        one(room)
    one(AuditLog, zone=settings.general.timezone)
    _people(container, parts, one)
    _programs(parts, one)
    container.register(Doors, instance=_doors(settings))
    one(Hub, currency=settings.general.currency, database=parts.database, shop=container.resolve(_UntimedShop))
    hub: Hub = container.resolve(Hub)
    return hub


def _syncing(one: Callable[..., None], parts: Parts) -> None:
    """What keeps shop, facts and catalogue in step."""
    settings = parts.settings
    one(CatalogueLooks, catalogue=parts.catalogue, rules=item_rules_of(settings))
    one(CatalogueCalls, pause=asyncio.sleep)
    one(SyncLeases, tell=parts.observers)
    one(ItemTasks, low_stock=settings.shop.low_stock, tell=parts.observers)
    one(FullRuns)
    one(
        Discrepancies,
        alarm_above=settings.catalog.discrepancy_alert,
        zone=settings.general.timezone,
        rest=Every(parts.clock, 60.0),
    )
    one(ShopLinks)
    one(SyncTasks, most_at_once=50)


class _UntimedShop:
    """The name under which the container has the shop that the hub shows; hosts may ask which one it is."""


def _ports(container: punq.Container, parts: Parts, tallies: Tallies) -> None:
    """What was opened, under the names by which it is asked for."""
    database = _counted(parts, tallies, parts.database)
    container.register(Database, instance=database)
    container.register(Tallies, instance=tallies)
    container.register(Clock, instance=parts.clock)
    container.register(Ids, instance=parts.ids)
    container.register(Tracer, instance=parts.tracer)
    container.register(WhatsApp, instance=traced_calls(parts.whatsapp, WhatsApp, parts.tracer))
    container.register(MediaFiles, instance=parts.media_files)
    container.register(MediaStore, instance=parts.media_store)
    container.register(WhatsAppCodec, instance=CloudApiCodec(secrets=_app_secrets(parts)))
    container.register(Failpoints, instance=parts.failpoints)
    container.register(Leasing, instance=_leasing(parts.settings))
    keys = parts.keys if parts.keys is not None else secret_keys(parts.settings, parts.ids)
    container.register(Digests, instance=Digests(keys=keys))
    breakers = Breakers(
        database=database,
        clock=parts.clock,
        rules=breakers_of(parts.settings),
        failpoints=parts.failpoints,
        tallies=tallies,
    )
    container.register(Breakers, instance=breakers)
    shop = _shop(parts, breakers)
    container.register(_UntimedShop, instance=shop)
    container.register(Shop, instance=TimedShop(traced_calls(shop, Shop, parts.tracer), parts.clock, tallies))
    guarded = GuardedPayments(payments=parts.payments, breakers=breakers)
    container.register(Payments, instance=traced_payments(guarded, parts.tracer))


def _leasing(settings: Settings) -> Leasing:
    """How long work is held, and how it is tried again."""
    worker = settings.worker
    return Leasing(term=timedelta(seconds=worker.lease_seconds), waits=worker.backoff_seconds)


def _watched(container: punq.Container, one: Callable[..., None], parts: Parts) -> tuple[type, ...]:
    """The duty that looks after a shop's webhooks, where the shop has some."""
    if parts.settings.shop.kind is not ShopKind.WOOCOMMERCE or not hasattr(parts.shop, "disabled_webhooks"):
        return ()
    container.register(WebhookWatch, instance=parts.shop)
    one(ShopWatch, reactivate=parts.settings.woocommerce.reactivate)
    return (ShopWatch,)


def _shop(parts: Parts, breakers: Breakers) -> Shop:
    """A shop that is somewhere else stands behind the breaker; one in the hub's own database fails with it."""
    if parts.settings.shop.kind is not ShopKind.WOOCOMMERCE:
        return parts.shop
    return GuardedShop(shop=parts.shop, breakers=breakers, clock=parts.clock, looks_every=LOOKS_EVERY)


def _placing(one: Callable[..., None], parts: Parts, tallies: Tallies) -> None:
    """The placement and its money: there, late, and back."""
    settings = parts.settings
    one(PlacementSteps)
    one(QrCodes, instance=SegnoQrCodes())
    one(PaymentSteps, wait=timedelta(minutes=settings.checkout.deadline_minutes))
    one(RefundSteps)
    one(LatePayments, tell=parts.observers)
    one(IncomingPayments, database=_hurried(parts, tallies))
    one(Refunds)


def _conversing(one: Callable[..., None], settings: Settings, clock: Clock) -> None:
    """What comes from WhatsApp, and what people do about it."""
    one(
        Arrivals,
        keeps_history=settings.whatsapp.import_history,
        reopens_within=timedelta(hours=settings.conversation.reopen_hours),
    )
    one(Accounts, waba_id=settings.whatsapp.waba_id)
    one(Identities)
    one(Attachments)
    one(Wording)
    one(Replays, policy=policy_of(settings))
    one(Conversations, receipts=settings.conversation.read_receipts)
    one(
        Housekeeping,
        resolve_after=timedelta(hours=settings.conversation.resolve_hours),
        person_silent_for=timedelta(hours=settings.conversation.handback_hours),
        phone_app_silent_for=timedelta(minutes=settings.conversation.phone_app_handback_minutes),
        silent_percent=settings.health.silent_percent,
        rest=Every(clock, 30.0),
    )


def _shop_telling(one: Callable[..., None], parts: Parts, tallies: Tallies) -> None:
    """What the shop tells; without a secret it is signed with a word that nobody knows, so that none is believed."""
    secret = parts.settings.woocommerce.webhook_secret or parts.ids.token()
    one(ShopWebhooks, instance=WooCommerceWebhooks(secret=secret))
    one(ShopNews, database=_hurried(parts, tallies))


def _people(container: punq.Container, parts: Parts, one: Callable[..., None]) -> None:
    """What the pages for people ask beside the rooms of the trade."""
    settings = parts.settings
    one(Traces)
    one(Watching)
    one(Ahead)
    one(Doctor, examine=lambda: examine(settings, checkup=container.resolve(Checkup)))
    one(SettingsDesk, rules=OptionRules(given=settings if parts.given is None else parts.given))
    one(Operators, stays=timedelta(hours=settings.security.sign_in_hours))


def _watching_the_account(one: Callable[..., None], parts: Parts) -> None:
    """The duty that asks how token and numbers stand, where there is a token."""
    ours, keys = parts.settings.whatsapp, parts.keys or parts.settings.security.secret_key
    one(
        AccountWatch,
        source=parts.account,
        numbers=tuple(number for number in ours.phone_number_id if number != "*"),
        token=Digests(keys=keys).short(ours.access_token) if keys and ours.access_token else "",
        days=parts.settings.health.token_days,
        rest=Every(parts.clock, 60.0),
    )


def _programs(parts: Parts, one: Callable[..., None]) -> None:
    """What people and programs ask for beside the work: customers, messages, keys, repeated requests, health."""
    one(Customers, country=parts.settings.general.country or "US")
    for room in (Messages, Keys, Requests):
        one(room)
    one(Claims, gateways=tuple(parts.settings.payments.enabled))
    check = schema_check(parts.database)
    one(Health, schema=check, missing=missing_for_serving(parts.settings))
    names = [field.name for field in attrs.fields(Bounds)]
    bounds = Bounds(**{name: getattr(parts.settings.health, name) for name in names})
    one(
        Checkup,
        schema=check,
        bounds=bounds,
        unsigned=unsigned(parts.settings),
        free=partial(free_percent, parts.settings),
        tell=parts.observers,
        sightings=parts.sightings,
        more=parts.checks,
    )


def _privacy(one: Callable[..., None], parts: Parts, numbers: tuple[str, ...]) -> None:
    """Erasing and exporting reach what the built-in shop keeps too; any other shop has its own way."""
    keepers = (parts.shop,) if isinstance(parts.shop, LocalShop) else ()
    country = parts.settings.general.country or "US"
    one(Erasures, keepers=keepers, numbers=numbers, country=country)
    one(Exports, keepers=keepers, country=country)
    one(Merges, country=country)
    one(Importing, currency=parts.settings.general.currency)
    one(Retention, kept=kept_for(parts.settings))


def secret_keys(settings: Settings, ids: Ids) -> tuple[str, ...]:
    """The secret keys; a store that forgets needs none of its own."""
    keys = settings.security.secret_key
    if keys or not settings.database.url.startswith(MEMORY):
        return keys
    return (ids.token(),)


def _app_secrets(parts: Parts) -> tuple[str, ...]:
    """What deliveries are signed with; without any, a word that nobody knows, so that none is believed."""
    return parts.settings.whatsapp.app_secret or (parts.ids.token(),)


def _doors(settings: Settings) -> Doors:
    """The terms on which people and deliveries are let in."""
    return Doors(
        verify_token=settings.whatsapp.verify_token,
        max_bytes=settings.ingress.max_bytes,
        read_seconds=float(settings.ingress.read_seconds),
        console=settings.console.enabled,
        streams=settings.console.streams,
    )
