"""Column types that carry Python's: whole UTC seconds, words, JSON, money, keys letter by letter.

This module and `database` are the only ones that name a dialect.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

import attrs
import cattrs
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String, Table, Text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from wch.domain.cart import CartItem
from wch.domain.errors import StoreMisusedError
from wch.domain.moment import iso, of_iso

MYSQL = frozenset({"mysql", "mariadb"})

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_CENT = Decimal("0.01")


def clean(text: str) -> str:
    """The text as every store can keep it: NUL and lone surrogates replaced."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def fits(text: str, width: int) -> str:
    """The text, cleaned.

    Raises:
        StoreMisusedError: it is longer than its column; SQLite would keep it silently.
    """
    cleaned = clean(text)
    if len(cleaned) > width:
        raise StoreMisusedError(width=width)
    return cleaned


@attrs.frozen
class Broken:
    """A stored value that cannot be read; whoever meets it in a row raises or passes the row over."""

    why: str


class UtcSeconds(TypeDecorator[datetime]):
    """An aware moment in UTC, in whole seconds; 19 characters on SQLite, so that texts compare as times."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME on every engine."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(
                sqlite.DATETIME(
                    storage_format="%(year)04d-%(month)02d-%(day)02d %(hour)02d:%(minute)02d:%(second)02d",
                    regexp=r"(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)",
                )
            )
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Naive UTC goes in; a finer moment than a second is refused, since engines cut it differently."""
        if value is None:
            return None
        if value.tzinfo is None or value.microsecond:
            raise StoreMisusedError("A moment must be aware and a whole second.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Aware UTC comes out."""
        return None if value is None else value.replace(tzinfo=UTC)


class Key(TypeDecorator[str]):
    """A text that is compared letter by letter, trailing blanks included."""

    impl = String
    cache_ok = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.width = width

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """A collation that neither folds nor pads; which one is known once connected."""
        if dialect.name in MYSQL:
            collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
            return dialect.type_descriptor(mysql.VARCHAR(self.width, charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(String(self.width))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Cleaned, and refused when too long."""
        return None if value is None else fits(str(value), self.width)


class Words(TypeDecorator[str]):
    """A text for people, in any script."""

    impl = String
    cache_ok = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.width = width

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """All of Unicode on every engine."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.VARCHAR(self.width, charset="utf8mb4"))
        return dialect.type_descriptor(String(self.width))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Cleaned, and refused when too long."""
        return None if value is None else fits(value, self.width)


class Word(TypeDecorator[StrEnum]):
    """A state: the words of an enumeration, nothing else."""

    impl = String
    cache_ok = True

    def __init__(self, words: type[StrEnum], width: int) -> None:
        super().__init__(width)
        self.words = words
        self.width = width

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Compared letter by letter, like a key."""
        return Key(self.width).load_dialect_impl(dialect)

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """The word."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """The member of this word."""
        if value is None:
            return None
        try:
            return self.words(value)
        except ValueError:
            return Broken(f"{self.words.__name__} has no word {value!r}")


class Side(TypeDecorator[StrEnum]):
    """One of a few words that the engine itself checks."""

    impl = String
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__(max(len(word) for word in words))
        self.words = words

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """ENUM where there is one."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.ENUM(*(word.value for word in self.words)))
        return dialect.type_descriptor(String(max(len(word) for word in self.words)))

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """The word."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """The member."""
        return None if value is None else self.words(value)


class LongText(TypeDecorator[str]):
    """A text without a width that matters."""

    impl = Text
    cache_ok = True

    def __init__(self, *, long: bool = True) -> None:
        super().__init__()
        self.long = long

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """LONGTEXT or TEXT with all of Unicode."""
        if dialect.name in MYSQL:
            kind = mysql.LONGTEXT if self.long else mysql.TEXT
            return dialect.type_descriptor(kind(charset="utf8mb4"))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Cleaned; a TEXT column takes 65,535 bytes and its end is cut, since it holds words about an error."""
        if value is None:
            return None
        cleaned = clean(value)
        return cleaned if self.long else cleaned[:16_000]


class Json(TypeDecorator[Any]):
    """A JSON value in a text; `read` makes of it what the aggregate holds."""

    impl = Text
    cache_ok = True

    def __init__(self, read: Callable[[Any], Any] | None = None, write: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        self.read = read
        self.write = write

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """LONGTEXT."""
        return LongText().load_dialect_impl(dialect)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """One text for one value; NUL and lone surrogates cannot be kept, not even escaped."""
        if value is None:
            return None
        plain = self.write(value) if self.write is not None else value
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), default=_plain)
        return clean(_ESCAPED_NUL.sub("\N{REPLACEMENT CHARACTER}", text))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """What was written, or `Broken`."""
        if value is None:
            return None
        try:
            read = json.loads(value)
            return self.read(read) if self.read is not None else _object(read)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a stored value, it is one thing
            return Broken(type(error).__name__)


_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    message = f"{type(value).__name__} is no JSON"
    raise TypeError(message)


def _object(value: Any) -> Any:
    if not isinstance(value, dict):
        message = "not an object"
        raise TypeError(message)
    return value


class MoneyColumn(TypeDecorator[Decimal]):
    """decimal(10,2); on SQLite a number whose ten digits survive exactly."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DECIMAL(10,2)."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.DECIMAL(10, 2))
        return dialect.type_descriptor(_SqliteDecimal())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | Decimal | None:
        """Two places; more digits than the column has are refused."""
        if value is None:
            return None
        rounded = value.quantize(_CENT, rounding=ROUND_HALF_UP)
        if abs(rounded) >= Decimal(100_000_000):
            raise StoreMisusedError("An amount does not fit into decimal(10,2).")
        return rounded if dialect.name in MYSQL else str(rounded)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Exact, in two places."""
        return None if value is None else Decimal(str(value)).quantize(_CENT)


class _SqliteDecimal(UserDefinedType[Any]):
    """DECIMAL(10,2) without SQLAlchemy's way through floats."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """As the data model has it."""
        return "DECIMAL(10, 2)"


class Flag(TypeDecorator[bool]):
    """tinyint(1)."""

    impl = Integer
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """TINYINT(1)."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.TINYINT(display_width=1))
        return dialect.type_descriptor(Integer())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:  # noqa: ARG002, FBT001
        """0 or 1."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:  # noqa: ARG002
        """True or false."""
        return None if value is None else bool(value)


def insert_or_leave(table: Table, values: Mapping[str, Any], column: str) -> Any:
    """INSERT ... ON DUPLICATE KEY UPDATE that changes nothing: makes a row that may be there, without a dead lock.

    Its row count is never asked: with FOUND_ROWS it says 1 to everybody.
    """
    return mysql.insert(table).values(**values).on_duplicate_key_update({column: table.c[column]})


def row_id() -> TypeEngine[int]:
    """bigint; on SQLite the integer that counts by itself."""
    return BigInteger().with_variant(Integer, "sqlite")


def unsigned() -> TypeEngine[int]:
    """bigint unsigned."""
    return BigInteger().with_variant(mysql.BIGINT(unsigned=True), "mysql", "mariadb")


def _converter() -> cattrs.Converter:
    """How the lines of a cart are written and read; unknown keys of imported rows are left aside."""
    converter = cattrs.Converter(omit_if_default=False)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(str(value)))
    converter.register_unstructure_hook(datetime, iso)
    converter.register_structure_hook(datetime, lambda value, _: of_iso(value))
    return converter


_CONVERTER = _converter()


def write_items(items: tuple[CartItem, ...]) -> list[dict[str, Any]]:
    """The lines of a cart as JSON has them."""
    written = []
    for item in items:
        plain = _CONVERTER.unstructure(item)
        written.append({name: value for name, value in plain.items() if name != "agreed_price" or value is not None})
    return written


def read_items(value: Any) -> tuple[CartItem, ...]:
    """The lines of a cart; readers accept a number for the price and rows without currency."""
    return tuple(_CONVERTER.structure({"currency": "", **one}, CartItem) for one in value)


def read_objects(value: Any) -> tuple[Any, ...]:
    """A list of objects."""
    return tuple(_object(one) for one in value)


def read_words(value: Any) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(str(one) for one in value)
