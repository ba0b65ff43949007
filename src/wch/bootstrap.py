"""Putting a hub together: resources are opened first, then everything is wired from them."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import punq
from sqlalchemy.engine import make_url

from wch.adapters.clock import ShiftedClock, SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.local_shop import LocalShop, create, drop, shop_metadata
from wch.adapters.memory import MemoryDatabase, MemoryMediaStore
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.adapters.sql import SqlDatabase, schema
from wch.adapters.whatsapp.codec import CloudApiCodec
from wch.adapters.woocommerce import WooCommerceWebhooks
from wch.application.accounts import LIMITS, UNLIMITED, Accounts
from wch.application.arrivals import Arrivals
from wch.application.attachments import Attachments
from wch.application.bell import Bell
from wch.application.breakers import Breakers
from wch.application.broadcasts import Broadcasts
from wch.application.carts import Carts
from wch.application.checkup import Bounds, Checkup
from wch.application.conversations import Conversations
from wch.application.customers import Customers
from wch.application.dead_letters import DeadLetters
from wch.application.dialogue.hours import hours_from_json
from wch.application.dialogue.model import Talker
from wch.application.dialogue.policy import Policy
from wch.application.dialogue.routing import Dialogue
from wch.application.digests import Digests
from wch.application.doctor import Complaint, Doctor, SettingLine
from wch.application.doors import Doors
from wch.application.erasures import Erasures
from wch.application.explaining import Explaining
from wch.application.exports import Exports
from wch.application.failpoints import Failpoints
from wch.application.fanning_out import BadQuality, FanningOut, Targeting
from wch.application.gathering import Gatherer
from wch.application.guarded_payments import GuardedPayments
from wch.application.handling import Assistant, Handling
from wch.application.health import Health
from wch.application.housekeeping import Every, Housekeeping
from wch.application.hub import Hub
from wch.application.identities import Identities
from wch.application.inbox import Inbox
from wch.application.intake import Intake
from wch.application.keys import Keys
from wch.application.late_payments import LatePayments
from wch.application.limits import Limits
from wch.application.merges import Merges
from wch.application.messages import Messages
from wch.application.notifications import PARAMETERS, Notifications
from wch.application.observers import Observers
from wch.application.operators import Operators
from wch.application.orders import Orders, PlacementSteps
from wch.application.outbox import Outbox
from wch.application.outcomes import Outcomes
from wch.application.outreach import Manners, Outreach
from wch.application.payment_steps import PaymentSteps
from wch.application.payments import IncomingPayments
from wch.application.ports import (
    Clock,
    Database,
    Gateway,
    Ids,
    MediaFiles,
    MediaStore,
    Model,
    Observer,
    Payments,
    Shop,
    ShopWebhooks,
    UnitOfWork,
    WhatsApp,
    WhatsAppCodec,
)
from wch.application.refunds import REFUND, Refunds, RefundSteps
from wch.application.reminders import Discount, Reminders
from wch.application.reminding import Reminding
from wch.application.replays import Replays
from wch.application.requests import Requests
from wch.application.retention import Kept, Retention
from wch.application.saga_desk import SagaDesk
from wch.application.sagas import SagaRunner
from wch.application.second_look import SecondLook
from wch.application.settling import Settling
from wch.application.shop_news import ShopNews
from wch.application.speaking import Speaker
from wch.application.statistics import Statistics
from wch.application.statuses import Statuses
from wch.application.sync_tasks import SyncTasks
from wch.application.templates import Templates
from wch.application.tombstones import Tombstones
from wch.application.traces import Traces
from wch.application.verification import Verification
from wch.application.watching import Watching
from wch.application.worker import Worker
from wch.domain.attachment import Attachment, AttachmentError
from wch.domain.catalogue import ShopFacts
from wch.domain.circuit_breaker import BreakerRule
from wch.domain.document import document
from wch.domain.erasure import ERASURE
from wch.domain.errors import SchemaError, SettingsError, StoreUnavailableError
from wch.domain.money import Money
from wch.domain.order_figures import Counting
from wch.domain.placement import PLACEMENT
from wch.domain.rate_limit import RateLimit
from wch.domain.recovery import Schedule
from wch.settings import Settings, WayToPay
from wch.settings.choices import TEMPLATES as USES
from wch.settings.choices import CouponKind

MEMORY = "memory://"
TAG = "hub.tag"
SANDBOX_ACCOUNT = "200000000000002"
SANDBOX_GRAPH = "/sandbox/graph"
"""What the address of the simulated Graph API ends with."""

SANDBOX_CLOCK = "sandbox.clock"
CLOCK_SECONDS = 60.0
INGRESS_SECONDS = 8.0
SANDBOX_CLOCK_SECONDS = 1.0
SYNCHRONOUS_FULL = 2


# --- a hub


@asynccontextmanager
async def open_hub(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    whatsapp: WhatsApp | None = None,
    shop: Shop | None = None,
    payments: Payments | None = None,
    media: MediaStore | None = None,
    model: Model | None = None,
    database: Database | None = None,
    observers: Sequence[Observer] = (),
    install: bool = False,
    sandbox: bool = False,
) -> AsyncIterator[Hub]:
    """Open a hub; everything is given back when the block ends.

    Args:
        settings: what can be set.
        clock: the host's own clock.
        ids: the host's own chance.
        whatsapp: the host's own WhatsApp.
        shop: the host's own shop.
        payments: the host's own ways to pay.
        model: a language model for what nobody else understood, asked when `assistant.enabled` says so.
        media: where the host keeps files of customers; None keeps the latest in memory.
        database: the host's own store, such as a `SqlDatabase` over its engine.
        observers: who hears facts after the commit.
        install: make the tables in a database that has none yet.
        sandbox: follow the sandbox's clock.

    Raises:
        SettingsError: a setting is missing or wrong.
        SchemaError: the tables are missing, or of another version.
        StoreUnavailableError: the database does not answer.
    """
    async with contextlib.AsyncExitStack() as stack:
        chance = ids if ids is not None else SystemIds()
        system = SystemClock()
        time: Clock = clock if clock is not None else system
        shifted = ShiftedClock(time) if sandbox else None
        time = shifted if shifted is not None else time
        failpoints = Failpoints.read(settings.security.failpoints, testing=settings.security.testing)
        store, shop_store = await _stores(settings, time, chance, failpoints, database, stack, install=install)
        if isinstance(store, SqlDatabase):
            system.correct(await store.clock_offset())
            stack.push_async_callback(_stopped, asyncio.create_task(_keep_time(system, store)))
        if shifted is not None:
            await _read_shift(store, shifted)
            stack.push_async_callback(_stopped, asyncio.create_task(_follow_shift(store, shifted)))
        sold = shop if shop is not None else await _shop(settings, shop_store, time)
        if whatsapp is None:
            whatsapp = _whatsapp(settings, stack)
        parts = Parts(
            settings=settings,
            database=store,
            clock=time,
            ids=chance,
            whatsapp=whatsapp,
            shop=sold,
            payments=payments if payments is not None else _payments(settings, stack),
            model=model,
            media_files=_media_files(settings, stack),
            media_store=media if media is not None else MemoryMediaStore(),
            observers=Observers(all=tuple(observers)),
            failpoints=failpoints,
            tag=await _tag(store, chance),
        )
        yield wired(parts)


@attrs.frozen(kw_only=True)
class Parts:
    """The opened resources that a hub is made of."""

    settings: Settings
    database: Database
    clock: Clock
    ids: Ids
    whatsapp: WhatsApp
    media_files: MediaFiles = attrs.field(factory=lambda: _NoFiles())  # noqa: PLW0108 - it is made further down
    media_store: MediaStore = attrs.field(factory=MemoryMediaStore)
    model: Model | None = None
    shop: Shop
    payments: Payments
    observers: Observers
    failpoints: Failpoints
    tag: str


def _hurried(database: Database) -> Database:
    """The store for those whom a webhook's sender waits for."""
    return database.within(timedelta(seconds=INGRESS_SECONDS)) if isinstance(database, SqlDatabase) else database


