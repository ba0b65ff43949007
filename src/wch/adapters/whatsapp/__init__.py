"""The WhatsApp Cloud API: what it posts, what it takes, and the network between."""

from wch.adapters.whatsapp.client import CloudApiWhatsApp
from wch.adapters.whatsapp.codec import CloudApiCodec

__all__ = ["CloudApiCodec", "CloudApiWhatsApp"]
