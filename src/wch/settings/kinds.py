"""What a setting may be: how text, TOML and Python values become one value, and how it is shown."""

import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import attrs

MASK = "********"
_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off"}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class WrongValueError(ValueError):
    """A value does not fit; the text ends the sentence that begins with the setting's name."""

    def __init__(self, subject: str, complaint: str = "", way_out: str = "") -> None:
        text = f"{subject} {complaint}".strip()
        super().__init__(f"{text}: {way_out}" if way_out else text)


class Kind(Protocol):
    """A setting's type: the word for it, how it is read and how it is shown."""

    @property
    def word(self) -> str:
        """The word for it in lists of settings."""
        ...

    @property
    def is_secret(self) -> bool:
        """Whether it is shown to nobody, and may come out of a file of its own."""
        ...

    def read(self, given: Any) -> Any:
        """Make a value of what was given; `WrongValueError` says what it ought to be."""
        ...

    def show(self, value: Any) -> str:
        """Write the value as it would be given, without anything secret."""
        ...


def _quoted(given: Any) -> str:
    text = str(given)
    return f"{text[:60]!r}..." if len(text) > 60 else repr(text)  # noqa: PLR2004 -- what fits into a sentence


def _shown(given: Any, *, secret: bool) -> str:
    return "" if secret else _quoted(given)


def _entries(given: Any, *, secret: bool = False) -> list[Any]:
    """Take a list apart: a TOML or Python list, JSON, or text with commas; blanks fall away."""
    if isinstance(given, str):
        if given.strip().startswith("["):
            try:
                decoded = json.loads(given)
            except ValueError:
                complaint, way_out = "begins like JSON and is none", 'give a,b or ["a", "b"]'
                raise WrongValueError(_shown(given, secret=secret), complaint, way_out) from None
            return [entry for entry in decoded if entry != ""]
        return [entry.strip() for entry in given.split(",") if entry.strip()]
    if isinstance(given, list | tuple | set | frozenset):
        return [entry for entry in given if entry != ""]
    return [given]


def _text(given: Any, *, secret: bool = False) -> str:
    if isinstance(given, StrEnum):
        return given.value
    if not isinstance(given, str):
        raise WrongValueError(_shown(given, secret=secret), "is not text")
    return given.strip()


@attrs.frozen
class Text:
    """Text, in a form if one is given."""

    form: str = ".*"
    example: str = "text"
    word: str = attrs.field(default="str", kw_only=True)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> str:
        """Read text without the blanks around it."""
        text = _text(given)
        if not re.fullmatch(self.form, text, re.DOTALL):
            raise WrongValueError(_quoted(text), "is not in the form expected", f"give {self.example}")
        return text

    def show(self, value: str) -> str:
        """Show the text as it is."""
        return value