def wired(parts: Parts) -> Hub:
    """Everything put together; nothing is opened here."""
    settings = parts.settings
    numbers = settings.whatsapp.phone_number_id or ("*",)
    container = punq.Container()

    def one(service: Any, /, **values: Any) -> None:
        container.register(service, scope=punq.Scope.singleton, **values)

    _ports(container, parts)
    one(Speaker, numbers=numbers)
    for part in (Tombstones, Outcomes, Settling):
        one(part)
    one(Statuses, tag=parts.tag)
    one(Gatherer, database=_hurried(parts.database))
    _conversing(one, settings, parts.clock)
    _shop_telling(one, parts)
    one(Intake, numbers=numbers)
    one(Limits, rules=_limits(settings))
    one(Bell)
    one(Inbox, wake=container.resolve(Bell).ring, tell=parts.observers)
    one(Dialogue, policy=_policy(settings), talker=_talker(parts, container))
    container.register(Assistant, factory=lambda: container.resolve(Dialogue))
    one(
        Handling,
        receipts=settings.conversation.read_receipts,
        typing=settings.conversation.typing,
        most_at_once=settings.worker.concurrency * 4,
        tell=parts.observers,
    )
    _outreach(container, one, parts)
    one(
        Outbox,
        pause=asyncio.sleep,
        tag=parts.tag,
        number_rate=settings.whatsapp.number_rate,
        most_at_once=settings.worker.concurrency,
    )
    _placing(one, parts)
    _privacy(one, parts, numbers)
    one(
        SagaRunner,
        definitions={
            PLACEMENT: container.resolve(PlacementSteps).definition(),
            REFUND: container.resolve(RefundSteps).definition(),
            ERASURE: container.resolve(Erasures).definition(),
        },
        failpoints=parts.failpoints,
        most_at_once=settings.worker.concurrency,
    )
    one(Notifications, language=settings.general.language)
    one(SyncTasks, most_at_once=50)
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
        Carts,
        Reminders,
        Templates,
        FanningOut,
        Housekeeping,
        Retention,
    )
    one(
        Worker,
        duties=tuple(container.resolve(duty) for duty in duties),
        poll_seconds=float(settings.worker.poll_seconds),
        stop_seconds=float(settings.worker.stop_seconds),
    )
    for room in (Orders, SagaDesk, DeadLetters, Statistics, Verification):
        one(room)
    _people(settings, one)
    _programs(parts, one)
    container.register(Doors, instance=_doors(settings))
    one(Hub, currency=settings.general.currency)
    hub: Hub = container.resolve(Hub)
    return hub


