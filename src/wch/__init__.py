"""A WhatsApp Commerce Hub: the back office that lets a business sell on WhatsApp.

async with open_hub(Settings(database_url="memory://")) as hub:
await hub.inbox.receive_raw(body, signature=header)
await hub.worker.drain()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wch.domain.errors import (
    ConflictError,
    NotFoundError,
    SchemaError,
    SettingsError,
    StoreUnavailableError,
    WchError,
)
from wch.settings import Settings

if TYPE_CHECKING:
    from wch.application.facts import (
        CartAbandoned,
        HealthChanged,
        LeaseLost,
        MessageReceived,
        OrderCancelled,
        OrderPlaced,
        PaymentCaptured,
        PlacementFailed,
        PlacementParked,
        RefundDone,
    )
    from wch.application.hub import Hub
    from wch.bootstrap import open_hub
    from wch.entrypoints.http.application import asgi

__all__ = [
    "CartAbandoned",
    "ConflictError",
    "HealthChanged",
    "Hub",
    "LeaseLost",
    "MessageReceived",
    "NotFoundError",
    "OrderCancelled",
    "OrderPlaced",
    "PaymentCaptured",
    "PlacementFailed",
    "PlacementParked",
    "RefundDone",
    "SchemaError",
    "Settings",
    "SettingsError",
    "StoreUnavailableError",
    "WchError",
    "asgi",
    "open_hub",
]

_FACTS = "wch.application.facts"
_LATER = {
    "CartAbandoned": _FACTS,
    "HealthChanged": _FACTS,
    "Hub": "wch.application.hub",
    "LeaseLost": _FACTS,
    "MessageReceived": _FACTS,
    "OrderCancelled": _FACTS,
    "OrderPlaced": _FACTS,
    "PaymentCaptured": _FACTS,
    "PlacementFailed": _FACTS,
    "PlacementParked": _FACTS,
    "RefundDone": _FACTS,
    "asgi": "wch.entrypoints.http.application",
    "open_hub": "wch.bootstrap",
}
"""Names that are brought in when they are asked for, so that importing the package stays quick, and their modules."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        message = f"module 'wch' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_LATER[name]), name)
