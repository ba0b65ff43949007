"""The settings of what keeps the hub going: business, store, account, limits, health."""

from collections.abc import Mapping
from typing import Any

import attrs

from wch.settings.choices import LogFormat, LogLevel, PaymentProvider, Profile
from wch.settings.declaring import ADDRESS, SECRET, SECRETS, setting, switch, trip, window
from wch.settings.kinds import DatabaseUrl, Json, Numbers, OneOf, Text, Trip, Whole, Window, Words

_LANGUAGE = r"[a-z]{2,3}(_[A-Z]{2})?"
_COUNTRY = "[A-Z]{2}"


@attrs.frozen(kw_only=True)
class General:
    """The business: its money, its place, its languages."""

    profile: Profile = setting(
        OneOf(Profile), Profile.PROD, "how strict; `--sandbox` alone means dev", env="WCH_PROFILE"
    )
    currency: str = setting(Text("[A-Z]{3}", "three capitals like EUR"), "USD", "the shop's money", env="WCH_CURRENCY")
    country: str = setting(
        Text(f"({_COUNTRY})?", "two capitals like ES"),
        "",
        "where numbers without a country code are",
        env="WCH_COUNTRY",
    )
    timezone: str = setting(
        Text(r"[A-Za-z0-9_+\-/]+", "a zone like Europe/Madrid"),
        "UTC",
        "the shop's days begin and end in it",
        env="WCH_TIMEZONE",
    )
    language: str = setting(
        Text(_LANGUAGE, "a language like en or pt_BR"),
        "en",
        "spoken when the customer's is unknown",
        env="WCH_LANGUAGE",
    )
    languages: tuple[str, ...] = setting(
        Words(_LANGUAGE, "en,pt_BR"), ("en", "es", "pt_BR", "ar", "hi"), "the languages that are spoken"
    )
    business_name: str = setting(Text(), "", "said to customers; the shop's own when empty")
    public_url: str = setting(
        ADDRESS, "", "where the world reaches the hub, such as https://hub.example.com", env="WCH_PUBLIC_URL"
    )


@attrs.frozen(kw_only=True)
class Database:
    """The store."""

    url: str = setting(DatabaseUrl(), "sqlite+aiosqlite:///wch.db", "where the tables are", env="WCH_DATABASE_URL")
    table_prefix: str = setting(
        Text("[A-Za-z][A-Za-z0-9_]{0,30}", "letters, digits and _ like wch_"),
        "wch_",
        "the tables' names begin with it",
        env="WCH_TABLE_PREFIX",
    )
    pool_size: int = setting(Whole(1, 200), 5, "connections a process keeps")