def _placing(one: Callable[..., None], parts: Parts) -> None:
    """The placement and its money: there, late, and back."""
    settings = parts.settings
    one(PlacementSteps)
    one(PaymentSteps, wait=timedelta(minutes=settings.checkout.deadline_minutes))
    one(RefundSteps)
    one(LatePayments)
    one(IncomingPayments, database=_hurried(parts.database))
    one(Refunds)


def _ports(container: punq.Container, parts: Parts) -> None:
    """What was opened, under the names by which it is asked for."""
    container.register(Database, instance=parts.database)
    container.register(Clock, instance=parts.clock)
    container.register(Ids, instance=parts.ids)
    container.register(WhatsApp, instance=parts.whatsapp)
    container.register(MediaFiles, instance=parts.media_files)
    container.register(MediaStore, instance=parts.media_store)
    container.register(WhatsAppCodec, instance=CloudApiCodec(secrets=_app_secrets(parts)))
    container.register(Shop, instance=parts.shop)
    container.register(Failpoints, instance=parts.failpoints)
    container.register(Digests, instance=Digests(keys=_keys(parts)))
    breakers = Breakers(
        database=parts.database, clock=parts.clock, rules=_breakers(parts.settings), failpoints=parts.failpoints
    )
    container.register(Breakers, instance=breakers)
    container.register(Payments, instance=GuardedPayments(payments=parts.payments, breakers=breakers))


def _programs(parts: Parts, one: Callable[..., None]) -> None:
    """What people and programs ask for beside the work: customers, messages, keys, repeated requests, health."""
    one(Customers, country=parts.settings.general.country or "US")
    for room in (Messages, Keys, Requests):
        one(room)
    schema_check = _schema_check(parts.database)
    one(Health, schema=schema_check, missing=missing_for_serving(parts.settings))
    names = [field.name for field in attrs.fields(Bounds)]
    bounds = Bounds(**{name: getattr(parts.settings.health, name) for name in names})
    one(Checkup, schema=schema_check, bounds=bounds, tell=parts.observers)


def _privacy(one: Callable[..., None], parts: Parts, numbers: tuple[str, ...]) -> None:
    """Erasing and exporting reach what the built-in shop keeps too; any other shop has its own way."""
    keepers = (parts.shop,) if isinstance(parts.shop, LocalShop) else ()
    country = parts.settings.general.country or "US"
    one(Erasures, keepers=keepers, numbers=numbers, country=country)
    one(Exports, keepers=keepers, country=country)
    one(Merges, country=country)
    one(Retention, kept=_kept(parts.settings))


