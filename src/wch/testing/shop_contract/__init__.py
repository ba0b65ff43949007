"""What every shop must do: a suite that any adapter, also a foreign one, passes.

Subclass `ShopContract` in a test module and give it a fixture `shelf`:

    class TestMyShop(ShopContract):
        @pytest.fixture
        async def shelf(self) -> AsyncIterator[Shelf]: ...
"""

from wch.testing.shop_contract.catalogue import CatalogueContract
from wch.testing.shop_contract.orders import OrderContract
from wch.testing.shop_contract.shelf import (
    BUYER,
    HOME,
    LAMP,
    MUG,
    SHIRT,
    SHIRT_M,
    Shelf,
    drafted,
    free,
    line_of,
    placed,
    quoted,
)
from wch.testing.shop_contract.stock import StockContract

__all__ = [
    "BUYER",
    "HOME",
    "LAMP",
    "MUG",
    "SHIRT",
    "SHIRT_M",
    "Shelf",
    "ShopContract",
    "drafted",
    "free",
    "line_of",
    "placed",
    "quoted",
]


class ShopContract(CatalogueContract, StockContract, OrderContract):
    """The suite; `shelf` is the adapter's, and `waiting` the status of its orders that wait for their money."""
