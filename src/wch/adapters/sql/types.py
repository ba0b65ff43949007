"""Column types that carry Python's: whole UTC seconds, words, JSON, money, keys letter by letter.

This module and `database` are the only ones that name a dialect.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

import attrs
import orjson
from sqlalchemy import CHAR, BigInteger, Column, ColumnElement, DateTime, Dialect, Integer, String, Table, Text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from wch.domain.errors import StoreMisusedError

MYSQL = frozenset({"mysql", "mariadb"})

_LARGE = b"0" * 19
"""So many digits in a row, once all are taken for noughts: a number that may be too large for the fast reader."""

_NOUGHTS = bytes(ord("0") if chr(code) in "0123456789" else ord(" ") for code in range(256))
_AS_JSON_DOES = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_CENT = Decimal("0.01")
_SECONDS_WIDTH = len("2026-01-31 23:59:59")
_MOST = Decimal(100_000_000)

TEXT_KEEPS = 16_000
"""How many characters of words about an error a TEXT column keeps; the end is cut."""


def clean(text: str) -> str:
    """The text as every store can keep it: NUL and lone surrogates replaced."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


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


class _SqliteSeconds(UserDefinedType[Any]):
    """DATETIME as a text of 19 characters."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """As the data model has it."""
        return "DATETIME"


class UtcSeconds(TypeDecorator[datetime]):
    """An aware moment in UTC, in whole seconds; 19 characters on SQLite, so that texts compare as times."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME on every engine."""
        return dialect.type_descriptor(DateTime() if dialect.name in MYSQL else _SqliteSeconds())

    def reader(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """The short way of a value that is there, where the engine has texts."""
        return None if dialect.name in MYSQL else _moment_of_text

    def writer(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """The same into the engine."""
        return None if dialect.name in MYSQL else _text_of_moment

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """UTC goes in; a finer moment than a second is refused, since engines cut it differently."""
        if value is None:
            return None
        if dialect.name not in MYSQL:
            return _text_of_moment(value)
        return _in_utc(value).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - the form that SQLAlchemy calls
        """Aware UTC comes out, or `Broken`."""
        if value is None:
            return None
        if value.__class__ is str:
            return _moment_of_text(value)
        try:
            return value.replace(tzinfo=UTC, microsecond=0)
        except AttributeError:
            return Broken("not a moment")


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None or value.microsecond:
        message = "A moment must be aware and a whole second."
        raise StoreMisusedError(message)
    return value if value.tzinfo is UTC else value.astimezone(UTC)


@lru_cache(maxsize=4096)
def _text_of_moment(value: datetime) -> str:
    """A moment as SQLite keeps it; most of those that are written together are the same few."""
    return _in_utc(value).isoformat(" ")[:_SECONDS_WIDTH]


@lru_cache(maxsize=4096)
def _moment_of_text(text: str) -> datetime | Broken:
    """A moment as SQLite keeps it; most of those that are read together are the same few."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)
    except (TypeError, ValueError):
        return Broken("not a moment")


class Key(TypeDecorator[str]):
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

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """As it fits."""
        return self.fit(value)


def _collation(dialect: Dialect) -> str:
    """MariaDB and MySQL speak one protocol, but have no such collation in common."""
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


class Words(TypeDecorator[str]):
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

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """As it fits."""
        return self.fit(value)


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

    def reader(self, dialect: Dialect) -> Callable[[Any], Any] | None:  # noqa: ARG002 - as the other types have it
        """The short way of a value that is there."""
        return _members(self.words)

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """The word."""
        if value.__class__ is self.words:
            return str(value)
        return None if value is None else _fitting(str(value), self.width, None)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - the form that SQLAlchemy calls
        """The member of this word, or `Broken`."""
        return None if value is None else _member(self.words, value)


class Side(TypeDecorator[StrEnum]):
    """One of a few words that the engine itself checks, where it can."""

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

    def reader(self, dialect: Dialect) -> Callable[[Any], Any] | None:  # noqa: ARG002 - as the other types have it
        """The short way of a value that is there."""
        return _members(self.words)

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """The word."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - the form that SQLAlchemy calls
        """The member, or `Broken`."""
        return None if value is None else _member(self.words, value)


def _member(words: type[StrEnum], value: str) -> StrEnum | Broken:
    try:
        return words(value)
    except ValueError:
        return Broken(f"{words.__name__} has no word {value!r}")


def _members(words: type[StrEnum]) -> Callable[[str], StrEnum | Broken]:
    """Finds the member of a word, without the enumeration's own way to it."""
    known = {str(word): word for word in words}

    def read(value: str) -> StrEnum | Broken:
        found = known.get(value)
        return _member(words, value) if found is None else found

    return read


class LongText(TypeDecorator[str]):
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

    def fit(self, value: str | None, column: str | None = None) -> str | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """Cleaned; the end of a TEXT is cut, since it takes 65,535 bytes."""
        if value is None:
            return None
        return clean(value) if self.long else clean(value)[:TEXT_KEEPS]

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """As it fits."""
        return self.fit(value)


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

    def fit(self, value: Any, column: str | None = None) -> Encoded | None:
        """One text for one value."""
        return None if value is None else Encoded(self.text_of(value, column))

    def text_of(self, value: Any, column: str | None = None) -> str:
        """The text of a value; NUL and lone surrogates cannot be kept, not even escaped."""
        try:
            plain = self.write(value) if self.write is not None else value
            text = _json(plain)
            if "\\u0000" in text:
                text = _json(_clean_deeply(json.loads(text)))
        except (TypeError, ValueError, RecursionError) as error:
            message = "A value is no JSON."
            raise StoreMisusedError(message, column=column) from error
        return text

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """Its text."""
        fitting = value if isinstance(value, Encoded) else self.fit(value)
        return None if fitting is None else fitting.text

    def process_result_value(self, value: str | None, dialect: Dialect | None) -> Any:  # noqa: ARG002 - the form that SQLAlchemy calls
        """What was written, or `Broken`."""
        if value is None:
            return None
        try:
            read = read_json(value)
            return self.read(read) if self.read is not None else object_of(read)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a stored value, it is one thing
            return Broken(type(error).__name__)


def letter_by_letter(column: Column[Any], dialect: Dialect) -> ColumnElement[Any]:
    """The column as one to compare with: servers fold and pad the texts of JSON, which are no keys."""
    if isinstance(column.type, Json) and dialect.name in MYSQL:
        return column.collate(_collation(dialect))
    return column


def _json(value: Any) -> str:
    """The clean text of a value; what the fast writer refuses, very large numbers and lone surrogates, the other writes."""
    try:
        return orjson.dumps(value, default=_plain, option=_AS_JSON_DOES).decode()
    except TypeError:
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain))


