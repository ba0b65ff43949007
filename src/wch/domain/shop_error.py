"""What the shop cannot do, will not do, or cannot be asked now."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from wch.domain.errors import WchError
from wch.domain.quote import ShortLine


class ShopError(WchError):
    """The shop cannot do this."""


class ShopUnavailableError(ShopError):
    """The shop cannot be reached now: try again later, and take a write as in doubt."""

    retry_after: timedelta | None

    def __init__(self, retry_after: timedelta | None = None) -> None:
        super().__init__(retry_after=retry_after)


class ShopNotFoundError(ShopError):
    """The shop has nothing under this id."""


class ShopRefusedError(ShopError):
    """The shop refuses this for good; `code` says why."""

    code: str

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"The shop refuses this: {code}.", code=code, **facts)


class OutOfStockError(ShopError):
    """The shop has less than was asked for; `lines` says of each short line how much there is."""

    lines: tuple[ShortLine, ...]

    def __init__(self, lines: Iterable[ShortLine]) -> None:
        super().__init__(lines=tuple(lines))


class KeyReusedError(ShopError):
    """The idempotency key was used before for something else."""


class ShopMisconfiguredError(ShopError):
    """The shop rejects our key or speaks another currency: no retry, an operator must look."""