@attrs.frozen
class Flag:
    """Yes or no."""

    word: str = attrs.field(default="bool", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> bool:
        """Read true or false in the usual words."""
        if isinstance(given, bool):
            return given
        word = str(given).strip().lower()
        if word in _YES:
            return True
        if word in _NO:
            return False
        raise WrongValueError(_quoted(given), "is neither yes nor no", "give true or false")

    def show(self, value: bool) -> str:  # noqa: FBT001 -- it is the value
        """Show true or false."""
        return "true" if value else "false"


@attrs.frozen
class Whole:
    """A whole number between two bounds, both included."""

    least: int
    most: int
    word: str = attrs.field(default="int", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> int:
        """Read digits; a fraction is not rounded but refused."""
        wanted = f"give a whole number from {self.least} to {self.most}"
        if isinstance(given, bool) or not re.fullmatch(r"-?[0-9]{1,18}", str(given).strip()):
            raise WrongValueError(_quoted(given), "is not a whole number", wanted)
        number = int(given)
        if not self.least <= number <= self.most:
            raise WrongValueError(str(number), "is out of range", wanted)
        return number

    def show(self, value: int) -> str:
        """Show the digits."""
        return str(value)


@attrs.frozen
class Amount:
    """An amount of money, not negative; its currency is the shop's."""

    word: str = attrs.field(default="money", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> Decimal:
        """Read digits with a dot; a comma is refused, since nobody knows which one it is."""
        if isinstance(given, float):
            raise WrongValueError(str(given), "is a number with a fraction, which loses cents", "give it in quotes")
        text = str(given).strip()
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", text):
            raise WrongValueError(_quoted(given), "is not an amount", "give digits with a dot, like 12.50")
        return Decimal(text)

    def show(self, value: Decimal) -> str:
        """Show the digits with a dot."""
        return str(value)


@attrs.frozen
class TimeOfDay:
    """A time of the day."""

    word: str = attrs.field(default="time", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> dt.time:
        """Read hours and minutes."""
        if isinstance(given, dt.time):
            return given.replace(second=0, microsecond=0)
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", str(given).strip()):
            raise WrongValueError(_quoted(given), "is not a time of the day", "give hours and minutes, like 22:00")
        return dt.time.fromisoformat(str(given).strip())

    def show(self, value: dt.time) -> str:
        """Show hours and minutes."""
        return value.isoformat("minutes")


@attrs.frozen
class OneOf:
    """One word of several."""

    words: type[StrEnum]
    word: str = attrs.field(default="enum", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> StrEnum:
        """Read one of the words, in small letters or capitals."""
        try:
            return self.words(_text(given).lower())
        except ValueError:
            raise WrongValueError(_quoted(given), "is not known", f"give {_either(self.words)}") from None

    def show(self, value: StrEnum) -> str:
        """Show the word."""
        return value.value


def _either(words: type[StrEnum]) -> str:
    *others, last = [word.value for word in words]
    return f"{', '.join(others)} or {last}" if others else last


@attrs.frozen
class Words:
    """A list of words, each once, in the order given."""

    form: str = r"[^,]+"
    example: str = "a,b"
    among: type[StrEnum] | None = None
    word: str = attrs.field(default="list", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> tuple[str, ...]:
        """Read words with commas between, or JSON; `[]` is the empty list."""
        entries = [_text(entry) for entry in _entries(given)]
        for entry in entries:
            if self.among is not None and entry not in list(self.among):
                raise WrongValueError(_quoted(entry), "is not known", f"give some of {_either(self.among)}")
            if not re.fullmatch(self.form, entry):
                raise WrongValueError(_quoted(entry), "is not in the form expected", f"give a list like {self.example}")
        of: Callable[[str], str] = self.among or str
        return tuple(of(entry) for entry in dict.fromkeys(entries))

    def show(self, value: tuple[str, ...]) -> str:
        """Show the words with commas between."""
        return ",".join(value)


@attrs.frozen
class Numbers:
    """A list of whole numbers that go up."""

    least: int
    most: int
    shortest: int
    longest: int
    strictly: bool = True
    goes_down: bool = False
    word: str = attrs.field(default="list", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> tuple[int, ...]:
        """Read numbers with commas between, or JSON, and look whether they are in order."""
        one = Whole(self.least, self.most)
        numbers = tuple(one.read(entry) for entry in _entries(given))
        if not self.shortest <= len(numbers) <= self.longest:
            wanted = str(self.longest) if self.shortest == self.longest else f"{self.shortest} to {self.longest}"
            raise WrongValueError(_quoted(self.show(numbers)), f"has {len(numbers)} entries", f"give {wanted}")
        steps = [(b, a) if self.goes_down else (a, b) for a, b in itertools.pairwise(numbers)]
        if any(low > high or (low == high and self.strictly) for low, high in steps):
            order = "largest first" if self.goes_down else "smallest first"
            better = self.show(tuple(sorted(set(numbers), reverse=self.goes_down)))
            raise WrongValueError(_quoted(self.show(numbers)), "is out of order", f"give them {order}, like {better}")
        return numbers

    def show(self, value: tuple[int, ...]) -> str:
        """Show the numbers with commas between."""
        return ",".join(str(number) for number in value)


@attrs.frozen
class Json:
    """A JSON object or list, or a TOML table."""

    check: Callable[[Mapping[str, Any]], str | None] = attrs.field(default=lambda _: None)
    word: str = attrs.field(default="json", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> Mapping[str, Any]:
        """Read an object; nothing is the empty one, as `show` has it; `check` says what is wrong with it."""
        decoded = {} if given == "" else given
        if isinstance(decoded, str):
            try:
                decoded = json.loads(decoded)
            except ValueError as error:
                raise WrongValueError(_quoted(given), f"is not JSON ({error})", "give an object") from None
        if not isinstance(decoded, Mapping):
            raise WrongValueError(_quoted(given), "is not an object", 'give JSON like {"name": "value"}')
        if wrong := self.check(decoded):
            raise WrongValueError(wrong)
        return MappingProxyType(dict(decoded))

    def show(self, value: Mapping[str, Any]) -> str:
        """Show JSON; the empty object is shown as nothing."""
        return json.dumps(dict(value), ensure_ascii=False, sort_keys=True, default=str) if value else ""


@attrs.frozen
class Secret:
    """A secret that is never shown; the empty text means that it is not set."""

    word: str = attrs.field(default="secret", init=False)
    is_secret: bool = attrs.field(default=True, init=False)

    def read(self, given: Any) -> str:
        """Read text without the blanks around it."""
        return _text(given, secret=True)

    def show(self, value: str) -> str:
        """Show that it is set, and nothing of it."""
        return MASK if value else ""


@attrs.frozen
class Secrets:
    """Secrets while rotating: the first is used, all are accepted."""

    word: str = attrs.field(default="secret list", init=False)
    is_secret: bool = attrs.field(default=True, init=False)

    def read(self, given: Any) -> tuple[str, ...]:
        """Read secrets with commas between, or JSON."""
        return tuple(dict.fromkeys(_text(entry, secret=True) for entry in _entries(given, secret=True)))

    def show(self, value: tuple[str, ...]) -> str:
        """Show how many are set, and nothing of them."""
        return ",".join(MASK for _ in value)


@attrs.frozen
class Address:
    """An http or https address of a provider, without a slash at its end."""

    word: str = attrs.field(default="str", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> str:
        """Read an absolute address; which of http and https is allowed, the profile decides."""
        text = _text(given).rstrip("/")
        if not text:
            return ""
        try:
            parts = urlsplit(text)
            fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits:
            raise WrongValueError(_quoted(without_password(text)), "is not an address", "give https://host")
        return text

    def show(self, value: str) -> str:
        """Show the address without a password in it."""
        return without_password(value)


@attrs.frozen
class DatabaseUrl:
    """Which store is used, and how it is reached."""

    schemes: tuple[str, ...] = ("sqlite+aiosqlite", "sqlite", "sqlite+pysqlite", "mysql+pymysql", "mariadb+pymysql")
    word: str = attrs.field(default="str", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> str:
        """Read an address of a store that there is an adapter for."""
        text = _text(given)
        scheme, mark, rest = text.partition("://")
        ways = "give sqlite+aiosqlite:///wch.db, mysql+pymysql://user:password@host/name or memory://"
        if text == "memory://":
            return text
        if not mark or scheme not in self.schemes:
            raise WrongValueError(_quoted(without_password(text)), "is no database that is known here", ways)
        if not rest.strip("/") and not scheme.startswith("sqlite"):
            raise WrongValueError(_quoted(text), "names no server", ways)
        return text

    def show(self, value: str) -> str:
        """Show the address without the password in it."""
        return without_password(value)


def without_password(url: str) -> str:
    """Hide the password of an address, also of one that cannot be taken apart."""
    return re.sub(r"(?<=://)([^/@:]*):.*@", rf"\1:{MASK}@", url)


def is_loopback(url: str) -> bool:
    """Whether an address never leaves this machine."""
    host = urlsplit(url).hostname or ""
    return host in _LOOPBACK or bool(re.fullmatch(r"127(\.[0-9]{1,3}){3}", host))


V = TypeVar("V")


@attrs.frozen
class Window:
    """So many in so many seconds."""

    count: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds}"


@attrs.frozen
class Trip:
    """After how many failures a breaker opens, after how many successes it closes, and how long it waits."""

    failures: int
    successes: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.failures}/{self.successes}/{self.seconds}"


@attrs.frozen
class Parts(Generic[V]):
    """Positive whole numbers with slashes between, such as `100/60`."""

    of: Callable[..., V]
    names: str
    word: str = attrs.field(default="str", init=False)
    is_secret: bool = attrs.field(default=False, init=False)

    def read(self, given: Any) -> V:
        """Read as many numbers as there are names."""
        if isinstance(given, Window | Trip):
            given = str(given)
        numbers = _text(given).split("/")
        fits = len(numbers) == len(self.names.split("/"))
        if not fits or not all(re.fullmatch(r"[1-9][0-9]{0,8}", number.strip()) for number in numbers):
            raise WrongValueError(_quoted(given), f"is not in the form {self.names}", "give numbers from 1 up")
        return self.of(*(int(number) for number in numbers))

    def show(self, value: V) -> str:
        """Show the numbers with slashes between."""
        return str(value)