def read_json(text: str) -> Any:
    """The value of a text; the fast reader would make floats of very large numbers, and knows no NaN."""
    if _LARGE not in text.encode("utf-8", "surrogatepass").translate(_NOUGHTS):
        try:
            return orjson.loads(text)
        except ValueError:
            pass
    return json.loads(text)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    message = f"{type(value).__name__} is no JSON"
    raise TypeError(message)


def _clean_deeply(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): _clean_deeply(one) for name, one in value.items()}
    return [_clean_deeply(one) for one in value] if isinstance(value, list) else value


def object_of(value: Any) -> Any:
    """The same object.

    Raises:
        TypeError: it is none.
    """
    if value == []:
        return {}  # how PHP writes an empty object, in rows that were imported
    if not isinstance(value, dict):
        message = "not an object"
        raise TypeError(message)
    return value


class MoneyColumn(TypeDecorator[Decimal]):
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

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """As it fits."""
        rounded = self.fit(value)
        return str(rounded) if rounded is not None and dialect.name not in MYSQL else rounded

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the form that SQLAlchemy calls
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

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:  # noqa: ARG002, FBT001 - the form that SQLAlchemy calls
        """0 or 1."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:  # noqa: ARG002 - the form that SQLAlchemy calls
        """True or false."""
        return None if value is None else bool(value)


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
