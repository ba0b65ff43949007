"""Settings: one frozen value with everything that can be set, read from nowhere until it is asked to.

Settings(database_url="memory://", currency="EUR")        for a host, in code
Settings.load(os.environ, {}, Path("wch.toml"))           for the command line
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

import attrs

from wch.domain.errors import SettingsError
from wch.settings import rules
from wch.settings.choices import (
    CatalogueId,
    CouponKind,
    LogFormat,
    LogLevel,
    Preference,
    Profile,
    Scope,
    ShopKind,
    WaitingStatus,
    WayToPay,
)
from wch.settings.growing import (
    Broadcasts,
    Customers,
    Marketing,
    Pricing,
    Recovery,
    Reengagement,
    Segments,
    Templates,
)
from wch.settings.kinds import Secrets, Trip, Window, WrongValueError
from wch.settings.running import (
    Breakers,
    Console,
    Database,
    General,
    Health,
    Ingress,
    Limits,
    Log,
    Retention,
    Security,
    Whatsapp,
    Worker,
)
from wch.settings.sections import BY_NAME, ENTRIES, SECTIONS, Entry
from wch.settings.selling import (
    Assistant,
    Cart,
    Catalog,
    Checkout,
    Cod,
    Conversation,
    Mercadopago,
    Notifications,
    Payments,
    Razorpay,
    Shop,
    Stripe,
    Woocommerce,
)
from wch.settings.sources import ARGUMENT, Sources, read_toml

__all__ = [
    "CatalogueId",
    "CouponKind",
    "LogFormat",
    "LogLevel",
    "Preference",
    "Profile",
    "Row",
    "Scope",
    "Settings",
    "ShopKind",
    "Trip",
    "WaitingStatus",
    "WayToPay",
    "Window",
]

DEFAULT = "default"
SANDBOX = "sandbox"
SANDBOX_NUMBER = "100000000000001"
SANDBOX_PAYER = "customer@example.com"
SANDBOX_ROOT = "http://127.0.0.1/sandbox"
"""Where the sandbox will be, until its port is known."""

_STAND_INS = ("stripe", "razorpay", "mercadopago")
_SERVING = ("whatsapp.app_secret", "whatsapp.verify_token", "whatsapp.access_token", "whatsapp.phone_number_id")
_SENDING = ("whatsapp.access_token", "whatsapp.phone_number_id")
_GATEWAYS: Mapping[WayToPay, tuple[str, ...]] = MappingProxyType(
    {
        WayToPay.STRIPE: ("stripe.secret_key", "stripe.webhook_secret"),
        WayToPay.RAZORPAY: ("razorpay.key_id", "razorpay.key_secret", "razorpay.webhook_secret"),
        WayToPay.MERCADOPAGO: ("mercadopago.access_token", "mercadopago.webhook_secret"),
        WayToPay.WHATSAPP_PAY: ("whatsapp.payment_configuration",),
    }
)


class Given(TypedDict, total=False):
    """What `Settings` takes by name: whole sections, and the settings with a name of their own."""

    access_token: str
    app_secret: str | Iterable[str]
    catalog_id: str
    country: str
    currency: str
    database_url: str
    failpoints: str
    graph_url: str
    graph_version: str
    language: str
    log_format: str | LogFormat
    log_level: str | LogLevel
    media_folder: str
    phone_number_id: str | Iterable[str]
    profile: str | Profile
    secret_key: str | Iterable[str]
    table_prefix: str
    testing: bool
    timezone: str
    verify_token: str
    waba_id: str

    payments: str | Iterable[str] | Payments
    shop: str | ShopKind | Shop

    assistant: Assistant
    breakers: Breakers
    broadcasts: Broadcasts
    cart: Cart
    catalog: Catalog
    checkout: Checkout
    cod: Cod
    console: Console
    conversation: Conversation
    customers: Customers
    database: Database
    general: General
    health: Health
    ingress: Ingress
    limits: Limits
    log: Log
    marketing: Marketing
    mercadopago: Mercadopago
    notifications: Notifications
    pricing: Pricing
    razorpay: Razorpay
    recovery: Recovery
    reengagement: Reengagement
    retention: Retention
    security: Security
    segments: Segments
    stripe: Stripe
    templates: Templates
    whatsapp: Whatsapp
    woocommerce: Woocommerce
    worker: Worker

    origins: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Row:
    """One setting as it is shown to people: secrets are masked."""

    section: str
    key: str
    environment: str
    type: str
    value: str
    default: str
    origin: str
    meaning: str


@attrs.frozen(init=False)
class Settings:
    """Everything that can be set, by section, checked as a whole.

    Takes whole sections, and by a name of its own what has one in the environment:
    `Settings(currency="EUR")` sets `general.currency`. Text is read as in the
    environment. `origins` says of each setting that was given who gave it.

    Raises:
        SettingsError: something is unknown, wrong, out of range or out of order; all of it is listed.
    """

    general: General
    database: Database
    security: Security
    whatsapp: Whatsapp
    ingress: Ingress
    worker: Worker
    conversation: Conversation
    assistant: Assistant
    cart: Cart
    checkout: Checkout
    shop: Shop
    woocommerce: Woocommerce
    payments: Payments
    cod: Cod
    stripe: Stripe
    razorpay: Razorpay
    mercadopago: Mercadopago
    catalog: Catalog
    notifications: Notifications
    marketing: Marketing
    recovery: Recovery
    reengagement: Reengagement
    broadcasts: Broadcasts
    segments: Segments
    customers: Customers
    templates: Templates
    pricing: Pricing
    limits: Limits
    breakers: Breakers
    retention: Retention
    console: Console
    health: Health
    log: Log
    origins: Mapping[str, str] = attrs.field(eq=False, repr=False)

    def __init__(self, **given: Unpack[Given]) -> None:
        self._fill({}, {}, given)

    def _fill(self, base: Mapping[str, Any], known: Mapping[str, str], given: Given) -> None:
        named: dict[str, Any] = dict(given)
        before = {**known, **named.pop("origins", {})}
        handed = {name: named.pop(name) for name in SECTIONS if isinstance(named.get(name), SECTIONS[name])}
        sections = {**base, **handed}
        sources = Sources(arguments=named, environ={}, toml={}, toml_name="")
        values, origins, wrong = _gather(sources)
        faults = [*sources.misplaced(), *wrong.values()]
        self._assemble(sections, values, {**before, **_changed(sections, before), **origins})
        _refuse([*faults, *rules.faults(self, but=wrong)])

    def _assemble(
        self, sections: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]], origins: Mapping[str, str]
    ) -> None:
        whole = {
            name: attrs.evolve(sections[name], **values.get(name, {}))
            if name in sections
            else kept(**values.get(name, {}))
            for name, kept in SECTIONS.items()
        }
        self.__attrs_init__(**whole, origins=MappingProxyType(dict(origins)))

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        arguments: Mapping[str, Any],
        toml_path: Path | None = None,
        *,
        sandbox: bool = False,
    ) -> tuple["Settings", Mapping[str, str], tuple[str, ...]]:
        """Read arguments, then environment, then file, then defaults: the first that has a value wins.

        Arguments are named like `Settings` takes them, or `section.key`; None is not given.
        Secrets may come out of a file that `<variable>_FILE` names. With the sandbox the profile
        is dev unless one is given.

        Returns:
            The settings; for each one that is not a default where it came from, by
            `section.key`; a sentence for each name that looks like a setting and is none.

        Raises:
            SettingsError: `faults` lists everything that is wrong, a sentence each.
        """
        file: Mapping[str, Any] = {}
        faults = []
        if toml_path is not None:
            try:
                file = read_toml(toml_path)
            except WrongValueError as error:
                faults.append(f"{error}.")
        given = {name: value for name, value in arguments.items() if value is not None}
        sources = Sources(
            arguments=given, environ=environ, toml=file, toml_name=toml_path.name if toml_path else "wch.toml"
        )
        values, origins, wrong = _gather(sources)
        if sandbox and "general.profile" not in (*origins, *wrong):
            values.setdefault("general", {})["profile"] = Profile.DEV
        settings = cls.__new__(cls)
        settings._assemble({}, values, origins)  # noqa: SLF001 -- our own, before it is checked
        _refuse([*faults, *sources.misplaced(), *wrong.values(), *rules.faults(settings, but=wrong)])
        return settings, settings.origins, tuple(sources.unknown())

    def amended(self, **given: Unpack[Given]) -> "Settings":
        """The same with these changes, named as `Settings` names them, and checked again.

        Raises:
            SettingsError: as in making settings.
        """
        changed = Settings.__new__(Settings)
        changed._fill({name: getattr(self, name) for name in SECTIONS}, self.origins, given)  # noqa: SLF001 -- our own
        return changed

    def describe(self, origins: Mapping[str, str] | None = None) -> list[Row]:
        """Every setting in its order, with value, default and origin; nothing secret is in it."""
        came_from = self.origins if origins is None else origins
        return [
            Row(
                section=entry.section,
                key=entry.key,
                environment=entry.variable,
                type=entry.kind.word,
                value=entry.kind.show(self._value(entry)),
                default=entry.kind.show(entry.default),
                origin=came_from.get(entry.name, DEFAULT),
                meaning=entry.meaning,
            )
            for entry in ENTRIES
        ]

    def for_sandbox(self, *, graph_url: str | None = None, gateways_url: str | None = None) -> "Settings":
        """The same with what the sandbox needs: profile dev, and a made-up value for each secret that is not set.

        The gateways, and a WooCommerce shop, are those of the sandbox unless an address was given for one.

        Raises:
            SettingsError: profile prod was asked for; the sandbox would let anybody in.
        """
        asked = self.general.profile if "general.profile" in self.origins else Profile.DEV
        if asked is Profile.PROD:
            _refuse(["WCH_PROFILE: the sandbox does not run in profile prod; set it to dev, or leave the sandbox off."])
        changes: dict[str, dict[str, Any]] = {"general": {"profile": asked}}
        made_up = {"general.profile": SANDBOX} if "general.profile" not in self.origins else {}
        for entry in ENTRIES:
            stand_in = _stand_in(entry)
            if stand_in and not self._value(entry):
                changes.setdefault(entry.section, {})[entry.key] = stand_in
                made_up[entry.name] = SANDBOX
        if graph_url is not None:
            changes.setdefault("whatsapp", {})["graph_url"] = graph_url
            made_up["whatsapp.graph_url"] = SANDBOX
        simulated = (*_STAND_INS, *(["woocommerce"] if self.shop.kind is ShopKind.WOOCOMMERCE else []))
        for name in simulated:
            if gateways_url is None and name != "woocommerce":
                continue
            if self.origins.get(f"{name}.url", SANDBOX) == SANDBOX:
                changes.setdefault(name, {})["url"] = f"{gateways_url or SANDBOX_ROOT}/{name}"
                made_up[f"{name}.url"] = SANDBOX
        if gateways_url is not None and not self.mercadopago.payer_email:
            changes.setdefault("mercadopago", {})["payer_email"] = SANDBOX_PAYER
            made_up["mercadopago.payer_email"] = SANDBOX
        sections: dict[str, Any] = {
            name: attrs.evolve(getattr(self, name), **changed) for name, changed in changes.items()
        }
        return self.amended(**sections, origins=made_up)

    def require_for_serving(self) -> None:
        """Refuse to take deliveries without what proves them, answers them and hides what is stored.

        Raises:
            SettingsError: all that is missing, in one sentence, with the way out.
        """
        self._require((*_SERVING, "security.secret_key", *self._partners()), "serve")

    def require_for_sending(self) -> None:
        """Refuse to do the hub's work without what sending takes.

        Raises:
            SettingsError: all that is missing, in one sentence, with the way out.
        """
        self._require((*_SENDING, "security.secret_key", *self._partners()), "work")

    def _partners(self) -> tuple[str, ...]:
        shop = ("woocommerce.url", "woocommerce.key", "woocommerce.secret", "woocommerce.webhook_secret")
        gateways = [name for way in self.payments.enabled for name in _GATEWAYS.get(way, ())]
        return (*(shop if self.shop.kind is ShopKind.WOOCOMMERCE else ()), *gateways)

    def _require(self, names: Collection[str], purpose: str) -> None:
        missing = [BY_NAME[name].variable for name in names if not self._value(BY_NAME[name])]
        if missing:
            message = (
                f"Cannot {purpose} yet, since {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set: "
                "set what is missing in the environment (secrets also as *_FILE) or in wch.toml; `wch init` writes "
                "templates of both, and `wch serve --sandbox` needs none of it."
            )
            raise SettingsError(message, faults=tuple(f"{name}: not set." for name in missing))

    def _value(self, entry: Entry) -> Any:
        return getattr(getattr(self, entry.section), entry.key)


def _gather(sources: Sources) -> tuple[dict[str, dict[str, Any]], dict[str, str], dict[str, str]]:
    """Values by section, where each came from, and for each wrong one the sentence that says so."""
    values: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for entry in ENTRIES:
        origin = ""
        try:
            found = sources.find(entry)
            if found is None:
                continue
            given, origin = found
            value = entry.kind.read(given)
        except WrongValueError as error:
            where = f" ({entry.name} in {origin})" if origin == sources.toml_name else ""
            wrong[entry.name] = f"{entry.variable}{where}: {error}."
            continue
        values.setdefault(entry.section, {})[entry.key] = value
        origins[entry.name] = origin
    return values, origins, wrong


def _changed(sections: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """A section handed over whole gives what differs from the defaults."""
    return {
        entry.name: ARGUMENT
        for entry in ENTRIES
        if entry.section in sections
        and entry.name not in known
        and getattr(sections[entry.section], entry.key) != entry.default
    }


def _stand_in(entry: Entry) -> Any:
    if entry.name == "whatsapp.phone_number_id":
        return (SANDBOX_NUMBER,)
    if entry.name == "whatsapp.payment_configuration":
        return SANDBOX
    if not entry.kind.is_secret:
        return None
    word = f"sandbox-{entry.alias.replace('_', '-')}"
    return (word,) if isinstance(entry.kind, Secrets) else word


def _refuse(faults: list[str]) -> None:
    if not faults:
        return
    listed = "\n".join(f"  {fault}" for fault in faults)
    message = faults[0] if len(faults) == 1 else f"{len(faults)} settings are wrong:\n{listed}"
    raise SettingsError(message, faults=tuple(faults))
