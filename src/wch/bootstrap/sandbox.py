"""The simulated world around a hub."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from wch.application.accounts import LIMITS, UNLIMITED
from wch.application.hub import Hub
from wch.application.ports import (
    UnitOfWork,
)
from wch.bootstrap.clocks import SANDBOX_ADDRESS, note_address
from wch.bootstrap.emptying import begin_anew
from wch.bootstrap.installing import looked_up
from wch.bootstrap.outreach import SANDBOX_ACCOUNT, SANDBOX_GRAPH
from wch.bootstrap.time_passing import TimePassing
from wch.bootstrap.woocommerce import simulated_shop
from wch.domain.document import document
from wch.settings import Settings
from wch.settings.choices import Profile


async def _lift_tier(hub: Hub) -> None:
    """The sandbox's account may write to everybody, unless it was told another tier."""

    def work(uow: UnitOfWork) -> None:
        if uow.options.get(LIMITS, lock=True) is None:
            uow.options.put(LIMITS, document(tier=UNLIMITED))

    await hub.database.transact(work)


async def at_home(settings: Settings) -> tuple[Settings, bool]:
    """The settings for another process on this database, and whether it is in the sandbox, whose clock it then follows.

    It is when its Graph API is a sandbox's, or when it has no access token and the database is the one of
    `wch serve --sandbox`: then what is not set gets the values that the server has.
    """
    if settings.whatsapp.graph_url.endswith(SANDBOX_GRAPH):
        return settings, True
    is_prod = "general.profile" in settings.origins and settings.general.profile is Profile.PROD
    if settings.whatsapp.access_token or is_prod:
        return settings, False
    told = await looked_up(settings, lambda uow: uow.options.get(SANDBOX_ADDRESS))
    if told is None:
        return settings, False
    address = str(told["address"])
    return settings.for_sandbox(graph_url=f"{address}{SANDBOX_GRAPH}", gateways_url=f"{address}/sandbox"), True


@asynccontextmanager
async def open_sandbox(
    settings: Settings, hub: Hub, *, webhook_url: str, http: Any = None, pace: float | None = None
) -> AsyncIterator[Any]:
    """The simulated WhatsApp around a hub; it posts to this address, signed.

    Args:
        settings: the hub's.
        hub: the hub.
        webhook_url: where deliveries go.
        http: the client that posts, closed at the end; None makes one.
        pace: seconds between two statuses of a message; None takes the usual.
    """
    import httpx2  # noqa: PLC0415 - needs the extra `http`

    from wch.adapters.sandbox import PACE_SECONDS, Faults, Sandbox, gateways  # noqa: PLC0415 - only when it is asked for
    from wch.adapters.sandbox.templates import samples  # noqa: PLC0415 - as above

    time = TimePassing(hub)
    numbers = settings.whatsapp.phone_number_id
    http = httpx2.AsyncClient(timeout=30.0, trust_env=False) if http is None else http
    root = webhook_url.removesuffix("/webhooks/whatsapp")
    await _lift_tier(hub)
    await note_address(hub.database, root if settings.whatsapp.graph_url == f"{root}{SANDBOX_GRAPH}" else None)
    faults = Faults()
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
            hub=root,
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
                app_secret=settings.whatsapp.app_secret[0],
            ),
            waba_id=settings.whatsapp.waba_id or SANDBOX_ACCOUNT,
        ),
        shop=simulated_shop(settings, hub, root=root, http=http, faults=faults),
        faults=faults,
        advance=time.leap,
        empty=lambda: begin_anew(hub),
        pace=PACE_SECONDS if pace is None else pace,
        numbers=numbers,
        catalogue_id=settings.whatsapp.catalog_id,
        heard_before=lambda wa_id: hub.database.read(lambda uow: uow.messages.latest_inbound_at(wa_id)),
    )
    try:
        yield world
    finally:
        await time.aclose()
        await world.aclose()
