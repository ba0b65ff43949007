"""WhatsApp's Cloud API: reading what it delivers, writing what it takes, and calling it."""