def _counting(settings: Settings) -> Counting:
    """How order figures and segments are counted."""
    steps = settings.segments
    return Counting(
        home=settings.general.currency,
        statuses=frozenset(settings.customers.counted_statuses),
        silver=steps.silver,
        gold=steps.gold,
        platinum=steps.platinum,
    )


def _outreach(container: punq.Container, one: Callable[..., None], parts: Parts) -> None:
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
    one(Outreach)
    one(Targeting)
    source: Any = parts.whatsapp if hasattr(parts.whatsapp, "message_templates") else None
    one(
        Templates,
        source=source,
        account=settings.whatsapp.waba_id or (SANDBOX_ACCOUNT if SANDBOX_GRAPH in settings.whatsapp.graph_url else ""),
        uses=settings.templates.map,
        variables={use: PARAMETERS[name] for use, name in USES.items() if name in PARAMETERS},
        every=timedelta(hours=settings.templates.sync_hours),
        language=settings.general.language,
    )
    _recovery(one, settings)
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
    one(
        Broadcasts,
        rate_per_minute=plans.rate_per_minute,
        life_hours=plans.life_hours,
        credit_days=plans.credit_days,
        prices=settings.pricing.table,
        country=settings.general.country or "US",
        zone=settings.general.timezone,
    )


def _recovery(one: Callable[..., None], settings: Settings) -> None:
    """What reminds customers of carts they left lying."""
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
    )


def _kept(settings: Settings) -> Kept:
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
    )


def _setting_lines(settings: Settings) -> list[SettingLine]:
    return [
        SettingLine(
            name=f"{row.section}.{row.key}",
            value=row.value,
            origin=row.origin,
            meaning=row.meaning,
        )
        for row in settings.describe()
    ]


async def _complaints(settings: Settings) -> list[Complaint]:
    return [Complaint(severity=one.severity, what=one.what, way_out=one.way_out) for one in await examine(settings)]


def _doors(settings: Settings) -> Doors:
    """The terms on which people and deliveries are let in."""
    return Doors(
        verify_token=settings.whatsapp.verify_token,
        max_bytes=settings.ingress.max_bytes,
        read_seconds=float(settings.ingress.read_seconds),
        console=settings.console.enabled,
        streams=settings.console.streams,
    )


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
    one(Replays, policy=_policy(settings))
    one(Conversations, receipts=settings.conversation.read_receipts)
    one(
        Housekeeping,
        resolve_after=timedelta(hours=settings.conversation.resolve_hours),
        person_silent_for=timedelta(hours=settings.conversation.handback_hours),
        phone_app_silent_for=timedelta(minutes=settings.conversation.phone_app_handback_minutes),
        rest=Every(clock, 30.0),
    )


def _shop_telling(one: Callable[..., None], parts: Parts) -> None:
    """What the shop tells; without a secret it is signed with a word that nobody knows, so that none is believed."""
    secret = parts.settings.woocommerce.webhook_secret or parts.ids.token()
    one(ShopWebhooks, instance=WooCommerceWebhooks(secret=secret))
    one(ShopNews, database=_hurried(parts.database))


def _people(settings: Settings, one: Callable[..., None]) -> None:
    """What the pages for people ask beside the rooms of the trade."""
    one(Traces)
    one(Watching)
    one(Doctor, settings=lambda: _setting_lines(settings), examine=lambda: _complaints(settings))
    one(Operators, stays=timedelta(hours=settings.security.sign_in_hours))


def _talker(parts: Parts, container: punq.Container) -> Talker | None:
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


def _policy(settings: Settings) -> Policy:
    """What the shop has decided about its assistant."""
    talk = settings.conversation
    return Policy(
        language=settings.general.language,
        country=settings.general.country or "US",
        catalog_id=settings.whatsapp.catalog_id or None,
        bot_enabled=talk.bot_enabled,
        hours=hours_from_json(talk.hours) if talk.hours else None,
        misses_to_handoff=talk.misses_to_handoff,
        most_per_line=settings.cart.max_per_line,
        min_total=settings.checkout.min_total or None,
        max_total=settings.checkout.max_total or None,
        cancel_within=timedelta(minutes=settings.checkout.cancel_minutes),
        person_silent_for=timedelta(hours=talk.handback_hours),
        phone_app_silent_for=timedelta(minutes=talk.phone_app_handback_minutes),
    )


