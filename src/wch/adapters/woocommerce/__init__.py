"""WooCommerce: its REST API as a shop, and what its webhooks tell."""

from wch.adapters.woocommerce.webhook import WooCommerceWebhooks, sign

__all__ = ["WooCommerceWebhooks", "sign"]
