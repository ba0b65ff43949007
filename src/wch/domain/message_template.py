"""A message template as the account has it: its gaps, and how a message is made of it."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs

from wch.domain.document import JsonObject, document
from wch.domain.errors import WchError
from wch.domain.outgoing import Template
from wch.domain.outgoing.limit import MessageLimitError
from wch.domain.outgoing.plain import Media, MediaKind
from wch.domain.outgoing.template import (
    CopyCodeButton,
    HeaderParameter,
    MediaParameter,
    QuickReplyButton,
    TemplateButton,
    TextParameter,
    UrlButton,
)

APPROVED = frozenset({"APPROVED", "REINSTATED"})
"""What WhatsApp calls a template that may be sent."""

PREFIX = "template."
"""How the names of their options begin."""

LONGEST_NAME = 150
"""A longer name stands under its digest."""

LONGEST_VALUE = 1024

_GAP = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")


class TemplatesUnavailableError(WchError):
    """The account's templates cannot be fetched now; what is stored stays."""


def option_of(name: str, language: str) -> str:
    """The option that a template stands in; `en-US` and `en_US` are one language, a long name stands under its digest."""
    short = name if len(name) <= LONGEST_NAME else hashlib.sha256(name.encode()).hexdigest()
    return f"{PREFIX}{short}.{language.replace('-', '_')}"


