"""A WhatsApp Commerce Hub: the back office that lets a business sell on WhatsApp.

async with open_hub(Settings(database_url="memory://")) as hub:
await hub.inbox.receive_raw(body, signature=header)
await hub.worker.drain()
"""

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
    from wch.application.hub import Hub
    from wch.bootstrap import open_hub
    from wch.entrypoints.http.application import asgi

__all__ = [
    "ConflictError",
    "Hub",
    "NotFoundError",
    "SchemaError",
    "Settings",
    "SettingsError",
    "StoreUnavailableError",
    "WchError",
    "asgi",
    "open_hub",
]


def __getattr__(name: str) -> Any:
    """Bring in what takes longer only when it is asked for, so that importing the package stays quick."""
    if name == "open_hub":
        from wch.bootstrap import open_hub  # noqa: PLC0415 - only when it is asked for

        return open_hub
    if name == "Hub":
        from wch.application.hub import Hub  # noqa: PLC0415 - only when it is asked for

        return Hub
    if name == "asgi":
        from wch.entrypoints.http.application import asgi  # noqa: PLC0415 - only when it is asked for

        return asgi
    message = f"module 'wch' has no attribute {name!r}"
    raise AttributeError(message)
