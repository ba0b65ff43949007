"""A small shop to try things with: twelve products, two ways of delivery, one coupon."""

from decimal import Decimal

from sqlalchemy import insert, select

from wch.adapters.local_shop.catalogue_rows import apply
from wch.adapters.local_shop.file_rows import rows_of
from wch.adapters.local_shop.till import Till
from wch.domain.money import Money, places

# The prices are for a currency of two places; one of none gets a hundred times as much.
_PRODUCTS = """sku,name,type,parent_sku,price,regular_price,stock,categories,description,needs_shipping,attributes
MUG,Ceramic Mug,simple,,9.50,,60,Kitchen,"Holds a quarter of a litre, and survives the dishwasher.",yes,
BOWL,Olive Wood Bowl,simple,,24.00,,18,Kitchen,"Turned from one piece, no two alike.",yes,
TOWEL,Linen Tea Towel,simple,,7.00,,80,Kitchen,Dries glasses without lint.,yes,
LAMP-DESK,Desk Lamp,simple,,29.00,35.00,12,Home > Lamps,Bends where you need the light.,yes,
LAMP-BLUE,Blue Lamp,simple,,20.00,,25,Home > Lamps,A small lamp with a blue glass shade.,yes,
LANTERN,Paper Lantern,simple,,12.00,,40,Home > Lamps,Folds flat and glows warm.,yes,
SHIRT,Shirt,variable,,,,,Clothing,"Soft cotton, cut straight.",yes,
BAG,Canvas Bag,simple,,15.00,,50,Clothing,Carries ten kilos and folds into a pocket.,yes,
SHOES,Red Shoes,variable,,,,,Clothing,Light shoes for summer.,yes,
CANDLE,Scented Candle,simple,,11.00,,36,Home|Gifts,Burns for thirty hours; smells of cedar.,yes,
CARDS,Greeting Cards,simple,,6.50,,100,Gifts,Eight cards with envelopes.,yes,
GIFT-CARD,Gift Card,simple,,25.00,,,Gifts,Arrives as a code; nothing is shipped.,no,
SHIRT-S,,variant,SHIRT,18.00,,10,,,yes,Size=S
SHIRT-M,,variant,SHIRT,18.00,,15,,,yes,Size=M
SHIRT-L,,variant,SHIRT,18.00,,8,,,yes,Size=L
SHOES-38,,variant,SHOES,39.00,49.00,6,,,yes,Size=38
SHOES-40,,variant,SHOES,39.00,49.00,6,,,yes,Size=40
SHOES-42,,variant,SHOES,39.00,49.00,0,,,yes,Size=42
"""


def fill(till: Till) -> None:
    """Stock an empty shop; one that has any product is left alone."""
    products = till.tables.products
    if till.row(select(products.c.id).limit(1)) is not None:
        return
    apply(till, rows_of(_PRODUCTS.encode(), units=lambda price: _units(till, price)).rows, replace=False)
    fill_rules(till)


def fill_rules(till: Till) -> None:
    """Two ways of delivery, and the coupon WELCOME10."""
    till.connection.execute(
        insert(till.tables.shipping_methods),
        [
            {
                "code": "standard",
                "title": "Standard delivery",
                "price": _units(till, "4.90"),
                "free_from": _units(till, "50.00"),
                "countries": [],
                "eta": "3-5 working days",
                "position": 1,
            },
            {
                "code": "pickup",
                "title": "Pick up in the shop",
                "price": 0,
                "free_from": None,
                "countries": [till.country],
                "eta": "ready in 2 hours",
                "position": 2,
            },
        ],
    )
    till.connection.execute(
        insert(till.tables.coupons).values(
            code="WELCOME10", title="10 % off your first order", percent_hundredths=1000, uses_per_customer=1
        )
    )


def _units(till: Till, price: str) -> int:
    factor = 100 if places(till.currency) == 0 else 1
    return Money.rounded(Decimal(price) * factor, till.currency).minor()
