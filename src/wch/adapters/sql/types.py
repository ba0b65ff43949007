"""Column types that carry Python's: whole UTC seconds, words, JSON, money, keys letter by letter.

Each tells its short ways past SQLAlchemy, for values that are there: `reader` makes one of what the driver gives, and
raises whatever it likes where it cannot; `writer` makes what the driver takes, or refuses by the column's name.
This module and `database` are the only ones that name a dialect.
"""

# ruff: noqa: ARG002 - all types are asked alike, whatever they make of it

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

import attrs
from sqlalchemy import CHAR, BigInteger, Column, ColumnElement, DateTime, Dialect, Integer, String, Table, Text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from wch.adapters.sql.json_text import clean, json_text, read_json, read_object
from wch.domain.errors import StoreMisusedError

Read = Callable[[Any], Any]
Write = Callable[[Any], Any]
Fit = Callable[[Any, str | None], Any]
V = TypeVar("V")

MYSQL = frozenset({"mysql", "mariadb"})

_CENT = Decimal("0.01")
_SECONDS_WIDTH = len("2026-01-31 23:59:59")
_MOST = Decimal(100_000_000)

TEXT_KEEPS = 16_000
"""How many characters of words about an error a TEXT column keeps; the end is cut."""


def _text_writer(width: int, fit: Fit, column: str | None) -> Write:
    """Writes a text as it is where nothing can be wrong with it, else as it fits."""

    def write(value: Any) -> Any:
        if value.__class__ is str and len(value) <= width and value.isascii() and "\0" not in value:
            return value
        return fit(value, column)

    return write


def _fitting(text: str, width: int, column: str | None) -> str:
    """The text, cleaned; refused when longer than its column, since SQLite would keep it silently."""
    cleaned = clean(text)
    if len(cleaned) > width:
        raise StoreMisusedError(column=column, width=width)
    return cleaned


@attrs.frozen
class Broken:
    """A stored value that cannot be read; whoever meets it in a row raises or passes the row over."""

    why: str


@attrs.frozen
class Encoded:
    """A JSON value that is its text already."""

    text: str


