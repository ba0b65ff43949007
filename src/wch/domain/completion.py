"""What a language model answers: words, or tools that it wants to use."""

import re
from collections.abc import Iterable

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import WchError

LONGEST_WORDS = 1_024

_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_PHONE = re.compile(r"\+?\d[\d ()./-]{5,}\d")
_CODE = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9-]{4,}\b")
_NUMBER = re.compile(r"#\s?\d+|\b\d{3,}\b")


class ModelUnavailableError(WchError):
    """The language model did not answer, or not in a way that can be read."""


@attrs.frozen(kw_only=True)
class ToolCall:
    """A tool that the model wants to use."""

    id: str
    name: str
    arguments: JsonObject


@attrs.frozen(kw_only=True)
class Completion:
    """One answer of a model, and what it used."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0


def redacted(text: str, private: Iterable[str] = ()) -> str:
    """The text without what tells who somebody is: mails, numbers, codes, and these private words."""
    for word in sorted({one.strip() for one in private if len(one.strip()) > 1}, key=len, reverse=True):
        text = re.sub(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", "[private]", text)
    text = _MAIL.sub("[mail]", text)
    text = _PHONE.sub("[phone]", text)
    text = _CODE.sub("[code]", text)
    return _NUMBER.sub("[number]", text)


def speakable(text: str) -> str:
    """A model's words as a customer may see them: no links, and not too many."""
    plain = " ".join(_LINK.sub("", line).strip() for line in text.splitlines() if line.strip())
    return plain if len(plain) <= LONGEST_WORDS else f"{plain[: LONGEST_WORDS - 1]}…"
