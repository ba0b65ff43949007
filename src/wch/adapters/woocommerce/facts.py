"""What the shop says of itself, asked for once in ten minutes, and its figures as money."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from wch.adapters.woocommerce.bodies import Json, named, part, text
from wch.adapters.woocommerce.calling import STORE, WooApi
from wch.application.ports import Clock
from wch.domain.catalogue import ShopFacts
from wch.domain.country import COUNTRIES
from wch.domain.money import Money, TooPreciseError, is_currency
from wch.domain.shop_error import ShopMisconfiguredError, ShopNotFoundError, ShopUnavailableError

KEPT_FOR = timedelta(minutes=10)

REJECTED = (
    "critical",
    "The WooCommerce shop rejects the key.",
    "Make a new one as docs/woocommerce.md shows; set WCH_WOOCOMMERCE_KEY and WCH_WOOCOMMERCE_SECRET.",
)


@attrs.define(kw_only=True)
class Facts:
    """The shop's name, currency, places and tax; `currency` is the hub's, and another one is a mistake to be mended."""

    api: WooApi
    clock: Clock
    currency: str
    _known: ShopFacts | None = attrs.field(default=None, init=False)
    _read_at: datetime | None = attrs.field(default=None, init=False)
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False, repr=False, eq=False)

    async def about(self) -> ShopFacts:
        """What it says of itself, at most ten minutes old."""
        async with self._turn:
            now = self.clock.now()
            if self._known is None or self._read_at is None or now - self._read_at >= KEPT_FOR:
                self._known = await self._read()
                self._read_at = now
            return self._known

    async def _read(self) -> ShopFacts:
        index, general, tax = await asyncio.gather(
            self.api.call("GET", ""), self.api.get("settings/general"), self.api.get("settings/tax")
        )
        told = {text(row.get("id")): row.get("value") for row in (*general.rows, *tax.rows)}
        currency = text(told.get("woocommerce_currency"))
        if not is_currency(currency) or currency != self.currency:
            raise ShopMisconfiguredError(shop_currency=currency, hub_currency=self.currency)
        return ShopFacts(
            name=named(index.item.get("name")),
            currency=currency,
            country=text(told.get("woocommerce_default_country")).partition(":")[0],
            sells_to=_served(told),
            timezone=text(index.item.get("timezone_string")) or "UTC",
            prices_include_tax=told.get("woocommerce_prices_include_tax") == "yes",
        )

    def money(self, figure: Decimal) -> Money:
        """An amount of the shop's currency.

        Raises:
            ShopMisconfiguredError: the shop counts in smaller units than the currency has.
        """
        try:
            return Money(figure, self.currency)
        except TooPreciseError as error:
            raise ShopMisconfiguredError(currency=self.currency) from error

    def minor(self, totals: Json, name: str) -> Money:
        """An amount that the Store API gives in minor units, with how many places it means by that."""
        units, places = text(totals.get(name)) or "0", totals.get("currency_minor_unit")
        if not isinstance(places, int) or isinstance(places, bool) or not units.lstrip("-").isdecimal():
            raise ShopUnavailableError
        if text(totals.get("currency_code")) not in ("", self.currency):
            raise ShopMisconfiguredError(shop_currency=text(totals.get("currency_code")), hub_currency=self.currency)
        return self.money(Decimal(units).scaleb(-places))


def _served(told: Json) -> tuple[str, ...]:
    """Where it delivers: as the shipping settings say, which may point to where it sells."""
    where = text(told.get("woocommerce_ship_to_countries"))
    if where == "disabled":
        return ()
    if where == "specific":
        return _codes(told.get("woocommerce_specific_ship_to_countries"))
    if where == "all":
        return tuple(sorted(COUNTRIES))
    sold = text(told.get("woocommerce_allowed_countries"))
    if sold == "specific":
        return _codes(told.get("woocommerce_specific_allowed_countries"))
    left_out = _codes(told.get("woocommerce_all_except_countries")) if sold == "all_except" else ()
    return tuple(sorted(set(COUNTRIES) - set(left_out)))


def _codes(value: object) -> tuple[str, ...]:
    return tuple(sorted(str(one) for one in value)) if isinstance(value, list) else ()


async def check_connection(api: WooApi, facts: Facts) -> tuple[tuple[str, str, str], ...]:
    """What stands between the hub and the shop: how bad, what, and the way out of each; nothing when all is well.

    Raises:
        ShopUnavailableError: the shop did not answer in a way that can be read.
    """
    try:
        await facts.about()
    except ShopMisconfiguredError as error:
        theirs = error.facts.get("shop_currency")
        if theirs is None:
            return (REJECTED,)
        what = f"The shop sells in {theirs or 'an unknown currency'} and the hub in {facts.currency}."
        return (("critical", what, "Set WCH_CURRENCY to the shop's."),)
    found: list[tuple[str, str, str]] = []
    try:
        cart = await api.call("GET", f"{STORE}/cart")
        if cart.cart_token is None or not part(cart.item.get("totals")):
            found.append(
                ("critical", "The shop's Store API gives no cart.", "Update WooCommerce to version 8.2 or later.")
            )
    except (ShopMisconfiguredError, ShopNotFoundError):
        found.append(
            (
                "critical",
                "The shop's Store API is switched off.",
                "Let wc/store/v1 through in the shop's security plug-in.",
            )
        )
    hooks = (await api.get("webhooks", per_page=100)).rows
    topics = {text(row.get("topic")) for row in hooks if row.get("status") == "active"}
    missing = [topic for topic in TOPICS if topic not in topics]
    if missing:
        found.append(
            (
                "warning",
                f"The shop has no active webhook for {', '.join(missing)}; those changes are seen five minutes later.",
                "Make them under WooCommerce, Settings, Advanced, Webhooks, as docs/woocommerce.md shows.",
            )
        )
    return tuple(found)


TOPICS = tuple(
    f"{resource}.{event}"
    for resource in ("product", "order")
    for event in ("created", "updated", "deleted", "restored")
)
"""The deliveries that the hub listens to."""
