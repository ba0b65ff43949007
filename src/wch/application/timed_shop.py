"""A shop whose calls are timed, each by its name and how it went."""

import inspect
from collections.abc import Callable
from typing import Any

from wch.application.ports import Clock, Shop
from wch.application.tallies import Tallies
from wch.domain.shop_error import ShopError, ShopUnavailableError

OPERATIONS = frozenset(name for name, call in vars(Shop).items() if inspect.iscoroutinefunction(call))
"""What the port can do."""


class TimedShop:
    """Times what the port names; everything else is the shop's own."""

    def __init__(self, shop: Shop, clock: Clock, tallies: Tallies) -> None:
        self._shop = shop
        self._clock = clock
        self._tallies = tallies

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._shop, name)
        return self._timed(name, found) if name in OPERATIONS else found

    def _timed(self, operation: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def timed(**asked: Any) -> Any:
            begun, result = self._clock.boot(), "broke"
            try:
                answer = await call(**asked)
                result = "done"
            except ShopUnavailableError:
                result = "unavailable"
                raise
            except ShopError:
                result = "refused"
                raise
            else:
                return answer
            finally:
                self._tallies.time("shop_seconds", (operation, result), self._clock.boot() - begun)

        return timed
