"""How WhatsApp counts, and the one error for what it would refuse."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import attrs

from wch.domain.errors import WchError

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]

URL_LENGTH = 2_000

_HTTP = re.compile(r"https?://[^\s/]\S*\Z")
_HTTPS = re.compile(r"https://[^\s/]\S*\Z")
_EMOJI = re.compile(
    r"(?:[\U0001F1E6-\U0001F1FF]{2}"  # a flag
    r"|[0-9#*]\ufe0f?\u20e3"  # a keycap
    r"|[^\w\s\x00-\xa8\u200d]\ufe0f?[\U0001F3FB-\U0001F3FF]?\ufe0f?[\U000E0020-\U000E007F]*)\Z",
)
_PICTURES = frozenset({"So", "Sk"})
_EMOJI_LENGTH = 32


class MessageLimitError(WchError, ValueError):
    """WhatsApp would refuse this message: a part of it is empty, too long, too many or of the wrong form."""

    field: str
    limit: int
    length: int

    def __init__(self, field: str, limit: int, length: int, rule: str | None = None) -> None:
        """Name the part, what it may have, what it has, and the rule where a number does not say it."""
        text = f"{field}: {rule}" if rule else f"{field} may have {limit}, and has {length}"
        super().__init__(text, field=field, limit=limit, length=length)


def refuse(field: str, limit: int, length: int, rule: str | None = None) -> NoReturn:
    """Say that a part is beyond its limit.

    Raises:
        MessageLimitError: always.
    """
    raise MessageLimitError(field, limit, length, rule)


def nfc(text: str) -> str:
    """The text in the form in which it is counted and sent."""
    return unicodedata.normalize("NFC", text)


def measured(text: str) -> int:
    """How long WhatsApp counts a text: code points after NFC."""
    return len(nfc(text))


def check_text(field: str, value: str | None, most: int, *, least: int = 1) -> None:
    """Refuse a text that is too long, too short, or cannot be written in UTF-8. Blanks alone are empty; None passes."""
    if value is None:
        return
    length = measured(value) if value.strip() else 0
    if length > most:
        raise MessageLimitError(field, most, length)
    if length < least:
        raise MessageLimitError(field, most, length, "it must not be empty")
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise MessageLimitError(field, most, length, "it holds half a character")


def limited(most: int, *, least: int = 1) -> Check:
    """A validator for a text of so many code points."""

    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
        check_text(attribute.name, value, most, least=least)

    return check


def counted(most: int, *, least: int = 1) -> Check:
    """A validator for so many parts."""

    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[Any, ...]) -> None:
        if not least <= len(value) <= most:
            rule = None if len(value) > most else f"there must be at least {least}"
            raise MessageLimitError(attribute.name, most, len(value), rule)

    return check


def formed(pattern: re.Pattern[str], most: int, rule: str) -> Check:
    """A validator for a text of this form; None passes."""

    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
        if value is not None and pattern.match(value) is None:
            raise MessageLimitError(attribute.name, most, len(value), rule)

    return check


def link(*, secure: bool) -> Check:
    """A validator for a web address; None passes."""
    pattern, rule = (_HTTPS, "it must be an https address") if secure else (_HTTP, "it must be a web address")

    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
        if value is None:
            return
        if len(value) > URL_LENGTH:
            raise MessageLimitError(attribute.name, URL_LENGTH, len(value))
        if pattern.match(value) is None:
            raise MessageLimitError(attribute.name, URL_LENGTH, len(value), rule)

    return check


def different(field: str, values: Iterable[str]) -> None:
    """Refuse two equal values."""
    listed = list(values)
    if len(set(listed)) != len(listed):
        raise MessageLimitError(field, len(set(listed)), len(listed), "two of them are equal")


def is_one_emoji(text: str) -> bool:
    """Whether this is one emoji: a picture, a flag, a keycap, or several pictures joined to one."""
    return len(text) <= _EMOJI_LENGTH and all(_EMOJI.match(part) for part in text.split("\u200d"))


def has_emoji(text: str) -> bool:
    """Whether a picture stands in this text."""
    return any(unicodedata.category(sign) in _PICTURES and sign > "\xff" for sign in text)
