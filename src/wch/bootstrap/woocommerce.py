"""A WooCommerce shop: the real one over its address, and the one that the sandbox simulates."""

import contextlib
from typing import TYPE_CHECKING, Any

from wch.application.hub import Hub
from wch.application.ports import Clock, Database
from wch.domain.errors import SettingsError
from wch.settings import Settings, ShopKind

if TYPE_CHECKING:
    from wch.adapters.woocommerce.shop import WooCommerceShop


def open_woocommerce(
    settings: Settings, store: Database, clock: Clock, stack: contextlib.AsyncExitStack
) -> "WooCommerceShop":
    """The shop of these settings, with connections of its own.

    Raises:
        SettingsError: a package is missing. Without an address it opens, so that what is stored can be looked
            at, and each call says that it is misconfigured.
    """
    ours = settings.woocommerce
    try:
        from wch.adapters.woocommerce import calling  # noqa: PLC0415 - needs the extra `http`
        from wch.adapters.woocommerce.shop import WooCommerceShop  # noqa: PLC0415 - as above
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"WCH_SHOP: woocommerce needs the package {missing.name}; install it with: pip install 'wch[http]'."
        ) from missing
    http = calling.client()
    stack.push_async_callback(http.aclose)
    return WooCommerceShop.over(
        calling.WooApi(http=http, root=ours.url, key=ours.key, secret=ours.secret, query_auth=ours.query_auth),
        database=store,
        clock=clock,
        currency=settings.general.currency,
        secret=(settings.security.secret_key or ("",))[0].encode(),
        waiting_status=ours.waiting_status.value,
    )


def simulated_shop(settings: Settings, hub: Hub, *, root: str, http: Any, faults: Any) -> Any:
    """The simulated shop, stocked and telling the hub at `root`; None when the settings name another shop."""
    ours = settings.woocommerce
    if settings.shop.kind is not ShopKind.WOOCOMMERCE or ours.url != f"{root}/sandbox/woocommerce":
        return None
    from wch.adapters.sandbox import woocommerce  # noqa: PLC0415 - only when it is asked for

    shop = woocommerce.SimulatedWooCommerce(
        clock=hub.clock,
        key=ours.key,
        secret=ours.secret,
        till=woocommerce.Till(currency=settings.general.currency, prices_include_tax=False),
        country=settings.general.country or "US",
        address=ours.url,
        http=http,
        faults=faults,
        tells_by_itself=True,
    )
    woocommerce.fill(shop.floor)
    for resource in ("product", "order"):
        for event in ("created", "updated", "deleted", "restored"):
            shop.webhooks.add(
                topic=f"{resource}.{event}", delivery_url=f"{root}/webhooks/woocommerce", secret=ours.webhook_secret
            )
    return shop