@attrs.frozen(kw_only=True)
class Security:
    """Keys of our own, and what is trusted."""

    secret_key: tuple[str, ...] = setting(SECRETS, (), "makes hashes and signs sessions", env="WCH_SECRET_KEY")
    sign_in_hours: int = setting(Whole(1, 720), 12, "how long an operator stays signed in")
    trusted_proxies: tuple[str, ...] = setting(
        Words(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", "10.0.0.0/8,::1"), (), "whose word about the caller's address counts"
    )
    testing: bool = switch("arms the failpoints", env="WCH_TESTING")
    failpoints: str = setting(Text(), "", "where and how to fail, for tests", env="WCH_FAILPOINTS")


@attrs.frozen(kw_only=True)
class Whatsapp:
    """The account with WhatsApp."""

    app_secret: tuple[str, ...] = setting(
        SECRETS, (), "the app's secret: deliveries are signed with it", env="WCH_APP_SECRET"
    )
    verify_token: str = setting(SECRET, "", "the word of the webhook's handshake", env="WCH_VERIFY_TOKEN")
    access_token: str = setting(SECRET, "", "the token messages are sent with", env="WCH_ACCESS_TOKEN")
    phone_number_id: tuple[str, ...] = setting(
        Words(r"\*|[^\s,*]{1,64}", "106540352242922 or *"),
        (),
        "the numbers served, `*` for all",
        env="WCH_PHONE_NUMBER_ID",
    )
    waba_id: str = setting(Text(), "", "the business account's id", env="WCH_WABA_ID")
    catalog_id: str = setting(Text(), "", "the catalogue's id", env="WCH_CATALOG_ID")
    graph_url: str = setting(ADDRESS, "https://graph.facebook.com", "where the Graph API is", env="WCH_GRAPH_URL")
    graph_version: str = setting(
        Text(r"v[0-9]{1,3}\.[0-9]{1,2}", "a version like v24.0"),
        "v24.0",
        "the Graph API's version",
        env="WCH_GRAPH_VERSION",
    )
    timeout_seconds: int = setting(Whole(1, 300), 30, "how long a call may take")
    number_rate: int = setting(Whole(1, 1000), 80, "messages a second that a number may send")
    import_history: bool = switch("keep the history that a phone app hands over")
    media_folder: str = setting(
        Text(), "", "where files are kept; empty: beside a SQLite file, else in memory", env="WCH_MEDIA_FOLDER"
    )
    payment_configuration: str = setting(Text(), "", "WhatsApp Pay: the configuration's name in WhatsApp Manager")
    payment_provider: PaymentProvider = setting(
        OneOf(PaymentProvider), PaymentProvider.RAZORPAY, "WhatsApp Pay: who takes the money there"
    )
    importer: Mapping[str, Any] = setting(
        Json(), {}, "WhatsApp Pay: country_of_origin, importer_name, importer_address of goods in no catalogue"
    )


@attrs.frozen(kw_only=True)
class Ingress:
    """What is taken of one delivery."""

    max_bytes: int = setting(Whole(1024, 104_857_600), 4_194_304, "a longer body is refused")
    read_seconds: int = setting(Whole(1, 300), 10, "a slower body is refused")


@attrs.frozen(kw_only=True)
class Worker:
    """The work of a process."""

    concurrency: int = setting(Whole(1, 256), 4, "how much is done at a time")
    poll_seconds: int = setting(Whole(1, 60), 1, "how often it is looked for work")
    lease_seconds: int = setting(Whole(1, 3600), 60, "work not renewed for so long is taken over")
    backoff_seconds: tuple[int, ...] = setting(
        Numbers(0, 604_800, 1, 20, strictly=False), (5, 30, 180, 900, 3600), "waits between tries; then a dead letter"
    )
    stop_seconds: int = setting(Whole(1, 600), 25, "how long a stop waits for running work")


@attrs.frozen(kw_only=True)
class Limits:
    """So many in so many seconds."""

    webhook: Window = window(Window(100, 60), "badly signed deliveries per caller")
    api: Window = window(Window(60, 60), "calls per API key")
    admin: Window = window(Window(30, 60), "changes per operator")
    auth: Window = window(Window(5, 300), "sign-ins per address and account")
    message_send: Window = window(Window(50, 60), "messages per recipient")
    broadcast: Window = window(Window(10, 3600), "campaign starts per operator")
    export: Window = window(Window(3, 3600), "exports per operator")


@attrs.frozen(kw_only=True)
class Breakers:
    """Failures that open, successes that close, seconds until a probe."""

    whatsapp: Trip = trip(Trip(5, 2, 30), "calls of the Graph API")
    shop: Trip = trip(Trip(5, 2, 60), "calls of the shop")
    payments: Trip = trip(Trip(3, 1, 120), "calls of a gateway")
    assistant: Trip = trip(Trip(3, 2, 60), "calls of the model")


def _days(default: int, meaning: str) -> Any:
    return setting(Whole(0, 36_500), default, f"{meaning}; 0 = kept")


@attrs.frozen(kw_only=True)
class Retention:
    """How many days things are kept."""

    raw_days: int = _days(30, "what came over the wire")
    message_days: int = _days(365, "messages")
    context_days: int = _days(90, "what a conversation remembers")
    cart_expired_days: int = _days(30, "expired carts")
    cart_recovered_days: int = _days(90, "recovered carts")
    view_days: int = _days(90, "looks at products")
    contact_days: int = _days(365, "campaign contacts")
    saga_days: int = _days(90, "ended sagas")
    dead_letter_days: int = _days(30, "dead letters that were dealt with")
    sync_days: int = _days(30, "finished sync work")
    audit_days: int = _days(730, "the audit log")
    profile_days: int = _days(0, "silent customers")


@attrs.frozen(kw_only=True)
class Console:
    """The operators' pages."""

    enabled: bool = switch("serve them", on=True)
    streams: int = setting(Whole(1, 10_000), 50, "live pages a process")


def _graded(default: tuple[int, ...], meaning: str, *, goes_down: bool = False) -> Any:
    return setting(Numbers(0, 1_000_000, len(default), len(default), goes_down=goes_down), default, meaning)


@attrs.frozen(kw_only=True)
class Health:
    """From when on something is not well; lists go from warning to worse."""

    silence_minutes: int = setting(Whole(1, 100_000), 120, "without a webhook though one is owed")
    database_ms: tuple[int, ...] = _graded((200, 1000), "the database's answer: warning, degraded")
    clock_seconds: tuple[int, ...] = _graded((2, 10), "offset to the database's clock: warning, degraded")
    bad_signatures: int = setting(Whole(1, 1_000_000), 100, "badly signed deliveries a minute")
    reply_seconds: tuple[int, ...] = _graded((30, 120, 600), "oldest due in inbox and replies: up to critical")
    notice_minutes: tuple[int, ...] = _graded((5, 30), "oldest due notice: warning, degraded")
    unconfirmed_percent: tuple[int, ...] = _graded((1, 5), "unconfirmed of the last hour: warning, degraded")
    worker_seconds: int = setting(Whole(20, 3600), 60, "a worker without a heartbeat is gone after")
    dead_letters: int = setting(Whole(1, 1_000_000), 50, "pending ones: degraded")
    dead_letters_hour: int = setting(Whole(1, 1_000_000), 20, "new in an hour: degraded")
    saga_minutes: int = setting(Whole(1, 10_080), 10, "a step is late after")
    breaker_minutes: int = setting(Whole(1, 10_080), 15, "WhatsApp's breaker open for: critical")
    token_days: int = setting(Whole(0, 365), 7, "warn before the token ends")
    tier_percent: int = setting(Whole(1, 100), 80, "of the tier used: warning")
    silent_percent: int = setting(Whole(1, 100), 1, "sends without any status: degraded")
    partner_minutes: tuple[int, ...] = _graded((5, 15), "shop and gateways without success: warning, degraded")
    sync_minutes: int = setting(Whole(1, 10_080), 15, "oldest due sync work: warning")
    sync_failed: int = setting(Whole(1, 1_000_000), 10, "failed sync work: degraded")
    disk_percent: tuple[int, ...] = _graded((20, 10, 5), "free space: up to critical", goes_down=True)
    retention_hours: tuple[int, ...] = _graded((26, 50), "since retention ran: warning, degraded")


@attrs.frozen(kw_only=True)
class Log:
    """What is written about the hub's work."""

    level: LogLevel = setting(OneOf(LogLevel), LogLevel.INFO, "the lowest level", env="WCH_LOG_LEVEL")
    format: LogFormat = setting(OneOf(LogFormat), LogFormat.JSON, "json, or text (on a terminal)", env="WCH_LOG_FORMAT")
