"""A row of the WordPress plugin, read column by column with forgiveness, or refused with a reason."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

import attrs

from wch.domain.errors import WchError
from wch.domain.moment import whole
from wch.domain.phone import key_of
from wch.domain.php_value import NotPhpError, read_php

W = TypeVar("W", bound=StrEnum)

ZERO = "0000-00-00"
_SHOWN = 40
_PHP = ("a:", "s:", "i:", "b:", "d:", "N;", "O:", "C:")


class RefusedRowError(WchError):
    """This row cannot be taken over; `why` says why."""

    why: str

    def __init__(self, why: str) -> None:
        super().__init__(why=why)


@attrs.frozen(kw_only=True)
class LegacyRow:
    """One row as the plugin's database has it.

    Attributes:
        values: by column, as the driver gave them.
        zone: in which times without one are meant.
    """

    values: Mapping[str, Any]
    zone: tzinfo = UTC

    def text(self, column: str, width: int | None = None) -> str | None:
        """The text; an empty one is none. One that does not fit is refused, never cut."""
        value = self.values.get(column)
        if value is None or value == "":
            return None
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        if width is not None and len(text) > width:
            raise RefusedRowError(f"{column} is longer than {width} characters")
        return text

    def needed(self, column: str, width: int | None = None) -> str:
        """The text; without one the row is refused."""
        text = self.text(column, width)
        if text is None:
            raise RefusedRowError(f"{column} is empty")
        return text

    def phone(self, column: str) -> str:
        """The customer's key: the digits of the number."""
        try:
            return key_of(self.needed(column))
        except ValueError as error:
            raise RefusedRowError(f"{column} is no phone number") from error

    def word(self, column: str, words: type[W], also: Mapping[str, W] | None = None) -> W:
        """The state, in any spelling of its letters; what no reader knows is refused."""
        written = self.needed(column).strip().casefold()
        known = {**{word.value: word for word in words}, **(also or {})}
        found = known.get(written)
        if found is None:
            raise RefusedRowError(f"{column}: {written[:_SHOWN]!r} is not known")
        return found

    def whole(self, column: str) -> int | None:
        """The whole number, if there is one; 0 stays 0."""
        text = self.text(column)
        if text is None:
            return None
        try:
            return int(Decimal(text))
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise RefusedRowError(f"{column} is no whole number") from error

    def count(self, column: str) -> int:
        """A number of things: never below 0, nothing is 0."""
        return max(self.whole(column) or 0, 0)

    def reference(self, column: str) -> int | None:
        """The id of something; 0 stands for none."""
        return self.whole(column) or None

    def money(self, column: str) -> Decimal | None:
        """The amount."""
        text = self.text(column)
        if text is None:
            return None
        try:
            amount = Decimal(text)
        except InvalidOperation as error:
            raise RefusedRowError(f"{column} is no amount") from error
        if not amount.is_finite():
            raise RefusedRowError(f"{column} is no amount")
        return amount

    def flag(self, column: str) -> bool:
        """Whether it is set."""
        return bool(self.whole(column))

    def moment(self, column: str) -> datetime | None:
        """The time; the zero date of MySQL is none."""
        value = self.values.get(column)
        if value is None or value == "" or str(value).startswith(ZERO):
            return None
        try:
            read = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        except ValueError as error:
            raise RefusedRowError(f"{column} is no date: {str(value)[:_SHOWN]!r}") from error
        aware = read if read.tzinfo is not None else read.replace(tzinfo=self.zone)
        return whole(aware.astimezone(UTC))

    def dated(self, *columns: str) -> datetime:
        """The first of these times that there is; without any the row is refused."""
        for column in columns:
            found = self.moment(column)
            if found is not None:
                return found
        raise RefusedRowError(f"{columns[0]} is missing")

    def data(self, column: str) -> Any:
        """What a column of JSON holds; PHP's own form is read too. An object of a PHP class is refused."""
        text = self.text(column)
        if text is None:
            return None
        stripped = text.strip()
        try:
            return json.loads(stripped, parse_float=Decimal)
        except (ValueError, RecursionError):
            pass
        if not stripped.startswith(_PHP):
            raise RefusedRowError(f"{column} is neither JSON nor PHP's form")
        try:
            return read_php(stripped)
        except NotPhpError as error:
            raise RefusedRowError(f"{column} cannot be read: {error}") from error

    def object(self, column: str) -> dict[str, Any] | None:
        """The JSON object; an empty list is PHP's empty object."""
        value = self.data(column)
        if value is None or value == []:
            return None if value is None else {}
        if not isinstance(value, dict):
            raise RefusedRowError(f"{column} is no object")
        return {str(key): _plain(one) for key, one in value.items()}

    def list(self, column: str) -> list[Any]:
        """The JSON list; an object stands for its values, as PHP has it."""
        value = self.data(column)
        if value is None:
            return []
        if isinstance(value, dict):
            value = list(value.values())
        if not isinstance(value, list):
            raise RefusedRowError(f"{column} is no list")
        return [_plain(one) for one in value]


def _plain(value: Any) -> Any:
    """Decimals as text, so that the value is JSON."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
