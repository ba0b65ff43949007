"""What the simulated shop sells out of the box."""

from decimal import Decimal

from wch.adapters.sandbox.woocommerce.floor import Floor
from wch.domain.money import Money, places

# Article, name, price, stock, category, description; the price is for a currency of two places.
_PRODUCTS = (
    ("MUG", "Ceramic Mug", "9.50", 60, "Kitchen", "Holds a quarter of a litre, and survives the dishwasher."),
    ("BOWL", "Olive Wood Bowl", "24.00", 18, "Kitchen", "Turned from one piece, no two alike."),
    ("TOWEL", "Linen Tea Towel", "7.00", 80, "Kitchen", "Dries glasses without lint."),
    ("LAMP-BLUE", "Blue Lamp", "20.00", 25, "Home > Lamps", "A small lamp with a blue glass shade."),
    ("LANTERN", "Paper Lantern", "12.00", 40, "Home > Lamps", "Folds flat and glows warm."),
    ("BAG", "Canvas Bag", "15.00", 50, "Clothing", "Carries ten kilos and folds into a pocket."),
    ("CANDLE", "Scented Candle", "11.00", 36, "Gifts", "Burns for thirty hours; smells of cedar."),
    ("GIFT-CARD", "Gift Card", "25.00", None, "Gifts", "Arrives as a code; nothing is shipped."),
)
_VARIANTS = (("SHIRT-S", "S", 10), ("SHIRT-M", "M", 15), ("SHIRT-L", "L", 8))


def fill(floor: Floor) -> None:
    """Stock the shop, with two ways of delivery and the coupon WELCOME10."""
    fill_rules(floor)
    for sku, name, price, stock, path, description in _PRODUCTS:
        row = floor.put_product(
            sku=sku,
            name=name,
            price=_figure(floor, price),
            regular_price=_figure(floor, price),
            description=f"<p>{description}</p>",
            categories=_filed(floor, path),
            virtual=stock is None,
            manage_stock=stock is not None,
        )
        floor.set_stock(row, stock)
    shirt = floor.put_product(
        sku="SHIRT",
        name="Shirt",
        type="variable",
        description="<p>Soft cotton, cut straight.</p>",
        categories=_filed(floor, "Clothing"),
        attributes=[{"id": 0, "name": "Size", "variation": True, "options": [size for _, size, _ in _VARIANTS]}],
    )
    for sku, size, stock in _VARIANTS:
        row = floor.put_product(
            sku=sku,
            type="variation",
            parent_id=shirt["id"],
            price=_figure(floor, "18.00"),
            regular_price=_figure(floor, "18.00"),
            attributes=[{"id": 0, "name": "Size", "option": size}],
            manage_stock=True,
        )
        floor.set_stock(row, stock)


def fill_rules(floor: Floor) -> None:
    """Two ways of delivery, and the coupon WELCOME10."""
    floor.shipping = [
        ("flat_rate:1", "Standard delivery", Decimal(_figure(floor, "4.90")), Decimal(_figure(floor, "50.00"))),
        ("local_pickup:2", "Pick up in the shop", Decimal(0), None),
    ]
    floor.put_coupon(
        code="WELCOME10",
        amount="10",
        discount_type="percent",
        description="10 % off your first order",
        usage_limit_per_user=1,
    )


def _filed(floor: Floor, path: str) -> list[dict[str, object]]:
    row = floor.category(path)
    return [] if row is None else [{"id": row["id"], "name": row["name"], "slug": row["slug"]}]


def _figure(floor: Floor, price: str) -> str:
    currency = floor.till.currency
    factor = 100 if places(currency) == 0 else 1
    return str(Money.rounded(Decimal(price) * factor, currency).amount)