@attrs.frozen(kw_only=True)
class Rendering:
    """A template with its gaps filled.

    Attributes:
        template: what is sent; None when something is missing.
        missing: variables that have no value, or one that does not fit.
        fallbacks: variables whose fallback was used.
        shown: what the customer reads, part by part.
    """

    template: Template | None
    missing: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    shown: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class MessageTemplate:
    """One row of the options `template.<name>.<language>`.

    Attributes:
        status: WhatsApp's word; only `APPROVED` may be sent.
        quality: `GREEN`, `YELLOW`, `RED` or unknown.
        reason: why it was refused or stopped.
        parameter_format: `NAMED` or `POSITIONAL`.
        components: header, body, footer and buttons as Graph lists them.
        faulty: it was refused when it was sent, and not approved anew since.
        drift: when WhatsApp told that its text was changed; fetching it anew ends that.
    """

    name: str
    language: str
    id: str | None = None
    category: str = "MARKETING"
    status: str = "APPROVED"
    quality: str | None = None
    reason: str | None = None
    parameter_format: str = "POSITIONAL"
    components: Sequence[Any] = ()
    seen_at: str | None = None
    faulty: Any = None
    drift: str | None = None

    @classmethod
    def of_graph(cls, told: JsonObject, *, seen_at: str) -> Self:
        """One element of the account's list."""
        quality: Any = told.get("quality_score")
        return cls(
            name=str(told["name"]),
            language=str(told["language"]),
            id=None if told.get("id") is None else str(told["id"]),
            category=str(told.get("category", "MARKETING")),
            status=str(told.get("status", "UNKNOWN")),
            quality=quality.get("score") if isinstance(quality, Mapping) else None,
            reason=told.get("rejected_reason") if told.get("rejected_reason") != "NONE" else None,
            parameter_format=str(told.get("parameter_format") or "POSITIONAL"),
            components=tuple(told.get("components", ())),
            seen_at=seen_at,
        )

    @classmethod
    def of_json(cls, value: JsonObject) -> Self:
        """What `to_json` wrote; events of WhatsApp's may have written only a part of it."""
        fields = {field.name for field in attrs.fields(cls)}
        told: dict[str, Any] = {name: one for name, one in value.items() if name in fields}
        return cls(**{"name": "", "language": "", **told, "components": tuple(told.get("components", ()))})

    def to_json(self) -> JsonObject:
        """As the option has it."""
        told = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        return document(**{**told, "components": list(self.components), "hash": self.hash})

    @property
    def hash(self) -> str:
        """Over what it says and how its gaps are filled: another one is another message."""
        told = json.dumps([list(self.components), self.parameter_format], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def may_be_sent(self) -> bool:
        """Whether WhatsApp takes it: approved, not of bad quality, not found faulty."""
        return self.status.upper() in APPROVED and self.quality != "RED" and not self.faulty

    def component(self, kind: str) -> Mapping[str, Any]:
        """The header, body, footer or buttons; empty when it has none."""
        found = (one for one in self.components if str(one.get("type", "")).upper() == kind)
        return next(found, {})

    def gaps(self, kind: str) -> tuple[str, ...]:
        """The names or numbers of the gaps of header or body, each once, in order."""
        found = list(dict.fromkeys(_GAP.findall(str(self.component(kind).get("text", "")))))
        return tuple(sorted(found, key=int) if all(one.isdigit() for one in found) else found)

    @property
    def buttons(self) -> Sequence[Mapping[str, Any]]:
        """Its buttons, in their order."""
        return tuple(self.component("BUTTONS").get("buttons", ()))

    def rendered(self, params: JsonObject, values: Mapping[str, str]) -> Rendering:
        """A message of this template.

        Args:
            params: `{"body": [...], "header": {...}, "buttons": [...]}`; an entry of the body is
                `{"var": name, "else": words or {language: words}}` or `{"text": words}`, and has the
                gap's own name as `name` where that is another one.
            values: what variables stand for.
        """
        fill = _Filling(template=self, values=values)
        body = fill.part("BODY", params.get("body", ()))
        header = self._header(fill, params.get("header"))
        buttons = self._buttons(fill, params.get("buttons", ()))
        shown = {
            "header": fill.text("HEADER"),
            "body": fill.text("BODY"),
            "footer": self.component("FOOTER").get("text"),
            "buttons": [str(one.get("text", "")) for one in self.buttons],
        }
        missing, fallbacks = tuple(fill.missing), tuple(fill.fallbacks)
        if missing:
            return Rendering(template=None, missing=missing, fallbacks=fallbacks, shown=shown)
        try:
            template = Template(name=self.name, language=self.language, header=header, body=body, buttons=buttons)
        except MessageLimitError as error:
            return Rendering(template=None, missing=(error.field,), fallbacks=fallbacks, shown=shown)
        return Rendering(template=template, fallbacks=fallbacks, shown=shown)

    def _header(self, fill: "_Filling", given: Any) -> HeaderParameter | None:
        kind = str(self.component("HEADER").get("format", "")).upper()
        if kind in {"IMAGE", "VIDEO", "DOCUMENT"}:
            link = given.get("media") if isinstance(given, Mapping) else None
            if not isinstance(link, str):
                fill.missing.append("header")
                return None
            return MediaParameter(media=Media(kind=MediaKind(kind.lower()), link=link))
        parts = fill.part("HEADER", [given] if isinstance(given, Mapping) else ())
        return parts[0] if parts else None

    def _buttons(self, fill: "_Filling", given: Any) -> tuple[TemplateButton, ...]:
        told = {int(one["index"]): one for one in given}
        made: list[TemplateButton] = []
        for place, button in enumerate(self.buttons):
            kind = str(button.get("type", "")).upper()
            one: Mapping[str, Any] = told.get(place, {})
            if kind == "QUICK_REPLY" and "payload" in one:
                made.append(QuickReplyButton(index=place, payload=str(one["payload"])))
            elif kind == "URL" and _GAP.search(str(button.get("url", ""))):
                text = fill.value(one, f"button_{place}")
                made += [UrlButton(index=place, text=text)] if text else []
            elif kind == "COPY_CODE":
                text = fill.value(one, f"button_{place}")
                made += [CopyCodeButton(index=place, code=text)] if text else []
        return tuple(made)


class _Filling:
    """Fills gaps, and notes what had nothing to fill them."""

    def __init__(self, *, template: MessageTemplate, values: Mapping[str, str]) -> None:
        self._template = template
        self._values = values
        self._filled: dict[str, dict[str, str]] = {}
        self.missing: list[str] = []
        self.fallbacks: list[str] = []

    def part(self, kind: str, given: Sequence[Any]) -> tuple[TextParameter, ...]:
        """The parameters of header or body: by name, else in the order of the entries."""
        named = self._template.parameter_format == "NAMED"
        gaps = self._template.gaps(kind)
        by_name = {str(one.get("name") or one.get("var")): one for one in given}
        filled: dict[str, str] = {}
        for place, gap in enumerate(gaps):
            entry = by_name.get(gap, {}) if named else (given[place] if place < len(given) else {})
            text = self.value(entry, gap)
            if text is not None:
                filled[gap] = text
        self._filled[kind] = filled
        return tuple(TextParameter(text=text, name=gap if named else None) for gap, text in filled.items())

    def value(self, entry: Mapping[str, Any], gap: str) -> str | None:
        """What fills a gap, its white space made one blank; too long is as none."""
        name = str(entry.get("var") or gap)
        text = entry.get("text", self._values.get(name) if "var" in entry else None)
        if text is None or not str(text).strip():
            instead = entry.get("else")
            if isinstance(instead, Mapping):
                language = self._template.language
                instead = instead.get(language, instead.get(language.partition("_")[0]))
            text = instead
            self.fallbacks += [name] if text else []
        words = " ".join(str(text or "").split())
        if not words or len(words) > LONGEST_VALUE:
            self.missing.append(name)
            return None
        return words

    def text(self, kind: str) -> str | None:
        """What the customer reads."""
        text = self._template.component(kind).get("text")
        if text is None:
            return None
        filled = self._filled.get(kind, {})
        return _GAP.sub(lambda found: filled.get(found[1], found[0]), str(text))
