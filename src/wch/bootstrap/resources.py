"""What a hub stands on: store, shop, ways to pay, WhatsApp and its files."""

import contextlib
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from wch.adapters.clock import SystemClock
from wch.adapters.files import FolderMediaStore
from wch.adapters.local_shop import LocalShop
from wch.adapters.memory import MemoryMediaStore
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.adapters.sql import SqlDatabase
from wch.application.failpoints import Failpoints
from wch.application.ports import (
    AccountSource,
    Catalogue,
    Clock,
    Database,
    Gateway,
    Ids,
    MediaFiles,
    MediaStore,
    Model,
    Payments,
    Shop,
    WhatsApp,
)
from wch.bootstrap.parts import NoFiles
from wch.bootstrap.woocommerce import open_woocommerce
from wch.domain.catalogue import ShopFacts
from wch.domain.errors import SettingsError
from wch.domain.money import Money
from wch.settings import Settings, ShopKind, WayToPay

MEMORY = "memory://"

RETURN = "/paid"
"""The page that a gateway leads back to."""


def open_store(
    settings: Settings, clock: Clock, ids: Ids, failpoints: Failpoints, engine: Engine | AsyncEngine | None = None
) -> SqlDatabase:
    """The database that the settings name, or the one behind a host's engine."""
    if engine is not None:
        return SqlDatabase.over(
            engine,
            prefix=settings.database.table_prefix,
            now=clock.now,
            token=ids.token,
            host_now=SystemClock().host,
            failpoint=failpoints,
        )
    return SqlDatabase.open(
        settings.database.url,
        prefix=settings.database.table_prefix,
        now=clock.now,
        token=ids.token,
        host_now=SystemClock().host,
        pool_size=settings.database.pool_size,
        failpoint=failpoints,
    )


async def open_shop(
    settings: Settings, beside: SqlDatabase, store: Database, clock: Clock, stack: contextlib.AsyncExitStack
) -> Shop:
    """The shop that the settings name; the built-in one keeps its tables in the database `beside`."""
    if settings.shop.kind is ShopKind.WOOCOMMERCE:
        return open_woocommerce(settings, store, clock, stack)
    shop = open_local_shop(settings, beside, clock)
    if settings.database.url.startswith(MEMORY):
        await shop.install(with_samples=True)
    return shop


def open_local_shop(settings: Settings, database: SqlDatabase, clock: Clock) -> LocalShop:
    """The built-in shop, on the tables of this database."""
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


def open_payments(settings: Settings, stack: contextlib.AsyncExitStack) -> Payments:
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

    def _pix_key(self) -> Any:
        from wch.adapters.payments.mercadopago import ChatKey  # noqa: PLC0415 - needs the extra `http`

        pix, merchant = self._settings.mercadopago, self._settings.general.business_name
        return (
            ChatKey(key=pix.chat_key, type=pix.chat_key_type.value.upper(), merchant=merchant) if pix.chat_key else None
        )

    def _public(self, path: str) -> str:
        """Where the world reaches this path; nowhere while nobody said."""
        root = self._settings.general.public_url
        return f"{root}{path}" if root else ""

    def gateway(self, way: WayToPay) -> Gateway:
        try:
            from wch.adapters.payments import (  # noqa: PLC0415 - need the extra `http`
                bill,
                calling,
                mercadopago,
                razorpay,
                stripe,
                whatsapp_pay,
            )
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
                return_url=self._public(RETURN) or calling.WHATSAPP,
            )
        if way is WayToPay.RAZORPAY:
            key = self._settings.razorpay
            return razorpay.Razorpay(
                api=calling.GatewayApi(http=self._http, root=key.url, auth=(key.key_id, key.key_secret)),
                secrets=key.webhook_secret,
                currencies=frozenset(key.currencies),
                return_url=self._public(RETURN) or calling.WHATSAPP,
            )
        if way is WayToPay.MERCADOPAGO:
            pix = self._settings.mercadopago
            return mercadopago.MercadoPago(
                api=calling.GatewayApi(
                    http=self._http, root=pix.url, headers={"Authorization": f"Bearer {pix.access_token}"}
                ),
                secrets=pix.webhook_secret,
                payer_email=pix.payer_email,
                notification_url=self._public("/webhooks/payments/mercadopago"),
                chat_key=self._pix_key(),
            )
        chat = self._settings.whatsapp
        return whatsapp_pay.WhatsAppPay(
            api=calling.GatewayApi(
                http=self._http,
                root=f"{chat.graph_url}/{chat.graph_version}",
                headers={"Authorization": f"Bearer {chat.access_token}"},
            ),
            configuration=chat.payment_configuration,
            provider=chat.payment_provider.value,
            provenance=bill.Provenance(catalog_id=chat.catalog_id, importer=dict(chat.importer)),
        )


