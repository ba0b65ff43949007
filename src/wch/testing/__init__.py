"""Shipped for hosts: a hub in memory, a clock that stands still, stand-ins, and the suites an adapter must pass.

async with memory_hub(whatsapp=(whatsapp := SandboxWhatsApp())) as hub:
assert await whatsapp.say("34600111222", "hi")

Strategies for hypothesis are in `wch.testing.strategies`, the contract of a store in `wch.testing.contract`, of a
shop in `wch.testing.shop_contract`, of a way to pay in `wch.testing.payment_contract`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wch.testing.doubles import NOON, FrozenClock, RecordingWhatsApp, SeededIds, SequentialIds, words

if TYPE_CHECKING:
    from wch.testing.hubs import SandboxWhatsApp, memory_hub
    from wch.testing.scripted_shop import Goods, ScriptedShop

__all__ = [
    "NOON",
    "FrozenClock",
    "Goods",
    "RecordingWhatsApp",
    "SandboxWhatsApp",
    "ScriptedShop",
    "SeededIds",
    "SequentialIds",
    "memory_hub",
    "words",
]

_LATER = {
    "Goods": "scripted_shop",
    "SandboxWhatsApp": "hubs",
    "ScriptedShop": "scripted_shop",
    "memory_hub": "hubs",
}
"""What needs the extras `http` or `sql`, and the module that it is in."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        message = f"module 'wch.testing' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"wch.testing.{_LATER[name]}"), name)
