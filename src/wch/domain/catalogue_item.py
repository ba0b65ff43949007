"""A catalogue item: a sellable as the WhatsApp catalogue shows it, and what became of sending it."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import attrs

from wch.domain.catalogue import Product, Variant
from wch.domain.document import JsonObject, document
from wch.domain.errors import WchError
from wch.domain.moment import iso
from wch.domain.money import Money
from wch.domain.send_failure import FailureClass

MAPPING = 1
"""Counts up when the same product becomes another item; every hash holds it, so all are sent again then."""

MOST_IN_A_CALL = 3000
MOST_BYTES_IN_A_CALL = 20 * 1024 * 1024
_ID = 100
_TITLE = 200
_DESCRIPTION = 9999
_BRAND = 100
_MORE_IMAGES = 20
_BLANKS = re.compile(r"\s+")


class ItemFault(StrEnum):
    """Why a sellable cannot be an item."""

    NO_IMAGE = "no_image"
    NO_LINK = "no_link"


class CatalogueError(WchError):
    """The catalogue did not take the call; `failure` says what is to be done about it."""

    failure: FailureClass
    line: str

    def __init__(self, failure: FailureClass, line: str) -> None:
        super().__init__(failure=failure, line=line)


class NoCatalogueError(WchError):
    """There is no catalogue to bring in step; set WCH_CATALOG_ID to the catalogue's number in Commerce Manager."""


