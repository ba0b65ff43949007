"""An erasure: in which spellings a person stands in stored texts, and what is left in each place."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import attrs

from wch.domain.document import JsonObject, document, through
from wch.domain.phone import is_number, variants

ERASURE = "CustomerErasure"
"""The type of the saga that erases a customer."""

GONE = "[erased]"
ID_GONE = "erased:"
"""In front of the digest that replaces a message id: duplicates are still known, the number in it is not."""

_NUMBER = re.compile(r"e[a-z2-7]{19}\Z")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_MESSAGE_ID = re.compile(r"wamid\.[A-Za-z0-9+/_=.-]+")
_CODE = re.compile(r"(\d{1,6}|[a-z_]+:[a-z_]+|[a-z_]+)(?=$|[\s:])")
_BETWEEN = "[\\s.()\N{NO-BREAK SPACE}\N{NON-BREAKING HYPHEN}/-]{0,3}"
_SHORTEST = 9
"""A number without its country is looked for only when it has so many digits: shorter ones are also other things."""

_HANDLED = ("at", "intent", "from", "to", "did", "silence", "answers")
_SAGA_KEEPS = frozenset(
    {
        "version",
        "lines",
        "money",
        "quote",
        "fee",
        "results",
        "cart",
        "conversation_id",
        "number",
        "method",
        "pays_later",
        "shipping",
        "language",
        "outcome",
        "failure",
        "reason",
        "step",
        "actions",
        "parked_in",
        "waits_from",
        "reminded",
        "placement",
        "order_id",
        "n",
        "gateway",
        "payment_id",
        "amount",
        "order",
        "restock",
        "cancel",
    }
)


def erasure_number(token: str) -> str:
    """A key that leads to nobody, for rows that stay for their figures; made of 32 hex digits of chance."""
    return f"e{base64.b32encode(bytes.fromhex(token)).decode().lower().rstrip('=')[-19:]}"


def is_erased(key: str) -> bool:
    """Whether a key stands for somebody who was erased."""
    return _NUMBER.match(key) is not None


@attrs.frozen(kw_only=True)
class Person:
    """Everything by which a person is found in stored texts.

    Attributes:
        keys: each key, alias and merged key with the erasure number that replaces it.
        nationals: further forms of the numbers, without their country, with the key they are of.
        words: e-mail, business-scoped ids: replaced wherever they stand.
        names: user names: replaced where they are the whole text or follow an `@`.
    """

    keys: Mapping[str, str]
    nationals: Mapping[str, str] = attrs.field(factory=dict)
    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of_json(cls, value: JsonObject) -> Self:
        """What `to_json` wrote."""
        return cls(
            keys=dict(value["keys"]),
            nationals=dict(value["nationals"]),
            words=tuple(value["words"]),
            names=tuple(value["names"]),
        )

    def to_json(self) -> JsonObject:
        """For the erasure's own row, until its last step."""
        return {
            "keys": dict(self.keys),
            "nationals": dict(self.nationals),
            "words": list(self.words),
            "names": list(self.names),
        }

    @property
    def numbers(self) -> Mapping[str, str]:
        """Every spelling in digits, the longest first, with its erasure number."""
        found = {written: number for key, number in self.keys.items() for written in variants(key)}
        found |= {written: self.keys[key] for written, key in self.nationals.items() if len(written) >= _SHORTEST}
        return dict(sorted(found.items(), key=lambda one: -len(one[0])))


