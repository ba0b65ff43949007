"""Product facts: what the shop told of each sellable, kept beside the tables since no table has a price or a stock."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import attrs

from wch.application.ports import UnitOfWork
from wch.domain.catalogue import Product
from wch.domain.money import Money
from wch.domain.product_facts import Entry, ProductFacts, at_once

PREFIX = "shop:item:"


def known(uow: UnitOfWork, sellable: int, *, lock: bool = False) -> ProductFacts | None:
    """What is known of a sellable, or of a product that is sold by its variants."""
    value = uow.options.get(f"{PREFIX}{sellable}", lock=lock)
    return None if value is None else ProductFacts.of_json(value)


def note(
    uow: UnitOfWork,
    sellable: int,
    price: Money,
    *,
    in_stock: bool,
    quantity: int | None,
    now: datetime,
    **more: Any,
) -> None:
    """Write down what the shop says of one sellable now; what was in force before is kept.

    `more` are other fields of `ProductFacts`; those that are not given stay.
    """
    name = f"{PREFIX}{sellable}"
    before = uow.options.get(name, lock=True) or {}
    facts = ProductFacts.of_json(before).seen(price, in_stock=in_stock, quantity=quantity, now=now)
    uow.options.put(name, attrs.evolve(facts, **more).to_json(before))


def note_product(uow: UnitOfWork, product: Product, *, now: datetime) -> None:
    """Write down what the shop says of a product: of itself, or of each of its variants."""
    for sold in product.variants or (product,):
        note(
            uow,
            sold.id,
            sold.price,
            in_stock=not sold.is_sold_out,
            quantity=sold.stock,
            now=now,
            product=None if sold.id == product.id else product.id,
            variants=(),
            categories=tuple(one.id for one in product.categories),
        )
    if product.variants:
        name = f"{PREFIX}{product.id}"
        facts = ProductFacts(
            variants=tuple(one.id for one in product.variants),
            categories=tuple(one.id for one in product.categories),
        )
        uow.options.put(name, facts.to_json(uow.options.get(name, lock=True) or {}))


def note_sighting(uow: UnitOfWork, product: Product, *, now: datetime) -> None:
    """Write down a product that nothing is known of yet: whoever looks at it now saw this price."""
    if known(uow, product.id) is None:
        note_product(uow, product, now=now)


def in_force(uow: UnitOfWork, product_id: int, moment: datetime | None = None) -> Entry | None:
    """Price and stock of a product then, or now; of one with variants the cheapest, and whether any was there."""
    facts = known(uow, product_id)
    if facts is None:
        return None
    look: Callable[[ProductFacts], Entry | None] = lambda one: one.now if moment is None else one.at(moment)  # noqa: E731 - one look for all
    if not facts.variants:
        return look(facts)
    parts = (known(uow, variant) for variant in facts.variants)
    return at_once([look(part) for part in parts if part is not None])


def products_of(uow: UnitOfWork, sellables: Iterable[int]) -> list[int]:
    """The products that these numbers are, or are variants of; each once."""
    found: dict[int, None] = {}
    for sellable in sellables:
        facts = known(uow, sellable)
        if facts is not None:
            found[facts.product or sellable] = None
    return list(found)


def categories_of(uow: UnitOfWork, products: Iterable[int]) -> tuple[int, ...]:
    """The categories of these products and variants, as far as they are known."""
    facts = (known(uow, product) for product in products)
    return tuple(sorted({category for one in facts if one is not None for category in one.categories}))