def _cash(settings: Settings) -> CashOnDelivery:
    currency = settings.general.currency
    return CashOnDelivery(
        fee=Money.rounded(settings.cod.fee, currency) if settings.cod.fee else None,
        max_total=Money.rounded(settings.cod.max_total, currency) if settings.cod.max_total else None,
        excluded_countries=frozenset(settings.cod.excluded_countries),
    )


def open_whatsapp(settings: Settings, stack: contextlib.AsyncExitStack) -> WhatsApp:
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


def open_account(settings: Settings, stack: contextlib.AsyncExitStack) -> AccountSource | None:
    """The account over the Graph API; None where there is no token to ask with, or nothing can be called."""
    whatsapp = settings.whatsapp
    if not whatsapp.access_token:
        return None
    try:
        import httpx2  # noqa: PLC0415 - needs the extra `http`

        from wch.adapters.whatsapp.account import CloudApiAccount  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        return None
    http = httpx2.AsyncClient(follow_redirects=False, trust_env=False)
    stack.push_async_callback(http.aclose)
    return CloudApiAccount(
        graph_url=whatsapp.graph_url, version=whatsapp.graph_version, access_token=whatsapp.access_token, http=http
    )


def open_catalogue(settings: Settings, stack: contextlib.AsyncExitStack) -> Catalogue | None:
    """The catalogue over the Graph API; None where no catalogue is named, or nothing can be called."""
    whatsapp = settings.whatsapp
    if not whatsapp.catalog_id:
        return None
    try:
        import httpx2  # noqa: PLC0415 - needs the extra `http`

        from wch.adapters.whatsapp.catalogue import CloudApiCatalogue  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        return None
    http = httpx2.AsyncClient(timeout=30.0, follow_redirects=False, trust_env=False)
    stack.push_async_callback(http.aclose)
    return CloudApiCatalogue(
        catalogue_id=whatsapp.catalog_id,
        graph_url=whatsapp.graph_url,
        version=whatsapp.graph_version,
        access_token=whatsapp.access_token,
        http=http,
        timeout_seconds=float(whatsapp.timeout_seconds),
    )


def open_model(settings: Settings, stack: contextlib.AsyncExitStack) -> Model | None:
    """The language model at the address of the settings; None where none is wanted.

    Raises:
        SettingsError: one is wanted, and the package that asks it is missing.
    """
    wanted = settings.assistant
    if not wanted.enabled or not wanted.url:
        return None
    try:
        from wch.adapters.assistant.chat_completions import ChatCompletionsModel  # noqa: PLC0415 - needs the extra `http`
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"The assistant's model needs the package {missing.name}; install it with: pip install 'wch[http]'."
        ) from missing
    model = ChatCompletionsModel(url=wanted.url, key=wanted.key, model=wanted.model)
    stack.push_async_callback(model.aclose)
    return model


def open_files(settings: Settings) -> MediaStore:
    """Where files are kept: the folder of the settings, else beside a SQLite file, else the latest in memory."""
    if settings.whatsapp.media_folder:
        return FolderMediaStore(Path(settings.whatsapp.media_folder))
    scheme, _, place = settings.database.url.partition("://")
    file = place.removeprefix("/").partition("?")[0]
    if scheme.partition("+")[0] == "sqlite" and file and file != ":memory:":
        return FolderMediaStore(Path(f"{file}-media"))
    return MemoryMediaStore()


def open_media(settings: Settings, stack: contextlib.AsyncExitStack) -> MediaFiles:
    """Files over the Cloud API, with connections of their own that follow no redirect."""
    try:
        import httpx2  # noqa: PLC0415 - needs the extra `http`

        from wch.adapters.whatsapp.media import CloudApiMedia  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        return NoFiles()
    http = httpx2.AsyncClient(timeout=30.0, follow_redirects=False, trust_env=False)
    stack.push_async_callback(http.aclose)
    whatsapp = settings.whatsapp
    return CloudApiMedia(
        graph_url=whatsapp.graph_url, version=whatsapp.graph_version, access_token=whatsapp.access_token, http=http
    )
