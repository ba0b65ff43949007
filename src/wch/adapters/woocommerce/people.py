"""Who the shop knows: WooCommerce cannot look for a phone number, so the newest order with it tells."""

from collections.abc import Sequence

import attrs

from wch.adapters.woocommerce.bodies import Json, WooCustomer, WooOrder, text
from wch.adapters.woocommerce.calling import PER_PAGE, WooApi
from wch.domain.address import Address, address_from_json
from wch.domain.order import MOST_CUSTOMERS, ShopCustomer

ORDERS_LOOKED_AT = 100

_SHORTEST = 5
_TAIL = 7
"""So many last digits are looked for: people write a number in many ways, and seldom break it there."""


def same_number(written: str, country: str) -> str:
    """The digits of a phone number as the world writes it, from how a buyer of this country wrote it."""
    import phonenumbers  # noqa: PLC0415 - slow to load

    digits = "".join(sign for sign in written if sign.isdecimal() and sign.isascii())
    tried = [(written, country or None)]
    if not written.strip().startswith(("+", "0")):
        tried.insert(0, (f"+{digits}", None))
    for number, region in tried:
        try:
            read = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(read):
            return f"{read.country_code}{phonenumbers.national_significant_number(read)}"
    return digits


@attrs.frozen(kw_only=True)
class People:
    """Finds customers and their orders."""

    api: WooApi

    async def orders_of(
        self, phones: Sequence[str], customer_id: int | None, *, before: int | None, limit: int
    ) -> list[WooOrder]:
        """Up to `limit` orders of exactly these people with an id below `before`, the newest first."""
        wanted = {phone for phone in phones if len(phone) >= _SHORTEST}
        searches: list[Json] = [{"search": tail} for tail in sorted({phone[-_TAIL:] for phone in wanted})]
        if customer_id is not None:
            searches.append({"customer": customer_id})
        found: dict[int, WooOrder] = {}
        for search in searches:
            mine = 0
            page = 1
            while mine < limit:
                reply = await self.api.get("orders", **search, orderby="id", order="desc", per_page=PER_PAGE, page=page)
                for order in map(WooOrder.read, reply.rows):
                    if (before is None or order.id < before) and _is_theirs(order, wanted, customer_id):
                        found[order.id] = order
                        mine += 1
                if page >= (reply.pages or 1):
                    break
                page += 1
        return sorted(found.values(), key=lambda order: -order.id)[:limit]

    async def customers_by_phone(self, phones: Sequence[str]) -> tuple[ShopCustomer, ...]:
        """The accounts that were signed in when the newest hundred orders with one of these numbers were made.

        The e-mail address of a guest proves nothing: anybody can write down somebody else's.
        """
        mine: dict[int, list[WooOrder]] = {}
        for order in await self.orders_of(phones, None, before=None, limit=ORDERS_LOOKED_AT):
            if order.customer_id is not None:
                mine.setdefault(order.customer_id, []).append(order)
        if not mine:
            return ()
        asked = sorted(mine)[:MOST_CUSTOMERS]
        reply = await self.api.get("customers", include=asked, role="all", per_page=PER_PAGE)
        accounts = sorted(map(WooCustomer.read, reply.rows), key=lambda account: account.id)
        return tuple(_customer(account, mine[account.id]) for account in accounts if account.id in mine)


def _customer(account: WooCustomer, orders: Sequence[WooOrder]) -> ShopCustomer:
    """An account, and where its orders went, the newest first."""
    billing = orders[0].billing
    name = f"{account.first_name} {account.last_name}".strip()
    ordered = [_address(place) for order in orders for place in (order.shipping, order.billing)]
    return ShopCustomer(
        id=account.id,
        name=name or f"{text(billing.get('first_name'))} {text(billing.get('last_name'))}".strip(),
        email=account.email or None,
        addresses=_distinct([*ordered, _address(account.shipping), _address(account.billing)]),
    )


def _is_theirs(order: WooOrder, phones: set[str], customer_id: int | None) -> bool:
    if customer_id is not None and order.customer_id == customer_id:
        return True
    written = order.phone
    return bool(written) and same_number(written, text(order.billing.get("country"))) in phones


def _address(body: Json) -> Address:
    return attrs.evolve(address_from_json(body), latitude=None, longitude=None, note="")


def _distinct(places: Sequence[Address]) -> tuple[Address, ...]:
    """Those with a street, each once, whatever phone stands beside it."""
    kept: dict[Address, Address] = {}
    for place in places:
        if place.address_1:
            kept.setdefault(attrs.evolve(place, phone=""), place)
    return tuple(kept.values())