@attrs.frozen(kw_only=True)
class CatalogueItem:
    """One item, exactly as it is sent.

    Attributes:
        id: what names it in the catalogue, the retailer id.
        sellable_id: the product or variant behind it.
        fields: the `data` of the request.
    """

    id: str
    sellable_id: int
    fields: JsonObject

    @property
    def hash(self) -> str:
        """SHA-256 of what is sent, with the mapping's version; equal hashes need no call."""
        text = json.dumps([MAPPING, self.fields], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def request(self) -> JsonObject:
        """The entry that makes or renews it."""
        return {"method": "UPDATE", "data": self.fields}


@attrs.frozen(kw_only=True)
class UnfitItem:
    """A sellable that cannot be sent, and why."""

    id: str
    sellable_id: int
    fault: ItemFault


def deletion(item_id: str) -> JsonObject:
    """The entry that takes an item away."""
    return {"method": "DELETE", "data": {"id": item_id}}


@attrs.frozen(kw_only=True)
class ItemRules:
    """How products become items.

    Attributes:
        by_sku: article numbers name the items, instead of the sellables' numbers.
        include: names of the categories that are in the catalogue, in small letters; empty: all.
        exclude: those that are kept out, the same way; what is in both stays out.
    """

    by_sku: bool = False
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def takes(self, product: Product) -> bool:
        """Whether the product belongs into the catalogue."""
        names = {category.name.casefold() for category in product.categories}
        return not names & self.exclude and (not self.include or bool(names & self.include))

    def items(self, product: Product, variants: Sequence[Variant], *, shop: str) -> list[CatalogueItem | UnfitItem]:
        """The product's items: itself, or each of its variants; in the order of the shop.

        Args:
            product: as the shop tells it.
            variants: all of them, however many.
            shop: the shop's name, for products that name no brand.
        """
        if not self.takes(product):
            return []
        if variants:
            return [self._variant(product, one, shop) for one in variants]
        return [self._item(product, self.name(product.id, product.sku), product.id, shop, product=product, image=None)]

    def name(self, sellable_id: int, sku: str | None) -> str:
        """The retailer id of a sellable."""
        return sku if self.by_sku and sku and len(sku) <= _ID else str(sellable_id)

    def _variant(self, product: Product, variant: Variant, shop: str) -> CatalogueItem | UnfitItem:
        item = self._item(
            variant, self.name(variant.id, variant.sku), variant.id, shop, product=product, image=variant.image_url
        )
        if isinstance(item, UnfitItem):
            return item
        group: dict[str, Any] = {"item_group_id": self.name(product.id, product.sku)}
        if variant.attributes:
            group["title"] = _cut(f"{product.name} ({', '.join(variant.attributes.values())})", _TITLE)
            group |= _attributes(variant.attributes)
        return attrs.evolve(item, fields={**item.fields, **group})

    def _item(
        self, sold: Product | Variant, item_id: str, sellable_id: int, shop: str, *, product: Product, image: str | None
    ) -> CatalogueItem | UnfitItem:
        pictures = [one for one in dict.fromkeys((*([image] if image else []), *product.images)) if _is_https(one)]
        if not pictures:
            return UnfitItem(id=item_id, sellable_id=sellable_id, fault=ItemFault.NO_IMAGE)
        if not _is_https(product.url):
            return UnfitItem(id=item_id, sellable_id=sellable_id, fault=ItemFault.NO_LINK)
        title = _cut(product.name, _TITLE) or item_id
        on_sale = sold.price < sold.regular_price
        fields: dict[str, Any] = {
            "id": item_id,
            "title": title,
            "description": _cut(product.description, _DESCRIPTION) or title,
            "availability": "out of stock" if sold.is_sold_out else "in stock",
            "condition": "new",
            "price": price_text(sold.regular_price if on_sale else sold.price),
            "link": product.url,
            "image_link": pictures[0],
            "brand": _cut(product.brand or shop, _BRAND) or title[:_BRAND],
        }
        if on_sale:
            fields["sale_price"] = price_text(sold.price)
        if len(pictures) > 1:
            fields["additional_image_link"] = pictures[1 : 1 + _MORE_IMAGES]
        if sold.stock is not None:
            fields["quantity_to_sell_on_facebook"] = max(sold.stock, 0)
        return CatalogueItem(id=item_id, sellable_id=sellable_id, fields=fields)


def price_text(price: Money) -> str:
    """As the catalogue writes prices: all places, then the currency."""
    return f"{price.amount} {price.currency}"


def _attributes(attributes: Mapping[str, str]) -> dict[str, Any]:
    """What variants differ in: fields that the catalogue knows by name, the others with their label."""
    known = {name.casefold(): value for name, value in attributes.items()}
    fields: dict[str, Any] = {name: known[name] for name in ("color", "size", "material", "pattern") if name in known}
    others = [f"{name}:{value}" for name, value in attributes.items() if name.casefold() not in fields]
    if others:
        fields["additional_variant_attribute"] = ", ".join(others)
    return fields


def _is_https(address: str | None) -> bool:
    return address is not None and address.startswith("https://")


def _cut(text: str, most: int) -> str:
    """Blanks made one and taken off the ends, then no longer than this, counted in characters."""
    return _BLANKS.sub(" ", text).strip()[:most].rstrip()


# --- what was sent


@attrs.frozen(kw_only=True)
class SentItems:
    """What the catalogue holds of one product, as far as we know: the option `catalog:<catalog>:<product>`.

    Attributes:
        items: by retailer id the hash of what it took; None: it was sent, and what became of it is not known.
        sent_at: when each was sent.
        handle: of a call whose outcome was not known yet when it was asked last.
        pending: what that call holds: hashes by retailer id, None for a deletion.
    """

    items: Mapping[str, str | None] = attrs.field(factory=dict)
    sent_at: Mapping[str, str] = attrs.field(factory=dict)
    handle: str | None = None
    pending: Mapping[str, str | None] = attrs.field(factory=dict)

    @classmethod
    def read(cls, stored: JsonObject | None) -> Self:
        """From the option's document."""
        if stored is None:
            return cls()
        items: Mapping[str, Any] = stored.get("items", {})
        return cls(
            items={name: one.get("hash") for name, one in items.items()},
            sent_at={name: one["sent_at"] for name, one in items.items()},
            handle=stored.get("handle"),
            pending=stored.get("pending", {}),
        )

    def written(self) -> JsonObject:
        """The option's document."""
        return document(
            handle=self.handle,
            pending=dict(self.pending) or None,
            items={name: {"hash": value, "sent_at": self.sent_at[name]} for name, value in self.items.items()},
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the product is left there."""
        return not self.items and self.handle is None

    def settled(self, call: Mapping[str, str | None], refused: Mapping[str, str], *, now: datetime) -> Self:
        """After a call was worked off: what it took has its hash, what it refused has none, what it deleted is gone."""
        items, sent_at = dict(self.items), dict(self.sent_at)
        for name, digest in call.items():
            if name in refused:
                items[name] = None
            elif digest is None:
                items.pop(name, None)
                continue
            else:
                items[name] = digest
            sent_at[name] = iso(now)
        return attrs.evolve(
            self,
            items=items,
            sent_at={name: at for name, at in sent_at.items() if name in items},
            handle=None,
            pending={},
        )

    def awaiting(self, handle: str, call: Mapping[str, str | None]) -> Self:
        """The outcome of this call is not known yet."""
        return attrs.evolve(self, handle=handle, pending=dict(call))

    def forgotten(self, names: Iterable[str]) -> Self:
        """These are sent again at the next look, whatever was sent before."""
        wanted = set(names)
        return attrs.evolve(
            self, items={name: None if name in wanted else digest for name, digest in self.items.items()}
        )


@attrs.frozen(kw_only=True)
class Difference:
    """What has to be sent so that the catalogue holds what the shop sells of one product.

    Attributes:
        created: items that were never sent.
        changed: items that were sent otherwise.
        deleted: retailer ids that are to go.
        unfit: what cannot be sent.
    """

    created: tuple[CatalogueItem, ...] = ()
    changed: tuple[CatalogueItem, ...] = ()
    deleted: tuple[str, ...] = ()
    unfit: tuple[UnfitItem, ...] = ()

    @classmethod
    def between(cls, wanted: Sequence[CatalogueItem | UnfitItem], sent: SentItems) -> Self:
        """What is wanted against what was sent."""
        fit = [one for one in wanted if isinstance(one, CatalogueItem)]
        unfit = tuple(one for one in wanted if isinstance(one, UnfitItem))
        kept = {one.id for one in wanted}
        return cls(
            created=tuple(one for one in fit if one.id not in sent.items),
            changed=tuple(one for one in fit if one.id in sent.items and sent.items[one.id] != one.hash),
            deleted=tuple(name for name in sent.items if name not in kept),
            unfit=unfit,
        )

    @property
    def requests(self) -> tuple[JsonObject, ...]:
        """The entries of the call."""
        return (
            *(one.request for one in (*self.created, *self.changed)),
            *(deletion(name) for name in self.deleted),
        )

    @property
    def call(self) -> dict[str, str | None]:
        """What the call holds: hashes by retailer id, None for a deletion."""
        return {
            **{one.id: one.hash for one in (*self.created, *self.changed)},
            **dict.fromkeys(self.deleted),
        }


def in_calls(requests: Sequence[JsonObject]) -> Iterator[tuple[JsonObject, ...]]:
    """The entries cut into calls, in their order: at most 3,000 and 20 MB each."""
    batch: list[JsonObject] = []
    weight = 0
    for request in requests:
        size = len(json.dumps(request, ensure_ascii=True))
        if batch and (len(batch) == MOST_IN_A_CALL or weight + size > MOST_BYTES_IN_A_CALL):
            yield tuple(batch)
            batch, weight = [], 0
        batch.append(request)
        weight += size
    if batch:
        yield tuple(batch)


# --- what it answers


@attrs.frozen(kw_only=True)
class BatchStatus:
    """How far a call was worked off.

    Attributes:
        is_finished: whether it is over.
        refused: by retailer id why an item was not taken.
    """

    is_finished: bool
    refused: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ListedItem:
    """An item as the catalogue lists it.

    Attributes:
        id: the retailer id.
        price: as the catalogue words it; what is on sale has `sale_price` too.
        is_available: whether it is in stock there.
        quantity: pieces that may be sold there; None when they are not counted.
    """

    id: str
    price: str
    sale_price: str | None = None
    is_available: bool
    quantity: int | None = None


@attrs.frozen(kw_only=True)
class CataloguePage:
    """Some items of a catalogue, and where the next begin; None at the end."""

    items: Sequence[ListedItem]
    next: str | None = None
