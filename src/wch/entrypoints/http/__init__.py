"""HTTP: WhatsApp's webhook, the health of the hub, its routes, and the sandbox."""