# --- the resources


async def _stores(  # noqa: PLR0917 - private: what a store is made of
    settings: Settings,
    clock: Clock,
    ids: Ids,
    failpoints: Failpoints,
    handed: Database | None,
    stack: contextlib.AsyncExitStack,
    *,
    install: bool,
) -> tuple[Database, SqlDatabase]:
    """The hub's store, and where the built-in shop keeps its tables."""
    if isinstance(handed, SqlDatabase):
        return handed, handed
    if handed is not None or settings.database.url.startswith(MEMORY):
        beside = SqlDatabase.open(
            "sqlite:///:memory:", prefix=settings.database.table_prefix, now=clock.now, token=ids.token, inline=True
        )
        stack.push_async_callback(beside.aclose)
        return handed if handed is not None else MemoryDatabase(), beside
    database = _sql(settings, clock, ids, failpoints)
    stack.push_async_callback(database.aclose)
    if install and await schema.version(database) is None:
        await _install(settings, database, clock)
    await schema.require(database)
    return database, database


def _sql(settings: Settings, clock: Clock, ids: Ids, failpoints: Failpoints) -> SqlDatabase:
    return SqlDatabase.open(
        settings.database.url,
        prefix=settings.database.table_prefix,
        now=clock.now,
        token=ids.token,
        host_now=SystemClock().host,
        pool_size=settings.database.pool_size,
        failpoint=failpoints,
    )


async def _shop(settings: Settings, database: SqlDatabase, clock: Clock) -> Shop:
    if settings.shop.kind != "local":
        raise SettingsError("WCH_SHOP: this version sells from its built-in shop only; set it to local.")
    shop = _local_shop(settings, database, clock)
    if settings.database.url.startswith(MEMORY):
        await shop.install(with_samples=True)
    return shop


def _local_shop(settings: Settings, database: SqlDatabase, clock: Clock) -> LocalShop:
    return LocalShop(
        database=database,
        clock=clock,
        facts=ShopFacts(
            name=settings.general.business_name,
            currency=settings.general.currency,
            country=settings.general.country,
            sells_to=(),
            timezone=settings.general.timezone,
            prices_include_tax=False,
        ),
        secret=(settings.security.secret_key or ("",))[0].encode(),
    )


def _payments(settings: Settings, stack: contextlib.AsyncExitStack) -> Payments:
    """The ways to pay that are switched on; those that call somebody share one client."""
    online = _Online(settings, stack)
    return SwitchedOnPayments(
        tuple(_cash(settings) if way is WayToPay.COD else online.gateway(way) for way in settings.payments.enabled)
    )


class _Online:
    """Makes the gateways that call somebody; they share one client."""

    def __init__(self, settings: Settings, stack: contextlib.AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._http: Any = None

    def gateway(self, way: WayToPay) -> Gateway:
        try:
            from wch.adapters.payments import calling, mercadopago, razorpay, stripe  # noqa: PLC0415 - need the extra `http`
        except ModuleNotFoundError as missing:
            raise SettingsError(
                f"WCH_PAYMENTS: {way} needs the package {missing.name}; install it with: pip install 'wch[http]'."
            ) from missing
        if self._http is None:
            self._http = calling.client()
            self._stack.push_async_callback(self._http.aclose)
        if way is WayToPay.STRIPE:
            own = self._settings.stripe
            return stripe.Stripe(
                api=calling.GatewayApi(
                    http=self._http, root=own.url, headers={"Authorization": f"Bearer {own.secret_key}"}
                ),
                secrets=own.webhook_secret,
                methods=own.methods,
            )
        if way is WayToPay.RAZORPAY:
            key = self._settings.razorpay
            return razorpay.Razorpay(
                api=calling.GatewayApi(http=self._http, root=key.url, auth=(key.key_id, key.key_secret)),
                secrets=key.webhook_secret,
                currencies=frozenset(key.currencies),
            )
        if way is WayToPay.MERCADOPAGO:
            pix = self._settings.mercadopago
            return mercadopago.MercadoPago(
                api=calling.GatewayApi(
                    http=self._http, root=pix.url, headers={"Authorization": f"Bearer {pix.access_token}"}
                ),
                secrets=pix.webhook_secret,
                payer_email=pix.payer_email,
            )
        raise SettingsError(f"WCH_PAYMENTS: this version does not take {way}.")


def _cash(settings: Settings) -> CashOnDelivery:
    currency = settings.general.currency
    return CashOnDelivery(
        fee=Money.rounded(settings.cod.fee, currency) if settings.cod.fee else None,
        max_total=Money.rounded(settings.cod.max_total, currency) if settings.cod.max_total else None,
        excluded_countries=frozenset(settings.cod.excluded_countries),
    )


def _whatsapp(settings: Settings, stack: contextlib.AsyncExitStack) -> WhatsApp:
    """The Cloud API; without the extra `http` nothing can be sent, and a call says so."""
    try:
        from wch.adapters.whatsapp.client import CloudApiWhatsApp  # noqa: PLC0415 - needs the extra `http`
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"Sending needs the package {missing.name}; install it with: pip install 'wch[http]', or hand over a WhatsApp."
        ) from missing
    client = CloudApiWhatsApp(
        graph_url=settings.whatsapp.graph_url,
        version=settings.whatsapp.graph_version,
        access_token=settings.whatsapp.access_token,
        timeout_seconds=float(settings.whatsapp.timeout_seconds),
    )
    stack.push_async_callback(client.aclose)
    return client


