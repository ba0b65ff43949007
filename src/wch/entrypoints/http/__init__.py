"""HTTP: WhatsApp's webhook, the health of the hub, its routes, and the sandbox."""

from wch.entrypoints.http.application import asgi

__all__ = ["asgi"]
