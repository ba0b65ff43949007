"""The built-in shop: everything that a shop must answer, in tables beside the hub's own."""

from wch.adapters.local_shop.shop import LocalShop
from wch.adapters.local_shop.tables import create, drop, shop_metadata

__all__ = ["LocalShop", "create", "drop", "shop_metadata"]