class Traces:
    """Finds a person in texts, and takes them out.

    Args:
        person: whom.
        hidden: the digest of a message id.
        ids: digests of the person's message ids: those that hold no number are known by them.
    """

    def __init__(self, person: Person, *, hidden: Callable[[str], str], ids: frozenset[str] = frozenset()) -> None:
        self._hidden = hidden
        self._ids = ids
        self._plain: list[tuple[re.Pattern[str], str]] = []
        self._inside: list[re.Pattern[str]] = []
        for digits, number in person.numbers.items():
            if is_number(digits):
                spelt = _BETWEEN.join(digits)
                self._plain.append((re.compile(rf"(?<!\d)(?:\+|00)?{spelt}(?!\d)"), number))
                self._inside.append(re.compile(spelt))
            else:
                self._plain.append((re.compile(re.escape(digits)), number))
                self._inside.append(re.compile(re.escape(digits)))
        for word in person.words:
            pattern = re.compile(rf"(?<![\w.+-]){re.escape(word)}(?![\w])", re.IGNORECASE)
            self._plain.append((pattern, GONE))
            self._inside.append(re.compile(re.escape(word), re.IGNORECASE))
        self._names = frozenset(name.casefold() for name in person.names)
        called = "|".join(re.escape(name) for name in person.names)
        if called:
            self._plain.append((re.compile(rf"@(?:{called})(?![\w.])", re.IGNORECASE), GONE))

    def cleaned(self, text: str) -> str:
        """The text without the person; everything else in it as it was."""
        if text.casefold() in self._names:
            return GONE
        if self._is_known_id(text):
            return self.hidden_id(text)
        text = _MESSAGE_ID.sub(self._id, text)
        text = _RUN.sub(self._run, text)
        for pattern, instead in self._plain:
            text = pattern.sub(instead, text)
        return text

    def holds(self, text: str) -> bool:
        """Whether the person stands in this text."""
        return self.cleaned(text) != text

    def stands_in(self, value: Any) -> bool:
        """Whether the person stands anywhere in a JSON value."""
        return bool(through(value, self.cleaned) != value)

    def hidden_id(self, wa_message_id: str) -> str:
        """The form in which a message id is kept."""
        return wa_message_id if wa_message_id.startswith(ID_GONE) else ID_GONE + self._hidden(wa_message_id)

    def _is_known_id(self, text: str) -> bool:
        return bool(self._ids) and 0 < len(text) <= 255 and " " not in text and self._hidden(text) in self._ids  # noqa: PLR2004 - the width of the column

    def _id(self, found: re.Match[str]) -> str:
        token = found[0]
        known = self._is_known_id(token) or self._decoded_holds(token.removeprefix("wamid."))
        return self.hidden_id(token) if known else token

    def _run(self, found: re.Match[str]) -> str:
        run = found[0]
        if not self._decoded_holds(run):
            return run
        whole = _whole_text(run)
        if whole is None:
            return GONE
        body, inner = whole
        return body(self._cleaned_body(inner))

    def _cleaned_body(self, text: str) -> str:
        """A stored body: JSON is cleaned value by value, since its escapes hide what is between digits."""
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        cleaned = text if value is None else json.dumps(through(value, self.cleaned), ensure_ascii=False)
        cleaned = self.cleaned(cleaned)
        return GONE if self._any(cleaned) else cleaned

    def _decoded_holds(self, run: str) -> bool:
        return any(self._any(text) for text in _decodings(run))

    def _any(self, text: str) -> bool:
        return any(pattern.search(text) for pattern in self._inside)


def _decodings(run: str) -> Iterator[str]:
    """What a run of base64 may stand for, wherever in it the encoded part begins."""
    plain = run.rstrip("=").translate(_URL_SAFE)
    for start in range(4):
        part = plain[start:]
        part = part[: len(part) - 1] if len(part) % 4 == 1 else part
        try:
            yield base64.b64decode(part + "=" * (-len(part) % 4)).decode("latin-1")
        except (binascii.Error, ValueError):
            continue


_URL_SAFE = str.maketrans("-_", "+/")


def _whole_text(run: str) -> tuple[Callable[[str], str], str] | None:
    """The text that a whole run encodes, and how to encode another in its place; None when it is no text."""
    plain = run.translate(_URL_SAFE)
    try:
        text = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return (lambda other: base64.b64encode(other.encode()).decode("ascii")), text


# --- what is left in each place


def emptied_content(content: JsonObject) -> JsonObject:
    """What stays of a message's content: of what kind it was and what caused it, not a word of it."""
    handled: Any = content.get("handled")
    kept = {name: handled[name] for name in _HANDLED if name in handled} if isinstance(handled, Mapping) else None
    return document(
        **{name: content.get(name) for name in ("kind", "class", "origin", "pricing", "number")}, handled=kept
    )


def code_only(error: str | None) -> str | None:
    """An error as a code: what people or providers wrote around it goes."""
    found = _CODE.match(error or "")
    return None if error is None else (found[0] if found else "error")


def emptied_saga(context: JsonObject) -> JsonObject:
    """What stays of a saga: amounts, product and order ids, how it went."""
    return {name: value for name, value in context.items() if name in _SAGA_KEEPS}