class _NoFiles:
    """Files need the extra `http`; without it none comes or goes."""

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = 0) -> Attachment:  # noqa: ARG002 - the port's arguments
        raise AttachmentError(code="unavailable")

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:  # noqa: ARG002 - as above
        raise AttachmentError(code="unavailable")


def _media_files(settings: Settings, stack: contextlib.AsyncExitStack) -> MediaFiles:
    """Files over the Cloud API, with connections of their own that follow no redirect."""
    try:
        import httpx2  # noqa: PLC0415 - needs the extra `http`

        from wch.adapters.whatsapp.media import CloudApiMedia  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        return _NoFiles()
    http = httpx2.AsyncClient(timeout=30.0, follow_redirects=False, trust_env=False)
    stack.push_async_callback(http.aclose)
    whatsapp = settings.whatsapp
    return CloudApiMedia(
        graph_url=whatsapp.graph_url, version=whatsapp.graph_version, access_token=whatsapp.access_token, http=http
    )


async def _tag(database: Database, ids: Ids) -> str:
    """The word by which this hub's callback data is told from another's; drawn once."""
    known = await database.read(lambda uow: uow.options.get(TAG))
    if known is not None:
        return str(known["tag"])
    fresh = ids.token()[-8:]

    def work(uow: UnitOfWork) -> str:
        there = uow.options.get(TAG, lock=True)
        if there is not None:
            return str(there["tag"])
        uow.options.put(TAG, document(tag=fresh))
        return fresh

    return await database.transact(work)


def _keys(parts: Parts) -> tuple[str, ...]:
    """The secret keys; a store that forgets needs none of its own."""
    keys = parts.settings.security.secret_key
    if keys or not parts.settings.database.url.startswith(MEMORY):
        return keys
    return (parts.ids.token(),)


def _app_secrets(parts: Parts) -> tuple[str, ...]:
    """What deliveries are signed with; without any, a word that nobody knows, so that none is believed."""
    return parts.settings.whatsapp.app_secret or (parts.ids.token(),)


def _limits(settings: Settings) -> dict[str, RateLimit]:
    return {
        name: RateLimit(name=name, most=window.count, seconds=window.seconds)
        for name in ("webhook", "api", "admin", "auth", "message_send", "broadcast", "export")
        if (window := getattr(settings.limits, name)) is not None
    }


def _breakers(settings: Settings) -> dict[str, BreakerRule]:
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


def _schema_check(database: Database) -> Callable[[], Awaitable[object]]:
    async def nothing() -> None:
        """A store in memory has no version."""

    if isinstance(database, SqlDatabase):
        held = database

        async def check() -> None:
            await schema.require(held)

        return check
    return nothing


# --- time


async def _keep_time(clock: SystemClock, database: SqlDatabase) -> None:
    """Follow the clock of the database, which all hosts share."""
    while True:
        await asyncio.sleep(CLOCK_SECONDS)
        with contextlib.suppress(StoreUnavailableError):
            clock.correct(await database.clock_offset())


async def _read_shift(database: Database, clock: ShiftedClock) -> None:
    told = await database.read(lambda uow: uow.options.get(SANDBOX_CLOCK))
    if told is not None:
        clock.move_to(timedelta(seconds=int(told.get("seconds", 0))))


