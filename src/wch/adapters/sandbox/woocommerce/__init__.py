"""A stand-in for a WooCommerce shop: its REST API, its Store API's cart, and its webhooks."""

from wch.adapters.sandbox.woocommerce.answering import WooAnswer
from wch.adapters.sandbox.woocommerce.reckoning import Till
from wch.adapters.sandbox.woocommerce.samples import fill, fill_rules
from wch.adapters.sandbox.woocommerce.shop import ShopRequest, SimulatedWooCommerce

__all__ = ["ShopRequest", "SimulatedWooCommerce", "Till", "WooAnswer", "fill", "fill_rules"]