class Own(TypeDecorator[V]):
    """A type that says itself how a value that is there goes in and comes out, by SQLAlchemy or past it."""

    def reader(self, dialect: Dialect) -> Read | None:
        """What makes the value of what the driver gives, and raises where it cannot; None: it is the value."""
        return None

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """What makes what the driver takes of a value, or refuses it by the column's name."""
        raise NotImplementedError

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """As `writer` says."""
        return None if value is None else self.writer(dialect)(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """As `reader` says, or `Broken`."""
        read = self.reader(dialect)
        return value if read is None else self._read(value, read)

    def bind_processor(self, dialect: Dialect) -> Write:
        """The same, made once."""
        write = self.writer(dialect)
        return lambda value: None if value is None else write(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Read | None:
        """The same, made once."""
        read = self.reader(dialect)
        return None if read is None else lambda value: self._read(value, read)

    def _read(self, value: Any, read: Read) -> Any:
        try:
            return None if value is None else read(value)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a stored value, it is one thing
            return Broken(self._why(value, error))

    def _why(self, _value: Any, error: Exception) -> str:
        """What is wrong with a value, without showing it."""
        return type(error).__name__


class _SqliteSeconds(UserDefinedType[Any]):
    """DATETIME as a text of 19 characters."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """As the data model has it."""
        return "DATETIME"


class UtcSeconds(Own[datetime]):
    """An aware moment in UTC, in whole seconds; 19 characters on SQLite, so that texts compare as times."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME on every engine."""
        return dialect.type_descriptor(DateTime() if dialect.name in MYSQL else _SqliteSeconds())

    def reader(self, dialect: Dialect) -> Read:
        """Aware UTC comes out."""
        return _aware if dialect.name in MYSQL else _moment_of_text

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """UTC goes in; a finer moment than a second is refused, since engines cut it differently."""
        return _naive if dialect.name in MYSQL else _text_of_moment


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None or value.microsecond:
        message = "A moment must be aware and a whole second."
        raise StoreMisusedError(message)
    return value if value.tzinfo is UTC else value.astimezone(UTC)


@lru_cache(maxsize=4096)
def _text_of_moment(value: datetime) -> str:
    """A moment as SQLite keeps it; most of those that are written together are the same few."""
    return _in_utc(value).isoformat(" ")[:_SECONDS_WIDTH]


def _naive(value: datetime) -> datetime:
    return _in_utc(value).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def _moment_of_text(text: str) -> datetime:
    """A moment as SQLite keeps it; most of those that are read together are the same few."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)


def _aware(value: datetime) -> datetime:
    """A moment as servers give it."""
    return value.replace(tzinfo=UTC, microsecond=0)


class Key(Own[str]):
    """A text that is compared letter by letter, trailing blanks included.

    Args:
        width: how many characters it takes.
        fixed: whether every value has all of them.
    """

    impl = String
    cache_ok = True

    def __init__(self, width: int, *, fixed: bool = False) -> None:
        super().__init__(width)
        self.width = width
        self.fixed = fixed

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """A collation that neither folds nor pads; which one is known once connected."""
        if dialect.name in MYSQL:
            kind = mysql.CHAR if self.fixed else mysql.VARCHAR
            return dialect.type_descriptor(kind(self.width, charset="utf8mb4", collation=_collation(dialect)))
        return dialect.type_descriptor(CHAR(self.width) if self.fixed else String(self.width))

    def fit(self, value: str | None, column: str | None = None) -> str | None:
        """Cleaned, and refused when too long."""
        return None if value is None else _fitting(str(value), self.width, column)

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """As it fits."""
        return _text_writer(self.width, self.fit, column)


def _collation(dialect: Dialect) -> str:
    """MariaDB and MySQL speak one protocol, but have no such collation in common."""
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


class Words(Own[str]):
    """A text for people, in any script; it is never looked up by."""

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

    def fit(self, value: str | None, column: str | None = None) -> str | None:
        """Cleaned, and refused when too long."""
        return None if value is None else _fitting(value, self.width, column)

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """As it fits."""
        return _text_writer(self.width, self.fit, column)


class _OneOf(Own[StrEnum]):
    """One of the words of an enumeration."""

    impl = String
    cache_ok = True

    def __init__(self, words: type[StrEnum], width: int) -> None:
        super().__init__(width)
        self.words = words
        self._longest = width

    def reader(self, dialect: Dialect) -> Read:
        """The member of this word."""
        return {str(word): word for word in self.words}.__getitem__

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """The word; one that is no member's as it fits."""
        known, width = {word: str(word) for word in self.words}, self._longest
        return lambda value: known.get(value) or _fitting(str(value), width, None)

    def _why(self, value: Any, _error: Exception) -> str:
        """The word itself: it is nobody's."""
        return f"{self.words.__name__} has no word {value!r}"


class Word(_OneOf):
    """A state: the words of an enumeration, nothing else."""

    cache_ok = True

    def __init__(self, words: type[StrEnum], width: int) -> None:
        super().__init__(words, width)
        self.width = width

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Compared letter by letter, like a key."""
        return Key(self.width).load_dialect_impl(dialect)


class Side(_OneOf):
    """One of a few words that the engine itself checks, where it can."""

    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__(words, max(len(word) for word in words))

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """ENUM where there is one."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.ENUM(*(word.value for word in self.words)))
        return dialect.type_descriptor(String(max(len(word) for word in self.words)))


class LongText(Own[str]):
    """A text without a width that matters.

    Args:
        long: LONGTEXT; TEXT otherwise, which holds words about an error and keeps their beginning.
    """

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

    def fit(self, value: str | None, column: str | None = None) -> str | None:
        """Cleaned; the end of a TEXT is cut, since it takes 65,535 bytes."""
        if value is None:
            return None
        return clean(value) if self.long else clean(value)[:TEXT_KEEPS]

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """As it fits."""
        return _text_writer(sys.maxsize if self.long else TEXT_KEEPS, self.fit, column)


class Json(Own[Any]):
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

    def reader(self, dialect: Dialect) -> Read:
        """What was written."""
        made = self.read
        if made is None:
            return read_object
        return lambda text: made([] if text == "[]" else read_json(text))

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """Its text."""
        prepared = self.write

        def write(value: Any) -> str:
            try:
                return json_text(value if prepared is None else prepared(value))
            except (TypeError, ValueError, RecursionError):
                return value.text if value.__class__ is Encoded else self.text_of(value, column)

        return write

    def fit(self, value: Any, column: str | None = None) -> Encoded | None:
        """One text for one value."""
        return None if value is None else Encoded(self.text_of(value, column))

    def text_of(self, value: Any, column: str | None = None) -> str:
        """The text of a value.

        Raises:
            StoreMisusedError: it is no JSON.
        """
        try:
            return json_text(self.write(value) if self.write is not None else value)
        except (TypeError, ValueError, RecursionError) as error:
            message = "A value is no JSON."
            raise StoreMisusedError(message, column=column) from error


def letter_by_letter(column: Column[Any], dialect: Dialect) -> ColumnElement[Any]:
    """The column as one to compare with: servers fold and pad the texts of JSON, which are no keys."""
    if isinstance(column.type, Json) and dialect.name in MYSQL:
        return column.collate(_collation(dialect))
    return column


class MoneyColumn(Own[Decimal]):
    """decimal(10,2).

    SQLite keeps a number of at most ten digits, which a double gives back exactly and compares
    by its worth; a text would compare 9.00 above 10.00.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DECIMAL(10,2)."""
        return dialect.type_descriptor(mysql.DECIMAL(10, 2) if dialect.name in MYSQL else _SqliteDecimal())

    def fit(self, value: Decimal | None, column: str | None = None) -> Decimal | None:
        """Two places, rounded half up; more digits than the column has are refused."""
        if value is None:
            return None
        rounded = value.quantize(_CENT, rounding=ROUND_HALF_UP)
        if abs(rounded) >= _MOST:
            raise StoreMisusedError(column=column, places="decimal(10,2)")
        return rounded

    def reader(self, dialect: Dialect) -> Read:
        """Exact, in two places."""
        return _amount

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """As it fits."""
        if dialect.name in MYSQL:
            return lambda value: self.fit(value, column)
        return lambda value: str(self.fit(value, column))


@lru_cache(maxsize=4096)
def _amount(value: Any) -> Decimal:
    """An amount as drivers give it; most of those that are read together are nothing."""
    return Decimal(str(value)).quantize(_CENT)


class _SqliteDecimal(UserDefinedType[Any]):
    """DECIMAL(10,2) without SQLAlchemy's way through floats."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """As the data model has it."""
        return "DECIMAL(10, 2)"


class Flag(Own[bool]):
    """tinyint(1)."""

    impl = Integer
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """TINYINT(1)."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.TINYINT(display_width=1))
        return dialect.type_descriptor(Integer())

    def reader(self, dialect: Dialect) -> Read:
        """True or false."""
        return bool

    def writer(self, dialect: Dialect, column: str | None = None) -> Write:
        """0 or 1."""
        return int


def insert_or_replace(dialect_name: str, table: Table, values: Mapping[str, Any], key: str) -> Any:
    """Write the row of this key, whether it was there or not, in one statement."""
    changed = [name for name in values if name != key]
    if dialect_name in MYSQL:
        put = mysql.insert(table).values(**values)
        return put.on_duplicate_key_update({name: put.inserted[name] for name in changed})
    written = sqlite.insert(table).values(**values)
    return written.on_conflict_do_update(index_elements=[key], set_={name: written.excluded[name] for name in changed})


def row_id() -> TypeEngine[int]:
    """bigint; on SQLite the integer that counts by itself."""
    return BigInteger().with_variant(Integer, "sqlite")


def unsigned() -> TypeEngine[int]:
    """BIGINT UNSIGNED where there is one."""
    return BigInteger().with_variant(mysql.BIGINT(unsigned=True), "mysql", "mariadb")