async def _follow_shift(database: Database, clock: ShiftedClock) -> None:
    """The sandbox's clock is moved in one process and followed by all."""
    while True:
        await asyncio.sleep(SANDBOX_CLOCK_SECONDS)
        with contextlib.suppress(StoreUnavailableError):
            await _read_shift(database, clock)


async def advance_clock(hub: Hub, span: timedelta) -> None:
    """Move the sandbox's clock forward, for every process on the database, and let due work be seen."""

    def work(uow: UnitOfWork) -> int:
        told = uow.options.get(SANDBOX_CLOCK, lock=True) or {}
        seconds = int(told.get("seconds", 0)) + int(span.total_seconds())
        uow.options.put(SANDBOX_CLOCK, document(seconds=seconds))
        return seconds

    seconds = await hub.database.transact(work)
    if isinstance(hub.clock, ShiftedClock):
        hub.clock.move_to(timedelta(seconds=seconds))
    hub.worker.bell.ring()


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- the tables


@attrs.frozen(kw_only=True)
class Installation:
    """The tables of one database: what `wch db` does."""

    settings: Settings
    database: SqlDatabase
    clock: Clock

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Installation"]:
        """Connect to the database of these settings.

        Raises:
            SettingsError: it keeps nothing, so there is nothing to install.
        """
        if settings.database.url.startswith(MEMORY):
            raise SettingsError("A database in memory has no tables to install; set WCH_DATABASE_URL to a real one.")
        clock = SystemClock()
        failpoints = Failpoints.read(settings.security.failpoints, testing=settings.security.testing)
        database = _sql(settings, clock, SystemIds(), failpoints)
        try:
            yield cls(settings=settings, database=database, clock=clock)
        finally:
            await database.aclose()

    async def upgrade(self) -> str:
        """Install all tables, or bring them to this version; a shop that is empty gets the sample products."""
        return await _install(self.settings, self.database, self.clock)

    async def check(self) -> tuple[schema.Difference, ...]:
        """What is not as the data model has it."""
        return await schema.check(self.database, (shop_metadata(self.database.prefix),))

    async def drop(self) -> None:
        """Remove everything."""
        await schema.drop(self.database, (drop,))

    async def version(self) -> str | None:
        """The version that the tables have."""
        return await schema.version(self.database)


async def _install(settings: Settings, database: SqlDatabase, clock: Clock) -> str:
    fresh = await schema.version(database) is None
    version = await schema.upgrade(database, (create,))
    await _local_shop(settings, database, clock).install(with_samples=fresh)
    return version


# --- the doctor


@attrs.frozen(kw_only=True)
class Ailment:
    """Something that makes the hub unsafe or silent."""

    severity: str
    what: str
    way_out: str


async def examine(settings: Settings) -> tuple[Ailment, ...]:
    """Look at settings, database and worker; what is found, the worst first."""
    found = [
        Ailment(severity="critical", what=fault, way_out="Set it in the environment or in wch.toml.")
        for fault in missing_for_serving(settings)
    ]
    if settings.database.url.startswith(MEMORY):
        found.append(
            Ailment(
                severity="warning", what="The store is in memory.", way_out="Set WCH_DATABASE_URL to keep anything."
            )
        )
        return tuple(found)
    async with Installation.open(settings) as installation:
        try:
            await schema.require(installation.database)
        except SchemaError as error:
            found.append(Ailment(severity="critical", what=str(error), way_out=""))
            return tuple(found)
        found += [
            Ailment(severity="degraded", what=f"{one.table}: {one.what}.", way_out="Compare with `wch db check`.")
            for one in await installation.check()
        ]
        found += await installation.database.run(_durability, write=False)
        offset = await installation.database.clock_offset()
        if abs(offset) > timedelta(seconds=2):
            found.append(
                Ailment(
                    severity="warning",
                    what=f"The database's clock is {offset.total_seconds():.0f} s off.",
                    way_out="Let both hosts follow a time server.",
                )
            )
        beats = await installation.database.read(lambda uow: uow.options.named("worker."))
        if not beats:
            found.append(
                Ailment(severity="warning", what="No worker is alive.", way_out="Start `wch worker`, or `wch serve`.")
            )
        found += _disk(settings)
    return tuple(found)


