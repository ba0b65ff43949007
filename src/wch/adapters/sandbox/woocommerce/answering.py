"""What the simulated shop answers."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class WooAnswer:
    """An answer, or one that never comes.

    Attributes:
        page: bytes of a web page in place of JSON.
        cut_after: if set, the connection is cut after so many seconds, and nothing is said.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    page: bytes | None = None
    cut_after: float | None = None

    @property
    def content_type(self) -> str:
        """What it is."""
        return "application/json; charset=UTF-8" if self.page is None else "text/html; charset=UTF-8"

    def content(self) -> bytes:
        """The body as PHP writes it, with its slashes escaped."""
        return self.page if self.page is not None else php_json(self.body)


def php_json(body: Any) -> bytes:
    """JSON as PHP writes it: a slash is escaped, and so is what is not ASCII."""
    return json.dumps(body, default=_number, separators=(",", ":")).replace("/", "\\/").encode()


def _number(value: object) -> float | int:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)