def _durability(connection: Any) -> list[Ailment]:
    """Settings of the engine that would lose what was acknowledged."""
    found = []
    if connection.dialect.name == "sqlite":
        journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar()).lower()
        synchronous = int(connection.exec_driver_sql("PRAGMA synchronous").scalar())
        if journal != "wal":
            found.append(
                Ailment(severity="degraded", what=f"journal_mode is {journal}.", way_out="PRAGMA journal_mode = WAL;")
            )
        if synchronous < SYNCHRONOUS_FULL:
            found.append(
                Ailment(severity="critical", what="synchronous is below FULL.", way_out="PRAGMA synchronous = FULL;")
            )
        return found
    wanted = {"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1"}
    for name, value in wanted.items():
        told = str(connection.exec_driver_sql(f"SELECT @@GLOBAL.{name}").scalar())
        if name == "sync_binlog" and str(connection.exec_driver_sql("SELECT @@GLOBAL.log_bin").scalar()) == "0":
            continue
        if told != value:
            found.append(
                Ailment(
                    severity="critical",
                    what=f"{name} is {told}: a crash of the server loses what was acknowledged.",
                    way_out=f"SET GLOBAL {name} = {value};",
                )
            )
    packet = int(connection.exec_driver_sql("SELECT @@GLOBAL.max_allowed_packet").scalar())
    if packet < 16 * 1024 * 1024:
        found.append(
            Ailment(
                severity="warning",
                what="max_allowed_packet is below 16 MiB.",
                way_out="SET GLOBAL max_allowed_packet = 16777216;",
            )
        )
    return found


def _disk(settings: Settings) -> list[Ailment]:
    url = make_url(settings.database.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    usage = shutil.disk_usage(Path(url.database).resolve().parent)
    free = usage.free * 100 // usage.total
    if free >= settings.health.disk_percent[0]:
        return []
    return [Ailment(severity="warning", what=f"{free} % of the disk is free.", way_out="Make room on the disk.")]


async def _lift_tier(hub: Hub) -> None:
    """The sandbox's account may write to everybody, unless it was told another tier."""

    def work(uow: UnitOfWork) -> None:
        if uow.options.get(LIMITS, lock=True) is None:
            uow.options.put(LIMITS, document(tier=UNLIMITED))

    await hub.database.transact(work)


@asynccontextmanager
async def open_sandbox(settings: Settings, hub: Hub, *, webhook_url: str) -> AsyncIterator[Any]:
    """The simulated WhatsApp around a hub; it posts to this address, signed."""
    import httpx2  # noqa: PLC0415 - needs the extra `http`

    from wch.adapters.sandbox import Sandbox, gateways  # noqa: PLC0415 - only when it is asked for
    from wch.adapters.sandbox.templates import samples  # noqa: PLC0415 - as above

    async def advance(span: timedelta) -> None:
        await advance_clock(hub, span)

    numbers = settings.whatsapp.phone_number_id
    await _lift_tier(hub)
    http = httpx2.AsyncClient(timeout=30.0, trust_env=False)
    world = Sandbox(
        webhook_url=webhook_url,
        secret=settings.whatsapp.app_secret[0],
        token=settings.whatsapp.access_token,
        number=next((number for number in numbers if number != "*"), "100000000000001"),
        waba_id=settings.whatsapp.waba_id or SANDBOX_ACCOUNT,
        templates=samples(),
        clock=hub.clock,
        ids=hub.ids,
        http=http,
        gateways=gateways.simulated(
            hub=webhook_url.removesuffix("/webhooks/whatsapp"),
            clock=hub.clock,
            ids=hub.ids,
            http=http,
            secrets=gateways.Secrets(
                stripe_key=settings.stripe.secret_key,
                stripe_webhook=next(iter(settings.stripe.webhook_secret), ""),
                razorpay_id=settings.razorpay.key_id,
                razorpay_key=settings.razorpay.key_secret,
                razorpay_webhook=next(iter(settings.razorpay.webhook_secret), ""),
                mercadopago_token=settings.mercadopago.access_token,
                mercadopago_webhook=next(iter(settings.mercadopago.webhook_secret), ""),
            ),
        ),
        advance=advance,
        numbers=numbers,
        heard_before=lambda wa_id: hub.database.read(lambda uow: uow.messages.latest_inbound_at(wa_id)),
    )
    try:
        yield world
    finally:
        await world.aclose()
